import { StoreError } from '../errors.ts';
import { tableName } from '../predicate.ts';
import type { Connection } from './connection.ts';
import { quoteTable } from './sql.ts';
import type { ResolvedTable } from './sql.ts';

/**
 * Begins a transaction of one snapshot in which tables stay the ones they were resolved to, until it ends.
 *
 * They are locked before the snapshot is taken: TRUNCATE, and an ALTER TABLE that rewrites, leave nothing to be seen by one that
 * is older, so a count that had waited for such a change to end would find no row. And a name is what a statement is
 * written by: without the lock it could mean another table by then, which may well be empty.
 *
 * @param tables first the one that is read, with `only` without its parts, then those it is judged by
 * @throws StoreError `Conflict` when a name is another table's by now
 */
export async function holdStill(connection: Connection, tables: readonly ResolvedTable[], only: boolean): Promise<void> {
  const unique = [...new Map(tables.map((table) => [table.oid, table])).values()];
  // Nothing else has a lock of this kind, nor can it be rewritten.
  const lockable = unique.filter(({ kind }) => kind === 'Table' || kind === 'Partition' || kind === 'PartitionedTable');
  if (lockable.length > 0) await connection.query(`LOCK TABLE ${lockable.map((table) => `${only && table === unique[0] ? 'ONLY ' : ''}${quoteTable(table)}`).join(', ')} IN ACCESS SHARE MODE`);
  // By a function, which looks into the catalogue as it is; a query of it would be answered from the snapshot.
  const { rows } = await connection.query<{ place: string }>(
    `SELECT place::text FROM unnest($1::text[], $2::text[], $3::oid[]) WITH ORDINALITY AS t(schema, name, oid, place)
     WHERE to_regclass(format('%I.%I', t.schema, t.name)) IS DISTINCT FROM t.oid ORDER BY place LIMIT 1`,
    [unique.map(({ schema }) => schema), unique.map(({ name }) => name), unique.map(({ oid }) => oid)],
  );
  const moved = rows[0] && unique[Number(rows[0].place) - 1];
  if (moved !== undefined) throw new StoreError('Conflict', `${tableName(moved)} became another table while its rows were looked at, so nothing is said of them; it is looked at again.`);
}
