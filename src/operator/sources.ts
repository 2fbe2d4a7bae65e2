import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, ObjectRef } from '../api/object.ts';
import { POLICY_UID_LABEL } from '../api/kinds.ts';
import type { DataMap } from '../api/generated/dataMap.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import type { Gateway } from '../entrypoints/objects.ts';
import { FINAL_STATES } from '../retention/run/plan.ts';
import { changes, itself, source, type Group, type Source } from '../runtime/controller.ts';
import { keyOf } from '../runtime/keys.ts';
import { MAPS_BY_STORE, POLICIES_BY_UID, ROUTES_BY_GATEWAY, storeOfMap, type Caches } from './caches.ts';

/**
 * Which objects are looked at again when another changes. One place, so that a reader sees what depends on what.
 *
 * A change of status alone wakes nobody but those who read that status: a controller woken by its own status
 * write would never rest.
 */
export interface Sources {
  dataStores: Source[];
  dataMaps: Source[];
  retentionPolicies: Source[];
  legalHolds: Source[];
  purgeRuns: Source[];
  complianceProfiles: Source[];
  /** Keyed by namespace. */
  entryPoints: Source[];
}

export function createSources(caches: Caches): Sources {
  const { stores, maps, policies, holds, runs, profiles, namespaces, ingresses, gateways, routes } = caches;
  const allStores: Group = () => stores.list().map(refOf);
  const allPolicies: Group = () => policies.list().map(refOf);
  const allHolds: Group = () => holds.list().map(refOf);
  const allProfiles: Group = () => profiles.list().map(refOf);
  const openRuns: Group = () => runs.list().filter((run) => !FINAL_STATES.includes(run.status?.state ?? 'Waiting')).map(refOf);
  const mapsOf = (store: ObjectRef): ObjectRef[] => maps.byIndex(MAPS_BY_STORE, keyOf(store)).map(refOf);
  const when = <T extends KubeObject>(changed: (object: T, old?: T) => boolean, refs: (object: T, old?: T) => ObjectRef[]) => (object: T, old?: T): ObjectRef[] => (changed(object, old) ? refs(object, old) : []);
  const whenAll = <T extends KubeObject>(changed: (object: T, old?: T) => boolean, group: Group) => (object: T, old?: T): readonly ObjectRef[] | Group => (changed(object, old) ? group : []);
  /** A map that was turned to another store is news for both. */
  const storesOf = (map: DataMap, old?: DataMap): ObjectRef[] => [storeOfMap(map), ...(old === undefined ? [] : [storeOfMap(old)])];

  return {
    dataStores: [
      source(stores, when(declared, itself)),
      changes(maps, when<DataMap>(declared, storesOf)),
      changes(policies, whenAll(declared, allStores)),
      changes(holds, whenAll((hold, old) => declared(hold, old) || hold.status?.state !== old?.status?.state, allStores)),
      changes(namespaces, whenAll(declared, allStores)),
      changes(runs, when<PurgeRun>((run, old) => run.status?.finishedAt !== old?.status?.finishedAt, (run) => [{ namespace: run.metadata.namespace ?? '', name: run.spec.store }])),
    ],
    dataMaps: [
      source(maps, when(declared, itself)),
      changes(maps, when<DataMap>(declared, (map, old) => storesOf(map, old).flatMap(mapsOf))),
      changes(stores, when<DataStore>(declared, (store) => mapsOf(refOf(store)))),
    ],
    retentionPolicies: [
      source(policies, when(declared, itself)),
      changes(policies, whenAll(declared, allPolicies)),
      changes(stores, whenAll(declared, allPolicies)),
      changes(maps, whenAll(declared, allPolicies)),
      changes(namespaces, whenAll(declared, allPolicies)),
      changes(runs, when<PurgeRun>((run, old) => run.status?.state !== old?.status?.state, (run) => policies.byIndex(POLICIES_BY_UID, run.metadata.labels?.[POLICY_UID_LABEL] ?? '').map(refOf))),
    ],
    legalHolds: [
      source(holds, when(declared, itself)),
      changes(stores, whenAll(declared, allHolds)),
      changes(maps, whenAll(declared, allHolds)),
      changes(namespaces, whenAll(declared, allHolds)),
    ],
    purgeRuns: [
      source(runs, when(declared, itself)),
      changes(policies, whenAll(declared, openRuns)),
      changes(maps, whenAll(declared, openRuns)),
      changes(stores, whenAll(declared, openRuns)),
      changes(holds, () => openRuns),
    ],
    complianceProfiles: [
      source(profiles, when(declared, itself)),
      changes(profiles, whenAll(declared, allProfiles)),
      changes(stores, whenAll<DataStore>((store, old) => declared(store, old) || statusJudged(store) !== statusJudged(old), allProfiles)),
      changes(holds, () => allProfiles),
      changes(policies, whenAll(declared, allProfiles)),
      changes(runs, whenAll<PurgeRun>((run, old) => run.status?.state !== old?.status?.state, allProfiles)),
    ],
    entryPoints: [
      source(stores, when(arrived, itsNamespace)),
      source(maps, when(arrived, itsNamespace)),
      changes(ingresses, when(differs, itsNamespace)),
      changes(routes, when(differs, itsNamespace)),
      changes(gateways, when<Gateway>(differs, (gateway) => routes.byIndex(ROUTES_BY_GATEWAY, keyOf(gateway.metadata)).flatMap(itsNamespace))),
    ],
  };
}

/** Whether an object came or went, whatever is in it. */
function arrived(object: KubeObject, old?: KubeObject): boolean {
  return old === undefined || object.metadata.uid !== old.metadata.uid;
}

/** Whether there is anything new in what is kept of an object. Its controller may write a status each second that says the same. */
function differs(object: KubeObject, old?: KubeObject): boolean {
  const { metadata: _now, ...now } = object;
  const { metadata: _before, ...before } = old ?? { metadata: {} };
  return arrived(object, old) || !isDeepStrictEqual(now, before);
}

function itsNamespace({ metadata }: KubeObject): ObjectRef[] {
  return [{ name: metadata.namespace ?? '' }];
}

/** What of a store's status a judgement hangs on. */
function statusJudged(store: DataStore | undefined): string {
  const { validUntil, coverage, retention } = store?.status ?? {};
  return JSON.stringify([validUntil, coverage, retention]);
}

/** Whether what people wrote changed: spec, labels, annotations, or the wish to delete. A new object counts. */
export function declared(object: KubeObject, old?: KubeObject): boolean {
  if (!old) return true;
  const { metadata: now } = object;
  const { metadata: before } = old;
  return (
    now.uid !== before.uid ||
    now.generation !== before.generation ||
    now.deletionTimestamp !== before.deletionTimestamp ||
    JSON.stringify(now.labels ?? {}) !== JSON.stringify(before.labels ?? {}) ||
    JSON.stringify(now.annotations ?? {}) !== JSON.stringify(before.annotations ?? {})
  );
}

function refOf(object: KubeObject): ObjectRef {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? { name } : { namespace, name };
}
