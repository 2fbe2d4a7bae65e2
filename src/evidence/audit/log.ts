import { randomUUID } from 'node:crypto';
import { open, truncate } from 'node:fs/promises';
import { makeFolder, syncFolder } from '../files.ts';
import { lockFolder, type FolderLock } from '../folder-lock.ts';
import { Group } from './group.ts';
import { CHAIN_STARTED, encodeEntry, TAIL_REPAIRED } from './record.ts';
import type { AuditEntry, AuditRecord, ChainHead } from './record.ts';
import { AuditCorruptError, recoverChain, type Recovered } from './recover.ts';
import { SegmentWriter } from './segment-writer.ts';
import { setAside, unreported } from './torn.ts';

/**
 * The audit chain's single writer. Entries that come while a write is under way are sealed at once and go out together
 * when it has ended: one write per group, which returns when the disk has it. After the first failed write nothing is
 * accepted any more until the log is opened again, since a second one may report success for pages the kernel has already
 * dropped.
 */

export interface AuditLogOptions {
  /** Folder of the chain; created with mode 0700 when absent. One writer at a time. */
  dir: string;
  clock: () => Date;
  /** A segment that has reached this many bytes is followed by a new one; default 64 MiB. */
  segmentBytes?: number;
  /** Who the chain's own records name; default `dataward`. */
  actor?: string;
  /**
   * How long to wait for a lock whose holder cannot be seen, e.g. of a container that was killed on this volume; its
   * lock counts as stale 30 s after the last sign of life. Default 0.
   */
  lockWaitMillis?: number;
  /** The end of the chain as this process left it: opened again it must still be there. */
  continues?: { chainId: string; head: ChainHead };
  /** Opens segment files; a parameter so that failing disks can be tested. */
  openFile?: typeof open;
}

export interface AuditLog {
  readonly dir: string;
  /** Names this chain in checkpoints and certificates. */
  readonly chainId: string;
  /**
   * Resolves when the record is on disk. Rejects with `AuditEntryError` for an entry that cannot be recorded, with
   * `AuditUnavailableError` when the log cannot write; then the caller must not do what it wanted to record.
   */
  append(entry: AuditEntry): Promise<AuditRecord>;
  /** The last durable record. */
  head(): ChainHead;
  /** Whether the next append may succeed, and otherwise why not; `stopped`: not before the log is opened again. */
  healthy(): { ok: true } | { ok: false; reason: string; stopped?: true };
  /** Writes what is waiting, then gives the lock back. */
  close(): Promise<void>;
}

/** The audit log cannot record anything: no destructive work may start. */
export class AuditUnavailableError extends Error {
  override readonly name = 'AuditUnavailableError';
}

const SEGMENT_BYTES = 64 << 20;
/** A disk that has not answered for this long is not healthy, whatever it will say. */
const STALLED_MILLIS = 15_000;

/**
 * Opens a chain for writing, or starts one. A torn tail is set aside and reported in the chain. Throws
 * `FolderLockedError` when another writer lives, `AuditCorruptError` when the chain is broken or does not continue
 * what it must, and the file system's error when the folder cannot be written.
 */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { dir } = options;
  await makeFolder(dir);
  const lock = await lockFolder(dir, options.lockWaitMillis ?? 0);
  let log: Writer | undefined;
  try {
    const found = await recoverChain(dir);
    if (options.continues) mustContinue(dir, found, options.continues);
    if (found.segment && found.torn) {
      await setAside(dir, found.segment, found.torn, found.chainId === undefined ? 2 : found.head.seq + 1);
      await syncFolder(dir);
      await truncate(found.segment.path, found.length);
    }
    const chainId = found.chainId ?? randomUUID();
    const segments = new SegmentWriter(dir, options.segmentBytes ?? SEGMENT_BYTES, options.openFile ?? open);
    log = new Writer(options, chainId, found.head, segments, lock);
    if (found.segment) await segments.resume(found.segment, found.length);

    const own = { actor: options.actor ?? 'dataward', object: { kind: 'AuditChain', name: chainId }, outcome: 'Noted' } as const;
    if (found.chainId === undefined) await log.append({ ...own, action: CHAIN_STARTED, refs: { chainId, format: 1 } });
    const tails = await unreported(dir, log.head());
    if (tails.length > 0) await log.append({ ...own, action: TAIL_REPAIRED, refs: { tails: tails.map((tail) => ({ ...tail })) } });
    return log;
  } catch (error) {
    await (log ? log.close() : lock.release());
    throw error;
  }
}

