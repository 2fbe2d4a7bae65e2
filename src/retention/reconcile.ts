import type { RetentionPolicy, RetentionPolicyStatus } from '../api/generated/retentionPolicy.ts';
import { PURGE_RUN, RETENTION_POLICY } from '../api/kinds.ts';
import type { DeclarationSource } from '../connect/declarations.ts';
import { failureOf } from '../connect/failures.ts';
import type { StoreFacts } from '../connect/facts.ts';
import type { StoreConnections } from '../connect/stores.ts';
import type { AuditLog } from '../evidence/audit/log.ts';
import type { Declarations } from '../rules/store-rules.ts';
import { announce } from '../runtime/announce.ts';
import type { Client } from '../runtime/client.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Reconcile } from '../runtime/controller.ts';
import { done, requeueAfter, requeueAt } from '../runtime/result.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { updateStatus } from '../runtime/status.ts';
import type { WriteBarrier } from '../runtime/write-barrier.ts';
import { planStore, type PlanOutcome } from './apply.ts';
import { surplusRuns } from './history.ts';
import { observePolicy, type PolicyObservation } from './observe.ts';
import { planDue } from './schedule.ts';
import { policyStatus, unreadStatus, type PolicyReport } from './status.ts';
import { specProblem } from './validate.ts';

export interface RetentionPolicyContext {
  client: Client;
  connections: StoreConnections;
  facts: StoreFacts;
  declarations: DeclarationSource;
  audit: AuditLog;
  actor: string;
  clock: Clock;
  barrier: WriteBarrier;
  events: EventRecorder;
}

const LOOK_AGAIN_MS = 300_000;
const RETRY_MS = 60_000;

/**
 * Reads a policy, works out what it means in each store it covers, plans when its schedule owes a plan, and says
 * so in its status. It deletes nothing: deleting is the business of the PurgeRun it writes.
 */
export function createRetentionPolicyReconcile(context: RetentionPolicyContext): Reconcile {
  return async (ref, { signal }) => {
    const policy = await context.client.get<RetentionPolicy>(RETENTION_POLICY, ref);
    if (!policy || policy.metadata.deletionTimestamp) return done();
    const now = context.clock.now();
    const invalid = specProblem(policy);
    if (invalid) {
      await write(policy, { observation: { views: [], runs: [] }, rootNamespace: '', outcomes: [], due: { due: false, nextAt: Number.POSITIVE_INFINITY }, invalid }, now, signal);
      return done();
    }

    let declarations: Declarations;
    let observation: PolicyObservation;
    try {
      declarations = await context.declarations.read();
      observation = await observePolicy(policy, declarations, { client: context.client, facts: context.facts, now: new Date(now).toISOString() });
    } catch (error) {
      const failure = failureOf(error);
      if (failure.reason === 'InternalError') throw error;
      await save(policy, (current) => unreadStatus(current, failure, now), signal);
      return requeueAfter(RETRY_MS);
    }
    const due = planDue(policy, now);
    const outcomes: PlanOutcome[] = [];
    if (due.due) {
      const plan = { client: context.client, connections: context.connections, audit: context.audit, actor: context.actor, slot: due.slot, now: () => context.clock.now(), signal };
      for (const view of observation.views) outcomes.push(...(await planStore(policy, view.store, declarations, observation.runs, plan)));
    }
    for (const outcome of outcomes) {
      if (outcome.made === 'Run') context.events.event(policy, { type: 'Normal', reason: 'Planned', action: 'Plan', note: `PurgeRun ${outcome.name} was planned for store ${outcome.store}.` });
    }
    const failed = outcomes.some((outcome) => outcome.made === 'Failure');
    for (const run of surplusRuns(observation.runs)) await context.client.delete(PURGE_RUN, { namespace: run.metadata.namespace ?? '', name: run.metadata.name }, { uid: run.metadata.uid });
    // A slot that failed stays owed: it is tried again, and its time is not written down as acted upon.
    await write(policy, { observation, rootNamespace: declarations.rootNamespace, outcomes, due: due.due && failed ? { due: false, nextAt: now + RETRY_MS } : due }, now, signal);
    if (failed) return requeueAfter(RETRY_MS);
    return due.due ? requeueAfter(1_000) : requeueAt(Math.min(due.nextAt, now + LOOK_AGAIN_MS), now);
  };

  function write(policy: RetentionPolicy, report: PolicyReport, now: number, signal: AbortSignal): Promise<void> {
    return save(policy, (current) => policyStatus(current, report, now), signal);
  }

  async function save(policy: RetentionPolicy, statusOf: (current: RetentionPolicy) => RetentionPolicyStatus, signal: AbortSignal): Promise<void> {
    const { namespace = '', name, uid } = policy.metadata;
    const stored = await updateStatus<RetentionPolicy>(context.client, RETENTION_POLICY, { namespace, name }, statusOf, { uid, barrier: context.barrier, signal, timeToleranceMs: 0 });
    announce(context.events, policy.status?.conditions, stored, 'Plan');
  }
}
