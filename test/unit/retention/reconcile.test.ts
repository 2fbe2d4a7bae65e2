import { describe, expect, test } from '@jest/globals';
import type { PurgeRun } from '../../../src/api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../../src/api/generated/retentionPolicy.ts';
import { DATA_STORE, PURGE_RUN, RETENTION_POLICY } from '../../../src/api/kinds.ts';
import { createStoreFacts } from '../../../src/connect/facts.ts';
import { createRetentionPolicyReconcile } from '../../../src/retention/reconcile.ts';
import { ApiError } from '../../../src/runtime/client.ts';
import type { Result } from '../../../src/runtime/result.ts';
import { StoreError } from '../../../src/stores/errors.ts';
import { aMap, aMaximum, anInventory, aPolicy, aPurge, aStore, aTable } from '../../support/declared.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { memoryAudit, type MemoryAudit } from '../../support/memory-audit.ts';
import { memoryClient, type MemoryClient } from '../../support/memory-client.ts';
import { aForecast, aStep, scriptedStore, type ScriptedStore } from '../../support/scripted-store.ts';
import { aRun } from './run/declared-run.ts';

const times = [{ event: 'Created', field: 'created_at', type: 'TimestampTZ' as const }];
const ref = { namespace: 'platform-db', name: 'general' };
const aged = (purge = aPurge()): RetentionPolicy => aPolicy('general', { maximum: aMaximum('P1Y'), purge }, { creationTimestamp: '2026-02-01T00:00:00Z' });

interface Stage {
  client: MemoryClient;
  audit: MemoryAudit;
  store: ScriptedStore;
  clock: FakeClock;
  look(): Promise<Result>;
  policy(): RetentionPolicy | undefined;
  runs(): Promise<PurgeRun[]>;
  /** Reasons of the events, oldest first. */
  told: string[];
  /** Why the declarations cannot be read. */
  unreadable: { error?: Error };
}

