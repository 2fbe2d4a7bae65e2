import type { Approval, PurgeRun } from '../../api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../api/generated/retentionPolicy.ts';
import type { Reason } from '../../api/reasons.ts';
import { nextStart, owedSlot, windowMillis, type Slot } from '../../rules/schedule.ts';
import type { ApprovalReason } from '../../rules/weakening.ts';
import type { Pace } from '../../stores/purging.ts';
import { planDigest } from '../plan.ts';

export type RunState = NonNullable<NonNullable<PurgeRun['status']>['state']>;
export const FINAL_STATES: readonly RunState[] = ['Succeeded', 'Failed', 'Superseded', 'Expired'];

/** What is to happen to a run next. Waiting is a decision too, with its reason. */
export type Decision =
  | { next: 'nothing' }
  | { next: 'end'; state: 'Superseded' | 'Expired' | 'Failed'; reason: Reason; why: string }
  /**
   * `approved`: whether enough people had agreed; absent where another gate was closed before that was asked.
   * `maxRowsNeeded`: only approvals that name `maxRows` count.
   */
  | { next: 'wait'; state: 'AwaitingApproval' | 'Waiting' | 'Paused' | 'Verifying'; reason: Reason; why: string; recheckMs: number; approved?: boolean; maxRowsNeeded?: true }
  | { next: 'purge'; maxRows: number; endsAt: number; pace: Pace }
  | { next: 'verify' };

/** Everything a decision rests on, read from the API server and the store just now. */
export interface RunInput {
  run: PurgeRun;
  /** The policy the run belongs to, as it stands; undefined when it is gone or another took its name. */
  policy?: RetentionPolicy;
  /** Who froze, where, why; undefined: nobody. An unreadable freeze is a freeze. */
  frozen?: string;
  /** Fingerprint of the store that answers. */
  target: string;
  pendingHolds: readonly string[];
  /** Why a person must agree, worked out anew from the store's own record. */
  reasons: readonly ApprovalReason[];
  /** A sentence when the declarations now make more rows due than the plan does. */
  wider?: string;
  /** Why a planned collection cannot be found in the store, when its map or table can still be mended. */
  unresolved?: { reason: Reason; message: string };
  /** A sentence when a planned collection is not due under any rule any more. */
  undue?: string;
  /** A sentence when the store may be another, or another history of itself, and nobody has confirmed it. */
  targetProblem?: string;
  /** A restore of the store was confirmed after the run was planned. */
  restored?: boolean;
  /** A sentence when a table the plan was made on is another one by now. */
  replaced?: string;
  /** A sentence when the store's identities could not carry it out, for whoever is to approve it. */
  unauthorized?: string;
  /** Who owns the store, when it is not us. */
  foreignOwner?: string;
  /** Another run that works in the same store. */
  busy?: string;
  auditProblem?: string;
  /** Milliseconds. */
  now: number;
}

const SOON = 30_000;

/**
 * The gates in their order, which docs/architecture.md lists. Pure; the first gate that is closed decides and names itself.
 */
