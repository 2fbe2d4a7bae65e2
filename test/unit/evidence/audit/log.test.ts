import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, constants, mkdirSync, readdirSync, readFileSync, renameSync, statSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readRecord } from '../../../../src/evidence/audit/line.ts';
import { FolderLockedError } from '../../../../src/evidence/folder-lock.ts';
import { AuditUnavailableError, openAuditLog, type AuditLog, type AuditLogOptions } from '../../../../src/evidence/audit/log.ts';
import { AuditEntryError, TAIL_REPAIRED, type AuditRecord } from '../../../../src/evidence/audit/record.ts';
import { AuditCorruptError } from '../../../../src/evidence/audit/recover.ts';
import { listSegments } from '../../../../src/evidence/audit/segments.ts';
import { verifyAuditLog } from '../../../../src/evidence/audit/verify.ts';
import { entry, NOON, readLines, rehash, withFolder, writeChain, writeLines } from '../../../support/chain.ts';

async function withLog<T>(options: Omit<AuditLogOptions, 'clock'>, use: (log: AuditLog) => Promise<T>): Promise<T> {
  const log = await openAuditLog({ clock: () => NOON, ...options });
  try {
    return await use(log);
  } finally {
    await log.close();
  }
}

async function recordsOf(dir: string): Promise<AuditRecord[]> {
  return (await readLines(dir)).flatMap(({ lines }) => lines.map((line) => readRecord(Buffer.from(line)) as AuditRecord));
}

describe('append', () => {
  test('resolves with the record that is on disk, in the order of the calls', async () => {
    await withFolder(async (dir) => {
      const appended = await withLog({ dir }, (log) => Promise.all([1, 2, 3].map((n) => log.append(entry(n)))));
      expect(appended.map((record) => [record.seq, record.refs['batch'], record.ts])).toEqual([2, 3, 4].map((seq) => [seq, seq - 1, NOON.toISOString()]));
      expect((await recordsOf(dir)).slice(1)).toEqual(appended);
    });
  });

  test('writes everything that waits at once', async () => {
    await withFolder(async (dir) => {
      const writes = { count: 0 };
      await withLog({ dir, openFile: openWith({ written: () => void (writes.count += 1) }) }, async (log) => {
        writes.count = 0;
        await Promise.all(Array.from({ length: 500 }, (_, n) => log.append(entry(n))));
      });
      expect(writes.count).toBe(1);
    });
  });

  test('resolves only when the disk has it: new segments and old ones are opened for synchronous writes', async () => {
    await withFolder(async (dir) => {
      const opened: number[] = [];
      const openFile: typeof open = async (path, flags, mode) => {
        const handle = await open(path, flags, mode);
        const datasync = handle.datasync.bind(handle);
        let synced = false;
        handle.datasync = async () => ((synced = true), datasync());
        const close = handle.close.bind(handle);
        handle.close = async () => (opened.push(process.platform === 'linux' ? Number(flags) & constants.O_DSYNC : Number(synced)), close());
        return handle;
      };
      await withLog({ dir, openFile, segmentBytes: 300 }, (log) => log.append(entry(1)));
      await withLog({ dir, openFile, segmentBytes: 300 }, (log) => log.append(entry(2)));
      expect(opened.length).toBeGreaterThanOrEqual(3);
      expect(opened).not.toContain(0);
    });
  });

  test('refuses one bad entry without harm to the others', async () => {
    await withFolder(async (dir) => {
      await withLog({ dir }, async (log) => {
        const results = await Promise.allSettled([log.append(entry(1)), log.append({ ...entry(2), action: 'no' }), log.append(entry(3))]);
        expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
        expect((results[1] as PromiseRejectedResult).reason).toBeInstanceOf(AuditEntryError);
        expect(log.healthy()).toEqual({ ok: true });
      });
      expect((await verifyAuditLog({ dir })).integrity).toEqual({ state: 'Intact', records: 3 });
    });
  });

  test('goes on with the same chain when opened again', async () => {
    await withFolder(async (dir) => {
      const first = await withLog({ dir, segmentBytes: 700 }, async (log) => (await log.append(entry(1)), log.chainId));
      for (let n = 2; n < 8; n++) {
        await withLog({ dir, segmentBytes: 700 }, async (log) => {
          expect(log.chainId).toBe(first);
          await log.append(entry(n));
        });
      }
      expect((await listSegments(dir)).length).toBeGreaterThan(2);
      expect((await verifyAuditLog({ dir })).integrity).toEqual({ state: 'Intact', records: 8 });
    });
  });

  test('keeps files from other users', async () => {
    await withFolder(async (parent) => {
      const dir = join(parent, 'audit');
      await writeChain(dir, 2);
      expect(statSync(dir).mode & 0o777).toBe(0o700);
      expect(statSync((await listSegments(dir))[0]!.path).mode & 0o777).toBe(0o600);
    });
  });
});

