import type { DataStore } from '../../api/generated/dataStore.ts';
import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import type { LegalHold } from '../../api/generated/legalHold.ts';
import type { RetentionPolicy } from '../../api/generated/retentionPolicy.ts';
import { DATA_STORE, POLICY_UID_LABEL, PURGE_RUN, RETENTION_POLICY } from '../../api/kinds.ts';
import type { ObjectRef } from '../../api/object.ts';
import type { Reason } from '../../api/reasons.ts';
import type { StoreConnections } from '../../connect/stores.ts';
import type { AuditLog } from '../../evidence/audit/log.ts';
import { holdsReaching, pendingHolds, storeRules, type Declarations, type StoreRules } from '../../rules/store-rules.ts';
import { unauthorizedBecause } from '../../rules/unauthorized.ts';
import type { Client } from '../../runtime/client.ts';
import { approvedSince, judgeTarget, restoredAfter } from '../../rules/target.ts';
import type { FenceState } from '../../stores/fence.ts';
import { replacedTable } from '../../stores/pinned.ts';
import type { StoreReader } from '../../stores/port.ts';
import type { PurgeRequest } from '../../stores/purging.ts';
import { agreeOnNow, purgeRequest } from '../derive.ts';
import { approvalReasons } from '../plan.ts';
import { executedOf, type Executed } from './executed.ts';
import { frozenBy } from './freeze.ts';
import type { RunInput } from './plan.ts';
import { goesFirst } from './turns.ts';

/** What a run is decided on, and what carrying it out needs. Everything is read anew; no cache has a word here. */
export interface RunObservation {
  input: RunInput;
  store?: DataStore;
  policy?: RetentionPolicy;
  /** What it was decided on: work goes on only as long as this is what is declared. */
  declarations?: Declarations;
  /** Absent where the declarations now reach more than the plan does: then nothing may be deleted, counted or said by them. */
  executed?: Executed;
  rules?: StoreRules;
}

export interface ObserveRunContext {
  client: Client;
  connections: StoreConnections;
  /** Live, not cached. */
  declarations: { read(): Promise<Declarations> };
  audit: AuditLog;
  rootNamespace: string;
  /** This installation, as the stores it owns know it. */
  owner: string;
  /** The operator's own switch. */
  frozen: boolean;
  now: () => number;
  signal: AbortSignal;
}

export async function observeRun(run: PurgeRun, context: ObserveRunContext): Promise<RunObservation> {
  const namespace = run.metadata.namespace ?? '';
  const found = await policyOf(run, context.client);
  const store = await context.client.get<DataStore>(DATA_STORE, { namespace, name: run.spec.store });
  const frozen = await frozenBy(context.client, { rootNamespace: context.rootNamespace, namespace, flag: context.frozen });
  const health = context.audit.healthy();
  const unauthorized = store && unauthorizedBecause(store, context.now());
  const declarations = found && store && (await context.declarations.read());
  // The rules come from the declarations. A policy that was changed between the two reads must not stand for them: its
  // digest is certified, and its generation is what a change is told by while the run is at work.
  const policy = declarations?.policies.find(({ metadata }) => metadata.uid === found?.metadata.uid) ?? found;
  const base: RunInput = {
    run,
    target: '',
    pendingHolds: [],
    reasons: [],
    now: context.now(),
    ...(policy && store ? { policy } : {}),
    ...(frozen ? { frozen } : {}),
    ...(unauthorized === undefined ? {} : { unauthorized }),
    ...(health.ok ? {} : { auditProblem: health.reason }),
  };
  if (!policy || !store || !declarations) return { input: base, ...(store ? { store } : {}) };

  const busy = await otherRun(run, context.client);
  const reader = await context.connections.reader(store, 'observe', context.signal);
  try {
    return { store, policy, declarations, ...(await compare(run, store, policy, declarations, reader, { ...base, ...(busy ? { busy } : {}) }, context)) };
  } finally {
    await reader.close();
  }
}

