import { hash } from 'node:crypto';
import { MAX_LINE_BYTES, type AuditRecord, type ChainHead, type EncodedEntry } from './record.ts';

/** Bounds what one write holds in memory, and how much a torn write can tear. */
const GROUP_BYTES = 1 << 20;
const HASH_MEMBER = ',"hash":""';

/**
 * The lines of one write, put together in bytes that are used again for every group: strings of half a megabyte each
 * keep the garbage collector busier than the hashing keeps the processor.
 */
export class GroupBuffer {
  readonly #bytes = Buffer.allocUnsafe(GROUP_BYTES + MAX_LINE_BYTES);
  readonly #unhashed = Buffer.allocUnsafe(MAX_LINE_BYTES);
  #length = 0;

  /** Forgets the lines; what `lines` returned before is overwritten. */
  clear(): void {
    this.#length = 0;
  }

  isFull(): boolean {
    return this.#length >= GROUP_BYTES;
  }

  /** Valid until the next `clear`. */
  lines(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Gives an entry its place after `previous` and adds its line, newline included. */
  add(encoded: EncodedEntry, previous: ChainHead, ts: string): AuditRecord {
    const seq = previous.seq + 1;
    const bytes = this.#bytes;
    const start = this.#length;
    const beforeHash = start + bytes.write(encoded.beforeHash, start);
    const afterHash = beforeHash + HASH_MEMBER.length + 64;
    let end = afterHash;
    end += bytes.write(encoded.beforePrevHash, end);
    end += bytes.write(`,"prevHash":"${previous.hash}"`, end, 'latin1');
    end += bytes.write(encoded.beforeSeq, end);
    end += bytes.write(`,"seq":${seq},"ts":"${ts}"}`, end, 'latin1');

    const first = bytes.copy(this.#unhashed, 0, start, beforeHash);
    const length = first + bytes.copy(this.#unhashed, first, afterHash, end);
    const digest = hash('sha256', this.#unhashed.subarray(0, length), 'hex');
    bytes.write(`,"hash":"${digest}"`, beforeHash, 'latin1');
    bytes[end] = 0x0a;
    this.#length = end + 1;
    const { actor, action, object, outcome, refs = {} } = encoded.entry;
    return { seq, ts, actor, action, object, outcome, refs, prevHash: previous.hash, hash: digest };
  }
}
