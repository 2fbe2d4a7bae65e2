import { describe, expect, test } from '@jest/globals';
import { JournalOrderError, openJournal, type JournalRun } from '../../../../src/evidence/audit/journal.ts';
import { readRecord } from '../../../../src/evidence/audit/line.ts';
import { openAuditLog } from '../../../../src/evidence/audit/log.ts';
import { AuditEntryError, type AuditRecord } from '../../../../src/evidence/audit/record.ts';
import { entry, NOON, readLines, withFolder, writeLines } from '../../../support/chain.ts';
import { fc, runs } from '../../../support/properties.ts';

const run = (store: string, name: string): JournalRun => ({ store, run: name, object: { kind: 'PurgeRun', name }, actor: 'dataward' });
const rows = (...seqs: number[]) => seqs.map((seq) => ({ seq, deleted: seq * 10, clients: [{ client: 'client-a', deleted: seq }] }));

async function opened(dir: string) {
  const log = await openAuditLog({ dir, clock: () => NOON, segmentBytes: 4000 });
  return { log, journal: await openJournal(log) };
}

async function taken(dir: string): Promise<[string, string, number][]> {
  const records = (await readLines(dir)).flatMap(({ lines }) => lines.map((line) => readRecord(Buffer.from(line)) as AuditRecord));
  return records
    .filter((record) => record.action === 'journal.batch')
    .map(({ refs }) => [refs['store'], refs['run'], refs['row']] as [string, string, number]);
}

describe('takeOver', () => {
  test('appends a row with what the store wrote about it', async () => {
    await withFolder(async (dir) => {
      const { log, journal } = await opened(dir);
      expect(await journal.takeOver(run('ns/a', 'r1'), rows(1))).toEqual({ taken: 1, known: 0, through: 1 });
      await log.close();
      const [, line] = (await readLines(dir))[0]!.lines;
      expect(readRecord(Buffer.from(line!))).toMatchObject({
        action: 'journal.batch',
        object: { kind: 'PurgeRun', name: 'r1' },
        refs: { store: 'ns/a', run: 'r1', row: 1, batch: { deleted: 10, clients: [{ client: 'client-a', deleted: 1 }] } },
      });
    });
  });

  test('begins with no chain of which a row cannot be read: nobody knows how far it was taken over', async () => {
    await withFolder(async (dir) => {
      const { log, journal } = await opened(dir);
      await journal.takeOver(run('ns/a', 'r1'), rows(1));
      const [segment] = await readLines(dir);
      writeLines(segment!.path, segment!.lines.map((line) => line.replace('"deleted":10', '"deleted":11')));
      await expect(openJournal(log)).rejects.toThrow(/line 2: HashMismatch; verify the chain before anything is taken over/);
      await log.close();
    });
  });

  test('skips what the chain has, also for calls at the same time', async () => {
    await withFolder(async (dir) => {
      const { log, journal } = await opened(dir);
      const r1 = run('ns/a', 'r1');
      const both = await Promise.all([journal.takeOver(r1, rows(1, 2, 3)), journal.takeOver(r1, rows(2, 3, 4)), journal.takeOver(run('ns/b', 'r1'), rows(1))]);
      expect(both).toEqual([{ taken: 3, known: 0, through: 3 }, { taken: 1, known: 2, through: 4 }, { taken: 1, known: 0, through: 1 }]);
      expect(await journal.takeOver(r1, [])).toEqual({ taken: 0, known: 0, through: 4 });
      await log.close();
    });
  });

  test('knows in which record the last row of a run is, also after a new start', async () => {
    await withFolder(async (dir) => {
      const one = await opened(dir);
      await one.journal.takeOver(run('ns/a', 'r1'), rows(1, 2));
      await one.log.append(entry(1));
      await one.journal.takeOver(run('ns/a', 'r1'), rows(2, 3));
      await one.journal.takeOver(run('ns/b', 'r1'), rows(7));
      const places = ({ journal }: typeof one): number[][] => ['ns/a', 'ns/b', 'ns/c'].map((store) => [journal.through(store, 'r1'), journal.recordedAt(store, 'r1')]);
      // Record 1 opens the chain.
      expect(places(one)).toEqual([[3, 5], [7, 6], [0, 0]]);
      await one.log.close();
      const next = await opened(dir);
      expect(places(next)).toEqual([[3, 5], [7, 6], [0, 0]]);
      await next.log.close();
    });
  });

  test.each([[[2, 1]], [[1, 1]], [[0]], [[1.5]], [[-1, 1]]])('refuses rows numbered %j', async (seqs) => {
    await withFolder(async (dir) => {
      const { log, journal } = await opened(dir);
      await expect(journal.takeOver(run('ns/a', 'r1'), rows(...seqs))).rejects.toThrow(JournalOrderError);
      expect(await journal.takeOver(run('ns/a', 'r1'), rows(1))).toMatchObject({ taken: 1 });
      await log.close();
    });
  });

  test('takes none of the rows when one of them cannot be recorded', async () => {
    await withFolder(async (dir) => {
      const { log, journal } = await opened(dir);
      const bad = [...rows(1, 2), { seq: 3, at: undefined }, ...rows(4)];
      await expect(journal.takeOver(run('ns/a', 'r1'), bad)).rejects.toThrow(AuditEntryError);
      expect(await journal.takeOver(run('ns/a', 'r1'), rows(1, 2, 3))).toEqual({ taken: 3, known: 0, through: 3 });
      await log.close();
      expect(await taken(dir)).toEqual([['ns/a', 'r1', 1], ['ns/a', 'r1', 2], ['ns/a', 'r1', 3]]);
    });
  });

  test('a row alone that cannot be recorded leaves no trace', async () => {
    await withFolder(async (dir) => {
      const { log, journal } = await opened(dir);
      const r1 = run('ns/a', 'r1');
      await expect(journal.takeOver(r1, [{ seq: 1, at: undefined } as { seq: number }])).rejects.toThrow(AuditEntryError);
      expect(journal.through('ns/a', 'r1')).toBe(0);
      expect(await journal.takeOver(r1, rows(1))).toEqual({ taken: 1, known: 0, through: 1 });
      await log.close();
      expect(await taken(dir)).toEqual([['ns/a', 'r1', 1]]);
    });
  });

  test('each row is in the chain exactly once, whatever is offered again and whenever the process starts anew', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ store: fc.constantFrom('ns/a', 'ns/b'), name: fc.constantFrom('r1', 'r2'), upTo: fc.integer({ min: 1, max: 40 }) }) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), (steps) =>
        withFolder(async (dir) => {
          const model = new Map<string, number>();
          let now = await opened(dir);
          for (const one of steps) {
            if (one === 'restart') {
              await now.log.close();
              now = await opened(dir);
              continue;
            }
            await now.log.append(entry(1));
            await now.journal.takeOver(run(one.store, one.name), rows(...Array.from({ length: one.upTo }, (_, i) => i + 1)));
            const key = `${one.store} ${one.name}`;
            model.set(key, Math.max(model.get(key) ?? 0, one.upTo));
          }
          await now.log.close();
          const seen = new Map<string, number[]>();
          for (const [store, name, row] of await taken(dir)) seen.set(`${store} ${name}`, [...(seen.get(`${store} ${name}`) ?? []), row]);
          expect(Object.fromEntries(seen)).toEqual(Object.fromEntries([...model].map(([key, upTo]) => [key, Array.from({ length: upTo }, (_, i) => i + 1)])));
        }),
      ),
      { numRuns: runs(30) },
    );
  });
});
