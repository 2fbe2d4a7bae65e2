import { describe, expect, test } from '@jest/globals';
import type { DataMap } from '../../../src/api/generated/dataMap.ts';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import type { LegalHold } from '../../../src/api/generated/legalHold.ts';
import type { PurgeRun } from '../../../src/api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../../src/api/generated/retentionPolicy.ts';
import { POLICY_UID_LABEL } from '../../../src/api/kinds.ts';
import type { KubeObject } from '../../../src/api/object.ts';
import type { Gateway, HttpRoute, Ingress } from '../../../src/entrypoints/objects.ts';
import { parentsOf } from '../../../src/entrypoints/plan.ts';
import { storeOfMap, type Caches } from '../../../src/operator/caches.ts';
import { createSources, type Sources } from '../../../src/operator/sources.ts';
import type { Change } from '../../../src/runtime/cache.ts';
import { createController } from '../../../src/runtime/controller.ts';
import { keyOf } from '../../../src/runtime/keys.ts';
import { done } from '../../../src/runtime/result.ts';
import { silentLogger } from '../../../src/telemetry/logger.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const NAMESPACES = 50;
const namespaceOf = (index: number): string => `team-${index % NAMESPACES}`;
const objectOf = (index: number, rest: object = {}): KubeObject => ({ apiVersion: 'v1', kind: 'Any', metadata: { namespace: namespaceOf(index), name: `n-${index}`, uid: `u-${index}`, generation: 1 }, ...rest }) as KubeObject;
const many = (count: number, rest: (index: number) => object = () => ({})): KubeObject[] => Array.from({ length: count }, (_, index) => objectOf(index, rest(index)));