export function decide(input: RunInput): Decision {
  const { run, policy } = input;
  const state = run.status?.state;
  if (state && FINAL_STATES.includes(state)) return { next: 'nothing' };
  if (state === 'Verifying') {
    // As for a run at work. Nothing says any more what was to be gone, so that it is cannot be proven.
    if (!policy) return { next: 'end', state: 'Superseded', reason: 'Superseded', why: 'the policy or the DataStore of this run went before the result was verified, so nothing is proven and no certificate is issued; what was deleted is in the audit log' };
    // Another store has none of the rows either, and its empty tables would prove nothing.
    if (input.target !== run.spec.plan.target) return { next: 'wait', state, reason: 'TargetChanged', why: `the rows were deleted in ${run.spec.plan.target}, but ${input.target} answers`, recheckMs: SOON };
    // The rows that were due may all live on under another name, and the table that has theirs by now was never purged.
    if (input.replaced) return { next: 'end', state: 'Failed', reason: 'TableReplaced', why: `${input.replaced}; what was deleted before is in the audit log, and no certificate is issued` };
    // Rows counted by another rule say nothing of those that were approved, and what is certified is remembered as approved.
    if (input.wider) return { next: 'end', state: 'Superseded', reason: 'WiderThanApproved', why: `the declarations changed before the result was verified and now reach more, or other, rows than were approved, so that these cannot be counted apart: ${input.wider}; what was deleted is in the audit log, and no certificate is issued` };
    return { next: 'verify' };
  }
  const begun = state === 'Running' || state === 'Paused';
  const hold: 'Paused' | 'Waiting' = begun ? 'Paused' : 'Waiting';

  if (!policy) return { next: 'end', state: 'Superseded', reason: 'Superseded', why: 'the policy or the DataStore of this run is gone; what it has not deleted stays' };
  if (planDigest(run.spec.plan) !== run.spec.planDigest) return { next: 'end', state: 'Failed', reason: 'Failed', why: 'spec.planDigest is not the digest of spec.plan' };
  if (!begun && Date.parse(run.spec.plan.validUntil) <= input.now) return { next: 'end', state: 'Expired', reason: 'Expired', why: `the plan was good until ${run.spec.plan.validUntil} and nothing was begun by then; the next slot plans anew` };
  if (input.frozen) return { next: 'wait', state: hold, reason: 'Frozen', why: input.frozen, recheckMs: SOON };
  if (policy.spec.purge?.suspend) return { next: 'wait', state: hold, reason: 'Suspended', why: 'spec.purge.suspend of the policy is set', recheckMs: SOON };
  if (input.target !== run.spec.plan.target) return { next: 'wait', state: hold, reason: 'TargetChanged', why: `the plan was made for ${run.spec.plan.target}, but ${input.target} answers`, recheckMs: SOON };
  if (input.targetProblem) return { next: 'wait', state: hold, reason: 'TargetChanged', why: input.targetProblem, recheckMs: SOON };
  if (input.foreignOwner) return { next: 'wait', state: hold, reason: 'ForeignOwner', why: `the store belongs to ${input.foreignOwner}; only its own operator deletes there`, recheckMs: SOON };
  if (input.restored) return { next: 'end', state: 'Superseded', reason: 'Restored', why: 'the store was put back in time after this plan was made, so what was approved is of rows that are no longer the same; the next slot plans anew' };
  // An approval is of the tables that stood there. One that has the name of one of them is for a plan of its own.
  if (input.replaced) return { next: 'end', state: begun ? 'Failed' : 'Superseded', reason: 'TableReplaced', why: begun ? `${input.replaced}; what was deleted before is in the audit log` : input.replaced };
  if (input.wider) return { next: 'end', state: 'Superseded', reason: 'WiderThanApproved', why: `the declarations changed since the plan was made and would now delete more: ${input.wider}` };
  if (input.unresolved) return { next: 'wait', state: hold, reason: input.unresolved.reason, why: input.unresolved.message, recheckMs: SOON };
  if (input.undue) return { next: 'end', state: 'Superseded', reason: 'Superseded', why: `${input.undue}; what is left is for a new plan` };
  if (policy.spec.purge?.mode !== 'Apply') return { next: 'wait', state: hold, reason: 'PlanOnly', why: `spec.purge.mode of the policy is ${policy.spec.purge?.mode ?? 'absent'}; only Apply deletes`, recheckMs: SOON };

  const approval = judgeApprovals(run, policy, input.reasons);
  if (!approval.enough) return { next: 'wait', state: begun ? 'Paused' : 'AwaitingApproval', reason: 'AwaitingApproval', why: input.unauthorized === undefined ? approval.why : `${approval.why}. Besides, ${input.unauthorized}`, recheckMs: SOON, approved: false, ...(approval.maxRowsNeeded ? { maxRowsNeeded: true } : {}) };
  if (input.pendingHolds.length > 0) return { next: 'wait', state: hold, reason: 'HoldPending', why: `LegalHold ${input.pendingHolds.join(', ')} does not stand in the store yet`, recheckMs: 2_000, approved: true };
  if (input.auditProblem) return { next: 'wait', state: hold, reason: 'AuditUnavailable', why: input.auditProblem, recheckMs: SOON, approved: true };
  if (input.busy) return waitForOther(run, input.busy);

  const window = openWindow(policy, input.now);
  if (!window.open) return { next: 'wait', state: hold, reason: 'WaitingForWindow', why: `the next window opens at ${new Date(window.opensAt).toISOString()}`, recheckMs: Math.max(1_000, window.opensAt - input.now), approved: true };
  return { next: 'purge', maxRows: approval.maxRows, endsAt: window.endsAt, pace: policy.spec.purge.pace };
}

