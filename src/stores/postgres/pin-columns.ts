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
  oid: string | null;
  predicate: Predicate;
  columns: StoredPins | null;
}

/**
 * Writes down which columns the items of a hold mean, as far as that is not known yet: those of an entry that an older release
 * made, of a partition that came, of a table that took a name. What is known stays. For the transaction that puts the hold.
 */
export async function pinColumns(connection: Connection, uid: string): Promise<void> {
  const { rows } = await connection.query<ItemRow>('SELECT digest, table_schema AS schema, table_name AS name, table_oid::text AS oid, predicate, columns FROM dataward.hold_item WHERE uid = $1', [uid]);
  const items = rows.map(({ schema, name, ...row }) => ({ ...row, table: { schema, name }, before: row.columns === null ? undefined : unpackPins(row.columns) }));
  const wanted = items.flatMap(({ predicate, table }) => [...namesRead(usesOf(predicate), table).values()]);
  if (wanted.length === 0) return;
  const before = items.flatMap((item) => item.before?.pins ?? []);
  const tables = wanted.map(({ table }) => table);
  // The names first, then the columns of all that belongs to what has them.
  const { oids } = await readPinCatalogue(connection, { tables, parts: [], names: [], numbers: [] });
  const families = await readFamilies(connection, [...oids.values(), ...items.flatMap(({ oid }) => oid ?? [])]);
  const catalogue = await readPinCatalogue(connection, {
    tables,
    parts: [...[...families.values()].flat(), ...before.map(({ part }) => part)],
    names: [...wanted.flatMap(({ names }) => [...names]), ...before.map(({ called }) => called)],
    numbers: before.map(({ number }) => number),
  });
  for (const item of items) {
    const own = [catalogue.oids.get(tableKey(item.table)), item.oid ?? undefined].filter((oid) => oid !== undefined);
    const next = packPins(pinned(item, own, item.before, catalogue, families));
    if (isDeepStrictEqual(next, item.columns)) continue;
    await connection.query('UPDATE dataward.hold_item SET columns = $3 WHERE uid = $1 AND digest = $2', [uid, item.digest, JSON.stringify(next)]);
  }
}
