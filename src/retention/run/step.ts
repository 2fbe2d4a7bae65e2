import { failureOf, RETRY_AFTER_MS } from '../../connect/failures.ts';
import { requeueAfter, type Result } from '../../runtime/result.ts';
import { JournalLostError } from './ledger.ts';
import { FINAL_STATES, type Decision, type RunState } from './plan.ts';
import { reportOf, type RunReport } from './status.ts';
import type { Stretch } from './stretch.ts';

/** What came of a look at a run. Pure. */
export interface RunStep {
  /** Goes into the audit log, before it is told. */
  note?: { action: string; why: string };
  /** Goes into the status; absent: it stays as it is. */
  report?: RunReport;
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
      return { report: { state: 'Verifying', reason: 'Verifying', why: '', progress }, next: requeueAfter(0) };
    case 'OutOfTime':
      return { report: { state: 'Running', reason: 'Running', why: '', progress }, next: requeueAfter(0) };
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
 * A look that broke off.
 *
 * @param stored the state as it is in the status by now: a run that began in this very look is at work, and must never
 *   count as one that has deleted nothing; and one that ended in it has ended, though it could not be let go.
 */
export function stepOfFailure(error: unknown, stored: RunState | undefined): RunStep {
  const next = requeueAfter(RETRY_AFTER_MS);
  if (stored && FINAL_STATES.includes(stored)) return { next };
  const { reason, message } = failureOf(error);
  if (error instanceof JournalLostError) return { note: { action: 'purge.failed', why: message }, report: { state: 'Failed', reason, why: message }, next: 'over' };
  const state = stored === 'Running' || stored === 'Paused' || stored === 'Verifying' ? stored : 'Waiting';
  return { report: { state, reason, why: message }, next };
}
