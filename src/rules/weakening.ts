import { compareText } from '../api/compare-text.ts';
import type { CollectionRule } from '../stores/counting.ts';
import { tableName } from '../stores/predicate.ts';
import type { Cutoff } from '../stores/predicate.ts';
import { daysBetween, type RoundUp } from './cutoff.ts';
import type { AppliedRule, EffectiveCollection } from './effective.ts';
import { dayBounds, neverShorter, type Period } from './period.ts';

/**
 * What decides which rows of a collection may go, without the day it is looked at: two equal normal forms make
 * the same rows due. Kept beside the data after each verified run, compared before the next.
 */
export interface NormalRule {
  algebra: 1;
  table: string;
  maxima: NormalPeriod[];
  minimums: NormalPeriod[];
  /** Links declared into the table, sorted; absent: none. */
  referredBy?: string[];
}

interface NormalPeriod {
  scope: string;
  period: Period;
  roundUp: RoundUp;
}

export function normalRule(effective: EffectiveCollection, policyUid: string): NormalRule {
  return {
    algebra: 1,
    table: tableName(effective.collection.table),
    maxima: normalPeriods(effective.maxima.filter((rule) => rule.policy.uid === policyUid), effective, effective.ownRuleClients),
    minimums: normalPeriods(effective.minimums, effective, []),
    ...(effective.referredBy.length > 0 ? { referredBy: effective.referredBy } : {}),
  };
}

/** @param leftOut clients whose rows a rule for all clients does not speak of. */
function normalPeriods(rules: readonly AppliedRule[], effective: EffectiveCollection, leftOut: readonly string[]): NormalPeriod[] {
  const client = effective.collection.client;
  return rules
    .map((rule) => ({
      scope: JSON.stringify([rule.event, rule.time ?? null, rule.timeZone, rule.rows ?? null, rule.clients ?? null, client ?? null, rule.clients ? [] : leftOut]),
      period: rule.period,
      roundUp: rule.roundUp,
    }))
    .toSorted((a, b) => compareText(`${a.scope} ${a.period}`, `${b.scope} ${b.period}`));
}

/** Why a person has to approve a run; several may hold at once. */
export interface ApprovalReason {
  reason: 'FirstRun' | 'RuleChanged' | 'CutoffAdvance' | 'TooManyRows' | 'Always';
  message: string;
}

/**
 * Compares an effective rule with the one last approved. Anything but "identical" or "provably only longer"
 * asks a person, whichever object was edited: a period, a category, a label, a map, a removed minimum.
 */
export function compareRules(approved: NormalRule | undefined, current: NormalRule, collection: string): ApprovalReason | undefined {
  if (!approved) return { reason: 'FirstRun', message: `${collection}: no run under this policy has been approved and verified yet` };
  const shorter = current.maxima.find((rule) => !approved.maxima.some((old) => old.scope === rule.scope && keepsAtLeast(rule, old)));
  if (shorter) {
    const old = approved.maxima.find((candidate) => candidate.scope === shorter.scope);
    const change = old ? `the maximum went from ${old.period} to ${shorter.period}` : 'the maximum speaks of other rows or another clock than before';
    return { reason: 'RuleChanged', message: `${collection}: ${change}; rows become due earlier than under the rule last approved` };
  }
  const lost = approved.minimums.find((old) => !current.minimums.some((rule) => rule.scope === old.scope && keepsAtLeast(rule, old)));
  if (lost) return { reason: 'RuleChanged', message: `${collection}: a minimum of ${lost.period} that protected rows is gone or shorter` };
  const unlinked = approved.referredBy?.find((link) => !current.referredBy?.includes(link));
  if (unlinked) return { reason: 'RuleChanged', message: `${collection}: rows that refer to it by ${unlinked} no longer keep its rows, because the data map does not declare that reference any more` };
  if (current.table !== approved.table) return { reason: 'RuleChanged', message: `${collection}: now means table ${current.table}, not ${approved.table}` };
  return undefined;
}

const ROUNDING: Record<RoundUp, number> = { None: 0, EndOfMonth: 1, EndOfYear: 2 };

function keepsAtLeast(rule: NormalPeriod, old: NormalPeriod): boolean {
  return neverShorter(rule.period, old.period) && ROUNDING[rule.roundUp] >= ROUNDING[old.roundUp];
}

/**
 * Whether the cutoff moved further than a policy lets it move unseen. It stops a mistyped period (`P2M` for
 * `P25M`) whatever the table's size.
 */
export function compareCutoffs(last: string | undefined, next: Cutoff, maxAdvance: Period, collection: string): ApprovalReason | undefined {
  if (last === undefined) return undefined;
  const days = daysBetween(last.slice(0, 10), next.localDate);
  if (days <= dayBounds(maxAdvance).most) return undefined;
  return { reason: 'CutoffAdvance', message: `${collection}: the cutoff would move ${days} days, from ${last.slice(0, 10)} to ${next.localDate}; limits.maxCutoffAdvance is ${maxAdvance}` };
}

/** The latest cutoff in a rule's due predicate: what a run under it deletes up to. */
export function latestCutoff(rule: CollectionRule): Cutoff | undefined {
  const found: Cutoff[] = [];
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    if ('op' in node && node.op === 'before' && 'cutoff' in node) found.push(node.cutoff as Cutoff);
    for (const value of Object.values(node)) walk(value);
  };
  walk(rule.due);
  return found.toSorted((a, b) => compareText(a.localDate, b.localDate)).at(-1);
}
