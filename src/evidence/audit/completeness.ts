import type { Checkpoint } from './checkpoint.ts';

/** Compares what a chain shows with what genuine checkpoints say it was. Pure. */

const COMPLETENESS_STATES = ['ChainMissing', 'Rewritten', 'Truncated', 'Undetermined', 'Unanchored', 'Complete'] as const;
/**
 * - `Complete`: every checkpoint meets the record it anchors.
 * - `Unanchored`: no genuine checkpoint; nothing is known about what was there.
 * - `Undetermined`: the checkpoints meet what the lines claim, but the chain is broken before them.
 * - `Truncated`: a checkpoint anchors a record after the last one.
 * - `Rewritten`: a checkpoint anchors another history than the one here.
 * - `ChainMissing`: a checkpoint belongs to a chain that is not here.
 */
export type CompletenessState = (typeof COMPLETENESS_STATES)[number];

export interface Completeness {
  /** The worst finding. */
  readonly state: CompletenessState;
  /** Records 1 to this one are what was there when a checkpoint was signed; 0: none. */
  readonly anchoredThrough: number;
  /** Records after it that only the chain itself vouches for. */
  readonly unanchored: number;
  /** At most 20, worst first. */
  readonly findings: readonly { state: CompletenessState; checkpoint: Checkpoint; detail: string }[];
}

export interface SeenChain {
  readonly chainId: string | undefined;
  /** Records 1 to this one are proven in order. */
  readonly proven: number;
  readonly broken: boolean;
  /** Highest number any line claims, proven or not. */
  readonly highest: number;
  /** By sequence number, the hashes lines claim for it. */
  readonly hashes: ReadonlyMap<number, ReadonlySet<string>>;
}

const MAX_FINDINGS = 20;

export function judgeCompleteness(checkpoints: readonly Checkpoint[], seen: SeenChain): Completeness {
  const findings: { state: CompletenessState; checkpoint: Checkpoint; detail: string }[] = [];
  let anchoredThrough = 0;
  for (const checkpoint of checkpoints) {
    const finding = judge(checkpoint, seen);
    if (finding) findings.push({ ...finding, checkpoint });
    else anchoredThrough = Math.max(anchoredThrough, checkpoint.seq);
  }
  findings.sort((a, b) => rank(a.state) - rank(b.state) || a.checkpoint.seq - b.checkpoint.seq);
  const state = findings[0]?.state ?? (checkpoints.length === 0 ? 'Unanchored' : 'Complete');
  return { state, anchoredThrough, unanchored: Math.max(0, seen.proven - anchoredThrough), findings: findings.slice(0, MAX_FINDINGS) };
}

function judge(checkpoint: Checkpoint, seen: SeenChain): { state: CompletenessState; detail: string } | undefined {
  const { chainId, seq, rootHash, ts } = checkpoint;
  // Of a broken first record the chain's name is not known: what the lines claim decides instead.
  if (seen.highest === 0 || (seen.chainId !== undefined && seen.chainId !== chainId)) {
    return { state: 'ChainMissing', detail: `chain ${chainId} had ${seq} records on ${ts}; here is ${seen.chainId ? `chain ${seen.chainId}` : 'no chain'}` };
  }
  const hashes = seen.hashes.get(seq);
  if (!hashes && seq > seen.highest) {
    return { state: 'Truncated', detail: `record ${seq} was there on ${ts}; the last one here is ${seen.highest}` };
  }
  if (!hashes || hashes.size !== 1 || !hashes.has(rootHash)) {
    return { state: 'Rewritten', detail: `record ${seq} is not the one that was there on ${ts}` };
  }
  if (seen.broken && seq > seen.proven) {
    return { state: 'Undetermined', detail: `record ${seq} claims the right hash, but the chain is broken at record ${seen.proven + 1}` };
  }
  return undefined;
}

function rank(state: CompletenessState): number {
  return COMPLETENESS_STATES.indexOf(state);
}
