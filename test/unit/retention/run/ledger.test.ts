import { describe, expect, test } from '@jest/globals';
import type { PurgeRun } from '../../../../src/api/generated/purgeRun.ts';
import { openJournal } from '../../../../src/evidence/audit/journal.ts';
import { readRecord } from '../../../../src/evidence/audit/line.ts';
import { openAuditLog } from '../../../../src/evidence/audit/log.ts';
import type { AuditRecord } from '../../../../src/evidence/audit/record.ts';
import { hasBegun, openLedger, recordRest, type Ledger } from '../../../../src/retention/run/ledger.ts';
import { StoreError } from '../../../../src/stores/errors.ts';
import type { JournalRow } from '../../../../src/stores/purging.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { NOON, readLines, withFolder } from '../../../support/chain.ts';
import { aStore } from '../../../support/declared.ts';
import { silentJournal } from '../../../support/memory-audit.ts';
import { fc, runs } from '../../../support/properties.ts';
import { scriptedStore, VIEWS } from '../../../support/scripted-store.ts';
import { aRun } from './declared-run.ts';

const row = (seq: number, deleted: number): JournalRow => ({ run: 'uid-general-1', seq, epoch: 1, collection: VIEWS, table: { schema: 'public', name: 'views' }, method: 'BlockRange', deleted, clients: { 'client-a': deleted }, at: '2026-03-01T02:00:01Z' });

interface Stage {
  journal: JournalRow[];
  /** What a process that starts anew does first. */
  open(): Promise<Ledger>;
  taken(): Promise<number[]>;
  /** Of batches, in the audit log. */
  records(): Promise<AuditRecord[]>;
  /** Rows in the metric, of all processes together. */
  shown(): Promise<number>;
}

async function withLedger(use: (stage: Stage) => Promise<void>): Promise<void> {
  await withFolder(async (dir) => {
    const store = scriptedStore();
    const { purgeRows } = createMetrics({ version: '0', commit: 'c' }).domain;
    const shown = async (): Promise<number> => (await purgeRows.get()).values.reduce((sum, { value }) => sum + value, 0);
    let close = async (): Promise<void> => {};
    const open = async (): Promise<Ledger> => {
      await close();
      const log = await openAuditLog({ dir, clock: () => NOON });
      close = () => log.close();
      return openLedger({ run: aRun(), store: aStore() }, await store.connections.writer(aStore()), { journal: await openJournal(log), actor: 'dataward', nameClient: (key) => key, metrics: { purgeRows } });
    };
    const records = async (): Promise<AuditRecord[]> => {
      const all = (await readLines(dir)).flatMap(({ lines }) => lines.map((line) => readRecord(Buffer.from(line)) as AuditRecord));
      return all.filter(({ action }) => action === 'journal.batch');
    };
    const taken = async (): Promise<number[]> => (await records()).map(({ refs }) => refs['row'] as number);
    try {
      await use({ journal: store.script.journal, open, taken, records, shown });
    } finally {
      await close();
    }
  });
}

test.each<[NonNullable<PurgeRun['status']>['state'], boolean]>([
  [undefined, false],
  ['AwaitingApproval', false],
  ['Waiting', false],
  ['Running', true],
  ['Paused', true],
  ['Verifying', true],
])('of a run that is %s rows may have gone already: %s', (state, begun) => {
  expect(hasBegun(aRun({}, state === undefined ? undefined : { state }))).toBe(begun);
});

test('what a run deleted is not called unknown where its store does not answer: it is asked again', async () => {
  const store = scriptedStore();
  const { writer } = store.connections;
  const connections = { ...store.connections, writer: async (...asked: Parameters<typeof writer>) => ({ ...(await writer(...asked)), journalTotals: () => Promise.reject(new StoreError('Unreachable', 'gone')) }) };
  const context = { journal: silentJournal, actor: 'dataward', nameClient: (key: string) => key, metrics: createMetrics({ version: '0', commit: 'c' }).domain, signal: new AbortController().signal };
  await expect(recordRest({ run: aRun(), store: aStore() }, connections, context)).rejects.toMatchObject({ reason: 'Unreachable' });
  expect(store.open()).toBe(0);
});

