import { renameSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { AuditUnavailableError, openAuditLog, type AuditLog } from '../../../../src/evidence/audit/log.ts';
import { listSegments } from '../../../../src/evidence/audit/segments.ts';
import { verifyAuditLog } from '../../../../src/evidence/audit/verify.ts';
import { entry, NOON, readLines, withFolder } from '../../../support/chain.ts';
import { EIO, playedDisk, type PlayedDisk } from '../../../support/played-disk.ts';
import { fc, runs } from '../../../support/properties.ts';

/** What is appended while a write is under way: sealed at once, durable only later, or never. */

async function withDisk(use: (log: AuditLog, disk: PlayedDisk, dir: string) => Promise<void>): Promise<void> {
  await withFolder(async (dir) => {
    const disk = playedDisk();
    const log = await openAuditLog({ dir, clock: () => NOON, openFile: disk.openFile });
    disk.writes.length = 0;
    try {
      await use(log, disk, dir);
    } finally {
      disk.release();
      await log.close();
    }
  });
}

async function batches(dir: string): Promise<number[]> {
  const lines = (await readLines(dir)).flatMap(({ lines: some }) => some.filter((line) => line !== ''));
  return lines.map((line) => (JSON.parse(line) as { refs: { batch?: number } }).refs.batch).filter((batch) => batch !== undefined);
}

/** Numbers of the entries whose appends have resolved so far. */
function appendEach(log: AuditLog, numbers: readonly number[], done: number[]): Promise<PromiseSettledResult<void>[]> {
  return Promise.allSettled(numbers.map(async (n) => (await log.append(entry(n)), void done.push(n))));
}

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

describe('appended while a write is under way', () => {
  test('records wait for a write of their own, and go out with one', async () => {
    await withDisk(async (log, disk, dir) => {
      const done: number[] = [];
      disk.hold();
      const first = appendEach(log, [1], done);
      await disk.waits();
      const others = appendEach(log, range(2, 500), done);
      expect(disk.writes).toHaveLength(1);
      disk.letGo();
      await first;
      await disk.waits();
      expect(done).toEqual([1]);
      expect(log.head().seq).toBe(2);
      expect(await batches(dir)).toEqual(range(1, 501));
      disk.release();
      await others;
      expect(done).toEqual(range(1, 501));
      expect(disk.writes).toHaveLength(2);
      expect((await verifyAuditLog({ dir })).integrity).toEqual({ state: 'Intact', records: 502 });
    });
  });

  test.each<[string, number, number, number]>([
    ['a thousand records', 2_500, 10, 3],
    ['a megabyte', 50, 60_000, 3],
  ])('what is more than %s takes several writes, in the order of the calls', async (_name, count, bytes, writes) => {
    await withDisk(async (log, disk, dir) => {
      disk.hold();
      const first = log.append(entry(0));
      await disk.waits();
      const others = Promise.all(range(1, count).map((n) => log.append({ ...entry(n), refs: { batch: n, note: 'x'.repeat(bytes) } })));
      disk.release();
      await first;
      expect((await others).map((record) => record.refs['batch'])).toEqual(range(1, count));
      expect(disk.writes).toHaveLength(1 + writes);
      expect(await batches(dir)).toEqual(range(0, count + 1));
      expect((await verifyAuditLog({ dir })).integrity).toEqual({ state: 'Intact', records: count + 2 });
    });
  });

  test('records that wait when the log is closed are written', async () => {
    await withDisk(async (log, disk, dir) => {
      const done: number[] = [];
      disk.hold();
      void appendEach(log, [1], done);
      await disk.waits();
      void appendEach(log, [2, 3], done);
      const closed = log.close();
      disk.release();
      await closed;
      expect(done).toEqual([1, 2, 3]);
      expect(await batches(dir)).toEqual([1, 2, 3]);
      await expect(log.append(entry(4))).rejects.toThrow('is closed');
    });
  });

  test('one bad entry leaves no gap', async () => {
    await withDisk(async (log, disk, dir) => {
      disk.hold();
      const first = log.append(entry(1));
      await disk.waits();
      const others = Promise.allSettled([log.append(entry(2)), log.append({ ...entry(3), actor: '' }), log.append(entry(4))]);
      disk.release();
      await first;
      expect((await others).map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(await batches(dir)).toEqual([1, 2, 4]);
      expect((await verifyAuditLog({ dir })).integrity).toEqual({ state: 'Intact', records: 4 });
    });
  });
});

describe('when that write fails', () => {
  test('records that were sealed meanwhile fail with it and are never written, also when the disk says it works again', async () => {
    await withDisk(async (log, disk, dir) => {
      const done: number[] = [];
      await appendEach(log, [1], done);
      disk.writes.length = 0;
      disk.hold();
      const under = appendEach(log, [2], done);
      await disk.waits();
      const sealed = appendEach(log, range(3, 1_500), done);
      disk.letGo(EIO());
      const results = [...(await under), ...(await sealed)];
      disk.release();
      expect(new Set(results.map((result) => result.status === 'rejected' && result.reason instanceof AuditUnavailableError))).toEqual(new Set([true]));
      await expect(log.append(entry(9))).rejects.toThrow('EIO');
      expect(log.healthy()).toMatchObject({ ok: false });
      expect(log.head().seq).toBe(2);
      expect(done).toEqual([1]);
      expect(disk.writes).toHaveLength(1);
      await log.close();
      // Record 2 may or may not have reached the disk; the next writer goes on from what it finds there.
      expect(await batches(dir)).toEqual([1, 2]);
      const again = await openAuditLog({ dir, clock: () => NOON });
      expect(await again.append(entry(10))).toMatchObject({ seq: 4 });
      await again.close();
      expect((await verifyAuditLog({ dir })).integrity).toEqual({ state: 'Intact', records: 4 });
    });
  });

  test('an append made by whoever hears of the failure fails too', async () => {
    await withDisk(async (log, disk) => {
      disk.hold();
      const retried = log.append(entry(1)).catch(() => log.append(entry(1)));
      await disk.waits();
      disk.letGo(EIO());
      await expect(retried).rejects.toThrow(AuditUnavailableError);
      expect(disk.writes).toHaveLength(1);
    });
  });
});

test('a file taken away during a write stops the log before the next write', async () => {
  await withDisk(async (log, disk, dir) => {
    const done: number[] = [];
    disk.hold();
    const first = appendEach(log, [1], done);
    await disk.waits();
    const next = appendEach(log, [2], done);
    const { path } = (await listSegments(dir))[0]!;
    renameSync(path, `${path}.old`);
    disk.release();
    await first;
    expect((await next)[0]).toMatchObject({ status: 'rejected', reason: expect.any(AuditUnavailableError) as unknown });
    expect(done).toEqual([1]);
    expect(disk.writes).toHaveLength(1);
  });
});

test('whatever is appended when, and whichever write fails, what was acknowledged is a beginning of the chain, in order', async () => {
  const burst = fc.record({ records: fc.integer({ min: 1, max: 40 }), turns: fc.integer({ min: 0, max: 4 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(burst, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 14 }), (bursts, failing) =>
      withFolder(async (dir) => {
        const disk = playedDisk();
        const options = { dir, clock: () => NOON, segmentBytes: 6_000 };
        const log = await openAuditLog({ ...options, openFile: disk.openFile });
        // The record that starts the chain was the first.
        disk.fault = (write) => (write === 1 + failing ? EIO() : undefined);
        const done: number[] = [];
        const results: Promise<PromiseSettledResult<void>[]>[] = [];
        let next = 1;
        for (const { records, turns } of bursts) {
          results.push(appendEach(log, range(next, records), done));
          next += records;
          for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        }
        const settled = (await Promise.all(results)).flat();
        await log.close();
        expect(done).toEqual(range(1, done.length));
        expect(settled.map((result) => result.status)).toEqual(range(1, next - 1).map((n) => (n <= done.length ? 'fulfilled' : 'rejected')));
        if (disk.writes.length <= failing) expect(done).toHaveLength(next - 1);
        else expect(disk.writes).toHaveLength(1 + failing);
        const there = await batches(dir);
        expect(there).toEqual(range(1, there.length));
        expect(there.length).toBeGreaterThanOrEqual(done.length);
        await (await openAuditLog(options)).close();
        expect((await verifyAuditLog({ dir })).integrity).toEqual({ state: 'Intact', records: there.length + 1 });
      }),
    ),
    { numRuns: runs(40) },
  );
});