/** @param other name of the run that is at work in the store */
export function waitForOther(run: PurgeRun, other: string): Extract<Decision, { next: 'wait' }> {
  const { state } = run.status ?? {};
  const standing = state === 'Verifying' ? state : state === 'Running' || state === 'Paused' ? 'Paused' : 'Waiting';
  return { next: 'wait', state: standing, reason: 'WaitingForOtherRun', why: `PurgeRun ${other} works in the same store`, recheckMs: 5_000, approved: true };
}

/** Those of exactly this plan; one of another plan says nothing of this one, wherever it stands. */
export function validApprovals(run: PurgeRun): Approval[] {
  return (run.spec.approvals ?? []).filter((approval) => approval.planDigest === run.spec.planDigest);
}

/**
 * Only valid approvals count; one person counts once. Where more rows are due than a limit of the plan allows, or nobody
 * knows how many, those count that name `maxRows`.
 */
export function judgeApprovals(run: PurgeRun, policy: RetentionPolicy, reasons: readonly ApprovalReason[]): { enough: boolean; why: string; maxRows: number; maxRowsNeeded: boolean } {
  const limit = run.spec.plan.limits.maxRows;
  const valid = validApprovals(run);
  const maxRowsNeeded = reasons.some(({ reason }) => reason === 'TooManyRows');
  const counting = maxRowsNeeded ? valid.filter((approval) => approval.maxRows !== undefined) : valid;
  const people = new Set(counting.map((approval) => approval.by));
  const wanted = reasons.length === 0 ? 0 : (policy.spec.purge?.approval.count ?? 1);
  // Each approver vouches for at most their own figure, so the lowest of them is what all agreed to.
  const named = counting.flatMap((approval) => (approval.maxRows === undefined ? [] : [approval.maxRows]));
  const maxRows = named.length > 0 ? Math.min(...named) : limit;
  if (people.size >= wanted) return { enough: true, why: '', maxRows, maxRowsNeeded };
  const causes = reasons.map((reason) => reason.message).slice(0, 3).join('; ');
  return { enough: false, why: `${people.size} of ${wanted} approvals${maxRowsNeeded ? ' that name maxRows' : ''}; needed because ${causes}${leftOut(valid, counting)}`, maxRows, maxRowsNeeded };
}

/** What those can do whose approval does not count as it stands: the reason for a figure may have come after it. */
function leftOut(valid: readonly Approval[], counting: readonly Approval[]): string {
  const people = new Set(valid.filter((approval) => !counting.includes(approval)).map(({ by }) => by));
  return people.size === 0 ? '' : `. Without maxRows the approval of ${[...people].slice(0, 3).join(', ')}${people.size > 3 ? ` and ${people.size - 3} more` : ''} does not count: add it with \`dataward approve --max-rows\``;
}

/**
 * Whether the schedule lets a run work now. A run a person asked for by annotation works at once, for one
 * window's length.
 */
export function openWindow(policy: RetentionPolicy, now: number): { open: true; endsAt: number } | { open: false; opensAt: number } {
  const purge = policy.spec.purge;
  if (!purge) return { open: false, opensAt: now + SOON };
  const schedule = { cron: purge.schedule.cron, timeZone: policy.spec.timeZone, window: purge.schedule.window };
  const uid = policy.metadata.uid ?? '';
  const requested = requestedAt(policy);
  if (requested !== undefined && requested <= now && now < requested + windowMillis(purge.schedule.window)) {
    return { open: true, endsAt: requested + windowMillis(purge.schedule.window) };
  }
  const current: Slot | undefined = owedSlot(schedule, now - windowMillis(purge.schedule.window), now, uid);
  if (current && now < current.endsAt) return { open: true, endsAt: current.endsAt };
  return { open: false, opensAt: nextStart(schedule, now, uid) };
}

/** On a RetentionPolicy: a person asks for a run now. RFC 3339. */
const REQUESTED_AT_ANNOTATION = 'dataward.io/requested-at';

export function requestedAt(policy: RetentionPolicy): number | undefined {
  const text = policy.metadata.annotations?.[REQUESTED_AT_ANNOTATION];
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}
