import { describe, expect, test } from '@jest/globals';
import { openJournal } from '../../../../src/evidence/audit/journal.ts';
import { readRecord } from '../../../../src/evidence/audit/line.ts';
import { openAuditLog, AuditUnavailableError } from '../../../../src/evidence/audit/log.ts';
import type { AuditRecord } from '../../../../src/evidence/audit/record.ts';
import { purgeStretch, stepsOf, type StretchContext, type Progress, type Stretch } from '../../../../src/retention/run/stretch.ts';
import type { Stop } from '../../../../src/retention/run/stop.ts';
import { StoreError } from '../../../../src/stores/errors.ts';
import type { BatchResult } from '../../../../src/stores/purging.ts';
import { NOON, readLines, withFolder } from '../../../support/chain.ts';
import { aPurge, aStore } from '../../../support/declared.ts';
import { memoryAudit, silentJournal, type MemoryAudit } from '../../../support/memory-audit.ts';
import { aStep, scriptedStore, VIEWS, type ScriptedStore, type StoreScript } from '../../../support/scripted-store.ts';
import { anExecuted, aPlan, aRun } from './declared-run.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';

const executed = anExecuted({ rules: [], targets: [VIEWS], nonPersonal: [], now: '2026-03-01T02:00:00Z', budgetMs: 60_000 });
const own = aRun().spec.planDigest;
const work = { run: aRun({ approvals: [{ by: 'alice', planDigest: own }, { by: 'mallory', planDigest: 'sha256:other' }] }), store: aStore(), executed, maxRows: 100, pace: aPurge().pace };
const paused: Stop = { reason: 'Frozen', why: 'by alice' };

interface Stage {
  store: ScriptedStore;
  audit: MemoryAudit;
  context: StretchContext;
  seen: Progress[];
  calls: string[];
  run(): Promise<Stretch>;
}

/** @param stopAt the gate, counted from 1, that is found closed. */
function stage(script: Partial<StoreScript> = {}, changes: Partial<StretchContext> = {}, stopAt = Infinity): Stage {
  const calls: string[] = [];
  const store = scriptedStore(script, calls);
  const audit = memoryAudit(calls);
  const seen: Progress[] = [];
  let gates = 0;
  const context: StretchContext = {
    connections: store.connections,
    audit,
    journal: silentJournal,
    nameClient: (key) => `name of ${key}`,
    metrics: createMetrics({ version: '0', commit: 'c' }).domain,
    intended: async (seq) => void calls.push(`intended ${seq}`),
    actor: 'dataward',
    owner: 'us',
    now: () => 0,
    signal: new AbortController().signal,
    stop: async () => {
      calls.push('gate');
      return (gates += 1) >= stopAt ? paused : undefined;
    },
    progress: async (progress) => void seen.push(progress),
    ...changes,
  };
  return { store, audit, context, seen, calls, run: () => purgeStretch(work, context) };
}

const batches = (calls: readonly string[]): string[] => calls.filter((call) => call.startsWith('batch'));

