import { describe, expect, test } from '@jest/globals';
import { PURGE_RUN } from '../../../../src/api/kinds.ts';
import { JOURNAL_KEPT_DAYS, trimJournal, trimmableRuns, type TrimContext, type TrimFacts } from '../../../../src/retention/run/trim.ts';
import type { JournalledRun } from '../../../../src/stores/journal.ts';
import { silentLogger } from '../../../../src/telemetry/logger.ts';
import { aStore } from '../../../support/declared.ts';
import { memoryAudit, silentJournal, type MemoryAudit } from '../../../support/memory-audit.ts';
import { memoryClient } from '../../../support/memory-client.ts';
import { fc, runs } from '../../../support/properties.ts';
import { scriptedStore, type ScriptedStore, type StoreScript } from '../../../support/scripted-store.ts';
import { aRun } from './declared-run.ts';

const facts = (changes: Partial<TrimFacts> = {}): TrimFacts => ({ open: new Set(), through: () => 5, recordedAt: () => 40, anchored: 40, ...changes });

describe('a run may leave the journal', () => {
  test('when it has ended and a checkpoint covers the record of its last row', () => {
    expect(trimmableRuns([{ run: 'r', lastSeq: 5 }], facts())).toEqual([{ run: 'r', lastSeq: 5 }]);
  });

  test.each<[string, Partial<TrimFacts>]>([
    ['it has not ended', { open: new Set(['r']) }],
    ['the audit log lacks its last row', { through: () => 4 }],
    ['the audit log knows nothing of it', { through: () => 0, recordedAt: () => 0 }],
    ['its last row is in a record after the last checkpoint', { anchored: 39 }],
    ['there is no checkpoint', { anchored: 0 }],
  ])('but not while %s', (_, changes) => {
    expect(trimmableRuns([{ run: 'r', lastSeq: 5 }], facts(changes))).toEqual([]);
  });

  test('and none goes of which anything would be lost, whatever else is known', () => {
    const known = fc.record({ run: fc.constantFrom('a', 'b', 'c', 'd'), lastSeq: fc.integer({ min: 1, max: 4 }), through: fc.integer({ min: 0, max: 4 }), recordedAt: fc.integer({ min: 0, max: 6 }), open: fc.boolean() });
    fc.assert(
      fc.property(fc.uniqueArray(known, { selector: ({ run }) => run }), fc.integer({ min: 0, max: 6 }), (all, anchored) => {
        const of = (run: string) => all.find((one) => one.run === run)!;
        const gone = trimmableRuns(all, { open: new Set(all.filter(({ open }) => open).map(({ run }) => run)), through: (run) => of(run).through, recordedAt: (run) => of(run).recordedAt, anchored }).map(({ run }) => run);
        const safe = all.filter((one) => !one.open && one.through >= one.lastSeq && one.recordedAt >= 1 && one.recordedAt <= anchored).map(({ run }) => run);
        expect(gone).toEqual(safe);
      }),
      { numRuns: runs(200) },
    );
  });
});

const NOW = Date.parse('2026-06-01T00:00:00Z');

interface Stage {
  store: ScriptedStore;
  audit: MemoryAudit;
  calls: string[];
  lines: [string, unknown][];
  trim(): Promise<{ runs: number; rows: number }>;
}

/** Every old run is in the audit log, in record 1, which is covered; the run `general-1` is known as `state`. */
function stage(journalled: JournalledRun[], script: Partial<StoreScript> = {}, changes: Partial<TrimContext> = {}): Stage {
  const calls: string[] = [];
  const lines: Stage['lines'] = [];
  const store = scriptedStore({ journalled, ...script }, calls);
  const audit = memoryAudit(calls);
  const context: TrimContext = {
    client: memoryClient([[PURGE_RUN, aRun({}, { state: 'Paused' })]]),
    connections: store.connections,
    audit,
    journal: { ...silentJournal, through: () => 1_000_000, recordedAt: () => 1 },
    anchored: () => 1,
    actor: 'dataward',
    owner: 'us',
    logger: { ...silentLogger, info: (message, fields) => void lines.push([message, fields]) },
    now: () => NOW,
    signal: new AbortController().signal,
    ...changes,
  };
  return { store, audit, calls, lines, trim: () => trimJournal(aStore(), context) };
}

const old = (count: number, lastSeq = 3): JournalledRun[] => Array.from({ length: count }, (_, index) => ({ run: `old-${index}`, lastSeq }));
const trimmed = ({ calls }: Stage): string[] => calls.filter((call) => call.startsWith('enforce:trim')).map((call) => call.replace('enforce:trimJournal ', ''));

describe('a pass over the journal of a store', () => {
  test('puts each run on record before it goes, says how much went, and leaves open runs alone', async () => {
    const one = stage([...old(2), { run: 'uid-general-1', lastSeq: 9 }]);
    expect(await one.trim()).toEqual({ runs: 2, rows: 6 });
    const before = new Date(NOW - JOURNAL_KEPT_DAYS * 86_400_000).toISOString();
    expect(one.calls).toEqual([`enforce:journalledRuns before ${before}`, 'audit journal.trimmed', 'enforce:trimJournal old-0', 'audit journal.trimmed', 'enforce:trimJournal old-1']);
    expect(one.audit.entries[0]).toMatchObject({ action: 'journal.trimmed', outcome: 'Intended', object: { kind: 'DataStore', name: 'analytics' }, refs: { store: 'platform-db/analytics', run: 'old-0', through: 3, record: 1 } });
    expect(one.lines).toEqual([[expect.any(String), { store: 'platform-db/analytics', runs: 2, rows: 6, forLater: 0, kept: 1 }]]);
    expect(one.store.open()).toBe(0);
  });

  test('has nothing to say where there is nothing old', async () => {
    const one = stage([]);
    expect(await one.trim()).toEqual({ runs: 0, rows: 0 });
    expect([one.lines, one.audit.entries]).toEqual([[], []]);
  });

  test.each<[string, JournalledRun[], Partial<TrimContext>, number]>([
    ['20 runs', old(30), {}, 20],
    ['a run that made it remove 100,000 rows', old(5, 60_000), {}, 2],
    ['half a minute', old(5), { now: (() => { let now = NOW; return () => (now += 15_000); })() }, 1],
  ])('begins no other run after %s; the next pass goes on', async (_, journalled, changes, expected) => {
    const one = stage(journalled, {}, changes);
    expect(await one.trim()).toMatchObject({ runs: expected });
    expect(trimmed(one)).toEqual(journalled.slice(0, expected).map(({ run }) => run));
  });

  test('removes nothing that could not be put on record', async () => {
    const one = stage(old(1));
    one.audit.broken = new Error('disk full');
    await expect(one.trim()).rejects.toThrow('disk full');
    expect([trimmed(one), one.store.open()]).toEqual([[], 0]);
  });

  test('removes nothing while it is not known which runs are open', async () => {
    const client = memoryClient([]);
    const one = stage(old(1), {}, { client: { ...client, list: () => Promise.reject(new Error('no answer')) } });
    await expect(one.trim()).rejects.toThrow('no answer');
    expect([trimmed(one), one.audit.entries, one.store.open()]).toEqual([[], [], 0]);
  });

  test('counts what the store kept after all as not gone', async () => {
    const one = stage(old(2), { trimmed: 0 });
    expect(await one.trim()).toEqual({ runs: 0, rows: 0 });
    expect(one.lines).toEqual([[expect.any(String), expect.objectContaining({ runs: 0, forLater: 2 })]]);
  });
});
