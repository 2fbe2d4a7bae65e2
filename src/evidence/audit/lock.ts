import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { link, readFile, rename, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createWhole } from '../files.ts';

/**
 * At most one writer per folder. The lock file names its holder; one whose process is gone is taken over. It is the
 * second guard: the operator's Lease is the first, and the log itself notices a file that grew without it.
 */

const LOCK_FILE = 'lock';
/** How often the holder touches the file, for readers that cannot see its process. */
const HEARTBEAT_MILLIS = 5_000;
/** A holder elsewhere that has not touched the file for this long is taken for dead. */
const SILENCE_MILLIS = 30_000;
const RETRY_MILLIS = 250;

export class AuditLockedError extends Error {
  override readonly name = 'AuditLockedError';
}

export interface WriterLock {
  release(): Promise<void>;
}

interface Holder {
  pid: number;
  /** Process ids are used again (in a container it is nearly always 1): with its start time one is unique. */
  started: string;
  /** Where `pid` means anything: host and pid namespace. */
  scope: string;
  token: string;
}

/**
 * Takes the lock of a folder. While a living writer has it, tries again until `waitMillis` are over, then throws
 * `AuditLockedError` naming the holder.
 */
export async function acquireWriterLock(dir: string, waitMillis = 0): Promise<WriterLock> {
  const path = join(dir, LOCK_FILE);
  const mine: Holder = { pid: process.pid, started: startOf(process.pid) ?? 'unknown', scope: processScope(), token: randomUUID() };
  for (let waited = 0; ; waited += RETRY_MILLIS) {
    if (await createWhole(path, JSON.stringify(mine))) return hold(path, mine);
    try {
      await removeIfStale(path);
      if (await createWhole(path, JSON.stringify(mine))) return hold(path, mine);
      throw new AuditLockedError(`audit log lock ${path} was taken by another writer at the same time; stop all but one`);
    } catch (error) {
      if (!(error instanceof AuditLockedError) || waited >= waitMillis) throw error;
      await sleep(RETRY_MILLIS);
    }
  }
}

async function removeIfStale(path: string): Promise<void> {
  const found = await read(path);
  if (!found) return;
  const { holder, text, silentMillis } = found;
  const alive = holder.scope === processScope() ? startOf(holder.pid) === holder.started : silentMillis < SILENCE_MILLIS;
  if (alive) {
    throw new AuditLockedError(
      `audit log lock ${path} is held by process ${holder.pid} on ${holder.scope}; stop that writer, or choose another folder`,
    );
  }
  // Another process may have replaced the stale lock meanwhile: move first, look at what was moved, give it back if it lives.
  const aside = `${path}.stale-${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) !== text) await link(aside, path).catch(() => undefined);
  await unlink(aside);
}

async function read(path: string): Promise<{ holder: Holder; text: string; silentMillis: number } | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    return { holder: parse(text), text, silentMillis: Date.now() - mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A lock that cannot be read names no living process in our scope, so only silence decides. */
function parse(text: string): Holder {
  try {
    const { pid, started, scope, token } = JSON.parse(text) as Holder;
    return { pid: Number(pid), started: String(started), scope: String(scope), token: String(token) };
  } catch {
    return { pid: 0, started: '', scope: 'an unreadable lock file', token: '' };
  }
}

function hold(path: string, mine: Holder): WriterLock {
  const heartbeat = setInterval(() => {
    const now = new Date();
    // A failing touch only makes others believe the holder dead sooner; the log notices them.
    utimes(path, now, now).catch(() => undefined);
  }, HEARTBEAT_MILLIS);
  heartbeat.unref();
  return {
    async release() {
      clearInterval(heartbeat);
      const found = await read(path);
      if (found?.holder.token === mine.token) await unlink(path);
    },
  };
}

/** Start time of a process in clock ticks since boot; undefined when there is no such process. */
function startOf(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command name, in parentheses, may hold spaces; the 22nd field is the 20th after it.
    return fields.slice(fields.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return isRunning(pid) ? 'unknown' : undefined;
  }
}

/** For systems without /proc: the id alone. */
function isRunning(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function processScope(): string {
  try {
    return `${hostname()} ${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}