function mustContinue(dir: string, found: Recovered, { chainId, head }: { chainId: string; head: ChainHead }): void {
  const same = found.chainId === chainId && (found.head.seq > head.seq || (found.head.seq === head.seq && found.head.hash === head.hash));
  if (!same) throw new AuditCorruptError(`audit log ${dir} no longer has record ${head.seq} of chain ${chainId}, which this process wrote there; put the folder back, or start the operator again, which compares it with what was signed`);
}

class Writer implements AuditLog {
  readonly dir: string;
  readonly chainId: string;
  readonly #clock: () => Date;
  readonly #segments: SegmentWriter;
  readonly #lock: FolderLock;
  readonly #time = new Timestamps();
  /** The last record on disk. */
  #head: ChainHead;
  /** The last record that has its place. Runs ahead of the disk; nobody hears of it before the disk has it. */
  #sealed: ChainHead;
  /** What the disk does not have yet, in chain order: the first may be on its way, the last may still grow. */
  #groups: Group[] = [];
  #spare: Group | undefined;
  #flushing: Promise<void> | undefined;
  #writingSince: number | undefined;
  #failure: AuditUnavailableError | undefined;

  constructor(options: AuditLogOptions, chainId: string, head: ChainHead, segments: SegmentWriter, lock: FolderLock) {
    this.dir = options.dir;
    this.chainId = chainId;
    this.#clock = options.clock;
    this.#head = head;
    this.#sealed = head;
    this.#segments = segments;
    this.#lock = lock;
  }

  async append(entry: AuditEntry): Promise<AuditRecord> {
    const encoded = encodeEntry(entry);
    if (this.#failure) throw this.#failure;
    const ts = this.#time.text(this.#clock());
    // First this: the look at the file takes as long as sealing a few records, and both go on at once.
    this.#flushing ??= this.#flush();
    const group = this.#openGroup();
    const record = group.add(encoded, this.#sealed, ts);
    this.#sealed = record;
    await group.durable;
    return record;
  }

  head(): ChainHead {
    return this.#head;
  }

  healthy(): ReturnType<AuditLog['healthy']> {
    if (this.#failure) return { ok: false, reason: this.#failure.message, stopped: true };
    const waited = this.#writingSince === undefined ? 0 : this.#clock().getTime() - this.#writingSince;
    if (waited < STALLED_MILLIS) return { ok: true };
    return { ok: false, reason: `audit log ${this.dir}: the disk has not answered for ${Math.round(waited / 1000)} s` };
  }

  async close(): Promise<void> {
    while (this.#flushing) await this.#flushing;
    this.#failure ??= new AuditUnavailableError(`audit log ${this.dir} is closed`);
    await this.#segments.close();
    await this.#lock.release();
  }

  /** Never rejects: each caller hears of its own record. */
  async #flush(): Promise<void> {
    try {
      do await this.#writeGroup();
      while (this.#groups.length > 0);
    } catch (error) {
      this.#fail(error);
    }
    this.#writingSince = undefined;
    this.#flushing = undefined;
  }

  async #writeGroup(): Promise<void> {
    this.#writingSince = this.#clock().getTime();
    await this.#segments.prepare(this.#head.seq + 1);
    const group = this.#groups[0];
    if (!group) return;
    await this.#segments.write(group.close());
    this.#head = group.head();
    this.#groups.shift();
    group.resolve();
    group.reuse();
    this.#spare = group;
  }

  /** The group that the next record belongs to. */
  #openGroup(): Group {
    const last = this.#groups.at(-1);
    if (last?.takesMore()) return last;
    const next = this.#spare ?? new Group();
    this.#spare = undefined;
    this.#groups.push(next);
    return next;
  }

  /** Records that follow one which may not be on disk must not be there either: whatever was sealed fails together. */
  #fail(cause: unknown): void {
    const message = cause instanceof Error ? cause.message : String(cause);
    const failure = new AuditUnavailableError(
      `audit log ${this.dir} cannot be written: ${message}; destructive work stops until the cause is removed and the log is opened again`,
      { cause },
    );
    this.#failure ??= failure;
    for (const group of this.#groups.splice(0)) group.reject(failure);
    this.#spare = undefined;
  }
}

/** Times as text; many records of a busy log have the same one. */
class Timestamps {
  #millis = NaN;
  #text = '';

  text(at: Date): string {
    const millis = at.getTime();
    if (millis !== this.#millis) {
      this.#text = at.toISOString();
      this.#millis = millis;
    }
    return this.#text;
  }
}
