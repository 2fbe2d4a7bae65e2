import type { DataStore } from '../api/generated/dataStore.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { pendingHolds, storeRules, type Declarations, type StoreRules } from '../rules/store-rules.ts';
import { clockProblem } from '../rules/clocks.ts';
import { components } from '../rules/components.ts';
import { approvedSince } from '../rules/target.ts';
import { ruleset } from '../rules/ruleset.ts';
import { normalRule, type ApprovalReason, type NormalRule } from '../rules/weakening.ts';
import { WaitingError } from '../runtime/result.ts';
import type { CollectionRule } from '../stores/counting.ts';
import type { StoreReader } from '../stores/port.ts';
import type { TableAddress } from '../stores/predicate.ts';
import type { PurgeRequest, Refusal } from '../stores/purging.ts';
import { approvalReasons, draftRun, type DraftRun } from './plan.ts';
import { splitPurge } from './split.ts';

/** An exact count of a large table may take this long before a plan says so and asks a person. */
const COUNT_BUDGET_MS = 60_000;

/** A purge of one store under one policy, of collections that foreign keys join; worked out but not written down anywhere. */
export interface Derived extends DraftRun {
  asOf: string;
  /** Every mapped collection that foreign keys join with the planned ones, and these themselves. */
  component: string[];
  request: PurgeRequest;
  normals: ReadonlyMap<string, NormalRule>;
  /** What the declarations mean for the whole store. */
  rules: StoreRules;
  /** Why nothing may run at all; empty: nothing stands in the way but people and time. */
  refusals: Refusal[];
  reasons: ApprovalReason[];
  /** Partitions whose drop was begun and not finished; only a run does that, whether or not they have rows. */
  unfinished: TableAddress[];
  /** Names of holds declared for the store that do not stand in it yet. */
  pendingHolds: string[];
}

/**
 * Derives plans from what is declared and what the store holds: one for each group of collections that foreign keys
 * join, so that what stops one group stops no other. Reads only; the same function serves the controller and the
 * command line.
 *
 * @param reader any identity; without the `dataward` schema nothing was ever approved.
 * @param now the operator's clock, milliseconds.
 * @returns at least one; where nothing is due under the policy, one without steps.
 * @throws WaitingError `ClockSkew` when the clocks of operator and store differ by more than a minute.
 */
export async function derive(store: DataStore, policy: RetentionPolicy, declarations: Declarations, reader: StoreReader, now: number): Promise<Derived[]> {
  const asOf = await agreeOnNow(reader, now);
  const [inventory, identity, approved] = await Promise.all([reader.inventory(), reader.identity(), reader.approvedRules(policy.metadata.uid ?? '')]);
  const rules = storeRules(store, declarations, inventory, asOf);
  const { request, normals } = purgeRequest(rules, policy, asOf);
  const purge = await reader.planPurge(request);
  const pending = pendingHolds(store, declarations).map((hold) => `${hold.metadata.namespace}/${hold.metadata.name}`);
  const concerned = components(request.rules, inventory).filter((group) => group.some((collection) => request.targets.includes(collection)));
  return splitPurge(purge, concerned).map(({ component, purge: part }) => {
    const draft = draftRun({ policy, store, purge: part, rules: request.rules, normals, target: identity.fingerprint, asOf });
    return {
      ...draft,
      asOf,
      component,
      request: onlyDue(request, new Set(component)),
      normals,
      rules,
      refusals: part.refusals,
      reasons: approvalReasons({ policy, plan: draft.plan, forecast: part.forecast, rules: request.rules, normals, approved: approvedSince(store, identity, approved), inventory }),
      unfinished: part.forecast.flatMap((step) => step.unfinished ?? []),
      pendingHolds: pending,
    };
  });
}

/** The request with nothing due but these collections; the others go on protecting what they refer to. */
export function onlyDue(request: PurgeRequest, collections: ReadonlySet<string>): PurgeRequest {
  return {
    ...request,
    targets: request.targets.filter((collection) => collections.has(collection)),
    rules: request.rules.map((rule) => {
      if (collections.has(rule.collection)) return rule;
      const { due: _due, ...rest } = rule;
      return rest;
    }),
  };
}

/** What the driver is asked to purge for one policy at one moment. */
export function purgeRequest(rules: StoreRules, policy: RetentionPolicy, asOf: string): { request: PurgeRequest; normals: Map<string, NormalRule> } {
  const uid = policy.metadata.uid ?? '';
  const set: CollectionRule[] = ruleset(rules.effective, { policyUid: uid, now: asOf });
  const normals = new Map(rules.effective.map((each) => [each.collection.id, normalRule(each, uid)]));
  return {
    normals,
    request: { rules: set, targets: set.flatMap((rule) => (rule.due ? [rule.collection] : [])), nonPersonal: rules.resolved.nonPersonal, now: asOf, budgetMs: COUNT_BUDGET_MS },
  };
}

/** The earlier of both clocks, whole seconds: no minimum ends early because one of them runs fast. */
export async function agreeOnNow(reader: StoreReader, now: number): Promise<string> {
  const theirs = await reader.clock();
  const problem = clockProblem(theirs, now);
  if (problem !== undefined) throw new WaitingError('ClockSkew', problem, 60_000);
  return new Date(Math.floor(Math.min(Date.parse(theirs), now) / 1000) * 1000).toISOString();
}
