import { randomInt, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { readdir, readFile, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createWhole } from './files.ts';
import { startOf } from './processes.ts';

/**
 * At most one writer per folder. Who wants to write announces itself by a file of its own and then looks for others:
 * of two, the one that announced itself later always sees the earlier, so never do both go on (both may step back,
 * and try again). Files of writers that are gone are removed; nobody ever touches the file of a living one.
 * Of an operator it is the second guard: its Lease is the first, and the audit log notices a file that grew without it.
 */

const LOCK = /^writer-[0-9a-f-]+\.lock$/;
/** How often the holder touches its file, for those who cannot see its process. */
const HEARTBEAT_MILLIS = 5_000;
/** A holder elsewhere that has not touched its file for this long is taken for dead. */
const SILENCE_MILLIS = 30_000;
/** Two that stepped back for each other must not meet again at once; a single try is never the last. */
const ATTEMPTS = 4;

/** Its words name a folder and a process, so that people can find the other writer. */
export class FolderLockedError extends Error {
  override readonly name = 'FolderLockedError';
  readonly publicMessage = true;
}

export interface FolderLock {
  release(): Promise<void>;
}

interface Holder {
  pid: number;
  /** Process ids are used again (in a container it is nearly always 1): with its start time one is unique. */
  started: string;
  /** Where `pid` means anything: host and pid namespace. */
  scope: string;
}

/**
 * Takes the lock of a folder. While a living writer has it, tries again until `waitMillis` are over, then throws
 * `FolderLockedError` naming the holder.
 */
export async function lockFolder(dir: string, waitMillis = 0): Promise<FolderLock> {
  const deadline = performance.now() + waitMillis;
  for (let attempt = 1; ; attempt++) {
    const path = join(dir, `writer-${randomUUID()}.lock`);
    await createWhole(path, JSON.stringify(myself()));
    let other: string | undefined;
    try {
      other = await livingOther(dir, path);
      if (other === undefined) return hold(path);
    } catch (error) {
      await unlink(path);
      throw error;
    }
    await unlink(path);
    if (attempt >= ATTEMPTS && performance.now() >= deadline) {
      throw new FolderLockedError(`folder ${dir} is in use by ${other}; stop that, or choose another folder`);
    }
    await sleep(randomInt(10, 60) * Math.min(attempt, 5));
  }
}

/** Describes a living writer beside `mine`; removes what dead ones left. */
async function livingOther(dir: string, mine: string): Promise<string | undefined> {
  let living: string | undefined;
  for (const file of await readdir(dir)) {
    const path = join(dir, file);
    if (!LOCK.test(file) || path === mine) continue;
    try {
      const holder = parse(await readFile(path, 'utf8'));
      const silent = Date.now() - (await stat(path)).mtimeMs;
      const alive = holder.scope === processScope() ? startOf(holder.pid) === holder.started : silent < SILENCE_MILLIS;
      if (alive) living = `process ${holder.pid} on ${holder.scope}`;
      else await unlink(path);
    } catch (error) {
      // Its owner, or another that found it dead, was faster.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return living;
}

/** What cannot be read names no process of ours, so only silence decides. */
function parse(text: string): Holder {
  try {
    const { pid, started, scope } = JSON.parse(text) as Holder;
    return { pid: Number(pid), started: String(started), scope: String(scope) };
  } catch {
    return { pid: 0, started: '', scope: 'an unreadable lock file' };
  }
}

function hold(path: string): FolderLock {
  const heartbeat = setInterval(() => {
    const now = new Date();
    // A failing touch only makes others believe the holder dead sooner; the log notices them.
    utimes(path, now, now).catch(() => undefined);
  }, HEARTBEAT_MILLIS);
  heartbeat.unref();
  return {
    async release() {
      clearInterval(heartbeat);
      await unlink(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    },
  };
}

function myself(): Holder {
  return { pid: process.pid, started: startOf(process.pid) ?? 'unknown', scope: processScope() };
}

function processScope(): string {
  try {
    return `${hostname()} ${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}
