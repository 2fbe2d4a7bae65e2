import { createHash } from 'node:crypto';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { apiVersionOf, FINALIZER, POLICY_LABEL, POLICY_NAMESPACE_LABEL, POLICY_UID_LABEL, PURGE_RUN } from '../api/kinds.ts';
import { failureOf, type Failure } from '../connect/failures.ts';
import type { StoreConnections } from '../connect/stores.ts';
import type { AuditLog } from '../evidence/audit/log.ts';
import type { Declarations } from '../rules/store-rules.ts';
import type { Client } from '../runtime/client.ts';
import { isAlreadyExists } from '../runtime/client.ts';
import { derive, type Derived } from './derive.ts';
import { forecastTotal } from './plan.ts';
import { FINAL_STATES } from './run/plan.ts';

/** What a policy's slot led to for one group of collections of a store, or for the store as a whole. */
export type PlanOutcome = { store: string } & ({ made: 'Run'; name: string } | { made: 'Nothing'; why: string } | { made: 'Failure'; failure: Failure });

export interface PlanContext {
  client: Client;
  connections: StoreConnections;
  audit: AuditLog;
  actor: string;
  /** When the slot began that owes the plans, milliseconds. */
  slot: number;
  now: () => number;
  signal: AbortSignal;
}

/**
 * Plans a policy in one store and writes a PurgeRun for each group of collections that foreign keys join, if there is
 * anything to delete in it. A group with an open run of the same policy is left alone: two plans for the same rows would
 * only confuse who approves. So is one that was planned in this slot already, when the slot is tried again because
 * another group or store failed.
 */
export async function planStore(policy: RetentionPolicy, store: DataStore, declarations: Declarations, runs: readonly PurgeRun[], context: PlanContext): Promise<PlanOutcome[]> {
  const name = store.metadata.name;
  const own = runs.filter((run) => run.metadata.namespace === store.metadata.namespace && run.spec.store === name);
  try {
    const reader = await context.connections.reader(store, 'observe', context.signal);
    try {
      const outcomes: PlanOutcome[] = [];
      for (const derived of await derive(store, policy, declarations, reader, context.now())) outcomes.push(await write(policy, store, derived, own, context));
      return outcomes;
    } finally {
      await reader.close();
    }
  } catch (error) {
    return [{ store: name, made: 'Failure', failure: failureOf(error) }];
  }
}

async function write(policy: RetentionPolicy, store: DataStore, derived: Derived, runs: readonly PurgeRun[], context: PlanContext): Promise<PlanOutcome> {
  const name = store.metadata.name;
  const earlier = runsOf(derived, runs);
  const open = earlier.find((run) => !FINAL_STATES.includes(run.status?.state ?? 'Waiting'));
  if (open) return { store: name, made: 'Nothing', why: `PurgeRun ${open.metadata.name} is still open` };
  // The API server writes whole seconds.
  const slot = Math.floor(context.slot / 1000) * 1000;
  const planned = earlier.find((run) => Date.parse(run.metadata.creationTimestamp ?? '') >= slot);
  if (planned) return { store: name, made: 'Nothing', why: `PurgeRun ${planned.metadata.name} was planned in this slot` };
  const refusal = derived.refusals[0];
  if (refusal) return { store: name, made: 'Failure', failure: { reason: 'SideEffect', message: `${refusal.collection}: ${refusal.message}` } };
  const rows = forecastTotal(derived.forecast.steps);
  if (derived.plan.steps.length === 0 || (rows === 0 && derived.unfinished.length === 0)) return { store: name, made: 'Nothing', why: 'no row is due' };
  const run = purgeRunFor(policy, store, derived);
  await context.audit.append({
    actor: context.actor,
    action: 'purge.planned',
    object: { kind: 'PurgeRun', namespace: store.metadata.namespace ?? '', name: run.metadata.name },
    outcome: 'Noted',
    refs: { planDigest: derived.planDigest, policy: `${policy.metadata.namespace}/${policy.metadata.name}`, rows, steps: derived.plan.steps.length },
  });
  try {
    await context.client.create(PURGE_RUN, run);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
  return { store: name, made: 'Run', name: run.metadata.name };
}

/** Runs that reach into the group: also those planned before a foreign key joined two groups, or before runs were split. */
function runsOf({ component }: Derived, runs: readonly PurgeRun[]): PurgeRun[] {
  const collections = new Set(component);
  return runs.filter((run) => run.spec.plan.steps.some((step) => collections.has(step.collection)));
}

/** A run lives beside its store and is tied to its policy by labels: an owner in another namespace would be garbage-collected within seconds. */
export function purgeRunFor(policy: RetentionPolicy, store: DataStore, derived: Pick<Derived, 'plan' | 'planDigest' | 'forecast'>): PurgeRun {
  return {
    apiVersion: apiVersionOf(PURGE_RUN) as PurgeRun['apiVersion'],
    kind: 'PurgeRun',
    metadata: {
      name: runName(policy.metadata.name, store.metadata.name, derived.planDigest),
      namespace: store.metadata.namespace ?? '',
      labels: {
        [POLICY_LABEL]: cut(policy.metadata.name, 63),
        [POLICY_NAMESPACE_LABEL]: policy.metadata.namespace ?? '',
        [POLICY_UID_LABEL]: policy.metadata.uid ?? '',
      },
      finalizers: [FINALIZER],
    },
    spec: { store: store.metadata.name, plan: derived.plan, planDigest: derived.planDigest, forecast: derived.forecast },
  };
}

function runName(policy: string, store: string, digest: string): string {
  const suffix = createHash('sha256').update(`${store}\n${digest}`).digest('hex').slice(0, 8);
  return `${cut(policy, 200)}-${suffix}`;
}

/** A label value or a part of a name may not end in what separates its words; a cut in the wrong place would be refused for ever. */
function cut(name: string, length: number): string {
  return name.slice(0, length).replace(/[-.]+$/, '');
}
