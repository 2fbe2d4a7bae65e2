import type { PublicKeys } from '../keys.ts';
import { checkpointIsGenuine, type Checkpoint } from './checkpoint.ts';
import { judgeCompleteness, type Completeness } from './completeness.ts';
import { readLink, type LineProblem, type Link } from './line.ts';
import { CHAIN_STARTED, EMPTY_CHAIN, type ChainHead } from './record.ts';
import { listSegments, scanLines, type Segment } from './segments.ts';

/**
 * Checks a chain offline, in one pass and constant memory (plus one entry per checkpoint). Two verdicts, because they
 * answer different questions: integrity says whether what is there follows from itself, completeness whether it is
 * what was there when the checkpoints were signed. A chain that was cut off or computed anew is intact, not complete.
 */

export interface VerifyOptions {
  dir: string;
  /** From a place the log's writer cannot change. None: completeness is `Unanchored`. */
  checkpoints?: readonly Checkpoint[];
  /** Keys the checkpoints may be signed with. */
  publicKeys?: PublicKeys;
  /** Look only at checkpoints of this chain; otherwise every checkpoint must belong to the chain that is here. */
  chainId?: string;
}

export type RecordProblem =
  | LineProblem
  /** Numbers are missing before this record, or it stands too early. */
  | 'Gap'
  /** Its number was there already: a record repeated, or standing too late. */
  | 'Replayed'
  /** Names another record as the one before it. */
  | 'BrokenLink'
  /** The chain does not begin with the record that names it, or has a second one. */
  | 'ChainStart'
  /** The file is named after another first record. */
  | 'SegmentName'
  /** The file ends within a record. */
  | 'TornTail';

export interface BadRecord {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** Sequence number that belongs in this place. */
  readonly seq: number;
  readonly problem: RecordProblem;
}

export interface Integrity {
  /** `Empty`: there is no record at all. */
  readonly state: 'Intact' | 'Broken' | 'Empty';
  /** Records proven in order from the start. */
  readonly records: number;
  readonly firstBad?: BadRecord;
}

export interface AuditVerdict {
  /** Intact, complete, and no checkpoint rejected. */
  readonly ok: boolean;
  readonly chainId?: string;
  /** Last record proven in order. */
  readonly head: ChainHead;
  readonly integrity: Integrity;
  readonly completeness: Completeness;
  /** Checkpoints that prove nothing: signed with a key that was not given, or not genuine. */
  readonly rejected: readonly { checkpoint: Checkpoint; reason: 'UnknownKey' | 'BadSignature' }[];
}

/**
 * Verifies the chain in a folder; one that does not exist is a chain that is missing. Throws only when files cannot be
 * read; everything about their content is a verdict.
 */
export async function verifyAuditLog(options: VerifyOptions): Promise<AuditVerdict> {
  const offered = (options.checkpoints ?? []).filter((c) => options.chainId === undefined || c.chainId === options.chainId);
  const { genuine, rejected } = sortOut(offered, options.publicKeys ?? new Map());
  const walk = new ChainWalk(new Set(genuine.map((checkpoint) => checkpoint.seq)));
  for (const segment of await segmentsOf(options.dir)) {
    const tail = await scanLines(segment.path, (line, number) => walk.line(segment, line, number));
    if (tail.bytes > 0) walk.torn(segment);
  }
  const integrity = walk.integrity();
  const completeness = judgeCompleteness(genuine, {
    chainId: walk.chainId,
    proven: walk.head.seq,
    broken: integrity.state === 'Broken',
    highest: walk.highest,
    hashes: walk.hashes,
  });
  return {
    ok: integrity.state === 'Intact' && completeness.state === 'Complete' && rejected.length === 0,
    ...(walk.chainId === undefined ? {} : { chainId: walk.chainId }),
    head: walk.head,
    integrity,
    completeness,
    rejected,
  };
}

