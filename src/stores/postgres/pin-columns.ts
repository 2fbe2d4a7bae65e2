import { isDeepStrictEqual } from 'node:util';
import { tableKey } from '../predicate.ts';
import type { Predicate, TableAddress } from '../predicate.ts';
import type { Connection } from './connection.ts';
import { pinned } from './held-columns.ts';
import { readFamilies, readPinCatalogue } from './pin-catalogue.ts';
import { packPins, unpackPins } from './pin-text.ts';
import type { StoredPins } from './pin-text.ts';
import { namesRead, usesOf } from './uses.ts';

interface ItemRow extends TableAddress {
  digest: string;
  /** Number of its table when it was put, and what that is called now. */
  oid: string | null;
  called: TableAddress | null;
  predicate: Predicate;
  columns: StoredPins | null;
}

/**
 * Writes down which columns the items of a hold mean, as far as that is not known yet: those of an entry that an older release
 * made, of a partition that came, of a table that took a name. What is known stays. For the transaction that puts the hold.
 *
 * @returns whether an item is about another table than it was, since a dump gave its own another number
 */
export async function pinColumns(connection: Connection, uid: string): Promise<boolean> {
  const { rows } = await connection.query<ItemRow>(
    `SELECT i.digest, i.table_schema AS schema, i.table_name AS name, i.table_oid::text AS oid, i.predicate, i.columns,
       (SELECT json_build_object('schema', n.nspname, 'name', c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = i.table_oid) AS called
     FROM dataward.hold_item i WHERE i.uid = $1`,
    [uid],
  );
  const known = rows.map(({ schema, name, ...row }) => ({ ...row, table: { schema, name }, before: row.columns === null ? undefined : unpackPins(row.columns) }));
  const wanted = known.flatMap(({ predicate, table }) => [...namesRead(usesOf(predicate), table).values()]);
  const before = known.flatMap((item) => item.before?.pins ?? []);
  const tables = [...wanted.map(({ table }) => table), ...known.flatMap(({ table, columns }) => [table, ...(columns?.called === undefined ? [] : [columns.called])])];
  // The names first, then the columns of all that belongs to what has them.
  const { oids, database } = await readPinCatalogue(connection, { tables, parts: [], names: [], numbers: [] });
  const items = known.map((item) => {
    if (item.columns === null || item.columns.database === database) return { ...item, called: item.called ?? item.columns?.called };
    // In a database that a dump made the number is that of any table, or of none.
    const called = item.columns.called ?? item.table;
    return { ...item, called, oid: oids.get(tableKey(called)) ?? null };
  });
  const families = await readFamilies(connection, [...oids.values(), ...items.flatMap(({ oid }) => oid ?? [])]);
  const catalogue = await readPinCatalogue(connection, {
    tables,
    parts: [...[...families.values()].flat(), ...before.map(({ part }) => part)],
    names: [...wanted.flatMap(({ names }) => [...names]), ...before.map(({ called }) => called)],
    numbers: before.map(({ number }) => number),
  });
  let moved = false;
  for (const [place, item] of items.entries()) {
    moved ||= item.oid !== rows[place]?.oid;
    const own = [catalogue.oids.get(tableKey(item.table)), item.oid ?? undefined].filter((oid) => oid !== undefined);
    const next: StoredPins = { ...packPins(pinned(item, own, item.before, catalogue, families)), ...(item.called ? { called: item.called } : {}) };
    if (isDeepStrictEqual(next, item.columns)) continue;
    await connection.query('UPDATE dataward.hold_item SET columns = $3, table_oid = $4 WHERE uid = $1 AND digest = $2', [uid, item.digest, JSON.stringify(next), item.oid]);
  }
  return moved;
}