describe('the ledger of a run', () => {
  test('knows what was deleted before it was opened, and reads on from what is on record, page by page', async () => {
    await withLedger(async ({ journal, open, taken }) => {
      journal.push(row(1, 10), row(2, 20), row(3, 30));
      const first = await open();
      expect([first.deleted(), first.through()]).toEqual([60, 3]);
      journal.push(row(4, 5), row(5, 6), row(6, 7));
      const next = await open();
      expect([next.deleted(), next.through(), await taken()]).toEqual([78, 6, [1, 2, 3, 4, 5, 6]]);
      journal.push(row(7, 1));
      expect([await next.takeOver(), next.deleted(), next.through()]).toEqual([79, 79, 7]);
    });
  });

  test('puts a batch on record that is of more clients than a record has room for', async () => {
    await withLedger(async ({ journal, open, taken, records }) => {
      const clients = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`customer-${index}`, index === 7 ? 2 : 1]));
      journal.push({ ...row(1, 20_001), clients });
      const ledger = await open();
      expect([ledger.deleted(), ledger.through(), await taken()]).toEqual([20_001, 1, [1]]);
      const batch = (await records())[0]?.refs['batch'] as { deleted: number; clients: Record<string, number>; otherClients: { clients: number; deleted: number } };
      expect(Object.entries(batch.clients)[0]).toEqual(['customer-0', 1]);
      expect(batch.clients['customer-7']).toBe(2);
      expect(Object.values(batch.clients).reduce((sum, rows) => sum + rows, batch.otherClients.deleted)).toBe(20_001);
      expect(Object.keys(batch.clients).length + batch.otherClients.clients).toBe(20_000);
    });
  });

  test('counts a batch it was told of before it is in the journal, once', async () => {
    await withLedger(async ({ journal, open }) => {
      const ledger = await open();
      ledger.count(40);
      expect(ledger.deleted()).toBe(40);
      journal.push(row(1, 40));
      expect([await ledger.takeOver(), ledger.deleted()]).toEqual([40, 40]);
    });
  });

  test('adds what it is told to what the journal had, also where nobody told it of that', async () => {
    await withLedger(async ({ journal, open }) => {
      const ledger = await open();
      journal.push(row(1, 40));
      await ledger.takeOver();
      ledger.count(10);
      expect(ledger.deleted()).toBe(50);
    });
  });

  test.each<[string, number, string]>([
    ['put back to before some of its batches', 2, 'up to number 3, the journal in the store only up to 2'],
    ['put back to before all of them, or the run was trimmed', 0, 'up to number 3, the journal in the store only up to 0'],
  ])('cannot be opened where the store was %s', async (_, kept, message) => {
    await withLedger(async ({ journal, open, taken }) => {
      journal.push(row(1, 1), row(2, 1), row(3, 1));
      await open();
      journal.length = kept;
      await expect(open()).rejects.toMatchObject({ reason: 'Rewound', message: expect.stringContaining(message) });
      expect(await taken()).toEqual([1, 2, 3]);
    });
  });

  test.each<[string, (journal: JournalRow[]) => void, string]>([
    ['that are on record', (journal) => void journal.splice(1, 1), 'has 2 of the first 3 batches'],
    ['that are not', (journal) => void journal.splice(4, 1), 'has no batch 5 of the run any more'],
    ['that come right after those on record', (journal) => void journal.splice(3, 1), 'has no batch 4 of the run any more'],
  ])('cannot go on where somebody took rows out of the journal %s', async (_, remove, message) => {
    await withLedger(async ({ journal, open }) => {
      journal.push(row(1, 1), row(2, 1), row(3, 1));
      await open();
      journal.push(row(4, 1), row(5, 1), row(6, 1));
      remove(journal);
      await expect(open()).rejects.toMatchObject({ reason: 'Rewound', message: expect.stringMatching(new RegExp(`${message}.*: somebody removed rows of dataward.journal`)) });
    });
  });

  test('has each row on record once and the sum right, wherever processes died', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 1, max: 9 }) }, fc.constant('new start' as const), fc.constant('take over' as const)), { maxLength: 25 }), async (events) => {
        await withLedger(async ({ journal, open, taken, shown }) => {
          let ledger = await open();
          for (const event of events) {
            if (event === 'new start') ledger = await open();
            else if (event === 'take over') await ledger.takeOver();
            else {
              journal.push(row(journal.length + 1, event));
              ledger.count(event);
            }
          }
          const sum = journal.reduce((total, { deleted }) => total + deleted, 0);
          expect(ledger.deleted()).toBe(sum);
          expect(await ledger.takeOver()).toBe(sum);
          expect(await taken()).toEqual(journal.map(({ seq }) => seq));
          expect(await shown()).toBe(sum);
        });
      }),
      { numRuns: runs(20) },
    );
  });
});