describe('a stretch of work', () => {
  test('has its intent durable and told before the first row goes, and passes a gate before each batch', async () => {
    const one = stage({ batches: [40, 20] });
    expect(await one.run()).toEqual({ end: 'Finished', deleted: 60 });
    expect(one.calls).toEqual(['enforce:planPurge', 'audit purge.intent', 'intended 1', 'enforce:claim', 'gate', 'batch 40', 'gate', 'batch 20', 'gate']);
    expect(one.audit.entries[0]).toMatchObject({ outcome: 'Intended', object: { kind: 'PurgeRun', name: 'general-1' }, refs: { planDigest: work.run.spec.planDigest, maxRows: 100, approvals: ['alice'], conditions: executed.digest, collections: [VIEWS] } });
    expect(one.store.open()).toBe(0);
  });

  test('deletes nothing when the intent cannot be recorded', async () => {
    const one = stage({ batches: [40] });
    one.audit.broken = new AuditUnavailableError('disk full');
    await expect(one.run()).rejects.toThrow('disk full');
    expect(one.store.purged).toEqual([]);
    expect(batches(one.calls)).toEqual([]);
    expect(one.store.open()).toBe(0);
  });

  test('deletes nothing when the place of the intent could not be noted', async () => {
    const one = stage({ batches: [40] }, { intended: () => Promise.reject(new Error('conflict')) });
    await expect(one.run()).rejects.toThrow('conflict');
    expect(batches(one.calls)).toEqual([]);
  });

  test.each<[string, Partial<StoreScript>, Stretch]>([
    ['another store answers', { identity: { fingerprint: 'sha256:other', bareFingerprint: 'sha256:target', server: 'x', timeline: 1, replica: false } }, { end: 'Stopped', stop: { reason: 'TargetChanged', why: expect.any(String) as unknown as string }, deleted: 0 }],
    ['another installation owns the store', { claim: { run: 'uid-general-1', epoch: 1, owner: 'them' } }, { end: 'Stopped', stop: { reason: 'ForeignOwner', why: expect.stringContaining('them') as unknown as string }, deleted: 0 }],
    ['the driver refuses', { plan: { steps: [], refusals: [{ reason: 'ForeignKeyWithoutIndex', collection: VIEWS, message: 'no index' }], forecast: [], walMegabytes: 0 } }, { end: 'Refused', refusals: [{ reason: 'ForeignKeyWithoutIndex', collection: VIEWS, message: 'no index' }], deleted: 0 }],
  ])('deletes nothing when %s', async (_, script, end) => {
    const one = stage({ batches: [40], ...script });
    expect(await one.run()).toEqual(end);
    expect(one.store.purged).toEqual([]);
    expect(one.store.open()).toBe(0);
  });

  test.each([[1, 0], [2, 1], [3, 2]])('asks for no batch more once gate %i is closed', async (stopAt, done) => {
    const one = stage({ batches: [40, 20, 10] }, {}, stopAt);
    expect(await one.run()).toEqual({ end: 'Stopped', stop: paused, deleted: [0, 40, 60][done] });
    expect(batches(one.calls)).toHaveLength(done);
  });

  test('ends when its time is over, after the batch under way', async () => {
    let now = 0;
    const one = stage({ batches: [40, 20] }, { now: () => (now += 130_000) });
    expect(await one.run()).toEqual({ end: 'OutOfTime', deleted: 40 });
  });

  test.each<[string, BatchResult, string]>([
    ['goes on in a count that takes longer than it, whose place nobody keeps', { seq: 0, collection: VIEWS, deleted: 0, clients: {}, millis: 0 }, 'Finished'],
    ['ends in a wait', { seq: 0, collection: VIEWS, deleted: 0, clients: {}, millis: 0, throttledBy: 'ReplicaLag' }, 'OutOfTime'],
    ['ends after a batch', { seq: 1, collection: VIEWS, deleted: 1, clients: {}, millis: 1 }, 'OutOfTime'],
  ])('%s', async (_, result, end) => {
    const one = stage();
    let now = 0;
    const purge = async function* (): AsyncGenerator<BatchResult> {
      now = 300_000;
      yield result;
    };
    const writer = async (...asked: Parameters<typeof one.store.connections.writer>): ReturnType<typeof one.store.connections.writer> => ({ ...(await one.store.connections.writer(...asked)), purge });
    expect(await purgeStretch(work, { ...one.context, now: () => now, connections: { ...one.store.connections, writer } })).toMatchObject({ end });
  });

  test('is stopped in the midst of a look', async () => {
    const one = stage({}, {}, 2);
    const purge = async function* (): AsyncGenerator<BatchResult> {
      yield { seq: 0, collection: VIEWS, deleted: 0, clients: {}, millis: 0 };
      one.calls.push('batch after the stop');
    };
    const writer = async (...asked: Parameters<typeof one.store.connections.writer>): ReturnType<typeof one.store.connections.writer> => ({ ...(await one.store.connections.writer(...asked)), purge });
    expect(await purgeStretch(work, { ...one.context, connections: { ...one.store.connections, writer } })).toEqual({ end: 'Stopped', stop: paused, deleted: 0 });
    expect(batches(one.calls)).toEqual([]);
  });

  test('puts on record what a worker deleted while it was ended', async () => {
    const one = stage({ batches: [40] }, {}, 2);
    const { writer } = one.store.connections;
    const ending = async (...asked: Parameters<typeof writer>): ReturnType<typeof writer> => {
      const opened = await writer(...asked);
      return {
        ...opened,
        async *purge(step, context): AsyncGenerator<BatchResult> {
          try {
            yield* opened.purge(step, context);
          } finally {
            one.store.script.journal.push({ run: 'uid-general-1', seq: 2, epoch: 1, collection: VIEWS, table: { schema: 'public', name: 'views' }, method: 'BlockRange', deleted: 5, clients: {}, at: '' });
          }
        },
      };
    };
    expect(await purgeStretch(work, { ...one.context, connections: { ...one.store.connections, writer: ending } })).toEqual({ end: 'Stopped', stop: paused, deleted: 45 });
  });

  test('hands on what is left of the limit, what earlier stretches deleted counted in', async () => {
    const one = stage({ batches: [5] });
    one.store.script.journal.push({ run: 'uid-general-1', seq: 1, epoch: 1, collection: VIEWS, table: { schema: 'public', name: 'views' }, method: 'BlockRange', deleted: 70, clients: {}, at: '' });
    expect(await one.run()).toEqual({ end: 'Finished', deleted: 75 });
    expect(one.store.purged.map(({ context }) => context.maxRows)).toEqual([30]);
  });

  test('hands on no rows at all where earlier stretches deleted more than the limit of now', async () => {
    const one = stage({ batches: [] });
    one.store.script.journal.push({ run: 'uid-general-1', seq: 1, epoch: 1, collection: VIEWS, table: { schema: 'public', name: 'views' }, method: 'BlockRange', deleted: 170, clients: {}, at: '' });
    await one.run();
    expect(one.store.purged.map(({ context }) => context.maxRows)).toEqual([0]);
  });

  test.each([[undefined, false], [0, false], [1, true]])('after a count that found %s due rows looks for rows everywhere: %s', async (residual, sweep) => {
    const one = stage();
    await purgeStretch({ ...work, run: aRun({}, residual === undefined ? {} : { verification: { residual } }) }, one.context);
    expect(one.store.purged.map(({ context }) => context.sweep)).toEqual([sweep]);
  });

  test('tells what slows it down, and nothing where nothing does', async () => {
    const one = stage();
    const { writer } = one.store.connections;
    const slowed = async (...asked: Parameters<typeof writer>): ReturnType<typeof writer> => ({
      ...(await writer(...asked)),
      async *purge(): AsyncGenerator<BatchResult> {
        yield { seq: 1, collection: VIEWS, deleted: 1, clients: {}, millis: 1, throttledBy: 'ReplicaLag' };
        yield { seq: 2, collection: VIEWS, deleted: 1, clients: {}, millis: 1 };
      },
    });
    let now = 10_000;
    await purgeStretch(work, { ...one.context, now: () => (now += 1_000), connections: { ...one.store.connections, writer: slowed } });
    expect(one.seen).toEqual([{ deleted: 1, throttledBy: 'ReplicaLag' }, { deleted: 2 }]);
  });

  test('ends as LimitReached with what the journal says when the driver refuses a batch for its rows', async () => {
    const one = stage({ batches: [40, new StoreError('RunLimitReached', 'too many rows')] });
    expect(await one.run()).toEqual({ end: 'LimitReached', deleted: 40 });
    expect(one.store.open()).toBe(0);
  });

  test('ends as Replaced with what the journal says when the driver finds another table, and says why', async () => {
    const one = stage({ batches: [40, new StoreError('Replaced', 'public.views is another table')] });
    expect(await one.run()).toEqual({ end: 'Replaced', why: 'public.views is another table', deleted: 40 });
    expect(one.store.open()).toBe(0);
  });

  test.each(['Frozen', 'ForeignOwner'] as const)('is stopped by the store that says %s, with what was deleted by then', async (reason) => {
    const one = stage({ batches: [40, new StoreError(reason, 'no more')] });
    expect(await one.run()).toEqual({ end: 'Stopped', stop: { reason, why: 'no more' }, deleted: 40 });
    expect(one.store.open()).toBe(0);
  });

  test.each(['Fenced', 'Unreachable'] as const)('fails with the store when it says %s, and closes the connection', async (reason) => {
    const one = stage({ batches: [40, new StoreError(reason, 'no more')] });
    await expect(one.run()).rejects.toMatchObject({ reason });
    expect(one.store.open()).toBe(0);
  });

  test('tells how far it is at most once a second', async () => {
    const calls: string[] = [];
    const store = scriptedStore({ batches: [1, 1, 1, 1, 1, 1] }, calls);
    const one = stage({}, { connections: store.connections, now: () => 10_000 + batches(calls).length * 300 });
    await one.run();
    expect(one.seen.map((progress) => progress.deleted)).toEqual([1, 5]);
  });
});

