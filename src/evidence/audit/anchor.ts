import type { PublicKeys, SigningKey } from '../keys.ts';
import { checkpointIsDue, checkpointIsGenuine, publishCheckpoint, signCheckpoint } from './checkpoint.ts';
import type { Checkpoint, CheckpointRule, CheckpointSink, PublishOutcome } from './checkpoint.ts';
import { readLink } from './line.ts';
import type { AuditLog } from './log.ts';
import { listSegments, scanLines } from './segments.ts';

/** Signs checkpoints of a living chain and keeps them elsewhere; first makes sure that the chain is still the one it signed before. */

export interface AnchorOptions {
  log: AuditLog;
  key: SigningKey;
  /** Public halves of keys this operator signed with before; without them their checkpoints do not count. */
  earlierKeys?: PublicKeys;
  /** At least one, outside the reach of whoever can write the log. */
  sinks: readonly CheckpointSink[];
  rule: CheckpointRule;
}

export interface Anchoring {
  readonly checkpoint: Checkpoint;
  readonly outcomes: readonly PublishOutcome[];
  /** At least one sink has it. */
  readonly kept: boolean;
}

export interface Anchor {
  /** Signs and publishes when the rule says so; undefined when nothing was due. */
  tick(now: Date): Promise<Anchoring | undefined>;
  /** Signs the present head, e.g. before a certificate names it. The same head again is published again. */
  anchor(now: Date): Promise<Anchoring>;
  /** The newest checkpoint that some sink is known to hold. */
  last(): Checkpoint | undefined;
}

/**
 * The folder holds an older or another history than the one signed before: a volume that was restored, cut, or
 * rewritten. Going on would sign two histories of one chain.
 */
export class AuditRewoundError extends Error {
  override readonly name = 'AuditRewoundError';
}

/**
 * Opens the anchoring of a log that was just opened. Throws `AuditRewoundError` when a sink holds a checkpoint, signed
 * with a key of ours, that the chain does not meet; the sink's own error when it cannot be read.
 */
export async function openAnchor(options: AnchorOptions): Promise<Anchor> {
  const { log, key, sinks } = options;
  const keys: PublicKeys = new Map([...(options.earlierKeys ?? []), [key.keyId, key.publicKey]]);
  const own = (await Promise.all(sinks.map((sink) => sink.list())))
    .flat()
    // Others may be able to add to a sink; what we did not sign must not stop the operator.
    .filter((one) => one.chainId === log.chainId && isOurs(one, keys))
    .sort((a, b) => a.seq - b.seq);
  await mustMeet(log, own);
  return new Signer(options, own.at(-1));
}

class Signer implements Anchor {
  readonly #options: AnchorOptions;
  #last: Checkpoint | undefined;

  constructor(options: AnchorOptions, last: Checkpoint | undefined) {
    this.#options = options;
    this.#last = last;
  }

  last(): Checkpoint | undefined {
    return this.#last;
  }

  async tick(now: Date): Promise<Anchoring | undefined> {
    const last = this.#last && { seq: this.#last.seq, at: Date.parse(this.#last.ts) };
    return checkpointIsDue(this.#options.rule, last, this.#options.log.head(), now.getTime()) ? this.anchor(now) : undefined;
  }

  async anchor(now: Date): Promise<Anchoring> {
    const { log, key, sinks } = this.#options;
    const head = log.head();
    // A head signed before keeps its checkpoint: two of one place with two times would look like a forgery to people.
    const checkpoint = this.#last?.seq === head.seq ? this.#last : signCheckpoint(log.chainId, head, key, now);
    const outcomes = await publishCheckpoint(checkpoint, sinks);
    const kept = outcomes.some((outcome) => outcome.error === undefined);
    if (kept && checkpoint.seq >= (this.#last?.seq ?? 0)) this.#last = checkpoint;
    return { checkpoint, outcomes, kept };
  }
}

function isOurs(checkpoint: Checkpoint, keys: PublicKeys): boolean {
  const key = keys.get(checkpoint.keyId);
  return key !== undefined && checkpointIsGenuine(checkpoint, key);
}

async function mustMeet(log: AuditLog, checkpoints: readonly Checkpoint[]): Promise<void> {
  const newest = checkpoints.at(-1);
  if (!newest) return;
  const place = `record ${newest.seq} of chain ${log.chainId} was signed on ${newest.ts}`;
  const advice = 'verify the audit log; keep the folder as evidence and start a new chain in an empty one';
  // A log that was just opened may have added its own records to a chain that was cut: compare hashes, not lengths only.
  if (newest.seq > log.head().seq) throw new AuditRewoundError(`audit log ${log.dir} ends at record ${log.head().seq}, but ${place}; ${advice}`);
  if ((await hashOf(log.dir, newest.seq)) !== newest.rootHash) {
    throw new AuditRewoundError(`audit log ${log.dir} holds another history: ${place} with another hash; ${advice}`);
  }
}

async function hashOf(dir: string, seq: number): Promise<string | undefined> {
  const segment = (await listSegments(dir)).findLast(({ firstSeq }) => firstSeq <= seq);
  if (!segment) return undefined;
  let found: string | undefined;
  await scanLines(segment.path, (line, number) => {
    if (segment.firstSeq + number - 1 !== seq) return true;
    const link = readLink(line);
    if (typeof link !== 'string' && link.seq === seq) found = link.hash;
    return false;
  });
  return found;
}
