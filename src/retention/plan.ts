import { compareText } from '../api/compare-text.ts';
import type { Forecast, Plan, PlanStep } from '../api/generated/purgeRun.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { canonicalDigest, canonicalJson } from '../evidence/canonical.ts';
import { groupBy } from '../rules/collections.ts';
import { policyKey, refOf } from '../rules/effective.ts';
import { compareCutoffs, compareRules, latestCutoff, type ApprovalReason, type NormalRule } from '../rules/weakening.ts';
import type { CollectionRule } from '../stores/counting.ts';
import type { Inventory } from '../stores/facts.ts';
import type { ApprovedRule } from '../stores/fence.ts';
import { tableKey } from '../stores/predicate.ts';
import type { PinnedTable, PurgePlan, StepForecast } from '../stores/purging.ts';
import { Temporal } from 'temporal-polyfill';
import { columnSinceApproval } from './approved-columns.ts';

/** A plan as it goes into a PurgeRun, with what was left out of its hash because looking again may change it. */
export interface DraftRun {
  plan: Plan;
  planDigest: string;
  forecast: Forecast;
}

export interface PlanInput {
  policy: RetentionPolicy;
  store: DataStore;
  purge: PurgePlan;
  rules: readonly CollectionRule[];
  /** By collection id. */
  normals: ReadonlyMap<string, NormalRule>;
  /** Fingerprint of the store the plan was made in. */
  target: string;
  /** The earlier of both clocks; every cutoff follows from it. RFC 3339. */
  asOf: string;
}

/**
 * Writes a driver's plan down as the object people approve. Everything hashed follows from the declarations, the
 * store's structure and `asOf`; counts stand in the forecast, which is not hashed, because they move.
 */
export function draftRun(input: PlanInput): DraftRun {
  const { policy, purge, asOf } = input;
  const settings = policy.spec.purge;
  if (!settings) throw new Error(`RetentionPolicy ${policy.metadata.name} has no spec.purge`);
  const plan: Plan = {
    steps: purge.steps.map((step): PlanStep => ({
      order: step.order,
      collection: step.collection,
      method: step.method,
      cutoff: cutoffOf(input.rules, step.collection) ?? asOf,
      policy: policyKey(refOf(policy)),
      predicateDigest: step.predicateDigest,
      rule: canonicalJson(input.normals.get(step.collection) ?? null),
      because: step.because,
    })),
    tables: pinnedTables(purge),
    target: input.target,
    limits: {
      maxRows: settings.limits.maxRows,
      maxCutoffAdvance: settings.limits.maxCutoffAdvance,
      ...(settings.limits.maxPercent === undefined ? {} : { maxPercent: settings.limits.maxPercent }),
    },
    algebra: 1,
    asOf,
    validUntil: approvalEnd(asOf, settings.approval.validFor),
  };
  return { plan, planDigest: planDigest(plan), forecast: forecastOf(purge, asOf) };
}

/** Each once, by name, with the columns any step asks for: an approval is of these, and of no other that takes the name of one. */
function pinnedTables({ steps }: PurgePlan): PinnedTable[] {
  const tables = [...groupBy(steps.flatMap((step) => step.tables), ({ oid }) => oid).values()].flatMap((same): PinnedTable[] => {
    const [first] = same;
    if (!first) return [];
    const { schema, name, oid } = first;
    const columns = [...new Map(same.flatMap((table) => table.columns ?? []).map((column) => [column.name, column])).values()].toSorted((a, b) => compareText(a.name, b.name));
    return [{ schema, name, oid, ...(columns.length > 0 ? { columns } : {}) }];
  });
  return tables.toSorted((a, b) => compareText(tableKey(a), tableKey(b)));
}

export function planDigest(plan: Plan): string {
  return canonicalDigest(plan);
}

/** Calendar arithmetic in UTC: an approval of seven days is seven days everywhere. */
function approvalEnd(from: string, period: string): string {
  return Temporal.Instant.from(from).toZonedDateTimeISO('UTC').add(period).toInstant().toString({ fractionalSecondDigits: 0 });
}

function cutoffOf(rules: readonly CollectionRule[], collection: string): string | undefined {
  const rule = rules.find((candidate) => candidate.collection === collection);
  return rule && latestCutoff(rule)?.instant;
}

