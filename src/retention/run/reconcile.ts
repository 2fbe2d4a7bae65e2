import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import { FINALIZER, PURGE_RUN } from '../../api/kinds.ts';
import type { DeclarationSource } from '../../connect/declarations.ts';
import { failureOf, RETRY_AFTER_MS } from '../../connect/failures.ts';
import type { StoreConnections } from '../../connect/stores.ts';
import type { Journal } from '../../evidence/audit/journal.ts';
import type { AuditLog } from '../../evidence/audit/log.ts';
import { announce } from '../../runtime/announce.ts';
import type { Client } from '../../runtime/client.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Reconcile } from '../../runtime/controller.ts';
import { removeFinalizer } from '../../runtime/finalizers.ts';
import { done, requeueAfter, type Result } from '../../runtime/result.ts';
import type { EventRecorder } from '../../runtime/events.ts';
import { updateStatus } from '../../runtime/status.ts';
import type { WriteBarrier } from '../../runtime/write-barrier.ts';
import type { DomainMetrics } from '../../telemetry/metrics.ts';
import { purgeStretch, type Progress, type Stretch } from './apply.ts';
import type { Certifier } from './certify.ts';
import { conclude } from './conclude.ts';
import { approvalGrade } from './forgery.ts';
import { objectOf } from './names.ts';
import { observeRun, type RunObservation } from './observe.ts';
import { decide, FINAL_STATES, type Decision } from './plan.ts';
import { reportOf, runStatus, type RunReport } from './status.ts';
import { watchForStop } from './stop.ts';
import { fingerprintHeld, lookAgainAfter } from './verify.ts';

export interface PurgeRunContext {
  client: Client;
  connections: StoreConnections;
  /** Live, not cached: what is destroyed is decided on it. */
  declarations: DeclarationSource;
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
  clock: Clock;
  barrier: WriteBarrier;
  events: EventRecorder;
  metrics: DomainMetrics;
}

