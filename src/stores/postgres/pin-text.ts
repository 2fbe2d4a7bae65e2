import { compareText } from '../../api/compare-text.ts';
import { tableKey } from '../predicate.ts';
import type { TableAddress } from '../predicate.ts';
import type { ColumnPin, ColumnPins } from './held-columns.ts';

/** Pins as they stand in `dataward.hold_item.columns`: a thousand partitions whose columns have the same numbers are one entry. */
export interface StoredPins {
  database: string;
  /** What the table of the item was called when it was last looked at; absent: it was not there. */
  called?: TableAddress;
  tables: StoredTable[];
}

interface StoredTable extends TableAddress {
  oid: string;
  /** Numbers of tables, with blanks between them. */
  parts: string;
  columns: { name: string; number: number; type: string; called: string }[];
}

export function packPins({ database, pins }: ColumnPins): StoredPins {
  const byPart = new Map<string, ColumnPin[]>();
  for (const pin of pins) {
    const key = JSON.stringify([tableKey(pin.table), pin.oid, pin.part]);
    byPart.set(key, [...(byPart.get(key) ?? []), pin]);
  }
  const groups = new Map<string, { table: Omit<StoredTable, 'parts'>; parts: string[] }>();
  for (const [first, ...more] of byPart.values()) {
    if (first === undefined) continue;
    const columns = [first, ...more].map(({ column, number, type, called }) => ({ name: column, number, type, called })).toSorted((a, b) => compareText(a.name, b.name));
    const { schema, name } = first.table;
    const table = { schema, name, oid: first.oid, columns };
    const group = groups.get(JSON.stringify(table)) ?? { table, parts: [] };
    group.parts.push(first.part);
    groups.set(JSON.stringify(table), group);
  }
  return { database, tables: [...groups.values()].map(({ table, parts }) => ({ ...table, parts: parts.join(' ') })) };
}

export function unpackPins({ database, tables }: StoredPins): ColumnPins {
  const pins = tables.flatMap(({ schema, name, oid, parts, columns }) =>
    parts.split(' ').flatMap((part) => columns.map(({ name: column, ...rest }): ColumnPin => ({ table: { schema, name }, oid, part, column, ...rest }))));
  return { database, pins };
}
