import type { Inventory, TableFact } from '../stores/facts.ts';
import { tableKey } from '../stores/predicate.ts';

/**
 * For each table that inherits from others, by `tableKey`: all it inherits from, directly or through others. Its rows are
 * rows of each of them. Partitions are left out, since nobody describes them on their own.
 */
export function ancestorsOf({ tables }: Pick<Inventory, 'tables'>): ReadonlyMap<string, ReadonlySet<string>> {
  const inheriting = new Map(tables.filter((table) => table.parents.length > 0 && !isPartition(table)).map((table) => [tableKey(table), table.parents.map(tableKey)]));
  const above = (key: string): string[] => (inheriting.get(key) ?? []).flatMap((parent) => [parent, ...above(parent)]);
  return new Map([...inheriting.keys()].map((key) => [key, new Set(above(key))]));
}

/** A partition, also one that has partitions of its own: a partitioned table can inherit from nothing else. */
export function isPartition({ kind, parents }: Pick<TableFact, 'kind' | 'parents'>): boolean {
  return kind === 'Partition' || (kind === 'PartitionedTable' && parents.length > 0);
}
