import { tableKey, tableName } from '../predicate.ts';
import type { Predicate, TableAddress } from '../predicate.ts';
import { addressesOf } from './predicates.ts';
import { findsTheSame } from './same-values.ts';
import { namesRead, usesOf } from './uses.ts';
import type { ColumnUse } from './uses.ts';

/** A column by what the store knows it by, in one table: what a name in a hold's predicate meant when it was first put. */
export interface ColumnPin {
  /** The table as the predicate, or the hold, calls it, and its number then. */
  table: TableAddress;
  oid: string;
  /** The table the column is of: that one, what it is a part of, or a part of it. A column may have another number in each. */
  part: string;
  /** As the predicate calls it. */
  column: string;
  /** Its number there. 0: the column that was meant is gone. */
  number: number;
  /** Its base type when it was pinned, for which the predicate's values were written. */
  type: string;
  /** What it was called when it was last looked at. Empty: it was gone. */
  called: string;
}

export interface ColumnPins {
  /** The database they were read in. In another, as a dump makes one, numbers mean nothing, but names still do. */
  database: string;
  pins: readonly ColumnPin[];
}

/** The part of the catalogue that pins are compared with. */
export interface PinCatalogue {
  database: string;
  /** Number of the table that has a name, by `tableKey`. */
  oids: ReadonlyMap<string, string>;
  /** The columns of each table that is there, by its number. */
  columns: ReadonlyMap<string, readonly NumberedColumn[]>;
}

export interface NumberedColumn {
  name: string;
  number: number;
  type: string;
}

export interface PinnedItem {
  table: TableAddress;
  predicate: Predicate;
}

const columnOf = (catalogue: PinCatalogue, part: string, name: string): NumberedColumn | undefined => catalogue.columns.get(part)?.find((column) => column.name === name);

/** None of the tables is there any more: they were dropped and made anew, as a restore does, and what is left of them are names. */
function elsewhere({ database, pins }: ColumnPins, catalogue: PinCatalogue): boolean {
  return database !== catalogue.database || (pins.length > 0 && !pins.some(({ part }) => catalogue.columns.has(part)));
}

/**
 * Why an item of a hold has to keep every row of its table: a name in it belongs to another column, or another table, than
 * when it was put, so nobody knows which rows were meant. Undefined where all names mean what they did, or nothing.
 *
 * @param oid number of the item's own table
 */
export function widenedBecause({ predicate }: PinnedItem, oid: string | undefined, pinned: ColumnPins, catalogue: PinCatalogue): string | undefined {
  const { pins } = pinned;
  if (elsewhere(pinned, catalogue)) {
    const other = pins.find(({ column, called }) => column !== called);
    return other && `${other.column} of ${tableName(other.table)} is another column than when the hold was put: that one was ${other.called === '' ? 'dropped' : `called ${other.called}`} before the table was made anew`;
  }
  const uses = usesOf(predicate);
  for (const table of addressesOf(predicate)) {
    const key = tableKey(table);
    const now = catalogue.oids.get(key);
    const then = new Set(pins.filter((pin) => tableKey(pin.table) === key).map((pin) => pin.oid));
    if (now !== undefined && then.size > 0 && !then.has(now)) return `${tableName(table)} is another table than when the hold was put (oid ${now}, then ${[...then][0]})`;
  }
  for (const pin of pins) {
    const own = pin.oid === oid;
    const now = columnOf(catalogue, pin.part, pin.column);
    if (now === undefined || (now.number === pin.number && now.type === pin.type)) continue;
    if (!own && catalogue.oids.get(tableKey(pin.table)) !== pin.oid) continue;
    const problem = changed(pin, now, uses.filter((use) => use.column === pin.column && (use.table === undefined ? own : tableKey(use.table) === tableKey(pin.table))));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** A name that no column has is for whoever compiles the predicate to find; it keeps every row as well. */
function changed({ table, column, number, type, called }: ColumnPin, now: NumberedColumn, uses: readonly ColumnUse[]): string | undefined {
  if (now.number !== number) return `${column} of ${tableName(table)} is another column than when the hold was put (number ${now.number}, then ${number}${called === column ? '' : called === '' ? ', dropped since' : `, called ${called} since`})`;
  if (uses.every(({ compared }) => compared === undefined || findsTheSame(compared, type, now.type))) return undefined;
  return `${column} of ${tableName(table)} is of type ${now.type} by now and was of type ${type} when the hold was put, and values of the hold may be written in another way there`;
}

/**
 * What is pinned of an item from now on: what was, with what its columns are called now, and what has come since, as a
 * partition or a table that took the name of another. What is gone goes. In another database the names last seen are what
 * is left of the columns, and are pinned anew.
 *
 * @param own numbers of the tables that are the item's own
 * @param families number of a table: those of it, of what it is a part of, and of its parts
 */
export function pinned(item: PinnedItem, own: readonly string[], before: ColumnPins | undefined, catalogue: PinCatalogue, families: ReadonlyMap<string, readonly string[]>): ColumnPins {
  const moved = before !== undefined && elsewhere(before, catalogue);
  const kept = before === undefined || moved ? [] : before.pins.filter(({ part }) => catalogue.columns.has(part)).map((pin): ColumnPin => ({ ...pin, called: catalogue.columns.get(pin.part)?.find(({ number }) => number === pin.number)?.name ?? '' }));
  const known = new Set(kept.map(({ oid, part, column }) => JSON.stringify([oid, part, column])));
  const added: ColumnPin[] = [];
  for (const [key, { table, names }] of namesRead(usesOf(item.predicate), item.table)) {
    const isOwn = key === tableKey(item.table);
    const other = kept.find((pin) => tableKey(pin.table) === key)?.oid;
    const named = catalogue.oids.get(key);
    // A table that is looked into is the one it was; of the table itself any that has its name is meant, too.
    const meant = isOwn ? own : named === undefined || (!isOwn && other !== undefined && other !== named) ? [] : [named];
    for (const oid of new Set(meant)) {
      for (const part of families.get(oid) ?? []) {
        for (const column of names) {
          if (known.has(JSON.stringify([oid, part, column]))) continue;
          const earlier = moved ? before.pins.filter((pin) => tableKey(pin.table) === key && pin.column === column) : [];
          const last = earlier.find(({ called }) => called !== column) ?? earlier[0];
          const there = columnOf(catalogue, part, column);
          const recorded = last === undefined ? there : columnOf(catalogue, part, last.called);
          if (there === undefined && recorded === undefined) continue;
          added.push({ table, oid, part, column, number: recorded?.number ?? 0, type: last?.type ?? recorded?.type ?? '', called: last?.called ?? column });
        }
      }
    }
  }
  return { database: catalogue.database, pins: [...kept, ...added] };
}