describe('a torn tail', () => {
  test('is set aside and reported, wherever in the last record the write broke off', async () => {
    await withFolder(async (parent) => {
      const template = join(parent, 'whole');
      await writeChain(template, 3);
      const whole = readFileSync((await listSegments(template))[0]!.path);
      const lastStart = whole.lastIndexOf(0x0a, whole.length - 2) + 1;
      for (let cut = lastStart + 1; cut < whole.length; cut += 17) {
        const dir = join(parent, `cut-${cut}`);
        mkdirSync(dir);
        writeFileSync(join(dir, 'audit-0000000000000001.jsonl'), whole.subarray(0, cut));
        await withLog({ dir }, (log) => log.append(entry(9)));
        const records = await recordsOf(dir);
        const torn = whole.subarray(lastStart, cut);
        expect(records.map((record) => record.action)).toEqual(['chain.started', 'purge.batch', TAIL_REPAIRED, 'purge.batch']);
        expect(records[2]!.refs).toEqual({
          tails: [{ file: 'torn-0000000000000003.bin', bytes: torn.length, sha256: createHash('sha256').update(torn).digest('hex') }],
        });
        expect(readFileSync(join(dir, 'torn-0000000000000003.bin'))).toEqual(torn);
        expect((await verifyAuditLog({ dir })).integrity).toEqual({ state: 'Intact', records: 4 });
      }
    });
  });

  test('of the very first record starts the chain and is reported', async () => {
    await withFolder(async (dir) => {
      writeFileSync(join(dir, 'audit-0000000000000001.jsonl'), '{"action":"chain.st');
      await withLog({ dir }, async () => undefined);
      expect((await recordsOf(dir)).map((record) => record.action)).toEqual(['chain.started', TAIL_REPAIRED]);
    });
  });

  test('of the first record of a new segment leads back to the segment before', async () => {
    await withFolder(async (dir) => {
      await writeChain(dir, 5);
      writeFileSync(join(dir, 'audit-0000000000000006.jsonl'), '{"act');
      await withLog({ dir }, (log) => log.append(entry(1)));
      expect((await recordsOf(dir)).map((record) => record.action).slice(5)).toEqual([TAIL_REPAIRED, 'purge.batch']);
      expect((await verifyAuditLog({ dir })).integrity).toEqual({ state: 'Intact', records: 7 });
    });
  });

  test('set aside by a process that died before reporting it is reported by the next', async () => {
    await withFolder(async (dir) => {
      await writeChain(dir, 3);
      writeFileSync(join(dir, 'torn-0000000000000004.bin'), 'torn once');
      writeFileSync(join(dir, 'torn-0000000000000004-1.bin'), 'torn twice');
      await withLog({ dir }, async () => undefined);
      await withLog({ dir }, async () => undefined);
      const records = await recordsOf(dir);
      expect(records).toHaveLength(4);
      expect(records[3]!.refs['tails']).toMatchObject([{ bytes: 10 }, { bytes: 9 }]);
    });
  });
});