describe('what a batch deleted', () => {
  test('is in the audit log exactly once, although one stretch broke off before and one after its rows were taken over', async () => {
    await withFolder(async (dir) => {
      const store = scriptedStore();
      const stretches: [(number | Error)[], Partial<StretchContext>, string][] = [
        [[40], { now: () => 10_000, progress: () => Promise.reject(new Error('killed')) }, 'killed'],
        [[20, new StoreError('Unreachable', 'gone')], {}, 'gone'],
        [[10], {}, 'Finished 70'],
      ];
      for (const [rows, changes, end] of stretches) {
        store.script.batches = rows;
        const audit = await openAuditLog({ dir, clock: () => NOON });
        const one = stage({}, { audit, journal: await openJournal(audit), connections: store.connections, ...changes });
        expect(await one.run().then((stretch) => `${stretch.end} ${stretch.deleted}`, (error: Error) => error.message)).toBe(end);
        await audit.close();
      }
      const records = (await readLines(dir)).flatMap(({ lines }) => lines.map((line) => readRecord(Buffer.from(line)) as AuditRecord));
      const taken = records.filter((record) => record.action === 'journal.batch').map(({ refs }) => refs);
      expect(taken.map((refs) => refs['row'])).toEqual([1, 2, 3]);
      expect(taken[0]?.['batch']).toMatchObject({ deleted: 40, clients: { 'name of client-a': 40 } });
      expect(records.filter((record) => record.action === 'purge.intent')).toHaveLength(3);
    });
  });
});

describe('the steps of a stretch', () => {
  const [planned] = aPlan().steps;

  test("keep the plan's order and method and the predicate of today, and nothing the plan does not name", () => {
    const plan = aPlan({ steps: [{ ...planned!, order: 2 }, { ...planned!, order: 1, collection: 'platform-db/web/clicks', method: 'Keyset' }] });
    const derived = [aStep({ order: 7, method: 'DropPartition', predicateDigest: 'sha256:today' }), aStep({ collection: 'platform-db/web/clicks' }), aStep({ collection: 'platform-db/web/orders' })];
    expect(stepsOf(aRun({ plan }), derived).map(({ collection, order, method, predicateDigest }) => [collection, order, method, predicateDigest])).toEqual([
      ['platform-db/web/clicks', 1, 'Keyset', 'sha256:p'],
      [VIEWS, 2, 'BlockRange', 'sha256:today'],
    ]);
  });

  test('leave out what is not to be purged any more', () => {
    expect(stepsOf(aRun(), [])).toEqual([]);
  });
});
