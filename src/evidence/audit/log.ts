import { randomUUID } from 'node:crypto';
import { mkdir, open, stat, truncate, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../files.ts';
import { acquireWriterLock, type WriterLock } from './lock.ts';
import { CHAIN_STARTED, encodeEntry, sealRecord, TAIL_REPAIRED } from './record.ts';
import type { AuditEntry, AuditRecord, ChainHead, EncodedEntry } from './record.ts';
import { recoverChain } from './recover.ts';
import { segmentFile, type Segment } from './segments.ts';
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
/** Bounds what one write holds in memory, and how much a torn write can tear. */
const GROUP_BYTES = 1 << 20;
const GROUP_RECORDS = 1_000;

/**
 * Opens a chain for writing, or starts one. A torn tail is set aside and reported in the chain. Throws
 * `AuditLockedError` when another writer lives, `AuditCorruptError` when the chain is broken, and the file system's
 * error when the folder cannot be written.
 */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { dir } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const lock = await acquireWriterLock(dir);
  let log: Writer | undefined;
  try {
    const found = await recoverChain(dir);
    if (found.segment && found.torn) {
      await setAside(dir, found.segment, found.torn, found.chainId === undefined ? 2 : found.head.seq + 1);
      await syncFolder(dir);
      await truncate(found.segment.path, found.length);
    }
    const chainId = found.chainId ?? randomUUID();
    log = new Writer(options, chainId, found.head, lock);
    if (found.segment) await log.resume(found.segment, found.length);

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

interface OpenSegment {
  path: string;
  handle: FileHandle;
  inode: number;
  length: number;
}

class Writer implements AuditLog {
  readonly dir: string;
  readonly chainId: string;
  readonly #options: AuditLogOptions;
  readonly #openFile: typeof open;
  readonly #lock: WriterLock;
  #head: ChainHead;
  #segment: OpenSegment | undefined;
  #queue: Waiting[] = [];
  #flushing: Promise<void> | undefined;
  #failure: AuditUnavailableError | undefined;

  constructor(options: AuditLogOptions, chainId: string, head: ChainHead, lock: WriterLock) {
    this.dir = options.dir;
    this.chainId = chainId;
    this.#options = options;
    this.#openFile = options.openFile ?? open;
    this.#head = head;
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
    return this.#failure ? { ok: false, reason: this.#failure.message } : { ok: true };
  }

  async close(): Promise<void> {
    while (this.#flushing) await this.#flushing;
    this.#failure ??= new AuditUnavailableError(`audit log ${this.dir} is closed`);
    await this.#segment?.handle.close();
    this.#segment = undefined;
    await this.#lock.release();
  }

  /** Goes on in a segment of an earlier process. What that one left in the page cache is made durable before it counts. */
  async resume(segment: Segment, length: number): Promise<void> {
    const handle = await this.#openFile(segment.path, 'a', 0o600);
    this.#segment = { path: segment.path, handle, inode: (await handle.stat()).ino, length };
    await handle.datasync();
  }

  async #flush(): Promise<void> {
    // One turn of the event loop lets everything appended in this turn join the first group.
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
    this.#flushing = undefined;
  }

  async #write(group: { record: AuditRecord; waiting: Waiting }[]): Promise<void> {
    const segment = await this.#currentSegment();
    const ts = this.#options.clock().toISOString();
    const lines: string[] = [];
    let head = this.#head;
    let bytes = 0;
    let taken = 0;
    while (taken < this.#queue.length && taken < GROUP_RECORDS && bytes < GROUP_BYTES) {
      const waiting = this.#queue[taken++]!;
      const { record, line } = sealRecord(waiting.encoded, head, ts);
      group.push({ record, waiting });
      lines.push(line);
      bytes += line.length;
      head = record;
    }
    this.#queue.splice(0, taken);
    const data = Buffer.from(lines.join(''));
    await writeAll(segment.handle, data);
    await segment.handle.datasync();
    segment.length += data.length;
    this.#head = { seq: head.seq, hash: head.hash };
  }

  /** The segment to write to, after making sure that it is still the file we know. */
  async #currentSegment(): Promise<OpenSegment> {
    const segment = this.#segment;
    if (!segment) return this.#startSegment();
    const { ino, size } = await stat(segment.path);
    if (ino !== segment.inode) throw new Error(`${segment.path} was replaced by another file`);
    if (size !== segment.length) {
      throw new Error(`${segment.path} is ${size} bytes long where this writer left ${segment.length}: something else writes to it`);
    }
    return segment.length < (this.#options.segmentBytes ?? SEGMENT_BYTES) ? segment : this.#startSegment();
  }

  async #startSegment(): Promise<OpenSegment> {
    const path = join(this.dir, segmentFile(this.#head.seq + 1));
    const handle = await this.#openFile(path, 'ax', 0o600);
    await this.#segment?.handle.close();
    this.#segment = { path, handle, inode: (await handle.stat()).ino, length: 0 };
    await syncFolder(this.dir);
    return this.#segment;
  }

  #fail(cause: unknown, group: { waiting: Waiting }[]): void {
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

/** A full disk shows as a short write first; only the next call reports it. */
async function writeAll(handle: FileHandle, data: Buffer): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await handle.write(data, done);
    done += bytesWritten;
  }
}
