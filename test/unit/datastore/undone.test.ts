import { describe, expect, test } from '@jest/globals';
import { getCondition } from '../../../src/api/conditions.ts';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import type { PurgeRun } from '../../../src/api/generated/purgeRun.ts';
import { DATA_STORE } from '../../../src/api/kinds.ts';
import { createStoreFacts } from '../../../src/connect/facts.ts';
import type { Readings } from '../../../src/connect/readings.ts';
import { createRegister } from '../../../src/connect/register.ts';
import { createDataStoreReconcile } from '../../../src/datastore/reconcile.ts';
import { leftApart, openRuns, undoneEvents } from '../../../src/datastore/undone.ts';
import type { Result } from '../../../src/runtime/result.ts';
import { StoreError } from '../../../src/stores/errors.ts';
import type { UndoneDrop } from '../../../src/stores/purging.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { anInventory, aStore, aTable } from '../../support/declared.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { memoryClient } from '../../support/memory-client.ts';
import { scriptedStore } from '../../support/scripted-store.ts';

const october = { partition: { schema: 'public', name: 'views_10' }, table: { schema: 'public', name: 'views' } };
const attached: UndoneDrop = { ...october, end: 'Attached' };
const left: UndoneDrop = { ...october, end: 'Left', because: 'a row came that lies outside its bounds' };
const aRun = (uid: string, status: PurgeRun['status']): PurgeRun => ({ metadata: { uid, namespace: 'platform-db', name: uid }, spec: { store: 'analytics' }, ...(status ? { status } : {}) }) as unknown as PurgeRun;

/** One look at a store in which drops were left open, with these runs about. */
async function look(undone: UndoneDrop[] | Error, runs: PurgeRun[] = []): Promise<{ status: DataStore['status']; again: Result; events: string[]; calls: string[] }> {
  const clock = createFakeClock(Date.parse('2026-03-02T12:00:00Z'));
  const store = aStore({ credentials: { observe: { secretName: 'observe' }, enforce: { secretName: 'enforce' } } });
  const scripted = scriptedStore({ undone, clock: '2026-03-02T12:00:00Z', inventory: anInventory([aTable('other', ['id'])]) });
  scripted.script.claim.run = 'uid-1';
  const { reader } = scripted.connections;
  const connections = {
    ...scripted.connections,
    probe: async () => ({ observedAt: '2026-03-02T12:00:00Z', version: 'TLSv1.3', accepted: ['TLSv1.3'], refused: [], plaintextRefused: true }),
    reader: async (...how: Parameters<typeof reader>) => ({ ...(await reader(...how)), sessions: async () => ({ total: 1, plaintext: 0, complete: true, own: { tls: true, serverAddressMatches: true } }), count: async () => [] }),
  } as unknown as typeof scripted.connections;
  const client = memoryClient([[DATA_STORE, store]]);
  const events: string[] = [];
  const reconcile = createDataStoreReconcile({
    client,
    connections,
    facts: createStoreFacts({ connections, now: () => clock.now() }),
    readings: createRegister<Readings>(),
    stores: () => [],
    declarations: { read: async () => ({ maps: [], policies: [], holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' }) },
    runs: (namespace) => (namespace === 'platform-db' ? runs : []),
    owner: 'us',
    clock,
    metrics: createMetrics({ version: '1', commit: 'c' }).domain,
    barrier: { wrote: () => {}, passed: async () => true },
    events: { event: (_regarding, { reason, note }) => void events.push(`${reason}: ${note}`), flush: async () => {}, stop: async () => {} },
  });
  const again = await reconcile({ namespace: 'platform-db', name: 'analytics' }, { signal: new AbortController().signal });
  expect(scripted.open()).toBe(0);
  return { status: client.read<DataStore>(DATA_STORE, { namespace: 'platform-db', name: 'analytics' })?.status, again, events, calls: scripted.calls.filter((call) => call.includes('undoDrops')) };
}

describe('a partition that a run left detached', () => {
  test.each<[string, PurgeRun[]]>([
    ['that has ended', [aRun('uid-1', { state: 'Failed', finishedAt: '2026-03-01T00:00:00Z' })]],
    ['that is gone', []],
  ])('%s is attached again at a look at the store, and an event says so', async (_which, runs) => {
    const { status, events, calls } = await look([attached], runs);
    expect(calls).toEqual(['enforce:undoDrops for us of uid-1']);
    expect(events).toContain('PartitionReturned: The partition public.views_10 of public.views, which a run that is over left detached, was attached again.');
    expect(getCondition(status?.conditions, 'Ready')?.status).toBe('True');
  });

  test('that is not over is for that run', async () => {
    const { events, calls } = await look([attached], [aRun('uid-1', { state: 'Paused' })]);
    expect(calls).toEqual(['enforce:undoDrops for us but not of uid-1']);
    expect(events.filter((event) => event.startsWith('Partition'))).toEqual([]);
  });

  test('and that cannot be attached keeps the store from being ready, with the reason, and is tried again soon', async () => {
    const { status, again } = await look([left]);
    expect(getCondition(status?.conditions, 'Ready')).toMatchObject({ status: 'False', message: expect.stringMatching(/^Partition public\.views_10 of public\.views, whose drop came to no end, .*: a row came that lies outside its bounds/) });
    expect(again).toEqual({ kind: 'requeueAfter', ms: 30_000 });
  });

  test('is not said to be attached where the store did not let it be looked for, and what else was read stands', async () => {
    const { status, again } = await look(new StoreError('Conflict', 'somebody emptied it'));
    expect(getCondition(status?.conditions, 'Ready')).toMatchObject({ status: 'False', message: expect.stringContaining('somebody emptied it') });
    expect([again, getCondition(status?.conditions, 'Reachable')?.status]).toEqual([{ kind: 'requeueAfter', ms: 30_000 }, 'True']);
  });
});

test('runs are over once they have an end, whatever it was', () => {
  expect([...openRuns([aRun('a', undefined), aRun('b', { state: 'Running' }), aRun('c', { state: 'Expired', finishedAt: '2026-03-01T00:00:00Z' })])]).toEqual(['a', 'b']);
});

test('what is told of several names the first, and counts the others', () => {
  expect(leftApart([attached])).toBeUndefined();
  expect(leftApart([left, attached, left])?.message).toContain('(and 1 more)');
  expect(undoneEvents([left, attached, { ...october, end: 'Lost' }]).map(({ type, reason }) => `${type} ${reason}`)).toEqual(['Normal PartitionReturned', 'Warning PartitionMoved']);
});