/** A cache in memory that counts the objects it hands out: work, where time would depend on the machine. */
function countingCache(objects: KubeObject[], counter: { handedOut: number }, indexer: (object: KubeObject) => string = (object) => object.metadata.uid ?? '') {
  const listeners = new Set<(change: Change<KubeObject>) => void>();
  const byValue = new Map<string, KubeObject[]>();
  for (const object of objects) byValue.set(indexer(object), [...(byValue.get(indexer(object)) ?? []), object]);
  const hand = (found: KubeObject[]): KubeObject[] => {
    counter.handedOut += found.length;
    return found;
  };
  return {
    objects,
    synced: async () => {},
    list: () => hand([...objects]),
    byIndex: (_name: string, value: string) => hand([...(byValue.get(value) ?? [])]),
    onChange(listener: (change: Change<KubeObject>) => void, how: { fromNow?: boolean } = {}) {
      if (how.fromNow !== true) for (const object of hand(objects)) listener({ type: 'added', object });
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    tell: (change: Change<KubeObject>) => listeners.forEach((listener) => listener(change)),
  };
}

type CountingCache = ReturnType<typeof countingCache>;

function installation(sizes: { stores: number; policies: number; maps?: number; holds?: number; runs?: number; ingresses?: number; gateways?: number; routes?: number }) {
  const counter = { handedOut: 0 };
  const storeRef = (index: number): object => ({ spec: { storeRef: { name: `n-${index}` } } });
  const caches: Record<keyof Caches, CountingCache> = {
    stores: countingCache(many(sizes.stores), counter),
    maps: countingCache(many(sizes.maps ?? 0, storeRef), counter, (map) => keyOf(storeOfMap(map as DataMap))),
    policies: countingCache(many(sizes.policies), counter),
    holds: countingCache(many(sizes.holds ?? 0), counter),
    runs: countingCache(many(sizes.runs ?? 0, (index) => ({ spec: { store: `n-${index}` }, status: { state: 'Waiting' } })), counter),
    profiles: countingCache(many(1), counter),
    namespaces: countingCache(many(NAMESPACES), counter),
    ingresses: countingCache(many(sizes.ingresses ?? 0), counter),
    gateways: countingCache(many(sizes.gateways ?? 0), counter),
    routes: countingCache(many(sizes.routes ?? 0, () => ({ spec: { parentRefs: [{ namespace: namespaceOf(0), name: 'n-0' }] } })), counter, (route) => parentsOf(route as HttpRoute).map(keyOf)[0] ?? ''),
  };
  return { caches, counter, objects: Object.values(caches).reduce((sum, cache) => sum + cache.objects.length, 0) };
}

/** All controllers over the caches, doing nothing but to note what they are asked to look at. */
async function start(caches: Record<keyof Caches, CountingCache>) {
  const sources = createSources(caches as unknown as Caches);
  const turns: Record<string, Map<string, number>> = {};
  const controllers = Object.entries(sources).map(([name, watched]: [string, Sources[keyof Sources]]) => {
    const seen = (turns[name] = new Map<string, number>());
    const reconcile = async (ref: { namespace?: string; name: string }) => {
      seen.set(keyOf(ref), (seen.get(keyOf(ref)) ?? 0) + 1);
      return done();
    };
    return createController({ name, sources: watched, reconcile, logger: silentLogger, clock: createFakeClock(), concurrency: 4 });
  });
  const abort = new AbortController();
  for (const controller of controllers) await controller.start(abort.signal);
  const settle = async (): Promise<void> => {
    do await new Promise((resolve) => setImmediate(resolve));
    while (controllers.some((controller) => controller.queueLength + controller.active > 0));
  };
  await settle();
  const forget = (): void => Object.values(turns).forEach((seen) => seen.clear());
  return { turns, settle, forget, stop: () => Promise.all(controllers.map((controller) => controller.stop())) };
}

const most = (seen: Map<string, number> | undefined): number => Math.max(0, ...(seen?.values() ?? []));

describe('ten thousand stores, as many maps, and five hundred policies', () => {
  test('are each looked at once at the start, and the work grows with their number, not with its square', async () => {
    const { caches, counter, objects } = installation({ stores: 10_000, policies: 500, maps: 10_000, holds: 200, runs: 1_000 });
    const { turns, stop } = await start(caches);
    expect(Object.fromEntries(Object.entries(turns).map(([name, seen]) => [name, [seen.size, most(seen)]]))).toEqual({
      dataStores: [10_000, 1],
      dataMaps: [10_000, 1],
      retentionPolicies: [500, 1],
      legalHolds: [200, 1],
      purgeRuns: [1_000, 1],
      complianceProfiles: [1, 1],
      entryPoints: [NAMESPACES, 1],
    });
    // Once as themselves, and stores and maps once more for their namespaces.
    expect(counter.handedOut).toBeLessThanOrEqual(2 * objects);
    await stop();
  });

  test('have every policy changed in one list, and each store is looked at once more', async () => {
    const { caches, counter, objects } = installation({ stores: 10_000, policies: 500, maps: 10_000 });
    const { turns, settle, forget, stop } = await start(caches);
    forget();
    counter.handedOut = 0;
    for (const policy of caches.policies.objects) caches.policies.tell({ type: 'modified', object: { ...policy, metadata: { ...policy.metadata, generation: 2 } }, old: policy });
    await settle();
    expect([turns['dataStores']?.size, most(turns['dataStores']), turns['retentionPolicies']?.size, turns['dataMaps']?.size]).toEqual([10_000, 1, 500, 0]);
    expect(counter.handedOut).toBeLessThanOrEqual(objects);
    await stop();
  });
});

describe('who is woken', () => {
  const sizes = { stores: 3, policies: 2, maps: 3, holds: 1, runs: 2, ingresses: 1, gateways: 1, routes: 2 };
  const ref = (index: number): string => `${namespaceOf(index)}/n-${index}`;
  const changed = <T extends KubeObject>(object: KubeObject, change: (copy: T) => void): Change<KubeObject> => {
    const copy = structuredClone(object) as T;
    change(copy);
    return { type: 'modified', object: copy, old: object };
  };
  const generation = (copy: KubeObject): void => void (copy.metadata.generation = 2);
  const everything = { dataStores: [0, 1, 2], retentionPolicies: [0, 1], legalHolds: [0], purgeRuns: [0, 1], complianceProfiles: [0] };

  const cases: [string, keyof Caches, (object: KubeObject) => Change<KubeObject>, Record<string, number[]>][] = [
    ['a store that was declared anew: itself, its maps, and all that select stores', 'stores', (store) => changed(store, generation), { ...everything, dataStores: [0], dataMaps: [0] }],
    ['a store whose coverage changed: the profiles', 'stores', (store) => changed<DataStore>(store, (copy) => void (copy.status = { coverage: { tables: 2 } } as DataStore['status'] & object)), { complianceProfiles: [0] }],
    ['a store that only noted its own look: nobody', 'stores', (store) => changed<DataStore>(store, (copy) => void (copy.status = { observedGeneration: 1 } as DataStore['status'] & object)), {}],
    ['a store that is gone, though nothing else about it changed: all the same, and its namespace', 'stores', (store) => ({ type: 'deleted', object: store, old: store }), { ...everything, dataStores: [0], dataMaps: [0], entryPoints: [0] }],
    ['a policy that is gone', 'policies', (policy) => ({ type: 'deleted', object: policy, old: policy }), { dataStores: [0, 1, 2], retentionPolicies: [0, 1], purgeRuns: [0, 1], complianceProfiles: [0] }],
    ['a map turned to another store: both, and the maps of both', 'maps', (map) => changed<DataMap>(map, (copy) => { generation(copy); copy.spec.storeRef = { namespace: namespaceOf(2), name: 'n-2' }; }), { ...everything, dataStores: [0, 2], dataMaps: [0, 2], complianceProfiles: [] }],
    ['a hold that came into force: the stores, the runs and the profiles', 'holds', (hold) => changed<LegalHold>(hold, (copy) => void (copy.status = { state: 'Active' } as LegalHold['status'] & object)), { dataStores: [0, 1, 2], purgeRuns: [0, 1], complianceProfiles: [0] }],
    ['a run that ended: its store, its policy and the profiles', 'runs', (run) => changed<PurgeRun>(run, (copy) => { copy.metadata.labels = { [POLICY_UID_LABEL]: 'u-1' }; copy.status = { state: 'Succeeded', finishedAt: '2026-01-01T00:00:00Z' } as PurgeRun['status'] & object; }), { dataStores: [0], retentionPolicies: [1], purgeRuns: [0], complianceProfiles: [0] }],
    ['an Ingress that says something else: the namespace it is in', 'ingresses', (ingress) => changed<Ingress>(ingress, (copy) => void (copy.spec = { rules: [{ host: 'a.example' }] })), { entryPoints: [0] }],
    ['an Ingress whose status was written again as it was: nobody', 'ingresses', (ingress) => changed(ingress, (copy) => void (copy.metadata.resourceVersion = '2')), {}],
    ['an Ingress that is gone: the namespace it was in', 'ingresses', (ingress) => ({ type: 'deleted', object: ingress, old: ingress }), { entryPoints: [0] }],
    ['a route: the namespace it is in', 'routes', (route) => changed<HttpRoute>(route, (copy) => void (copy.spec = {})), { entryPoints: [0] }],
    ['a Gateway: the namespaces of its routes', 'gateways', (gateway) => changed<Gateway>(gateway, (copy) => void (copy.spec = {})), { entryPoints: [0, 1] }],
    ['a policy that only counted: nobody', 'policies', (policy) => changed<RetentionPolicy>(policy, (copy) => void (copy.status = { collections: [] } as unknown as RetentionPolicy['status'] & object)), {}],
  ];

  test.each(cases)('by %s', async (_what, kind, change, woken) => {
    const { caches } = installation(sizes);
    const { turns, settle, forget, stop } = await start(caches);
    forget();
    const [first] = caches[kind].objects;
    caches[kind].tell(change(first as KubeObject));
    await settle();
    const seen = Object.fromEntries(Object.entries(turns).map(([name, keys]) => [name, [...keys.keys()].toSorted()]));
    const nobody = Object.fromEntries(Object.keys(turns).map((name) => [name, []]));
    expect(seen).toEqual({ ...nobody, ...Object.fromEntries(Object.entries(woken).map(([name, indexes]) => [name, indexes.map(name === 'entryPoints' ? (index) => `/${namespaceOf(index)}` : ref).toSorted()])) });
    await stop();
  });
});