/** Carries a planned purge out: waits for people and gates, deletes, has it verified, certifies. */
export function createPurgeRunReconcile(context: PurgeRunContext): Reconcile {
  const now = (): number => context.clock.now();

  return async (ref, { signal }) => {
    const run = await context.client.get<PurgeRun>(PURGE_RUN, ref);
    if (!run) return done();
    if (run.metadata.deletionTimestamp) return withdraw(run);
    if (FINAL_STATES.includes(run.status?.state ?? 'Waiting')) return settle(run);
    const grade = run.status?.approval?.grade ?? (await approvalGrade(context.client, run));
    try {
      const observation = await observeRun(run, { ...context, now, signal });
      return await carryOut(run, observation, decide(observation.input), grade, signal);
    } catch (error) {
      const failure = failureOf(error);
      // As stored by now: a run that began in this very look is at work, and must never count as one that has deleted nothing.
      const stored = (await context.client.get<PurgeRun>(PURGE_RUN, ref))?.status?.state;
      const state = stored === 'Running' || stored === 'Paused' || stored === 'Verifying' ? stored : 'Waiting';
      await report(run, { state, reason: failure.reason, why: failure.message, grade }, signal);
      // A fault nobody foresaw goes to the log with its stack; what people can mend is already in the status.
      if (failure.reason === 'InternalError') throw error;
      return requeueAfter(RETRY_AFTER_MS);
    }
  };

  async function carryOut(run: PurgeRun, observation: RunObservation, decision: Decision, grade: 'Verified' | 'Unverified', signal: AbortSignal): Promise<Result> {
    switch (decision.next) {
      case 'nothing':
        return done();
      case 'end':
        await note(run, `purge.${decision.state.toLowerCase()}`, decision.why);
        await report(run, { ...reportOf(decision), grade }, signal);
        return settle(run);
      case 'wait':
        await report(run, { ...reportOf(decision), grade }, signal);
        return requeueAfter(decision.recheckMs);
      case 'purge':
        return purge(run, observation, decision, grade, signal);
      case 'verify':
        return verify(run, observation, signal);
    }
  }

  async function purge(run: PurgeRun, { store, policy, request }: RunObservation, { maxRows, endsAt }: Extract<Decision, { next: 'purge' }>, grade: 'Verified' | 'Unverified', signal: AbortSignal): Promise<Result> {
    if (!store || !policy || !request) return requeueAfter(RETRY_AFTER_MS);
    const heldBefore = run.status?.verification?.heldBefore ?? (await fingerprintHeld(run, store, request, context.connections, signal));
    await report(run, { state: 'Running', reason: 'Running', why: '', grade, verification: { ...run.status?.verification, heldBefore }, progress: { deleted: run.status?.progress?.deleted ?? 0 } }, signal);
    const before = run.status?.progress?.deleted ?? 0;
    const stop = await watchForStop(run, store, policy, { client: context.client, declarations: context.cached, rootNamespace: context.rootNamespace, frozen: context.frozen, leaving: context.leaving, endsAt, now });
    const stretch = await purgeStretch(
      { run, store, policy, request, maxRows },
      {
        connections: context.connections,
        audit: context.audit,
        journal: context.journal,
        nameClient: context.certifier.nameClient,
        intended: (seq) => report(run, { state: 'Running', reason: 'Running', why: '', auditFrom: seq }, signal),
        actor: context.actor,
        owner: context.owner,
        now,
        signal,
        stop,
        progress: (seen: Progress) => report(run, { state: 'Running', reason: seen.throttledBy ? 'Throttled' : 'Running', why: '', progress: seen }, signal),
      },
    );
    context.metrics.purgeRows.inc({ action: 'Delete', engine: store.spec.engine }, Math.max(0, stretch.deleted - before));
    return afterStretch(run, stretch, maxRows, signal);
  }

  async function afterStretch(run: PurgeRun, stretch: Stretch, maxRows: number, signal: AbortSignal): Promise<Result> {
    const progress = { deleted: stretch.deleted };
    switch (stretch.end) {
      case 'Finished':
        await report(run, { state: 'Verifying', reason: 'Verifying', why: '', progress }, signal);
        return requeueAfter(0);
      case 'OutOfTime':
        await report(run, { state: 'Running', reason: 'Running', why: '', progress }, signal);
        return requeueAfter(0);
      case 'Stopped':
        await note(run, 'purge.paused', stretch.stop.why);
        await report(run, { state: 'Paused', ...stretch.stop, progress }, signal);
        return requeueAfter(1_000);
      case 'LimitReached':
        await note(run, 'purge.failed', `limit of ${maxRows} rows reached`);
        await report(run, { state: 'Failed', reason: 'LimitExceeded', why: `the run reached its limit of ${maxRows} rows or of WAL; what was deleted is in the audit log, the rest needs a new plan`, progress }, signal);
        return settle(run);
      case 'Refused': {
        const first = stretch.refusals[0];
        // A run that has deleted rows must not expire as one that has not.
        await report(run, { state: stretch.deleted > 0 ? 'Paused' : 'Waiting', reason: 'SideEffect', why: `${first?.collection}: ${first?.message}`, progress }, signal);
        return requeueAfter(RETRY_AFTER_MS);
      }
    }
  }

  async function verify(run: PurgeRun, { store, policy, request, normals }: RunObservation, signal: AbortSignal): Promise<Result> {
    if (!store || !policy || !request || !normals) {
      await note(run, 'purge.failed', 'the policy or the store went away before the result was verified');
      await report(run, { state: 'Failed', reason: 'Failed', why: 'the policy or the store went away before the result was verified; what was deleted is in the audit log' }, signal);
      return settle(run);
    }
    const end = await conclude({ run, store, policy, request, normals }, { ...context, nameClient: context.certifier.nameClient, now, signal });
    await report(run, end, signal);
    if (end.state === 'Verifying') return requeueAfter(lookAgainAfter(end.verification ?? {}, now()));
    return end.state === 'Running' ? requeueAfter(0) : settle(run);
  }

  /** Deleting a run deletes no data and undoes none: it only ends here. */
  async function withdraw(run: PurgeRun): Promise<Result> {
    if (!FINAL_STATES.includes(run.status?.state ?? 'Waiting')) await note(run, 'purge.withdrawn', 'the PurgeRun was deleted by a person');
    await removeFinalizer(context.client, PURGE_RUN, run, FINALIZER);
    return done();
  }

  async function settle(run: PurgeRun): Promise<Result> {
    if (run.metadata.finalizers?.includes(FINALIZER)) await removeFinalizer(context.client, PURGE_RUN, run, FINALIZER);
    return done();
  }

  async function report(run: PurgeRun, what: RunReport, signal: AbortSignal): Promise<void> {
    const { namespace = '', name, uid } = run.metadata;
    let before: PurgeRun | undefined;
    const stored = await updateStatus<PurgeRun>(
      context.client,
      PURGE_RUN,
      { namespace, name },
      (current) => {
        before = current;
        return runStatus(current, what, now());
      },
      { uid, barrier: context.barrier, signal, timeToleranceMs: 0 },
    );
    announce(context.events, before?.status?.conditions, stored, 'Purge');
  }

  async function note(run: PurgeRun, action: string, why: string): Promise<void> {
    await context.audit.append({ actor: context.actor, action, object: objectOf(run), outcome: 'Noted', refs: { planDigest: run.spec.planDigest, why } });
  }
}
