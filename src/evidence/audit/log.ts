import { randomUUID } from 'node:crypto';
import { mkdir, open, truncate } from 'node:fs/promises';
import { syncFolder } from '../files.ts';
import { GroupBuffer } from './group.ts';
import { acquireWriterLock, type WriterLock } from './lock.ts';
import { CHAIN_STARTED, encodeEntry, TAIL_REPAIRED } from './record.ts';
import type { AuditEntry, AuditRecord, ChainHead, EncodedEntry } from './record.ts';
import { recoverChain } from './recover.ts';
import { SegmentWriter } from './segment-writer.ts';
import { setAside, unreported } from './torn.ts';

/**
 * The audit chain's single writer. Entries that wait while a write is under way go out together: one write and one
 * fsync per group. After the first failed write nothing is accepted any more until the log is opened again, since a
 * second fsync may report success for pages the kernel has already dropped.
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
  /** Whether the next append may succeed, and otherwise why not. */
  healthy(): { ok: true } | { ok: false; reason: string };
  /** Writes what is waiting, then gives the lock back. */
  close(): Promise<void>;
}

/** The audit log cannot record anything: no destructive work may start. */
export class AuditUnavailableError extends Error {
  override readonly name = 'AuditUnavailableError';
}

const SEGMENT_BYTES = 64 << 20;
const GROUP_RECORDS = 1_000;
/** A disk that has not answered for this long is not healthy, whatever it will say. */
const STALLED_MILLIS = 15_000;

/**
 * Opens a chain for writing, or starts one. A torn tail is set aside and reported in the chain. Throws
 * `AuditLockedError` when another writer lives, `AuditCorruptError` when the chain is broken, and the file system's
 * error when the folder cannot be written.
 */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { dir } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const lock = await acquireWriterLock(dir, options.lockWaitMillis ?? 0);
  let log: Writer | undefined;
  try {
    const found = await recoverChain(dir);
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

interface Waiting {
  encoded: EncodedEntry;
  resolve: (record: AuditRecord) => void;
  reject: (error: Error) => void;
}

class Writer implements AuditLog {
  readonly dir: string;
  readonly chainId: string;
  readonly #clock: () => Date;
  readonly #segments: SegmentWriter;
  readonly #lock: WriterLock;
  readonly #lines = new GroupBuffer();
  #head: ChainHead;
  #queue: Waiting[] = [];
  #flushing: Promise<void> | undefined;
  #writingSince: number | undefined;
  #failure: AuditUnavailableError | undefined;

  constructor(options: AuditLogOptions, chainId: string, head: ChainHead, segments: SegmentWriter, lock: WriterLock) {
    this.dir = options.dir;
    this.chainId = chainId;
    this.#clock = options.clock;
    this.#head = head;
    this.#segments = segments;
    this.#lock = lock;
  }

  async append(entry: AuditEntry): Promise<AuditRecord> {
    const encoded = encodeEntry(entry);
    if (this.#failure) throw this.#failure;
    return new Promise((resolve, reject) => {
      this.#queue.push({ encoded, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  head(): ChainHead {
    return this.#head;
  }

  healthy(): { ok: true } | { ok: false; reason: string } {
    if (this.#failure) return { ok: false, reason: this.#failure.message };
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

  async #flush(): Promise<void> {
    // Everything appended in this turn of the event loop joins the first group.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group: { record: AuditRecord; waiting: Waiting }[] = [];
      try {
        await this.#write(group);
      } catch (error) {
        this.#fail(error, group);
        break;
      }
      for (const { record, waiting } of group) waiting.resolve(record);
    }
    this.#writingSince = undefined;
    this.#flushing = undefined;
  }

  /** Fills `group` with what is being written, so that a failure reaches exactly those who wait for it. */
  async #write(group: { record: AuditRecord; waiting: Waiting }[]): Promise<void> {
    const now = this.#clock();
    this.#writingSince = now.getTime();
    await this.#segments.prepare(this.#head.seq + 1);
    const ts = now.toISOString();
    let head = this.#head;
    this.#lines.clear();
    while (group.length < this.#queue.length && group.length < GROUP_RECORDS && !this.#lines.isFull()) {
      const waiting = this.#queue[group.length]!;
      const record = this.#lines.add(waiting.encoded, head, ts);
      group.push({ record, waiting });
      head = record;
    }
    this.#queue.splice(0, group.length);
    await this.#segments.write(this.#lines.lines());
    this.#head = { seq: head.seq, hash: head.hash };
  }

  #fail(cause: unknown, group: readonly { waiting: Waiting }[]): void {
    const message = cause instanceof Error ? cause.message : String(cause);
    const failure = new AuditUnavailableError(
      `audit log ${this.dir} cannot be written: ${message}; destructive work stops until the cause is removed and the log is opened again`,
      { cause },
    );
    this.#failure ??= failure;
    for (const { waiting } of group) waiting.reject(failure);
    for (const waiting of this.#queue.splice(0)) waiting.reject(failure);
  }
}
