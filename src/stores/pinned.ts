import { StoreError } from './errors.ts';
import { tableKey, tableName } from './predicate.ts';
import type { TableAddress } from './predicate.ts';
import type { PinnedTable } from './purging.ts';

/**
 * A sentence for the first table that is another one than a plan was made on: its name was given to another. A table that is
 * not there is none of these; nothing can be deleted from it, nor counted in it. Undefined: there is none.
 *
 * @param tables as they are now
 */
export function replacedTable(pinned: readonly PinnedTable[], tables: readonly (TableAddress & { oid: string })[]): string | undefined {
  const now = new Map(tables.map((table) => [tableKey(table), table.oid]));
  const found = pinned.find((table) => (now.get(tableKey(table)) ?? table.oid) !== table.oid);
  return found && replaced(found, now.get(tableKey(found)) ?? 'none');
}

/** @throws StoreError `Replaced` */
export function requirePinned(pinned: readonly PinnedTable[] | undefined, tables: readonly (TableAddress & { oid: string })[]): void {
  const problem = replacedTable(pinned ?? [], tables);
  if (problem !== undefined) throw new StoreError('Replaced', problem);
}

/** @param now what the name belongs to by now */
export function replaced(table: PinnedTable, now: string): string {
  return `${tableName(table)} is another table than the one the plan was made on (oid ${now}, then ${table.oid}): that one was dropped, or renamed and this one put in its place. Nothing is deleted from this one, and due rows may live on in the other under another name; drop it or rename it back, then plan again`;
}
