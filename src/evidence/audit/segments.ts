import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_LINE_BYTES } from './record.ts';

/** A chain on disk is a folder of segments, each named after the sequence number of its first record. */

export interface Segment {
  readonly path: string;
  readonly file: string;
  /** By its name; readers compare it with what is inside. */
  readonly firstSeq: number;
}

const SEGMENT = /^audit-(\d{16})\.jsonl$/;
const CHUNK_BYTES = 1 << 20;
const NEWLINE = 0x0a;

export function segmentFile(firstSeq: number): string {
  return `audit-${String(firstSeq).padStart(16, '0')}.jsonl`;
}

/** The segments of a folder in chain order. Throws when the folder cannot be read. */
export async function listSegments(dir: string): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const file of (await readdir(dir)).sort()) {
    const match = SEGMENT.exec(file);
    if (match) segments.push({ path: join(dir, file), file, firstSeq: Number(match[1]) });
  }
  return segments;
}

/** Bytes after the last newline: a write that did not finish, or a cut file. */
export interface Tail {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Calls `onLine` for each complete line, without its newline. Memory is one chunk and one line whatever the file
 * holds: of a longer line only the first `MAX_LINE_BYTES` are handed over, which every reader refuses. The buffer is
 * only valid during the call. Return `false` to stop early.
 */
export async function scanLines(path: string, onLine: (line: Buffer, number: number, offset: number) => boolean | void): Promise<Tail> {
  const handle = await open(path, 'r');
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let carry = Buffer.alloc(0);
    let number = 0;
    let lineStart = 0;
    let position = 0;
    for (;;) {
      const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, position);
      if (bytesRead === 0) return { offset: lineStart, bytes: position - lineStart };
      const data = chunk.subarray(0, bytesRead);
      let from = 0;
      for (let at = data.indexOf(NEWLINE); at !== -1; at = data.indexOf(NEWLINE, from)) {
        const part = data.subarray(from, at);
        const line = carry.length === 0 ? part : Buffer.concat([carry, part]);
        number += 1;
        if (onLine(line.subarray(0, MAX_LINE_BYTES), number, lineStart) === false) return { offset: lineStart, bytes: 0 };
        if (carry.length > 0) carry = Buffer.alloc(0);
        from = at + 1;
        lineStart = position + from;
      }
      if (from < bytesRead && carry.length < MAX_LINE_BYTES) carry = Buffer.concat([carry, data.subarray(from)]);
      position += bytesRead;
    }
  } finally {
    await handle.close();
  }
}
