import { digestOf } from '../canonical.ts';
import { StoreError } from '../errors.ts';
import type { HoldItem, StoreHold } from '../fence.ts';
import type { TableAddress } from '../predicate.ts';
import type { Connection } from './connection.ts';
import { widenedBecause } from './held-columns.ts';
import type { ColumnPins } from './held-columns.ts';
import { readPinCatalogue } from './pin-catalogue.ts';
import { unpackPins } from './pin-text.ts';
import type { StoredPins } from './pin-text.ts';
import { pinColumns } from './pin-columns.ts';
import { addToSchema } from './schema-additions.ts';
import { utcText } from './sql.ts';
import { changeFence } from './transaction.ts';
import { namesRead, usesOf } from './uses.ts';

interface HoldRow {
  uid: string;
  name: string;
  revision: string;
  since: string;
  items: (HoldItem & { recorded: TableAddress; oid: string | null; pins: StoredPins | null })[] | null;
}

/**
 * All holds that stand in the store, or the one with a uid. The schema must exist and be readable. An item whose table was renamed since
 * comes twice, under the recorded and under the present name: neither the moved rows nor a new table that took
 * the old name lose their hold. One whose names mean other columns by now says so (`widened`).
 */
export async function readHolds(connection: Connection, uid?: string): Promise<StoreHold[]> {
  // A schema that an older release made has no pins before the first hold is put, or the store is looked at, by this one.
  const { rows } = await connection.query<HoldRow>(
    `SELECT h.uid, h.name, h.revision, ${utcText('h.since')} AS since,
            (SELECT json_agg(json_build_object('table', json_build_object('schema', a.schema, 'name', a.name), 'predicate', i.predicate,
                      'recorded', json_build_object('schema', i.table_schema, 'name', i.table_name), 'oid', a.oid::text, 'pins', to_jsonb(i)->'columns') ORDER BY i.digest, a.moved)
             FROM dataward.hold_item i
             CROSS JOIN LATERAL (
               SELECT i.table_schema AS schema, i.table_name AS name, false AS moved,
                 (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = i.table_schema AND c.relname = i.table_name) AS oid
               UNION ALL
               SELECT n.nspname, c.relname, true, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.oid = i.table_oid AND (n.nspname, c.relname) <> (i.table_schema, i.table_name)
             ) a
             WHERE i.uid = h.uid) AS items
     FROM dataward.hold h WHERE $1::text IS NULL OR h.uid = $1 ORDER BY h.uid`,
    [uid ?? null],
  );
  const because = await reasons(connection, rows.flatMap(({ items }) => items ?? []));
  return rows.map(({ uid, name, revision, since, items }) => ({
    uid,
    name,
    revision: Number(revision),
    since,
    items: (items ?? []).map((item): HoldItem => {
      const widened = because(item);
      return { table: item.table, predicate: item.predicate, ...(widened === undefined ? {} : { widened }) };
    }),
  }));
}

type ItemRow = NonNullable<HoldRow['items']>[number];

/** Compares what is pinned of items with the catalogue of now. */
async function reasons(connection: Connection, items: readonly ItemRow[]): Promise<(item: ItemRow) => string | undefined> {
  // Holds of one table that ask for the same columns have the same pins.
  const distinct = new Map<string, ColumnPins>();
  const unpacked = (stored: StoredPins): ColumnPins => {
    const key = JSON.stringify(stored);
    const pins = distinct.get(key) ?? unpackPins(stored);
    distinct.set(key, pins);
    return pins;
  };
  const pins = new Map(items.flatMap((item) => (item.pins === null ? [] : [[item, unpacked(item.pins)] as const])));
  if (pins.size === 0) return () => undefined;
  const all = [...distinct.values()].flatMap((each) => each.pins);
  const tables = [...pins.keys()].flatMap(({ predicate, recorded }) => [...namesRead(usesOf(predicate), recorded).values()].map(({ table }) => table));
  const catalogue = await readPinCatalogue(connection, { tables, parts: all.map(({ part }) => part), names: all.map(({ column }) => column), numbers: [] });
  return (item) => {
    const pinned = pins.get(item);
    return pinned && widenedBecause({ table: item.recorded, predicate: item.predicate }, item.oid ?? undefined, pinned, catalogue);
  };
}