/** @param down names of stores that cannot be reached. */
function stage(policy: RetentionPolicy, down: Set<string> = new Set(), stores = ['analytics']): Stage {
  const client = memoryClient([[RETENTION_POLICY, policy], ...stores.map((name) => [DATA_STORE, aStore({}, { name, uid: `uid-${name}` })] as const)]);
  const store = scriptedStore({ inventory: anInventory([aTable('views', ['id', 'created_at'])]), clock: '2026-03-01T07:00:00Z' });
  store.script.plan.forecast = [aForecast(12)];
  const audit = memoryAudit();
  const told: string[] = [];
  const clock = createFakeClock(Date.parse('2026-03-01T07:00:00Z'));
  const connections = { ...store.connections };
  connections.reader = async (which, ...how) => {
    if (down.has(which.metadata.name)) throw new StoreError('Unreachable', `${which.metadata.name} does not answer`);
    const reader = await store.connections.reader(which, ...how);
    // Each store has a map of its own, whose collection its plan names.
    const collection = `platform-db/web-${which.metadata.name}/views`;
    return { ...reader, planPurge: async () => ({ ...store.script.plan, steps: [aStep({ collection })], forecast: store.script.plan.forecast.map((count) => ({ ...count, collection })) }) };
  };
  const unreadable: Stage['unreadable'] = {};
  const maps = stores.map((name) => aMap([{ times }], { storeRef: { name } }, { name: `web-${name}`, uid: `uid-web-${name}` }));
  const reconcile = createRetentionPolicyReconcile({
    client,
    connections,
    audit,
    clock,
    facts: createStoreFacts({ connections, now: clock.now }),
    declarations: { read: async () => unreadable.error ? Promise.reject(unreadable.error) : ({ maps, policies: [policy], holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' }) },
    actor: 'dataward',
    barrier: { wrote: () => {}, passed: async () => true },
    events: { event: (_, { reason }) => void told.push(reason), flush: async () => {}, stop: async () => {} },
  });
  return { client, audit, store, clock, told, unreadable, look: () => reconcile(ref, { signal: new AbortController().signal }), policy: () => client.read<RetentionPolicy>(RETENTION_POLICY, ref), runs: () => client.list<PurgeRun>(PURGE_RUN) };
}

describe('a policy beside declarations that cannot be read', () => {
  test('is not ready, says why, keeps what was known, plans nothing, and is ready again afterwards', async () => {
    const one = stage(aged(aPurge({ mode: 'Observe' })));
    await one.look();
    const known = one.policy()?.status;
    expect(known?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
    one.unreadable.error = new ApiError({ status: 403, reason: 'Forbidden', message: 'GET /apis/dataward.io/v1alpha1/legalholds: not allowed' });
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 60_000 });
    expect(one.policy()?.status).toMatchObject({ effective: known?.effective, conditions: expect.arrayContaining([expect.objectContaining({ type: 'Ready', status: 'False', reason: 'ReadFailed', message: expect.stringContaining('grant this right') })]) });
    expect(await one.runs()).toEqual([]);
    delete one.unreadable.error;
    await one.look();
    expect(one.policy()?.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
  });

  test('leaves a fault nobody foresaw to the log', async () => {
    const one = stage(aged());
    one.unreadable.error = new TypeError('x');
    await expect(one.look()).rejects.toThrow(TypeError);
  });
});

describe('a policy whose slot began', () => {
  test('plans once, notes the slot, and deletes nothing itself', async () => {
    const one = stage(aged());
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 1_000 });
    const slot = one.policy()?.status?.lastSlotAt;
    expect(slot).toMatch(/^2026-03-01T0/);
    expect(await one.look()).toMatchObject({ kind: 'requeueAfter', ms: 300_000 });
    expect([(await one.runs()).length, one.policy()?.status?.lastSlotAt, one.audit.entries.length]).toEqual([1, slot, 1]);
    expect(one.store.calls.filter((call) => call.startsWith('enforce'))).toEqual([]);
    expect(one.told.filter((reason) => reason === 'Planned')).toHaveLength(1);
  });

  test('still owes it while a store cannot be reached, plans the others, and plans each only once', async () => {
    const down = new Set(['b']);
    const one = stage(aged(), down, ['a', 'b', 'c']);
    expect(await one.look()).toEqual({ kind: 'requeueAfter', ms: 60_000 });
    expect((await one.runs()).map((run) => run.spec.store).toSorted()).toEqual(['a', 'c']);
    expect(one.policy()?.status?.lastSlotAt).toBeUndefined();
    down.clear();
    await one.look();
    expect((await one.runs()).map((run) => run.spec.store).toSorted()).toEqual(['a', 'b', 'c']);
    expect(one.policy()?.status?.lastSlotAt).toBeDefined();
    expect(one.store.open()).toBe(0);
  });

  test.each<[string, RetentionPolicy]>([
    ['is suspended', aged(aPurge({ suspend: true }))],
    ['only observes', aged(aPurge({ mode: 'Observe' }))],
    ['keeps data only', aPolicy('general', { minimum: { ...aMaximum('P1Y'), basis: { type: 'LegalObligation', jurisdiction: 'DE', reference: 'HGB 257' } } } as never)],
    ['names a zone nobody knows', { ...aged(), spec: { ...aged().spec, timeZone: 'Mars/Base' } }],
    ['is being deleted', { ...aged(), metadata: { ...aged().metadata, deletionTimestamp: '2026-03-01T00:00:00Z' } }],
  ])('plans nothing when it %s', async (_, policy) => {
    const one = stage(policy);
    await one.look();
    expect([await one.runs(), one.audit.entries]).toEqual([[], []]);
  });

  test('says in its status that it can never work, and is not looked at again until it is edited', async () => {
    const one = stage({ ...aged(), spec: { ...aged().spec, timeZone: 'Mars/Base' } });
    expect(await one.look()).toEqual({ kind: 'done' });
    expect(one.policy()?.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'False', reason: 'InvalidSpec', message: expect.stringContaining('spec.timeZone') }));
    expect(one.told).toContain('InvalidSpec');
  });

  test('lets only its own ended runs go that nobody needs any more, the oldest first', async () => {
    const one = stage(aged(aPurge({ suspend: true })));
    for (let day = 10; day < 22; day += 1) one.client.put(PURGE_RUN, aRun({}, { state: 'Succeeded', finishedAt: `2026-02-${day}T00:00:00Z` }, `run-${day}`));
    const other = aRun({}, { state: 'Succeeded', finishedAt: '2026-01-01T00:00:00Z' }, 'of-another-policy');
    one.client.put(PURGE_RUN, { ...other, metadata: { ...other.metadata, labels: { 'dataward.io/policy-uid': 'uid-other' } } });
    await one.look();
    expect(one.client.writes.filter((write) => write.startsWith('delete'))).toEqual(['delete PurgeRun platform-db/run-10', 'delete PurgeRun platform-db/run-11']);
  });
});
