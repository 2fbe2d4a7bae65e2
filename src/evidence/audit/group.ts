import { hash } from 'node:crypto';
import { MAX_LINE_BYTES, type AuditRecord, type ChainHead, type EncodedEntry } from './record.ts';

/** Bounds what one write holds in memory, and how much a torn write can tear. */
const GROUP_BYTES = 1 << 20;
/** Bounds how long the first record of a group waits for the last. */
const GROUP_RECORDS = 1_000;

/**
 * The records of one write: sealed as they come, in bytes that are used again for later groups. Strings of half a
 * megabyte each keep the garbage collector busier than the hashing keeps the processor.
 */
export class Group {
  readonly #bytes = Buffer.allocUnsafe(GROUP_BYTES + MAX_LINE_BYTES);
  #length = 0;
  #records = 0;
  #head: ChainHead | undefined;
  #closed = false;
  #outcome = outcome();

  /** Resolves when the records are on disk; one promise for all of them. */
  get durable(): Promise<void> {
    return this.#outcome.promise;
  }

  takesMore(): boolean {
    return !this.#closed && this.#length < GROUP_BYTES && this.#records < GROUP_RECORDS;
  }

  /** Gives an entry its place after `previous` and adds its line, newline included. */
  add(encoded: EncodedEntry, previous: ChainHead, ts: string): AuditRecord {
    const { beforeHash, beforePrevHash, beforeSeq } = encoded;
    const seq = previous.seq + 1;
    const afterHash = `${beforePrevHash},"prevHash":"${previous.hash}"${beforeSeq},"seq":${seq},"ts":"${ts}"}`;
    const digest = hash('sha256', beforeHash + afterHash, 'hex');
    this.#length += this.#bytes.write(`${beforeHash},"hash":"${digest}"${afterHash}\n`, this.#length);
    this.#records += 1;
    this.#head = { seq, hash: digest };
    const { actor, action, object, outcome, refs = {} } = encoded.entry;
    return { seq, ts, actor, action, object, outcome, refs, prevHash: previous.hash, hash: digest };
  }

  /** What to write. Closes the group: a record that came later would count as durable without being so. */
  close(): Buffer {
    this.#closed = true;
    return this.#bytes.subarray(0, this.#length);
  }

  /** Where the chain ends with this group. */
  head(): ChainHead {
    if (!this.#head) throw new Error('a group without records has no place in the chain');
    return this.#head;
  }

  resolve(): void {
    this.#outcome.resolve();
  }

  reject(error: Error): void {
    this.#outcome.reject(error);
  }

  /** Opens a group that was written for other records; what `close` returned is overwritten. */
  reuse(): void {
    this.#length = 0;
    this.#records = 0;
    this.#head = undefined;
    this.#closed = false;
    this.#outcome = outcome();
  }
}

interface Outcome {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

function outcome(): Outcome {
  let settle: Omit<Outcome, 'promise'> | undefined;
  const promise = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle! };
}