/**
 * Commits a hold. When this returns, every batch that started without it has ended and every later one carries it.
 * Items are united with what stands there, so that a hold resolved against a renamed or emptied object lifts nothing.
 *
 * @param former uids it stood under before: all that stands there under them stands under its own too, and means the same columns
 */
export async function putHold(connection: Connection, hold: StoreHold, former: readonly string[] = []): Promise<{ holdsRevision: number; since: string; items: StoreHold['items'] }> {
  const items = hold.items.map(({ table, predicate }) => ({ digest: digestOf({ table, predicate }), table, predicate }));
  const result = await changeFence(connection, async () => {
    await addToSchema(connection);
    const written = await connection.query<{ changed: boolean }>(
      `INSERT INTO dataward.hold AS h (uid, name, revision) VALUES ($1, $2, $3)
       ON CONFLICT (uid) DO UPDATE SET name = excluded.name, revision = greatest(h.revision, excluded.revision)
       RETURNING xmax = 0 AS changed`,
      [hold.uid, hold.name, hold.revision],
    );
    const carried = await connection.query(
      `INSERT INTO dataward.hold_item (uid, digest, table_schema, table_name, table_oid, predicate, columns)
       SELECT $1, digest, table_schema, table_name, table_oid, predicate, columns FROM dataward.hold_item WHERE uid = ANY ($2::text[])
       ON CONFLICT (uid, digest) DO NOTHING`,
      [hold.uid, former],
    );
    const added = await connection.query(
      `INSERT INTO dataward.hold_item (uid, digest, table_schema, table_name, table_oid, predicate)
       SELECT $1, i->>'digest', i->'table'->>'schema', i->'table'->>'name', to_regclass(format('%I.%I', i->'table'->>'schema', i->'table'->>'name')), i->'predicate'
       FROM jsonb_array_elements($2::jsonb) i
       ON CONFLICT (uid, digest) DO NOTHING`,
      [hold.uid, JSON.stringify(items)],
    );
    const moved = await pinColumns(connection, hold.uid);
    // Only a change that protects more makes running purges compile again.
    if (written.rows[0]?.changed === true || moved || carried.rowCount + added.rowCount > 0) await connection.query('UPDATE dataward.fence SET holds_revision = holds_revision + 1');
  }).then(async () => {
    const reread = await connection.query<{ holds_revision: string; since: string; present: string[] }>(
      `SELECT f.holds_revision, ${utcText('h.since')} AS since,
              ARRAY(SELECT i.digest FROM dataward.hold_item i WHERE i.uid = h.uid) AS present
       FROM dataward.fence f, dataward.hold h WHERE h.uid = $1`,
      [hold.uid],
    );
    return reread.rows[0];
  });
  const missing = items.filter((item) => result === undefined || !result.present.includes(item.digest));
  if (result === undefined || missing.length > 0) {
    throw new StoreError('Conflict', `Hold ${hold.name} was written but a fresh read does not show ${result === undefined ? 'it' : `its items on ${missing.map((item) => `${item.table.schema}.${item.table.name}`).join(', ')}`}. Something else deletes from dataward.hold; find it, nothing is purged meanwhile.`);
  }
  const [standing] = await readHolds(connection, hold.uid);
  return { holdsRevision: Number(result.holds_revision), since: result.since, items: standing?.items ?? [] };
}

/** Ends a hold; an unknown uid changes nothing. */
export async function releaseHold(connection: Connection, uid: string): Promise<void> {
  await changeFence(connection, async () => {
    await connection.query('DELETE FROM dataward.hold_item WHERE uid = $1', [uid]);
    const released = await connection.query('DELETE FROM dataward.hold WHERE uid = $1', [uid]);
    if (released.rowCount > 0) await connection.query('UPDATE dataward.fence SET holds_revision = holds_revision + 1');
  });
}