async function segmentsOf(dir: string): Promise<Segment[]> {
  try {
    return await listSegments(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function sortOut(checkpoints: readonly Checkpoint[], keys: PublicKeys) {
  const genuine: Checkpoint[] = [];
  const rejected: { checkpoint: Checkpoint; reason: 'UnknownKey' | 'BadSignature' }[] = [];
  for (const checkpoint of checkpoints) {
    const key = keys.get(checkpoint.keyId);
    if (!key) rejected.push({ checkpoint, reason: 'UnknownKey' });
    else if (!checkpointIsGenuine(checkpoint, key)) rejected.push({ checkpoint, reason: 'BadSignature' });
    else genuine.push(checkpoint);
  }
  return { genuine, rejected };
}

/** State of one pass. After the first bad record it only looks for what the checkpoints ask about. */
class ChainWalk {
  head: ChainHead = EMPTY_CHAIN;
  chainId: string | undefined;
  /** Highest number any line claims. */
  highest = 0;
  /** Hashes that lines claim for the numbers asked about; more than one where they disagree. */
  readonly hashes = new Map<number, Set<string>>();
  readonly #wanted: ReadonlySet<number>;
  #firstBad: BadRecord | undefined;
  #file: string | undefined;
  #lastLine = 0;

  constructor(wanted: ReadonlySet<number>) {
    this.#wanted = wanted;
  }

  line(segment: Segment, line: Buffer, number: number): void {
    const opensSegment = this.#file !== segment.file;
    this.#file = segment.file;
    this.#lastLine = number;
    const record = readLink(line);
    this.#note(typeof record === 'string' ? claimsOf(line) : record);
    if (this.#firstBad) return;
    const problem = typeof record === 'string' ? record : this.#problemOf(record, opensSegment ? segment : undefined);
    if (problem) {
      this.#firstBad = { file: segment.file, line: number, seq: this.head.seq + 1, problem };
      return;
    }
    const { seq, hash } = record as Link;
    if (seq === 1) this.chainId = String((record as Link).refs['chainId']);
    this.head = { seq, hash };
  }

  torn(segment: Segment): void {
    const line = this.#file === segment.file ? this.#lastLine + 1 : 1;
    this.#firstBad ??= { file: segment.file, line, seq: this.head.seq + 1, problem: 'TornTail' };
  }

  integrity(): Integrity {
    if (this.#firstBad) return { state: 'Broken', records: this.head.seq, firstBad: this.#firstBad };
    return { state: this.head.seq === 0 ? 'Empty' : 'Intact', records: this.head.seq };
  }

  #problemOf(record: Link, opened: Segment | undefined): RecordProblem | undefined {
    const expected = this.head.seq + 1;
    if (record.seq > expected) return 'Gap';
    if (record.seq < expected) return 'Replayed';
    if (record.prevHash !== this.head.hash) return 'BrokenLink';
    const starts = record.action === CHAIN_STARTED && typeof record.refs['chainId'] === 'string';
    if (starts !== (record.seq === 1)) return 'ChainStart';
    if (opened && opened.firstSeq !== record.seq) return 'SegmentName';
    return undefined;
  }

  #note(claims: { seq: number; hash: string } | undefined): void {
    if (!claims) return;
    if (claims.seq > this.highest) this.highest = claims.seq;
    if (!this.#wanted.has(claims.seq)) return;
    const hashes = this.hashes.get(claims.seq);
    if (hashes) hashes.add(claims.hash);
    else this.hashes.set(claims.seq, new Set([claims.hash]));
  }
}

/** What a bad line still says about itself. */
function claimsOf(line: Buffer): { seq: number; hash: string } | undefined {
  try {
    const { seq, hash } = JSON.parse(line.toString('utf8')) as { seq?: unknown; hash?: unknown };
    return Number.isSafeInteger(seq) && typeof hash === 'string' ? { seq: seq as number, hash } : undefined;
  } catch {
    return undefined;
  }
}
