import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChainHead } from './record.ts';
import type { Segment, Tail } from './segments.ts';

/**
 * A torn tail is copied out of the chain before it is cut off, and the chain then says so. In this order a crash at
 * any point leaves either the tail in place or a copy whose report is still due: it is never dropped in silence.
 */

export interface TornTail {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The name carries the sequence number the report will have: a chain that got there has reported it. */
const TORN = /^torn-(\d{16})(?:-\d+)?\.bin$/;

/** Copies a torn tail to a file of its own, durably. The caller cuts it off afterwards. */
export async function setAside(dir: string, segment: Segment, tail: Tail, reportSeq: number): Promise<void> {
  const source = await open(segment.path, 'r');
  try {
    const { path, handle: target } = await createUnused(join(dir, `torn-${String(reportSeq).padStart(16, '0')}`));
    try {
      const chunk = Buffer.allocUnsafe(1 << 16);
      let at = tail.offset;
      for (;;) {
        const { bytesRead } = await source.read(chunk, 0, chunk.length, at);
        if (bytesRead === 0) break;
        await target.appendFile(chunk.subarray(0, bytesRead));
        at += bytesRead;
      }
      await target.sync();
    } catch (error) {
      // Half a copy, e.g. on a full disk, would be reported beside the whole one of the next attempt.
      await unlink(path);
      throw error;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** Torn tails that no record reports yet. */
export async function unreported(dir: string, head: ChainHead): Promise<TornTail[]> {
  const tails: TornTail[] = [];
  for (const file of (await readdir(dir)).sort()) {
    const match = TORN.exec(file);
    if (!match || Number(match[1]) <= head.seq) continue;
    const digest = createHash('sha256');
    let bytes = 0;
    for await (const chunk of createReadStream(join(dir, file))) {
      digest.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
    }
    tails.push({ file, bytes, sha256: digest.digest('hex') });
  }
  return tails;
}

/** A second crash during the same repair must not overwrite the first copy. */
async function createUnused(stem: string): Promise<{ path: string; handle: FileHandle }> {
  for (let n = 0; ; n++) {
    const path = n === 0 ? `${stem}.bin` : `${stem}-${n}.bin`;
    try {
      return { path, handle: await open(path, 'wx', 0o600) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
