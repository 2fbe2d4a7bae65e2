import type { DataStore } from '../../api/generated/dataStore.ts';
import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import { PURGE_RUN } from '../../api/kinds.ts';
import type { DeclarationSource } from '../../connect/declarations.ts';
import { failureOf } from '../../connect/failures.ts';
import type { Reconcile } from '../../runtime/controller.ts';
import { done, type Result } from '../../runtime/result.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { carryOut, type RunWork } from './apply.ts';
import { approvalGrade } from './forgery.ts';
import { nameOfStore } from './names.ts';
import { observeRun } from './observe.ts';
import { decide, FINAL_STATES } from './plan.ts';
import { letGo, noteRun, writeReport, type ReportContext } from './report.ts';
import type { RunReport } from './status.ts';
import { stepOfFailure, type RunStep } from './step.ts';
import { trimJournal } from './trim.ts';
import { createTurns } from './turns.ts';
import { lastRecord, withdraw } from './withdraw.ts';

export interface PurgeRunContext extends RunWork, ReportContext {
  /** Live, not cached: what is destroyed is decided on it. */
  declarations: DeclarationSource;
  /** Last record of the audit log that a checkpoint covers. */
  anchored: () => number;
  logger: Logger;
}

/** Carries a planned purge out: waits for people and gates, deletes, has it verified, certifies. */
export function createPurgeRunReconcile(context: PurgeRunContext): Reconcile {
  const now = (): number => context.clock.now();
  const turns = createTurns();
  const ended = (run: PurgeRun): boolean => FINAL_STATES.includes(run.status?.state ?? 'Waiting');

  return async (ref, { signal }) => {
    const run = await context.client.get<PurgeRun>(PURGE_RUN, ref);
    if (!run) return done();
    if (run.metadata.deletionTimestamp && !ended(run)) await withdraw(run, context, signal);
    if (run.metadata.deletionTimestamp || ended(run)) return over(run);

    // Asked again until enough people have agreed: what counts is whether the cluster would have refused a forgery then.
    const { approval } = run.status ?? {};
    const grade = (approval?.since === undefined ? undefined : approval.grade) ?? (await approvalGrade(context.client, run));
    const tell = (report: RunReport): Promise<void> => writeReport(run, { ...report, grade }, context, signal);
    try {
      const observation = await observeRun(run, { ...context, now, signal });
      const decision = decide(observation.input);
      const step = await carryOut(run, observation, decision, { ...context, turns, tell, now, signal });
      const result = await settle(run, step, tell);
      if (step.next === 'over' && decision.next === 'verify' && observation.store) await trim(observation.store, signal);
      return result;
    } catch (error) {
      const stored = await context.client.get<PurgeRun>(PURGE_RUN, ref);
      const failed = stepOfFailure(error, stored?.status, now());
      const step = failed.owesRecord ? await withLastRecord(run, failed, signal) : failed;
      const result = await settle(run, step, tell);
      // A fault nobody foresaw goes to the log with its stack; what people can mend is already in the status.
      if (failureOf(error).reason === 'InternalError' && step.next !== 'over') throw error;
      return result;
    }
  };

  /** The store refuses the work, which need not keep it from telling what was done before. */
  async function withLastRecord(run: PurgeRun, { note, report, next }: RunStep, signal: AbortSignal): Promise<RunStep> {
    const { deleted, missing = '' } = await lastRecord(run, context, signal);
    return {
      ...(note ? { note: { ...note, why: `${note.why}${missing}` } } : {}),
      ...(report ? { report: { ...report, why: `${report.why}${missing}`, ...(deleted === undefined ? {} : { progress: { deleted } }) } } : {}),
      next,
    };
  }

  async function settle(run: PurgeRun, { note, report, next }: RunStep, tell: (report: RunReport) => Promise<void>): Promise<Result> {
    if (note) await noteRun(run, note, context);
    if (report) await tell(report);
    return next === 'over' ? over(run) : next;
  }

  async function over(run: PurgeRun): Promise<Result> {
    await letGo(run, context.client);
    return done();
  }

  /** The run has ended whatever becomes of this; the next one that ends tries again. */
  async function trim(store: DataStore, signal: AbortSignal): Promise<void> {
    try {
      await trimJournal(store, { ...context, now, signal });
    } catch (error) {
      context.logger.warn('the journal of a store could not be trimmed', { store: nameOfStore(store), error });
    }
  }
}
