import { groupBy } from '../rules/collections.ts';
import { components, tablesReadBy } from '../rules/components.ts';
import { ruleset } from '../rules/ruleset.ts';
import type { StoreRules } from '../rules/store-rules.ts';
import type { Inventory } from '../stores/facts.ts';
import { tableKey } from '../stores/predicate.ts';
import type { TableAddress } from '../stores/predicate.ts';

/** The tables each identity of a store needs for its work, as the rules are now. */
export interface WorkTables {
  /** Counted by the observing one. */
  observe: TableAddress[];
  /** Read by the enforcing and the verifying one, to tell which rows go. */
  judge: TableAddress[];
  /** Deleted from by the enforcing one: tables under a maximum that is planned by, with every part of them. */
  enforce: TableAddress[];
}

/**
 * Whose rights are to be asked for where. Rows are judged by whatever foreign keys and rules join with them, so all of that
 * has to be read. A policy in mode Observe asks nobody to delete anything. Pure.
 *
 * @param now RFC 3339
 */
export function workTables({ effective, policies }: StoreRules, inventory: Inventory, now: string): WorkTables {
  const rules = ruleset(effective, { now });
  const planning = new Set(policies.filter((policy) => policy.spec.purge && policy.spec.purge.mode !== 'Observe').map(({ metadata }) => metadata.uid));
  const targets = new Set(effective.filter(({ maxima }) => maxima.some((rule) => planning.has(rule.policy.uid))).map(({ collection }) => collection.id));
  const due = rules.filter((rule) => rule.due && targets.has(rule.collection));
  const joined = new Set(components(rules, inventory).filter((group) => due.some((rule) => group.includes(rule.collection))).flat());
  const judged = rules.filter((rule) => joined.has(rule.collection));
  return {
    observe: rules.flatMap((rule) => [rule.table, ...tablesReadBy(rule)]),
    judge: judged.flatMap((rule) => [rule.table, ...tablesReadBy(rule)]),
    enforce: withParts(due.map(({ table }) => table), inventory),
  };
}

/** Rows are deleted where they lie: in partitions, and in tables that inherit. */
function withParts(tables: readonly TableAddress[], inventory: Inventory): TableAddress[] {
  const children = groupBy(
    inventory.tables.flatMap((table) => table.parents.map((parent) => ({ parent: tableKey(parent), table }))),
    ({ parent }) => parent,
  );
  const found = new Map(tables.map((table) => [tableKey(table), table]));
  // A map may grow while it is gone through.
  for (const key of found.keys()) for (const { table } of children.get(key) ?? []) found.set(tableKey(table), { schema: table.schema, name: table.name });
  return [...found.values()];
}
