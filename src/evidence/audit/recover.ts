import { readLink, type Link } from './line.ts';
import { CHAIN_STARTED, EMPTY_CHAIN, type ChainHead } from './record.ts';
import { listSegments, scanLines, type Segment, type Tail } from './segments.ts';

/**
 * What a writer finds when it opens a chain. The last segment is checked record by record: a writer must never build
 * on a broken chain. Only bytes after the last newline count as a torn write; anything else wrong is for a person.
 */

export class AuditCorruptError extends Error {
  override readonly name = 'AuditCorruptError';
}

export interface Recovered {
  /** Undefined: the chain has no record yet. */
  readonly chainId: string | undefined;
  readonly head: ChainHead;
  /** Where to go on writing; undefined: a new segment. */
  readonly segment: Segment | undefined;
  /** Length of that segment up to its last whole record. */
  readonly length: number;
  readonly torn: Tail | undefined;
}

/** Reads where the chain ends. Changes nothing. Throws `AuditCorruptError` naming file and line. */
export async function recoverChain(dir: string): Promise<Recovered> {
  const segments = await listSegments(dir);
  const last = segments.at(-1);
  if (!last) return { chainId: undefined, head: EMPTY_CHAIN, segment: undefined, length: 0, torn: undefined };

  // The newest segment may hold nothing but a torn first record; then the chain ends in the one before.
  const before = segments.at(-2);
  const start = before ? await lastRecordOf(before) : EMPTY_CHAIN;
  const { head, tail } = await checkSegment(last, start);
  return {
    chainId: head.seq === 0 ? undefined : await chainIdOf(segments),
    head,
    segment: last,
    length: tail.offset,
    torn: tail.bytes > 0 ? tail : undefined,
  };
}

async function checkSegment(segment: Segment, start: ChainHead): Promise<{ head: ChainHead; tail: Tail }> {
  let head = start;
  const tail = await scanLines(segment.path, (line, number) => {
    const record = readLink(line);
    if (typeof record === 'string') throw corrupt(segment, number, record);
    if (record.seq !== head.seq + 1) throw corrupt(segment, number, `carries seq ${record.seq} where ${head.seq + 1} belongs`);
    if (record.prevHash !== head.hash) throw corrupt(segment, number, 'does not follow from the record before it');
    head = record;
  });
  return { head: { seq: head.seq, hash: head.hash }, tail };
}

async function lastRecordOf(segment: Segment): Promise<ChainHead> {
  let last: Link | string = 'holds no record';
  let number = 0;
  const tail = await scanLines(segment.path, (line, at) => {
    number = at;
    last = readLink(line);
  });
  if (typeof last === 'string') throw corrupt(segment, number, last);
  if (tail.bytes > 0) throw corrupt(segment, number + 1, 'is cut short although a later segment follows');
  const { seq, hash } = last as Link;
  return { seq, hash };
}

async function chainIdOf(segments: Segment[]): Promise<string> {
  let first: Link | string | undefined;
  await scanLines(segments[0]!.path, (line) => {
    first = readLink(line);
    return false;
  });
  const record = typeof first === 'object' ? (first as Link) : undefined;
  const chainId = record?.action === CHAIN_STARTED ? record.refs['chainId'] : undefined;
  // A new id here would make checkpoints of the old one read as another chain's.
  if (typeof chainId !== 'string') throw corrupt(segments[0]!, 1, `is not the ${CHAIN_STARTED} record; the first segment is missing`);
  return chainId;
}

function corrupt(segment: Segment, line: number, problem: string): AuditCorruptError {
  return new AuditCorruptError(
    `audit log ${segment.path} line ${line}: ${problem}; nothing is appended to a broken chain. ` +
      'Verify it, keep the folder as evidence, and start a new chain in an empty one',
  );
}
