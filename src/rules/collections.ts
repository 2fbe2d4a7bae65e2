import type { DataMap } from '../api/generated/dataMap.ts';
import type { Inventory, TableFact } from '../stores/facts.ts';
import type { DeclaredReference } from '../stores/counting.ts';
import { tableKey } from '../stores/predicate.ts';
import type { FieldPath, TableAddress, TimeField } from '../stores/predicate.ts';
import { ancestorsOf, isPartition } from './inheritance.ts';
import { matchesPattern, type SelectableCollection } from './select.ts';

/** A declared collection, resolved against what the store really holds. */
export interface MappedCollection extends SelectableCollection {
  /** `namespace/map/collection`; for a pattern over many tables also `#schema.table`. */
  id: string;
  map: { namespace: string; name: string };
  table: TableAddress;
  columns: string[];
  subjectKeys: SubjectKey[];
  /** By event name. An event that could not be resolved is absent here and named in `problems`. */
  times: Record<string, TimeField>;
  client?: ClientKey;
  acknowledged: string[];
  /** Links to other tables without a foreign key; absent: none. */
  references?: DeclaredReference[];
  /** Sentences for the owner of the map: what is wrong, where, what to do. */
  problems: MapProblem[];
}

/**
 * Where the identifier of a person stands, for a path within JSON with its keys; or why it cannot be compared there, so
 * that nobody takes the rows in which other keys find no one for free.
 */
export type SubjectKey = { identity: string } & ({ path: FieldPath; keys?: string[] } | { because: string });

/** Whose data a row is: read from a column, or the same for the whole table. */
export type ClientKey = { path: FieldPath } | { value: string };

export interface MapProblem {
  /** `MissingTable | MissingColumn | TypeMismatch | UnresolvedReference | MapOverlap` */
  reason: string;
  collection: string;
  message: string;
}

/** Tables a pattern means. Partitions are implied by their parent and never named on their own. */
export function tablesOf(pattern: TableAddress, inventory: Inventory): TableFact[] {
  return inventory.tables.filter((table) => !isPartition(table) && matchesPattern(pattern.schema, table.schema) && matchesPattern(pattern.name, table.name));
}

/** Tables a pattern means as collections: what inherits from one of them is implied too, or its rows would be in two. */
export function collectionTables(pattern: TableAddress, inventory: Inventory): TableFact[] {
  const tables = tablesOf(pattern, inventory);
  const ancestors = ancestorsOf(inventory);
  const meant = new Set(tables.map(tableKey));
  return tables.filter((table) => ![...(ancestors.get(tableKey(table)) ?? [])].some((key) => meant.has(key)));
}

export const addressOf = (table: TableFact): TableAddress => ({ schema: table.schema, name: table.name });
export const mapId = (map: DataMap): string => `${map.metadata.namespace}/${map.metadata.name}`;

export function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
