import type { KubeObject, ObjectRef } from '../api/object.ts';
import { POLICY_UID_LABEL } from '../api/kinds.ts';
import type { DataMap } from '../api/generated/dataMap.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { pointsAt } from '../rules/attach.ts';
import { FINAL_STATES } from '../retention/run/plan.ts';
import { source, type Source } from '../runtime/controller.ts';
import type { Caches } from './caches.ts';

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
}

export function createSources(caches: Caches): Sources {
  const { stores, maps, policies, holds, runs, profiles, namespaces } = caches;
  const allStores = (): ObjectRef[] => stores.list().map(refOf);
  const allPolicies = (): ObjectRef[] => policies.list().map(refOf);
  const allHolds = (): ObjectRef[] => holds.list().map(refOf);
  const allProfiles = (): ObjectRef[] => profiles.list().map(refOf);
  const openRuns = (): ObjectRef[] => runs.list().filter((run) => !FINAL_STATES.includes(run.status?.state ?? 'Waiting')).map(refOf);
  const when = <T extends KubeObject>(changed: (object: T, old?: T) => boolean, refs: (object: T) => ObjectRef[]) => (object: T, old?: T): ObjectRef[] => (changed(object, old) ? refs(object) : []);

  return {
    dataStores: [
      source(stores, when<DataStore>(declared, (store) => [refOf(store)])),
      source(maps, when<DataMap>(declared, (map) => [storeOf(map)])),
      source(policies, when(declared, allStores)),
      source(holds, when((hold, old) => declared(hold, old) || hold.status?.state !== old?.status?.state, allStores)),
      source(namespaces, when(declared, allStores)),
      source(runs, when((run, old) => run.status?.finishedAt !== old?.status?.finishedAt, (run) => [{ namespace: run.metadata.namespace ?? '', name: run.spec.store }])),
    ],
    dataMaps: [
      source(maps, when<DataMap>(declared, (map) => [refOf(map), ...maps.list().filter((other) => other.spec.storeRef.name === map.spec.storeRef.name).map(refOf)])),
      source(stores, when<DataStore>(declared, (store) => maps.list().filter((map) => pointsAt(map, store)).map(refOf))),
    ],
    retentionPolicies: [
      source(policies, when(declared, (policy) => [refOf(policy), ...allPolicies()])),
      source(stores, when(declared, allPolicies)),
      source(maps, when(declared, allPolicies)),
      source(namespaces, when(declared, allPolicies)),
      source(runs, when((run, old) => run.status?.state !== old?.status?.state, (run) => policyOf(run, policies.list()))),
    ],
    legalHolds: [
      source(holds, when(declared, (hold) => [refOf(hold)])),
      source(stores, when(declared, allHolds)),
      source(maps, when(declared, allHolds)),
      source(namespaces, when(declared, allHolds)),
    ],
    purgeRuns: [
      source(runs, when(declared, (run) => [refOf(run)])),
      source(policies, when(declared, openRuns)),
      source(maps, when(declared, openRuns)),
      source(stores, when(declared, openRuns)),
      source(holds, when(() => true, openRuns)),
    ],
    complianceProfiles: [
      source(profiles, when(declared, (profile) => [refOf(profile), ...allProfiles()])),
      source(stores, when((store, old) => declared(store, old) || store.status?.validUntil !== old?.status?.validUntil || JSON.stringify(store.status?.coverage) !== JSON.stringify(old?.status?.coverage) || JSON.stringify(store.status?.retention) !== JSON.stringify(old?.status?.retention), allProfiles)),
      source(holds, when(() => true, allProfiles)),
      source(policies, when(declared, allProfiles)),
      source(runs, when((run, old) => run.status?.state !== old?.status?.state, allProfiles)),
    ],
  };
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

/** Named, not looked for: with ten thousand of each a search per map would stall the start. */
function storeOf(map: DataMap): ObjectRef {
  const { namespace = map.metadata.namespace ?? '', name } = map.spec.storeRef;
  return { namespace, name };
}

function refOf(object: KubeObject): ObjectRef {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? { name } : { namespace, name };
}

function policyOf(run: KubeObject, policies: readonly RetentionPolicy[]): ObjectRef[] {
  return policies.filter((policy) => policy.metadata.uid === run.metadata.labels?.[POLICY_UID_LABEL]).map(refOf);
}
