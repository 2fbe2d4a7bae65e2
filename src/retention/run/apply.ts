import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import type { DeclarationSource } from '../../connect/declarations.ts';
import { RETRY_AFTER_MS } from '../../connect/failures.ts';
import type { StoreConnections } from '../../connect/stores.ts';
import type { Journal } from '../../evidence/audit/journal.ts';
import type { AuditLog } from '../../evidence/audit/log.ts';
import type { Client } from '../../runtime/client.ts';
import { done, requeueAfter } from '../../runtime/result.ts';
import type { DomainMetrics } from '../../telemetry/metrics.ts';
import type { Certifier } from './certify.ts';
import { conclude } from './conclude.ts';
import { standsBack } from './failing.ts';
import { giveBack, isOurs, sayingAlso } from './give-back.ts';
import { fingerprintHeld } from './held.ts';
import { hasBegun, recordRest } from './ledger.ts';
import { otherRun, type RunObservation } from './observe.ts';
import { waitForOther, type Decision } from './plan.ts';
import { reportOf, type RunReport } from './status.ts';
import { stepOfDecision, stepOfStretch, type RunStep } from './step.ts';
import { watchForStop } from './stop.ts';
import { purgeStretch } from './stretch.ts';
import type { Turns } from './turns.ts';
import { lookAgainAfter } from './verify.ts';

/** What carrying a run out needs, whichever run it is. */
export interface RunWork {
  client: Client;
  connections: StoreConnections;
  /** Cached; asked before each batch. */
  cached: DeclarationSource;
  audit: AuditLog;
  journal: Journal;
  certifier: Certifier;
  rootNamespace: string;
  frozen: boolean;
  /** Aborts when this process stops or no longer leads. */
  leaving: AbortSignal;
  actor: string;
  /** This installation, as the stores it owns know it. */
  owner: string;
  metrics: DomainMetrics;
}

export interface ApplyContext extends RunWork {
  turns: Turns;
  /** Writes into the status of the run while work is under way. */
  tell: (report: RunReport) => Promise<void>;
  now: () => number;
  signal: AbortSignal;
}

/** Does what was decided for a run, and says what came of it. */
export async function carryOut(run: PurgeRun, observation: RunObservation, decision: Decision, context: ApplyContext): Promise<RunStep> {
  switch (decision.next) {
    case 'nothing':
      return { next: done() };
    case 'end':
      return end(run, observation, decision, context);
    case 'wait':
      return wait(run, observation, decision, context);
    case 'purge':
      return purge(run, observation, decision, context);
    case 'verify':
      return verify(run, observation, context);
  }
}

/** What it deleted is on record before it ends, and waited for while the store cannot be asked; whoever will not wait deletes the run. */
async function end(run: PurgeRun, { store }: RunObservation, decision: Extract<Decision, { next: 'end' }>, context: ApplyContext): Promise<RunStep> {
  const step = stepOfDecision(decision);
  if (!store || !hasBegun(run)) return step;
  const { connections, journal, certifier, actor, metrics, signal } = context;
  const deleted = await recordRest({ run, store }, connections, { journal, actor, nameClient: certifier.nameClient, metrics, signal });
  return sayingAlso({ ...step, report: { ...reportOf(decision), ...(deleted === undefined ? {} : { progress: { deleted } }) } }, await giveBack(run, store, context));
}

/** Nothing of a run that stands still is kept from the application, however long it does. */
async function wait(run: PurgeRun, { store }: RunObservation, decision: Extract<Decision, { next: 'wait' }>, context: ApplyContext): Promise<RunStep> {
  const step = stepOfDecision(decision);
  return store ? sayingAlso(step, await giveBack(run, store, context)) : step;
}

/** One stretch of work, if it is this run's turn. */
async function purge(run: PurgeRun, observation: RunObservation, decision: Extract<Decision, { next: 'purge' }>, context: ApplyContext): Promise<RunStep> {
  return inTurn(run, context, () => work(run, observation, decision, context));
}

/** Whoever begins says so within its turn, so the next one sees it. */
async function inTurn(run: PurgeRun, context: ApplyContext, act: () => Promise<RunStep>): Promise<RunStep> {
  const turn = context.turns.take(run.spec.plan.target, run.metadata);
  if ('atWork' in turn) return stepOfDecision(waitForOther(run, turn.atWork));
  try {
    // Another may have begun, and paused or gone on to be verified, since this run was looked at.
    const other = await otherRun(run, context.client);
    return other === undefined ? await act() : stepOfDecision(waitForOther(run, other));
  } finally {
    turn.end();
  }
}

/** What is held is counted before the first row goes, and whoever looks sees that work is under way. */
async function work(run: PurgeRun, { store, policy, declarations, executed }: RunObservation, { maxRows, endsAt, pace }: Extract<Decision, { next: 'purge' }>, context: ApplyContext): Promise<RunStep> {
  if (!store || !policy || !declarations || !executed) return { next: requeueAfter(RETRY_AFTER_MS) };
  const { client, connections, audit, journal, certifier, actor, owner, tell, now, signal } = context;
  const running = { state: 'Running', reason: 'Running', why: '', approved: true } as const;
  const before = run.status?.progress?.deleted ?? 0;
  const heldBefore = run.status?.verification?.heldBefore ?? (await fingerprintHeld(run, store, executed.request, connections, signal));
  await tell({ ...running, verification: { ...run.status?.verification, heldBefore }, progress: { deleted: before } });
  const stop = watchForStop(run, store, policy, { client, decidedOn: declarations, declarations: context.cached, rootNamespace: context.rootNamespace, frozen: context.frozen, leaving: context.leaving, endsAt, now });
  // What is read of the run is of before it began.
  const begun = { ...run, status: { ...run.status, state: 'Running' as const } };
  const stretch = await purgeStretch(
    { run, store, executed, maxRows, pace },
    {
      connections,
      audit,
      journal,
      nameClient: certifier.nameClient,
      metrics: context.metrics,
      intended: (seq) => tell({ ...running, auditFrom: seq }),
      actor,
      owner,
      now,
      signal,
      stop,
      progress: (seen) => tell({ ...running, ...(seen.throttledBy ? { reason: 'Throttled' } : {}), progress: seen }),
    },
  ).catch(async (error: unknown) => {
    // Said at the next look, if it is so then.
    if (isOurs(error)) await giveBack(begun, store, context);
    throw error;
  });
  const step = stepOfStretch(stretch, maxRows);
  return stretch.end === 'Finished' || stretch.end === 'OutOfTime' ? step : sayingAlso(step, await giveBack(begun, store, context));
}

/** Nobody begins while a result is verified. Others do while that fails, so then it is asked for in turn. */
async function verify(run: PurgeRun, observation: RunObservation, context: ApplyContext): Promise<RunStep> {
  return standsBack(run) ? inTurn(run, context, () => look(run, observation, context)) : look(run, observation, context);
}

async function look(run: PurgeRun, { store, policy, executed }: RunObservation, context: ApplyContext): Promise<RunStep> {
  if (!store || !policy || !executed) return { next: requeueAfter(RETRY_AFTER_MS) };
  const report: RunReport = { ...(await conclude({ run, store, policy, executed }, { ...context, nameClient: context.certifier.nameClient })), failing: null };
  if (report.state === 'Verifying') return { report, next: requeueAfter(lookAgainAfter(report.verification ?? {}, context.now())) };
  return { report, next: report.state === 'Running' ? requeueAfter(0) : 'over' };
}
