import type { CollectionRule } from '../stores/counting.ts';
import type { Guard, Predicate, TimeField } from '../stores/predicate.ts';
import { cutoff } from './cutoff.ts';
import type { AppliedRule, EffectiveCollection } from './effective.ts';
import { policyKey } from './effective.ts';
import { allOf, anyOf } from './rows.ts';

/**
 * The rules of a store as its driver takes them, at one moment.
 *
 * @param policyUid whose maxima make rows due; a run belongs to one policy. `undefined`: every winning maximum
 * (for counts). Guards are always all of them.
 * @param now RFC 3339; decides every cutoff.
 */
export function ruleset(effective: readonly EffectiveCollection[], options: { policyUid?: string; now: string }): CollectionRule[] {
  return effective.map((each) => collectionRule(each, options));
}

function collectionRule(each: EffectiveCollection, options: { policyUid?: string; now: string }): CollectionRule {
  const { collection } = each;
  const deciding = each.maxima.filter((rule) => options.policyUid === undefined || rule.policy.uid === options.policyUid);
  const due = isOverlapping(each) ? [] : deciding.flatMap((rule) => duePredicate(rule, each, options.now));
  const client = collection.client;
  return {
    collection: collection.id,
    table: collection.table,
    ...(due.length > 0 ? { due: anyOf(due) } : {}),
    guards: each.minimums.map((rule) => minimumGuard(rule, each, options.now)),
    times: distinctTimes([...each.maxima, ...each.minimums]),
    ...(client && 'value' in client ? { client } : {}),
    ...(client && 'path' in client && client.path.via.length === 0 ? { client: { field: client.path.field } } : {}),
    acknowledged: collection.acknowledged,
    ...(collection.references ? { references: collection.references } : {}),
  };
}

const isOverlapping = (each: EffectiveCollection): boolean => each.collection.problems.some((problem) => problem.reason === 'MapOverlap');

/**
 * Why the maxima of a collection make no row due, whatever its age: a count of no due rows then says nothing good.
 * Undefined where one of them can work, or there is none.
 */
export function inertBecause(each: EffectiveCollection): string | undefined {
  if (each.maxima.length === 0) return undefined;
  if (isOverlapping(each)) return 'two maps claim its table; nothing is deleted there until one of them lets go';
  const works = each.maxima.some((rule) => clientPart(rule, each, 'Destroying') && overriddenClients(rule, each));
  return works ? undefined : 'a policy speaks of single clients and the collection declares no client key, so nothing is deleted there';
}

/**
 * Rows a maximum makes due. NULL, infinite, future and implausible times are never due: eligibility needs
 * positive proof of expiry. Empty when the collection cannot tell whose rows the rule speaks of.
 */
function duePredicate(rule: AppliedRule, each: EffectiveCollection, now: string): Predicate[] {
  if (!rule.time || !rule.rows) return [];
  const clients = clientPart(rule, each, 'Destroying');
  const others = overriddenClients(rule, each);
  if (!clients || !others) return [];
  return [
    allOf([
      { op: 'before', time: rule.time, cutoff: cutoff(now, rule.period, rule.timeZone, rule.roundUp) },
      { op: 'not', of: { op: 'indeterminate', time: rule.time, now } },
      rule.rows,
      clients,
      others,
    ]),
  ];
}

/** Rows a minimum keeps: not yet past it, or of unknown age. A minimum the collection cannot express keeps everything. */
function minimumGuard(rule: AppliedRule, each: EffectiveCollection, now: string): Guard {
  const name = policyKey(rule.policy);
  if (!rule.time || !rule.rows) return { kind: 'Minimum', name, predicate: { op: 'true' } };
  const young: Predicate = anyOf([
    { op: 'notBefore', time: rule.time, cutoff: cutoff(now, rule.period, rule.timeZone, rule.roundUp) },
    { op: 'indeterminate', time: rule.time, now },
  ]);
  return { kind: 'Minimum', name, predicate: allOf([young, rule.rows, clientPart(rule, each, 'Protecting') as Predicate]) };
}

/** Restricts a rule to its clients; undefined when a destroying rule cannot tell them apart. */
function clientPart(rule: AppliedRule, each: EffectiveCollection, reach: 'Destroying' | 'Protecting'): Predicate | undefined {
  if (!rule.clients) return { op: 'true' };
  const client = each.collection.client;
  if (!client) return reach === 'Protecting' ? { op: 'true' } : undefined;
  if ('value' in client) return rule.clients.includes(client.value) ? { op: 'true' } : { op: 'false' };
  return { op: 'oneOf', field: client.path, values: rule.clients };
}

/**
 * Takes the clients out of a general maximum that have one of their own: theirs replaces it, also when it is
 * longer. A row whose client is NULL is then neither: unknown, so not due.
 */
function overriddenClients(rule: AppliedRule, each: EffectiveCollection): Predicate | undefined {
  if (rule.clients) return { op: 'true' };
  const overridden = each.ownRuleClients;
  if (overridden.length === 0) return { op: 'true' };
  const client = each.collection.client;
  if (!client) return undefined;
  if ('value' in client) return overridden.includes(client.value) ? { op: 'false' } : { op: 'true' };
  return { op: 'not', of: { op: 'oneOf', field: client.path, values: overridden } };
}

function distinctTimes(rules: readonly AppliedRule[]): TimeField[] {
  const byText = new Map(rules.flatMap((rule) => (rule.time ? [[JSON.stringify(rule.time), rule.time] as const] : [])));
  return [...byText.values()];
}
