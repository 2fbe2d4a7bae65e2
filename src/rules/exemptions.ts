import { createHash } from 'node:crypto';
import type { DataMap, NonPersonalTable, PinnedTable } from '../api/generated/dataMap.ts';
import type { Inventory, TableFact } from '../stores/facts.ts';
import { tableName } from '../stores/predicate.ts';
import { tablesOf } from './collections.ts';

/** What a status has room for: names of columns are most of it. */
const MOST_TABLES = 500;
const MOST_COLUMNS = 10_000;

/** What is left of a map's statements that tables hold no personal data. */
export interface Exemptions {
  /** For the status of the map, by table: what later looks are compared with. */
  pinned: PinnedTable[];
  /** Tables (`tableName`) whose statement lapsed, with the columns they got since. */
  lapsed: ReadonlyMap<string, string[]>;
  /** Tables there is no room to watch: nobody would see them grow, so the statement does not hold for them. */
  unwatched: ReadonlySet<string>;
  /** Tables the statement holds for. */
  standing: ReadonlySet<string>;
}

/**
 * Compares the tables under `spec.nonPersonal` with their columns when the statement was first seen: whoever made it did
 * not speak of columns that came later. A statement whose words changed, the review date for one, is a new one, made of
 * the columns of now. A table that is gone stays pinned, so that coming back with more columns is seen. Pure.
 */
export function exemptions(map: DataMap, inventory: Inventory): Exemptions {
  const before = new Map((map.status?.pinned ?? []).map((pin) => [pin.table, pin]));
  const wanted = statements(map, inventory, before);
  const known = (pin: PinnedTable): boolean => before.get(pin.table)?.statement === pin.statement;
  const ordered = [...wanted.values()].toSorted((a, b) => Number(known(b.pin)) - Number(known(a.pin)) || (a.pin.table < b.pin.table ? -1 : 1));
  const pinned: PinnedTable[] = [];
  const lapsed = new Map<string, string[]>();
  const unwatched = new Set<string>();
  const standing = new Set<string>();
  let columns = 0;
  for (const { pin, table } of ordered) {
    if (pinned.length === MOST_TABLES || columns + pin.columns.length > MOST_COLUMNS) {
      unwatched.add(pin.table);
      continue;
    }
    pinned.push(pin);
    columns += pin.columns.length;
    const added = namesOf(table).filter((name) => !pin.columns.includes(name));
    if (added.length > 0) lapsed.set(pin.table, added);
    else standing.add(pin.table);
  }
  return { pinned: pinned.toSorted((a, b) => (a.table < b.table ? -1 : 1)), lapsed, unwatched, standing };
}

/** Each table somebody speaks of with its pin: the one it has, where the words are still the same. The first statement about a table counts. */
function statements(map: DataMap, inventory: Inventory, before: ReadonlyMap<string, PinnedTable>): Map<string, { pin: PinnedTable; table?: TableFact }> {
  const wanted = new Map<string, { pin: PinnedTable; table?: TableFact }>();
  const made = new Set<string>();
  for (const entry of map.spec.nonPersonal ?? []) {
    const statement = statementOf(entry);
    made.add(statement);
    for (const table of tablesOf(entry.table, inventory)) {
      const key = tableName(table);
      if (wanted.has(key)) continue;
      const old = before.get(key);
      wanted.set(key, { table, pin: old?.statement === statement ? old : { table: key, statement, columns: namesOf(table) } });
    }
  }
  for (const pin of before.values()) if (!wanted.has(pin.table) && made.has(pin.statement)) wanted.set(pin.table, { pin });
  return wanted;
}

const namesOf = (table: TableFact | undefined): string[] => table?.columns.map((column) => column.name) ?? [];

/** Tells one statement from another, so that a changed one is seen. */
function statementOf({ table, reason, by, reviewAt }: NonPersonalTable): string {
  return createHash('sha256').update(JSON.stringify([table.schema, table.name, reason, by, reviewAt])).digest('hex').slice(0, 16);
}