/** Looks again at what the plan says: who answers, what is declared now, what was approved before. */
async function compare(run: PurgeRun, store: DataStore, policy: RetentionPolicy, declarations: Declarations, reader: StoreReader, base: RunInput, context: ObserveRunContext): Promise<Pick<RunObservation, 'input' | 'executed' | 'rules'>> {
  await agreeOnNow(reader, context.now());
  const [identity, inventory, fence, approved] = await Promise.all([reader.identity(), reader.inventory(), reader.fence(), reader.approvedRules(policy.metadata.uid ?? '')]);
  const { asOf } = run.spec.plan;
  const verdict = judgeTarget(store, identity);
  const rules = storeRules(store, declarations, inventory, asOf);
  const { request, normals } = purgeRequest(rules, policy, asOf);
  const carried = executedOf(run.spec.plan, request, normals);
  const replaced = replacedTable(run.spec.plan.tables, inventory.tables);
  const storeFrozen = fence?.frozen && `frozen in the store by ${fence.frozen.by}: ${fence.frozen.reason}`;
  const forecast = run.spec.forecast.steps.map(({ parts: _parts, ...step }) => ({ ...step, exact: step.exact ?? false }));
  return {
    ...('executed' in carried ? carried : {}),
    rules,
    input: {
      ...base,
      target: identity.fingerprint,
      pendingHolds: missingHolds(store, declarations, fence).map((hold) => `${hold.metadata.namespace}/${hold.metadata.name}`),
      ...('message' in verdict ? { targetProblem: verdict.message } : {}),
      reasons: approvalReasons({ policy, plan: run.spec.plan, forecast, rules: request.rules, normals, approved: approvedSince(store, identity, approved), inventory }),
      ...(verdict.is === 'Restored' || restoredAfter(store, run.metadata.creationTimestamp ?? run.spec.plan.asOf) ? { restored: true } : {}),
      ...('wider' in carried ? carried : {}),
      ...(replaced === undefined ? {} : { replaced }),
      ...lostStep(run, rules, request),
      ...(fence && fence.owner !== context.owner ? { foreignOwner: fence.owner } : {}),
      ...(base.frozen || !storeFrozen ? {} : { frozen: storeFrozen }),
    },
  };
}

/**
 * Holds that are declared for the store and do not stand in it, by their own status or by the store's word: a restored
 * database may have lost a hold whose status still says it is in force.
 */
function missingHolds(store: DataStore, declarations: Declarations, fence: FenceState | undefined): LegalHold[] {
  const pending = new Set(pendingHolds(store, declarations));
  const standing = new Map((fence?.holds ?? []).map((hold) => [hold.uid, hold.revision]));
  return holdsReaching(store, declarations).filter((hold) => pending.has(hold) || (standing.get(hold.metadata.uid ?? '') ?? 0) < (hold.metadata.generation ?? 0));
}

/**
 * A planned collection that can no longer be found, or that no rule of the policy makes due any more. A run that went
 * on without it would find nothing to delete and call that success.
 */
function lostStep(run: PurgeRun, rules: StoreRules, request: PurgeRequest): Pick<RunInput, 'unresolved' | 'undue'> {
  for (const { collection } of run.spec.plan.steps) {
    if (request.rules.find((rule) => rule.collection === collection)?.due) continue;
    const problem = rules.resolved.problems.find((candidate) => candidate.collection === collection);
    if (problem) return { unresolved: { reason: problem.reason as Reason, message: problem.message } };
    const declared = rules.effective.some((each) => each.collection.id === collection);
    return { undue: declared ? `the policy no longer makes ${collection} due` : `no data map of the store declares ${collection} any more` };
  }
  return {};
}

/** The policy of a run, only if it is the very same object: one that was created again under the name approved nothing. */
async function policyOf(run: PurgeRun, client: Client): Promise<RetentionPolicy | undefined> {
  const ref = policyRef(run);
  const policy = ref && (await client.get<RetentionPolicy>(RETENTION_POLICY, ref));
  const wanted = run.metadata.labels?.[POLICY_UID_LABEL];
  return policy && policy.metadata.uid === wanted && !policy.metadata.deletionTimestamp ? policy : undefined;
}

export function policyRef(run: PurgeRun): ObjectRef | undefined {
  const [namespace, name] = (run.spec.plan.steps[0]?.policy ?? '').split('/');
  return namespace && name ? { namespace, name } : undefined;
}

/** Runs in one store go one after the other: two of them would meet in the same tables and lie about each other's counts. */
export async function otherRun(run: PurgeRun, client: Client): Promise<string | undefined> {
  const runs = await client.list<PurgeRun>(PURGE_RUN, { namespace: run.metadata.namespace ?? '' });
  return runs.find((other) => other.metadata.uid !== run.metadata.uid && other.spec.store === run.spec.store && goesFirst(other, run))?.metadata.name;
}