function forecastOf(purge: PurgePlan, at: string): Forecast {
  return {
    at,
    steps: purge.forecast.map(({ collection, due, held, floored, indeterminate, blocked, exact, partOids }) => ({ collection, due, held, floored, indeterminate, blocked, exact, ...(partOids ? { parts: partOids.join(' ') } : {}) })),
    walMegabytes: Math.ceil(purge.walMegabytes),
  };
}

/** Rows a run would delete. */
export function forecastTotal(steps: readonly Pick<StepForecast, 'due'>[]): number {
  return steps.reduce((sum, step) => sum + step.due, 0);
}

export interface ApprovalInput {
  policy: RetentionPolicy;
  plan: Plan;
  forecast: readonly StepForecast[];
  rules: readonly CollectionRule[];
  normals: ReadonlyMap<string, NormalRule>;
  /** What was last approved and verified in this store under this policy. */
  approved: readonly ApprovedRule[];
  inventory: Inventory;
}

/** Everything that makes a person necessary for this plan; empty: it may run on the standing approval of earlier runs. */
export function approvalReasons(input: ApprovalInput): ApprovalReason[] {
  const { policy, plan } = input;
  const settings = policy.spec.purge;
  const reasons: ApprovalReason[] = [];
  if (settings?.approval.required === 'Always') reasons.push({ reason: 'Always', message: 'spec.purge.approval.required is Always' });
  for (const step of plan.steps) {
    const current = input.normals.get(step.collection);
    const approved = input.approved.find((rule) => rule.collection === step.collection);
    const changed = current && compareRules(approved && readNormal(approved.rule), current, step.collection);
    if (changed) reasons.push(changed);
    const column = approved && columnSinceApproval(approved.rule, plan.tables);
    if (column !== undefined) reasons.push({ reason: 'RuleChanged', message: `${step.collection}: ${column}; the rule speaks of other data by the same names` });
    const rule = input.rules.find((candidate) => candidate.collection === step.collection);
    const next = rule && latestCutoff(rule);
    const advance = next && compareCutoffs(approved?.cutoff, next, plan.limits.maxCutoffAdvance, step.collection);
    if (advance) reasons.push(advance);
  }
  return [...reasons, ...limitReasons(input)];
}

function limitReasons({ plan, forecast, rules, inventory }: ApprovalInput): ApprovalReason[] {
  const reasons: ApprovalReason[] = [];
  const total = forecastTotal(forecast);
  if (total > plan.limits.maxRows) reasons.push({ reason: 'TooManyRows', message: `${total} rows are due, limits.maxRows is ${plan.limits.maxRows}; an approval that means it names maxRows` });
  if (forecast.some((step) => !step.exact)) reasons.push({ reason: 'TooManyRows', message: 'the rows could not be counted exactly within the budget, so no limit can vouch for them' });
  const { maxPercent } = plan.limits;
  if (maxPercent === undefined) return reasons;
  for (const step of forecast) {
    const table = rules.find((rule) => rule.collection === step.collection)?.table;
    const rows = inventory.tables.find((fact) => fact.schema === table?.schema && fact.name === table.name)?.estimatedRows;
    if (rows !== undefined && step.due * 100 <= rows * maxPercent) continue;
    reasons.push({ reason: 'TooManyRows', message: `${step.collection}: ${step.due} rows are more than ${maxPercent} % of ${rows ?? 'an unknown number of'} rows` });
  }
  return reasons;
}

/** A record of another algebra proves nothing about this one. */
export function readNormal(text: string): NormalRule | undefined {
  const rule = JSON.parse(text) as NormalRule | null;
  return rule?.algebra === 1 ? rule : undefined;
}

/**
 * Whether what is declared now would delete more than a plan that was approved. What only narrows - a longer
 * period, a new minimum, a hold - never supersedes a plan; it is applied when the plan runs.
 */
export function widerThanPlanned(plan: Plan, normals: ReadonlyMap<string, NormalRule>): string | undefined {
  for (const step of plan.steps) {
    const planned = readNormal(step.rule);
    const current = normals.get(step.collection);
    if (!current) continue;
    const wider = compareRules(planned, current, step.collection);
    if (wider) return wider.message;
  }
  return undefined;
}