describe('a chain that is broken is not built upon', () => {
  test.each<[string, (lines: string[]) => string[], string]>([
    ['a changed record', (l) => l.toSpliced(2, 1, l[2]!.replace('"Done"', '"Failed"')), 'line 3: HashMismatch'],
    ['a missing record', (l) => l.toSpliced(2, 1), 'line 3: carries seq 4 where 3 belongs'],
    ['a record computed anew', (l) => l.toSpliced(2, 1, rehash(l, (record) => void (record['seq'] === 3 && (record['outcome'] = 'Failed')))[2]!), 'line 4: does not follow from the record before it'],
    ['a missing first record', (l) => l.slice(1), 'line 1: carries seq 2 where 1 belongs'],
  ])('because of %s', async (_name, spoil, message) => {
    await withFolder(async (dir) => {
      await writeChain(dir, 5);
      const [segment] = await readLines(dir);
      writeLines(segment!.path, spoil(segment!.lines));
      await expect(openAuditLog({ dir, clock: () => NOON })).rejects.toThrow(AuditCorruptError);
      await expect(openAuditLog({ dir, clock: () => NOON })).rejects.toThrow(message);
      expect(readdirSync(dir)).not.toContainEqual(expect.stringMatching(/lock/));
    });
  });

  test('because its first segment is gone', async () => {
    await withFolder(async (dir) => {
      await writeChain(dir, 20, { segmentBytes: 1500 });
      unlinkSync((await listSegments(dir))[0]!.path);
      await expect(openAuditLog({ dir, clock: () => NOON })).rejects.toThrow('the first segment is missing');
    });
  });
});

describe('one writer', () => {
  test('a second one is refused while the first lives, and let in after it closed', async () => {
    await withFolder(async (dir) => {
      await withLog({ dir }, async () => {
        await expect(openAuditLog({ dir, clock: () => NOON })).rejects.toThrow(FolderLockedError);
        await expect(openAuditLog({ dir, clock: () => NOON })).rejects.toThrow(`in use by process ${process.pid}`);
      });
      await withLog({ dir }, async (log) => expect(log.healthy()).toEqual({ ok: true }));
    });
  });

  test.each<[string, (lock: Record<string, unknown>) => void]>([
    ['a process that is gone', (lock) => void (lock['pid'] = spawnSync('true').pid)],
    ['a process whose number was given to another', (lock) => void (lock['started'] = '1')],
  ])('takes over the lock of %s', async (_name, change) => {
    await withFolder(async (dir) => {
      const log = await openAuditLog({ dir, clock: () => NOON });
      const path = join(dir, readdirSync(dir).find((file) => file.endsWith('.lock'))!);
      const lock = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
      change(lock);
      await log.close();
      writeFileSync(path, JSON.stringify(lock));
      await withLog({ dir }, (log2) => log2.append(entry(1)));
      expect(readdirSync(dir)).toEqual(['audit-0000000000000001.jsonl']);
    });
  });

  test('a lock from another host or container counts for as long as it is touched', async () => {
    await withFolder(async (dir) => {
      const path = join(dir, 'writer-0.lock');
      writeFileSync(path, JSON.stringify({ pid: 1, started: '5', scope: 'elsewhere', token: 't' }));
      await expect(openAuditLog({ dir, clock: () => NOON })).rejects.toThrow('process 1 on elsewhere');
      const handle = await open(path);
      await handle.utimes(new Date(Date.now() - 60_000), new Date(Date.now() - 60_000)).finally(() => handle.close());
      await withLog({ dir }, (log) => log.append(entry(1)));
    });
  });

  test('waits for such a lock to fall silent when told to', async () => {
    await withFolder(async (dir) => {
      const path = join(dir, 'writer-0.lock');
      writeFileSync(path, JSON.stringify({ pid: 1, started: '5', scope: 'elsewhere', token: 't' }));
      const nearly = new Date(Date.now() - 29_500);
      utimesSync(path, nearly, nearly);
      await withLog({ dir, lockWaitMillis: 10_000 }, (log) => log.append(entry(1)));
    });
  });

  test('a writer notices that another one wrote to its file', async () => {
    await withFolder(async (dir) => {
      await withLog({ dir }, async (log) => {
        appendFileSync((await listSegments(dir))[0]!.path, 'x');
        await expect(log.append(entry(1))).rejects.toThrow('something else writes to it');
      });
    });
  });

  test('a writer notices that its file was taken away', async () => {
    await withFolder(async (dir) => {
      await withLog({ dir }, async (log) => {
        const { path } = (await listSegments(dir))[0]!;
        renameSync(path, `${path}.old`);
        await expect(log.append(entry(1))).rejects.toThrow(AuditUnavailableError);
        expect(log.healthy()).toMatchObject({ ok: false });
      });
    });
  });
});

