import { StoreError } from './errors.ts';
import { tableKey, tableName } from './predicate.ts';
import type { TableAddress } from './predicate.ts';
import type { PinnedColumn, PinnedTable } from './purging.ts';

/** A table as it is now; of its columns at least those that are compared. */
export interface NamedTable extends TableAddress {
  oid: string;
  columns?: readonly PinnedColumn[];
}

/**
 * A sentence for the first table, or column of it, that is another one than a plan was made on: its name was given to another.
 * What is not there is none of these; nothing can be deleted from it, nor by it, nor counted in it. Undefined: there is none.
 *
 * @param tables as they are now
 */
export function replacedTable(pinned: readonly PinnedTable[], tables: readonly NamedTable[]): string | undefined {
  const now = new Map(tables.map((table) => [tableKey(table), table]));
  for (const table of pinned) {
    const found = now.get(tableKey(table));
    if (found === undefined) continue;
    if (found.oid !== table.oid) return replaced(table, found.oid);
    const column = changedColumn(table, found);
    if (column !== undefined) return `${column} when the plan was made. Nothing is deleted by this one; ${WHAT_TO_DO}`;
  }
  return undefined;
}

const WHAT_TO_DO = 'give the columns their names back, or correct the data map, then plan again';

/** The first column of a table that is another one than before, as `<what it is now>, then <what it was>`; undefined also where it is another table. */
export function changedColumn(before: PinnedTable, now: NamedTable): string | undefined {
  if (before.oid !== now.oid) return undefined;
  for (const { name, number, type } of before.columns ?? []) {
    const found = now.columns?.find((column) => column.name === name);
    if (found === undefined || (found.number === number && found.type === type)) continue;
    const what = `${name} of ${tableName(before)} is`;
    return found.number === number ? `${what} of type ${found.type} by now, and was of type ${type}` : `${what} another column by now (number ${found.number}), which had another name, or none, and number ${number} was called so`;
  }
  return undefined;
}

/** @throws StoreError `Replaced` */
export function requirePinned(pinned: readonly PinnedTable[] | undefined, tables: readonly NamedTable[]): void {
  const problem = replacedTable(pinned ?? [], tables);
  if (problem !== undefined) throw new StoreError('Replaced', problem);
}

/** @param now what the name belongs to by now */
export function replaced(table: PinnedTable, now: string): string {
  return `${tableName(table)} is another table than the one the plan was made on (oid ${now}, then ${table.oid}): that one was dropped, or renamed and this one put in its place. Nothing is deleted from this one, and due rows may live on in the other under another name; drop it or rename it back, then plan again`;
}
