import { compareText } from '../api/compare-text.ts';
import type { Maximum, Minimum, RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { tableKey } from '../stores/predicate.ts';
import type { Predicate, TimeField } from '../stores/predicate.ts';
import { groupBy, type MappedCollection } from './collections.ts';
import { cutoff, dueSince, type RoundUp } from './cutoff.ts';
import type { Period } from './period.ts';
import { referenceText } from './references.ts';
import { rowFields, rowsPredicate } from './rows.ts';
import { coversCollection } from './select.ts';

/** One period of one policy as it applies to one collection. */
export interface AppliedRule {
  policy: PolicyRef;
  event: string;
  /** Absent: the collection declares no such event. A minimum then keeps every row, a maximum does nothing. */
  time?: TimeField;
  period: Period;
  roundUp: RoundUp;
  timeZone: string;
  /** Which rows it speaks of; undefined: the collection cannot express it (see `rows.ts`). */
  rows?: Predicate;
  /** Client keys it speaks of; absent: all. */
  clients?: string[];
  /** Its basis is a legal obligation. */
  statutory: boolean;
}

export interface PolicyRef {
  namespace: string;
  name: string;
  uid: string;
}

/** What holds for a collection, winners and losers, with the reason of each. */
export interface EffectiveCollection {
  collection: MappedCollection;
  /** Maxima that decide; each deletes only through its own policy. */
  maxima: AppliedRule[];
  minimums: AppliedRule[];
  losers: { policy: PolicyRef; because: string }[];
  /**
   * Clients with a maximum of their own, sorted; the general maxima leave them out. Also where that maximum cannot
   * work here for want of its event or a column: the client has spoken, and silence is not what it said.
   */
  ownRuleClients: string[];
  /** A sentence when a minimum reaches beyond a maximum: the rows stay and a person has to decide. */
  conflict?: string;
  /** Policies that select the collection but whose start event it does not declare. */
  withoutStartEvent: PolicyRef[];
  /** Policies whose `rows` name a column the collection does not have. */
  withoutColumn: PolicyRef[];
  /** Links that maps declare into its table (`referenceText`), sorted: rows that refer by them keep its rows. */
  referredBy: string[];
}

/**
 * The retention algebra over one store: for each collection, which maximum decides and which minimums keep.
 *
 * - Minimums add up: every one keeps its rows, whatever its policy's mode, suspension or specificity.
 * - Of maxima that speak of the same rows by the same event, the shortest wins; the others never delete.
 * - A client's own maximum replaces the general one for that client (see `ruleset.ts`).
 * - A conflict is reported and keeps the row; nothing is ever deleted to resolve it.
 *
 * Pure. `policies` are those that cover the store; their order does not matter.
 */
export function effectiveRules(collections: readonly MappedCollection[], policies: readonly RetentionPolicy[], now: string): EffectiveCollection[] {
  const sorted = policies.toSorted((a, b) => compareText(policyKey(refOf(a)), policyKey(refOf(b))));
  const links = referencesByTarget(collections);
  return collections.map((collection) => effectiveFor(collection, sorted, links.get(tableKey(collection.table)) ?? [], now));
}

function referencesByTarget(collections: readonly MappedCollection[]): Map<string, string[]> {
  const links = collections.flatMap((from) => (from.references ?? []).map((reference) => ({ to: tableKey(reference.table), text: referenceText(from.table, reference) })));
  return new Map([...groupBy(links, ({ to }) => to)].map(([to, group]) => [to, [...new Set(group.map(({ text }) => text))].toSorted()]));
}

function effectiveFor(collection: MappedCollection, policies: readonly RetentionPolicy[], referredBy: string[], now: string): EffectiveCollection {
  const minimums: AppliedRule[] = [];
  const candidates: AppliedRule[] = [];
  for (const policy of policies) {
    const { minimum, maximum } = policy.spec;
    if (minimum && coversCollection(policy.spec.collections, collection, 'Protecting')) minimums.push(applied(policy, minimum, collection));
    if (maximum && coversCollection(policy.spec.collections, collection, 'Destroying')) candidates.push(applied(policy, maximum, collection));
  }
  const { winners, losers } = shortestPerScope(candidates.filter((rule) => rule.time && rule.rows), now);
  const conflict = conflictOf(minimums, winners, now);
  return {
    collection,
    maxima: winners,
    minimums,
    losers,
    ownRuleClients: [...new Set(candidates.flatMap((rule) => rule.clients ?? []))].toSorted(),
    ...(conflict ? { conflict } : {}),
    withoutStartEvent: [...minimums, ...candidates].filter((rule) => !rule.time).map((rule) => rule.policy),
    withoutColumn: [...minimums, ...candidates].filter((rule) => !rule.rows).map((rule) => rule.policy),
    referredBy,
  };
}

function applied(policy: RetentionPolicy, spec: Minimum | Maximum, collection: MappedCollection): AppliedRule {
  const time = collection.times[spec.from];
  const expressible = rowFields(policy.spec.rows).every((field) => collection.columns.includes(field));
  return {
    policy: refOf(policy),
    event: spec.from,
    ...(time ? { time } : {}),
    period: spec.period,
    roundUp: spec.roundUp,
    timeZone: policy.spec.timeZone,
    ...(expressible ? { rows: rowsPredicate(policy.spec.rows) } : {}),
    ...(policy.spec.clients.keys ? { clients: policy.spec.clients.keys.toSorted() } : {}),
    statutory: spec.basis.type === 'LegalObligation',
  };
}

/** Groups maxima that speak of the same rows by the same clock; within a group the one that ends first decides. */
function shortestPerScope(candidates: readonly AppliedRule[], now: string): { winners: AppliedRule[]; losers: EffectiveCollection['losers'] } {
  const winners = new Map<string, AppliedRule>();
  const losers: EffectiveCollection['losers'] = [];
  for (const rule of candidates) {
    const scope = JSON.stringify([rule.event, rule.rows, rule.clients ?? null]);
    const standing = winners.get(scope);
    if (!standing) {
      winners.set(scope, rule);
      continue;
    }
    const [winner, loser] = cutoffOf(rule, now) > cutoffOf(standing, now) ? [rule, standing] : [standing, rule];
    winners.set(scope, winner);
    losers.push({ policy: loser.policy, because: `${policyKey(winner.policy)} has the shorter maximum ${winner.period} from ${winner.event}` });
  }
  return { winners: [...winners.values()], losers };
}

function conflictOf(minimums: readonly AppliedRule[], maxima: readonly AppliedRule[], now: string): string | undefined {
  for (const maximum of maxima) {
    const longer = minimums.find((minimum) => minimum.event === maximum.event && clientsMeet(minimum, maximum) && cutoffOf(minimum, now) < cutoffOf(maximum, now));
    if (!longer) continue;
    const rank = longer.statutory ? 'a legal obligation' : 'not a legal obligation, so it should not lengthen a maximum';
    return `minimum ${longer.period} of ${policyKey(longer.policy)} (${rank}) ends after maximum ${maximum.period} of ${policyKey(maximum.policy)}; the rows in between are kept until one of the two is changed`;
  }
  return undefined;
}

function clientsMeet(a: AppliedRule, b: AppliedRule): boolean {
  return !a.clients || !b.clients || a.clients.some((client) => b.clients?.includes(client));
}

/** As an instant: two zones may agree on the local date and not on when it begins. */
const cutoffOf = (rule: AppliedRule, now: string): number => Date.parse(cutoff(now, rule.period, rule.timeZone, rule.roundUp).instant);

/**
 * When the oldest due row of a collection became due, given when it started. With several maxima the latest of
 * their answers, because the count does not tell under which of them the row is due: better a day late than an
 * overdue nobody owes.
 */
export function oldestDueSince(effective: EffectiveCollection | undefined, oldestStart: string | undefined): string | undefined {
  if (!effective || oldestStart === undefined) return undefined;
  return effective.maxima.map((rule) => dueSince(oldestStart, rule.period, rule.timeZone, rule.roundUp)).toSorted().at(-1);
}

export const refOf = (policy: RetentionPolicy): PolicyRef => ({ namespace: policy.metadata.namespace ?? '', name: policy.metadata.name, uid: policy.metadata.uid ?? '' });
export const policyKey = (policy: PolicyRef): string => `${policy.namespace}/${policy.name}`;