describe('a disk that fails', () => {
  test('stops every later append, also when the disk says it works again', async () => {
    await withFolder(async (dir) => {
      const disk = { failing: false };
      const openFile = openWith({ written: () => { if (disk.failing) throw Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' }); } });
      await withLog({ dir, openFile }, async (log) => {
        await log.append(entry(1));
        disk.failing = true;
        const results = await Promise.allSettled([log.append(entry(2)), log.append(entry(3))]);
        expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected']);
        disk.failing = false;
        await expect(log.append(entry(4))).rejects.toThrow('destructive work stops until the cause is removed');
        expect(log.healthy()).toMatchObject({ ok: false, reason: expect.stringContaining('EIO') as unknown as string });
        expect(log.head().seq).toBe(2);
      });
      await withLog({ dir }, (log) => log.append(entry(5)));
      expect((await verifyAuditLog({ dir })).integrity.state).toBe('Intact');
    });
  });

  test('that does not answer is not healthy', async () => {
    await withFolder(async (dir) => {
      const clock = { now: NOON.getTime() };
      const disk: { wake?: () => void; asleep: boolean } = { asleep: false };
      const openFile = openWith({ written: () => (disk.asleep ? new Promise<void>((resolve) => (disk.wake = resolve)) : undefined) });
      const log = await openAuditLog({ dir, openFile, clock: () => new Date(clock.now) });
      disk.asleep = true;
      const waiting = log.append(entry(1));
      while (!disk.wake) await new Promise((resolve) => setImmediate(resolve));
      expect(log.healthy()).toEqual({ ok: true });
      clock.now += 20_000;
      expect(log.healthy()).toMatchObject({ ok: false, reason: expect.stringContaining('has not answered for 20 s') as unknown as string });
      disk.wake();
      await waiting;
      expect(log.healthy()).toEqual({ ok: true });
      disk.asleep = false;
      await log.close();
    });
  });

  test('that is full stops the log, and nothing that was acknowledged is lost', async () => {
    await withFolder(async (dir) => {
      const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir]).status === 0;
      // Without the right to mount, a file size limit of the disk is played by a short write and ENOSPC.
      const openFile = mounted ? open : openWith({}, 60_000);
      try {
        const acknowledged: number[] = [];
        const log = await openAuditLog({ dir, clock: () => NOON, openFile });
        let failure: unknown;
        for (let n = 0; !failure; n++) {
          await log.append(entry(n)).then((record) => acknowledged.push(record.seq), (error: unknown) => (failure = error));
        }
        expect(failure).toBeInstanceOf(AuditUnavailableError);
        expect(String(failure)).toContain('ENOSPC');
        await log.close();
        if (mounted) {
          // Still full: there is no room for the report, so the log does not open, and nothing is dropped for lack of it.
          await expect(openAuditLog({ dir, clock: () => NOON })).rejects.toThrow('ENOSPC');
          spawnSync('mount', ['-o', 'remount,size=256k', dir]);
        }
        await withLog({ dir }, (again) => again.append(entry(0)));
        const records = await recordsOf(dir);
        expect(records.slice(1, acknowledged.length + 1).map((record) => record.seq)).toEqual(acknowledged);
        expect(records.filter((record) => record.action === TAIL_REPAIRED).map((record) => record.refs['tails'])).toEqual([[expect.anything()]]);
        expect((await verifyAuditLog({ dir })).integrity.state).toBe('Intact');
      } finally {
        if (mounted) spawnSync('umount', [dir]);
      }
    });
  });

  test('that may not be written does not open', async () => {
    await withFolder(async (dir) => {
      const denied = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
      await expect(openAuditLog({ dir, clock: () => NOON, openFile: () => Promise.reject(denied) })).rejects.toThrow('EACCES');
      expect(readdirSync(dir)).toEqual([]);
    });
  });

  test('whose folder belongs to somebody else does not open', async () => {
    await withFolder(async (dir) => {
      await writeChain(dir, 2);
      chmodSync(dir, 0o555);
      const root = process.getuid?.() === 0;
      try {
        if (root) process.seteuid?.(65534);
        await expect(openAuditLog({ dir, clock: () => NOON })).rejects.toThrow('EACCES');
      } finally {
        if (root) process.seteuid?.(0);
        chmodSync(dir, 0o755);
      }
    });
  });
});

describe('kill -9 in the middle of appending', () => {
  test('loses nothing acknowledged, takes nothing over twice, and leaves a chain that verifies', async () => {
    await withFolder(async (dir) => {
      const acknowledged: number[] = [];
      for (let round = 0; round < 4; round++) acknowledged.push(await appendUntilKilled(dir, 40 + round * 35));
      await withLog({ dir }, (log) => log.append(entry(1)));
      const verdict = await verifyAuditLog({ dir });
      expect(verdict.integrity.state).toBe('Intact');
      const rows = (await recordsOf(dir)).filter((record) => record.action === 'journal.batch').map((record) => record.refs['row']);
      expect(rows).toEqual(rows.map((_, i) => i + 1));
      expect(rows.length).toBeGreaterThanOrEqual(Math.max(...acknowledged));
      expect(acknowledged.every((row, i) => row > 0 && (i === 0 || row > acknowledged[i - 1]!))).toBe(true);
    });
  });

  test('leaves a torn write that the next open reports', async () => {
    await withFolder(async (dir) => {
      await appendUntilKilled(dir, 30);
      // The kernel finishes a write it has begun, so the tear itself is made by hand.
      // It is killed anywhere, so the newest segment may have no record yet: then it might as well not be there.
      for (const { path } of await listSegments(dir)) if (statSync(path).size === 0) unlinkSync(path);
      const { path } = (await listSegments(dir)).at(-1)!;
      truncateSync(path, statSync(path).size - 7);
      await withLog({ dir }, async () => undefined);
      const records = await recordsOf(dir);
      expect(records.at(-1)!.action).toBe(TAIL_REPAIRED);
      expect((await verifyAuditLog({ dir })).integrity.state).toBe('Intact');
    });
  });
});

/** Resolves with the last row the child was told is durable. */
async function appendUntilKilled(dir: string, millis: number): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/support/append-until-killed.ts', dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), millis);
    output += data.toString();
  });
  await new Promise((resolve) => child.on('close', resolve));
  return Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1));
}

/** `open` whose files call `written` when the kernel has the bytes of a write, and hold at most `capacity` bytes. */
function openWith(hooks: { written?: () => void | Promise<void> }, capacity = Infinity): typeof open {
  return async (...args) => {
    const handle = await open(...args);
    let room = capacity - (await handle.stat()).size;
    return new Proxy(handle, {
      get(target, property) {
        if (property === 'write') {
          return async (data: Buffer, offset: number) => {
            if (room <= 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
            const length = Math.min(data.length - offset, room);
            room -= length;
            const written = await target.write(data, offset, length);
            await hooks.written?.();
            return written;
          };
        }
        const value: unknown = Reflect.get(target, property);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  };
}
