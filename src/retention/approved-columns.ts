import { canonicalJson } from '../evidence/canonical.ts';
import type { NormalRule } from '../rules/weakening.ts';
import type { CollectionRule } from '../stores/counting.ts';
import { changedColumn } from '../stores/pinned.ts';
import { tableKey } from '../stores/predicate.ts';
import type { TableAddress } from '../stores/predicate.ts';
import type { PinnedTable } from '../stores/purging.ts';

/**
 * A rule as it is remembered in the store once a run under it was verified: with the tables it speaks of, as that run
 * knew them. By its names alone it would go on to stand for any column that takes one of them.
 *
 * @param tables those of the run's plan
 */
export function rememberedRule(normal: NormalRule, rule: CollectionRule | undefined, tables: readonly PinnedTable[]): string {
  const named = new Set(namedIn(rule).map(tableKey));
  return canonicalJson({ ...normal, tables: tables.filter((table) => named.has(tableKey(table))) });
}

/**
 * A sentence for a column that a remembered rule asked for and whose name another one has by now, or whose type is another.
 * Undefined: there is none. What holds for a table holds for one that takes its place, too.
 *
 * @param remembered as it stands in the store; an older release remembered no tables
 * @param tables of the plan that is to be approved
 */
export function columnSinceApproval(remembered: string, tables: readonly PinnedTable[]): string | undefined {
  const before = (JSON.parse(remembered) as { tables?: PinnedTable[] } | null)?.tables ?? [];
  for (const table of before) {
    const now = tables.find((each) => tableKey(each) === tableKey(table));
    const changed = now && changedColumn(table, now);
    if (changed !== undefined) return `${changed} when a run under it was last approved`;
  }
  return undefined;
}

/** Every table a rule names, wherever it does. */
function namedIn(node: unknown): TableAddress[] {
  if (typeof node !== 'object' || node === null) return [];
  if ('schema' in node && 'name' in node && typeof node.schema === 'string' && typeof node.name === 'string') return [{ schema: node.schema, name: node.name }];
  return Object.values(node).flatMap(namedIn);
}
