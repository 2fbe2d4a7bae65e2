import type { PurgeRun, PurgeRunStatus } from '../../api/generated/purgeRun.ts';
import { conditionsFor, type Outcome } from '../../runtime/result.ts';
import { forecastTotal } from '../plan.ts';
import type { Failing } from './failing.ts';
import { validApprovals, type Decision, type RunState } from './plan.ts';
import type { Progress } from './stretch.ts';

/** What a status is made of; members left out stay as they were. */
export interface RunReport {
  state: RunState;
  reason: string;
  /** Empty: there is nothing to explain. */
  why: string;
  grade?: 'Verified' | 'Unverified';
  /** Whether enough people have agreed; absent where nobody asked in this look. */
  approved?: boolean;
  /** Only approvals that name `maxRows` count. */
  maxRowsNeeded?: true;
  progress?: Progress;
  /** `null`: the work did not fail, so nothing of before stands. */
  failing?: Failing | null;
  verification?: PurgeRunStatus['verification'];
  certificate?: PurgeRunStatus['certificate'];
  /** Place of the intent in the audit log; the first one told stays. */
  auditFrom?: number;
}

export function runStatus(run: PurgeRun, report: RunReport, now: number): PurgeRunStatus {
  const generation = run.metadata.generation ?? 0;
  const previous = run.status ?? {};
  const at = new Date(now).toISOString();
  const final = ['Succeeded', 'Failed', 'Superseded', 'Expired'].includes(report.state);
  const startedAt = previous.startedAt ?? (report.state === 'Running' ? at : undefined);
  const { why: _why, failing: before, ...kept } = previous;
  const failing = report.failing === undefined ? before : report.failing;
  return {
    ...kept,
    observedGeneration: generation,
    state: report.state,
    ...(report.why ? { why: report.why.slice(0, 1024) } : {}),
    ...(report.grade ? { approval: { grade: report.grade, ...(report.maxRowsNeeded ? { maxRowsNeeded: true } : {}), ...sinceOf(run, report, at) } } : {}),
    ...(report.progress || previous.progress ? { progress: progressOf(run, report, startedAt, now) } : {}),
    ...(failing && report.state !== 'Succeeded' ? { failing } : {}),
    ...(report.verification ? { verification: report.verification } : {}),
    ...(report.certificate ? { certificate: report.certificate } : {}),
    ...((previous.auditFrom ?? report.auditFrom) === undefined ? {} : { auditFrom: previous.auditFrom ?? report.auditFrom }),
    ...(startedAt ? { startedAt } : {}),
    ...(final ? { finishedAt: previous.finishedAt ?? at } : {}),
    conditions: conditionsFor(outcomeOf(report), { generation, now, ...(previous.conditions ? { conditions: previous.conditions } : {}) }),
  };
}

/**
 * When enough people were first seen to have agreed, and who had by then: whoever adds a name later did not let the run
 * begin. A plan that has to be asked for again has not been agreed to.
 */
function sinceOf(run: PurgeRun, { approved }: RunReport, at: string): { since?: string; by?: string[] } {
  if (approved === false) return {};
  const { since, by } = run.status?.approval ?? {};
  if (since !== undefined) return { since, ...(by ? { by } : {}) };
  return approved ? { since: at, by: [...new Set(validApprovals(run).map((approval) => approval.by))] } : {};
}

function progressOf(run: PurgeRun, report: RunReport, startedAt: string | undefined, now: number): NonNullable<PurgeRunStatus['progress']> {
  const before = run.status?.progress;
  const deleted = report.progress?.deleted ?? before?.deleted ?? 0;
  const total = Math.max(before?.total ?? forecastTotal(run.spec.forecast.steps), deleted);
  if (report.state !== 'Running') return { deleted, total };
  const seconds = startedAt ? Math.max(0.001, (now - Date.parse(startedAt)) / 1000) : 0;
  const rate = seconds > 0 ? Math.round(deleted / seconds) : 0;
  return {
    deleted,
    total,
    ...(rate > 0 ? { rowsPerSecond: rate, etaSeconds: Math.ceil((total - deleted) / rate) } : {}),
    ...(report.progress?.throttledBy ? { throttledBy: report.progress.throttledBy } : {}),
  };
}

function outcomeOf(report: RunReport): Outcome {
  const { state, reason, why } = report;
  switch (state) {
    case 'Succeeded':
      return { kind: 'completed', reason, message: why || 'No due row is left.' };
    case 'Failed':
      return { kind: 'failed', reason, message: why };
    case 'Superseded':
    case 'Expired':
      return { kind: 'ready', reason, message: why };
    default:
      return { kind: 'progressing', reason, message: why || 'The run goes on.' };
  }
}

/** The report of a decision that does no work. */
export function reportOf(decision: Extract<Decision, { next: 'end' | 'wait' }>): RunReport {
  const approved = 'approved' in decision ? decision.approved : undefined;
  const maxRowsNeeded = 'maxRowsNeeded' in decision ? decision.maxRowsNeeded : undefined;
  return { state: decision.state, reason: decision.reason, why: decision.why, ...(approved === undefined ? {} : { approved }), ...(maxRowsNeeded ? { maxRowsNeeded } : {}) };
}
