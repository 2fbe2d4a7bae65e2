import type { PurgeRunStatus } from '../../api/generated/purgeRun.ts';
import { failureOf, RETRY_AFTER_MS } from '../../connect/failures.ts';
import { requeueAfter, type Result } from '../../runtime/result.ts';
import { failedAgain, givenUp, givesUp, meaningOf, retryAfterMs, triedAgain } from './failing.ts';
import { JournalLostError } from './ledger.ts';
import { FINAL_STATES, type Decision } from './plan.ts';
import { reportOf, type RunReport } from './status.ts';
import type { Stretch } from './stretch.ts';

/** What came of a look at a run. Pure. */
export interface RunStep {
  /** Goes into the audit log, before it is told. */
  note?: { action: string; why: string };
  /** Goes into the status; absent: it stays as it is. */
  report?: RunReport;
  /** It ends without a look at what it deleted last, which goes on record before the note. */
  owesRecord?: true;
  /** When to look again; `over`: never. */
  next: Result | 'over';
}

/** A decision that asks for no work. */
export function stepOfDecision(decision: Extract<Decision, { next: 'end' | 'wait' }>): RunStep {
  const report = reportOf(decision);
  if (decision.next === 'wait') return { report, next: requeueAfter(decision.recheckMs) };
  return { note: { action: `purge.${decision.state.toLowerCase()}`, why: decision.why }, report, next: 'over' };
}

export function stepOfStretch(stretch: Stretch, maxRows: number): RunStep {
  const progress = { deleted: stretch.deleted };
  switch (stretch.end) {
    case 'Finished':
      return { report: { state: 'Verifying', reason: 'Verifying', why: '', progress, failing: null }, next: requeueAfter(0) };
    case 'OutOfTime':
      return { report: { state: 'Running', reason: 'Running', why: '', progress, failing: null }, next: requeueAfter(0) };
    case 'Stopped':
      return { note: { action: 'purge.paused', why: stretch.stop.why }, report: { state: 'Paused', ...stretch.stop, progress }, next: requeueAfter(1_000) };
    case 'LimitReached':
      return {
        note: { action: 'purge.failed', why: `limit of ${maxRows} rows reached` },
        report: { state: 'Failed', reason: 'LimitExceeded', why: `the run reached its limit of ${maxRows} rows or of WAL; what was deleted is in the audit log, the rest needs a new plan`, progress },
        next: 'over',
      };
    case 'Replaced':
      return { note: { action: 'purge.failed', why: stretch.why }, report: { state: 'Failed', reason: 'TableReplaced', why: `${stretch.why}; what was deleted before is in the audit log`, progress }, next: 'over' };
    case 'Refused': {
      const first = stretch.refusals[0];
      // A run that has deleted rows must not expire as one that has not.
      return { report: { state: stretch.deleted > 0 ? 'Paused' : 'Waiting', reason: 'SideEffect', why: `${first?.collection}: ${first?.message}`, progress }, next: requeueAfter(RETRY_AFTER_MS) };
    }
  }
}

/**
 * A look that broke off. A run that has begun and whose own work fails does not keep its turn: one table that nobody can
 * delete from would keep the other runs of the store waiting without end.
 *
 * @param stored the status as it is by now: a run that began in this very look is at work, and must never count as one
 *   that has deleted nothing; and one that ended in it has ended, though it could not be let go.
 * @param now milliseconds
 */
export function stepOfFailure(error: unknown, stored: PurgeRunStatus | undefined, now: number): RunStep {
  const again = requeueAfter(RETRY_AFTER_MS);
  const before = stored?.state ?? 'Waiting';
  if (FINAL_STATES.includes(before)) return { next: again };
  const failure = failureOf(error);
  const { reason, message } = failure;
  if (error instanceof JournalLostError) return { note: { action: 'purge.failed', why: message }, report: { state: 'Failed', reason, why: message }, next: 'over' };
  const begun = before === 'Running' || before === 'Paused' || before === 'Verifying';
  if (!begun) return { report: { state: 'Waiting', reason, why: message }, next: again };
  const meaning = meaningOf(error);
  if (meaning === 'Waits') return { report: { state: before, reason, why: message }, next: again };
  const failing = failedAgain(stored ?? {}, now);
  if (meaning === 'Fails' && givesUp(failing, now)) {
    const why = givenUp(failing, failure);
    return { note: { action: 'purge.failed', why }, report: { state: 'Failed', reason, why, failing }, owesRecord: true, next: 'over' };
  }
  return { report: { state: before === 'Verifying' ? before : 'Paused', reason, why: triedAgain(failing, failure, meaning === 'Fails'), failing }, next: requeueAfter(retryAfterMs(failing)) };
}
