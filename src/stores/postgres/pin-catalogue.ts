import { tableKey } from '../predicate.ts';
import type { TableAddress } from '../predicate.ts';
import type { Connection } from './connection.ts';
import type { NumberedColumn, PinCatalogue } from './held-columns.ts';

/** What of the catalogue is wanted. */
interface Wanted {
  tables: readonly TableAddress[];
  /** Numbers of tables whose columns are compared. */
  parts: readonly string[];
  /** Of their columns, those with one of these names or numbers. */
  names: readonly string[];
  numbers: readonly number[];
}

/**
 * Reads what pins are compared with. Needs no right on any table.
 *
 * @param wanted tables that are not there are left out
 */
export async function readPinCatalogue(connection: Connection, { tables, parts, names, numbers }: Wanted): Promise<PinCatalogue> {
  const around = await connection.query<{ database: string; oids: (TableAddress & { oid: string })[] | null }>(
    `SELECT (SELECT s.system_identifier::text || '/' || d.oid FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()) AS database,
       (SELECT json_agg(json_build_object('schema', n.nspname, 'name', c.relname, 'oid', c.oid::text))
        FROM unnest($1::text[], $2::text[]) w(schema, name) JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name) AS oids`,
    [tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  const found = await connection.query<{ part: string; columns: NumberedColumn[] | null }>(columnsSql, [[...new Set(parts)], [...new Set(names)], [...new Set(numbers)]]);
  const [row] = around.rows;
  if (row === undefined) throw new TypeError('A SELECT without FROM gives one row.');
  return {
    database: row.database,
    oids: new Map((row.oids ?? []).map((table) => [tableKey(table), table.oid])),
    columns: new Map(found.rows.map(({ part, columns }) => [part, columns ?? []])),
  };
}

/** Types as `ResolvedColumn` has them: of a domain the one under it. */
const columnsSql = `
SELECT c.oid::text AS part, json_agg(json_build_object('name', a.attname, 'number', a.attnum, 'type', format_type(
    CASE WHEN t.typtype = 'd' THEN (
      WITH RECURSIVE domains(base, under) AS (
        SELECT t.oid, t.typbasetype UNION ALL SELECT u.oid, u.typbasetype FROM domains d JOIN pg_type u ON u.oid = d.under)
      SELECT base FROM domains WHERE under = 0) ELSE t.oid END, -1))) FILTER (WHERE a.attnum IS NOT NULL) AS columns
FROM pg_class c
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND (a.attname = ANY ($2::text[]) OR a.attnum = ANY ($3::int2[]))
LEFT JOIN pg_type t ON t.oid = a.atttypid
WHERE c.oid = ANY ($1::oid[])
GROUP BY c.oid`;

/** Of each table, by its number: the numbers of what it is a part of, of all parts of that, and its own. */
export async function readFamilies(connection: Connection, oids: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await connection.query<{ oid: string; parts: string[] }>(
    `WITH RECURSIVE up(oid, part) AS (
       SELECT c.oid, c.oid FROM pg_class c WHERE c.oid = ANY ($1::oid[])
       UNION SELECT u.oid, i.inhparent FROM up u JOIN pg_inherits i ON i.inhrelid = u.part),
     family(oid, part) AS (
       SELECT u.oid, u.part FROM up u UNION SELECT f.oid, i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.part)
     SELECT f.oid::text AS oid, array_agg(f.part::text ORDER BY f.part) AS parts FROM family f GROUP BY f.oid`,
    [[...new Set(oids)]],
  );
  return new Map(rows.map(({ oid, parts }) => [oid, parts]));
}
