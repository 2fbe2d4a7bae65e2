import { CONDITION_TYPES, removeCondition, setCondition } from '../api/conditions.ts';
import type { Condition } from '../api/object.ts';
import { errorMessage } from '../telemetry/redact.ts';

/** What a reconciliation that did not fail says about the next one. */
export type Result = { kind: 'done' } | { kind: 'requeueAfter'; ms: number };

/** Nothing is owed until something changes. */
export function done(): Result {
  return { kind: 'done' };
}

/** Look again after `ms` milliseconds, if nothing changes before. */
export function requeueAfter(ms: number): Result {
  if (!(ms >= 0)) throw new RangeError(`requeueAfter needs milliseconds of 0 or more, not ${ms}`);
  return { kind: 'requeueAfter', ms };
}

/** Look again at `instantMs` (epoch milliseconds), at once when that is past. */
export function requeueAt(instantMs: number, nowMs: number): Result {
  return requeueAfter(Math.max(0, instantMs - nowMs));
}

/** A person must change something first; trying again is of no use. The message goes to people as it is. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
  readonly reason: string;
  readonly publicMessage = true;

  /** `reason` is a CamelCase word of the documented list. */
  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Something expected is not there yet; look again after `afterMs`, without alarm. The message goes to people as it is. */
export class WaitingError extends Error {
  override readonly name = 'WaitingError';
  readonly reason: string;
  readonly afterMs: number;
  readonly publicMessage = true;

  constructor(reason: string, message: string, afterMs: number, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
    this.afterMs = afterMs;
  }
}

/** How a reconciliation stands, for the conditions. A Result counts as reconciled; a thrown value goes in as `error`. */
export type Outcome =
  | Result
  /** Work goes on; nothing is known yet. */
  | { kind: 'progressing'; reason: string; message: string }
  /** Done, with a better word than `Reconciled`. */
  | { kind: 'ready'; reason: string; message: string }
  /** `spec.suspend` is set. */
  | { kind: 'suspended' }
  /** A run that happens once ended well. */
  | { kind: 'completed'; reason: string; message: string }
  /** A run that happens once ended badly and is not tried again. */
  | { kind: 'failed'; reason: string; message: string }
  | { kind: 'error'; error: unknown };

export interface ConditionContext {
  /** `metadata.generation` of the object that was worked on. */
  generation: number;
  /** Epoch milliseconds. */
  now: number;
  /** The conditions so far; others than the three (five for runs) are passed through. */
  conditions?: readonly Condition[];
}

type Verdict = Readonly<Partial<Record<'Ready' | 'Reconciling' | 'Stalled' | 'Completed' | 'Failed', 'True' | 'False' | 'Unknown'>>>;

/**
 * Ready, Reconciling and Stalled as kstatus reads them: Reconciling means in progress, Stalled means failed, and Ready
 * alone decides when neither is there. Reconciling, Stalled and Failed are taken away when they are not true, or
 * `kubectl wait`, Helm and Flux would go on waiting for them.
 */
export function conditionsFor(outcome: Outcome, context: ConditionContext): Condition[] {
  const { verdict, reason, message } = judge(outcome);
  let list: Condition[] = [...(context.conditions ?? [])];
  for (const type of ['Ready', 'Reconciling', 'Stalled', 'Completed', 'Failed'] as const) {
    const status = verdict[type];
    list =
      status === undefined
        ? removeCondition(list, type)
        : setCondition(list, { type, status, observedGeneration: context.generation, reason, message }, context.now);
  }
  return list;
}

const READY: Verdict = { [CONDITION_TYPES.ready]: 'True' };
const STALLED: Verdict = { [CONDITION_TYPES.ready]: 'False', [CONDITION_TYPES.stalled]: 'True' };
const RETRYING: Verdict = { [CONDITION_TYPES.ready]: 'False', [CONDITION_TYPES.reconciling]: 'True' };

function judge(outcome: Outcome): { verdict: Verdict; reason: string; message: string } {
  switch (outcome.kind) {
    case 'done':
    case 'requeueAfter':
      return { verdict: READY, reason: 'Reconciled', message: 'The object is up to date.' };
    case 'ready':
      return { verdict: READY, reason: outcome.reason, message: outcome.message };
    case 'suspended':
      return { verdict: READY, reason: 'Suspended', message: 'Nothing is done while spec.suspend is true.' };
    case 'progressing':
      return { verdict: { Ready: 'Unknown', Reconciling: 'True' }, reason: outcome.reason, message: outcome.message };
    case 'completed':
      return { verdict: { Ready: 'True', Completed: 'True' }, reason: outcome.reason, message: outcome.message };
    case 'failed':
      return { verdict: { ...STALLED, Failed: 'True' }, reason: outcome.reason, message: outcome.message };
    case 'error':
      return judgeError(outcome.error);
  }
}

function judgeError(error: unknown): { verdict: Verdict; reason: string; message: string } {
  if (error instanceof TerminalError) return { verdict: STALLED, reason: error.reason, message: error.message };
  if (error instanceof WaitingError) return { verdict: RETRYING, reason: error.reason, message: error.message };
  return { verdict: RETRYING, reason: 'ProgressingWithRetry', message: errorMessage(error) };
}
