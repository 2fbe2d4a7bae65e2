import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../files.ts';
import { segmentFile, type Segment } from './segments.ts';

/**
 * A write returns when the disk has it: one turn of the thread pool, where a write and an fsync are two. Elsewhere than
 * on Linux the flag promises less than an fsync does, or is not there.
 */
const SYNCHRONOUS = process.platform === 'linux';
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (SYNCHRONOUS ? constants.O_DSYNC : 0);

/** Appends bytes durably to the newest segment, starting a new one when it is full. Knows nothing of records. */
export class SegmentWriter {
  readonly #dir: string;
  readonly #segmentBytes: number;
  readonly #openFile: typeof open;
  #current: { path: string; handle: FileHandle; inode: number; length: number } | undefined;

  constructor(dir: string, segmentBytes: number, openFile: typeof open) {
    this.#dir = dir;
    this.#segmentBytes = segmentBytes;
    this.#openFile = openFile;
  }

  /** Goes on in a segment of an earlier process. What that one left in the page cache is made durable before it counts. */
  async resume(segment: Segment, length: number): Promise<void> {
    const handle = await this.#openFile(segment.path, APPEND, 0o600);
    this.#current = { path: segment.path, handle, inode: (await handle.stat()).ino, length };
    await handle.datasync();
  }

  /** Makes sure that the file is still the one we know, and that there is one for the record `nextSeq`. */
  async prepare(nextSeq: number): Promise<void> {
    const current = this.#current;
    if (!current) return this.#start(nextSeq);
    const { ino, size } = await stat(current.path);
    if (ino !== current.inode) throw new Error(`${current.path} was replaced by another file`);
    if (size !== current.length) {
      throw new Error(`${current.path} is ${size} bytes long where this writer left ${current.length}: something else writes to it`);
    }
    if (current.length >= this.#segmentBytes) await this.#start(nextSeq);
  }

  /** Resolves when the bytes are on disk. After a failure nothing is known about the end of the file. */
  async write(data: Buffer): Promise<void> {
    const current = this.#current;
    if (!current) throw new Error('no segment was prepared');
    // A full disk shows as a short write first; only the next call reports it.
    for (let done = 0; done < data.length; ) {
      const { bytesWritten } = await current.handle.write(data, done);
      done += bytesWritten;
    }
    if (!SYNCHRONOUS) await current.handle.datasync();
    current.length += data.length;
  }

  async close(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.handle.close();
  }

  async #start(firstSeq: number): Promise<void> {
    const path = join(this.#dir, segmentFile(firstSeq));
    const handle = await this.#openFile(path, APPEND | constants.O_EXCL, 0o600);
    await this.close();
    this.#current = { path, handle, inode: (await handle.stat()).ino, length: 0 };
    await syncFolder(this.#dir);
  }
}
