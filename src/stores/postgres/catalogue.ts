import { StoreError } from '../errors.ts';
import type { TableFact } from '../facts.ts';
import type { NamedTable } from '../pinned.ts';
import { tableKey } from '../predicate.ts';
import type { TableAddress } from '../predicate.ts';
import type { PinnedColumn } from '../purging.ts';
import type { Connection } from './connection.ts';
import type { ResolvedColumn, ResolvedTable } from './sql.ts';

/** Finds a resolved table by its address. @throws StoreError `NotFound` */
export type TableLookup = (address: TableAddress) => ResolvedTable;

/** SQL of a relation's kind as the port names it, over pg_class `c`. */
export const tableKindSql = `CASE WHEN c.relkind = 'f' THEN 'ForeignTable' WHEN c.relkind = 'm' THEN 'MaterializedView' WHEN c.relkind = 'p' THEN 'PartitionedTable' WHEN c.relispartition THEN 'Partition' ELSE 'Table' END`;

/** SQL of a hash of what the columns of table `oid` are: a table may have a thousand. NULL where it has none. */
export function columnsHashSql(oid: string): string {
  return `(SELECT hashtextextended(string_agg(concat_ws(' ', h.attnum, h.atttypid, h.atttypmod, h.attname), ',' ORDER BY h.attnum), 0)::text FROM pg_attribute h WHERE h.attrelid = ${oid} AND h.attnum > 0 AND NOT h.attisdropped)`;
}

/**
 * Resolves tables in the store's catalogue: what they are, and what the types of their columns really are. Tables
 * that do not exist are left out here, and reported by the lookup when something needs them.
 */
export async function resolveTables(connection: Connection, addresses: readonly TableAddress[]): Promise<TableLookup> {
  const unique = [...new Map(addresses.map((address) => [tableKey(address), address])).values()];
  const { rows } = await connection.query<ResolvedRow>(resolveSql, [unique.map(({ schema }) => schema), unique.map(({ name }) => name)]);
  const tables = new Map(rows.map((row) => [tableKey(row), toTable(row)]));
  return (address) => {
    const table = tables.get(tableKey(address));
    if (table !== undefined) return table;
    throw new StoreError('NotFound', `DataStore ${connection.target.name} has no table ${address.schema}.${address.name} in database ${connection.target.database}; correct the data map, or remove the entry if the table was dropped.`);
  };
}

/** The tables of these that are there, with their columns as the inventory has them: to see whether a name means what it meant. */
export async function readNamed(connection: Connection, addresses: readonly TableAddress[]): Promise<NamedTable[]> {
  if (addresses.length === 0) return [];
  const { rows } = await connection.query<NamedTable & { columns: PinnedColumn[] | null }>(
    `SELECT n.nspname AS schema, c.relname AS name, c.oid::text AS oid,
       (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, -1), 'number', a.attnum))
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
     FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
     JOIN pg_namespace n ON n.nspname = wanted.schema
     JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name`,
    [addresses.map(({ schema }) => schema), addresses.map(({ name }) => name)],
  );
  return rows.map(({ columns, ...table }) => ({ ...table, columns: columns ?? [] }));
}

interface ResolvedRow {
  schema: string;
  name: string;
  oid: string;
  kind: TableFact['kind'];
  hash: string | null;
  columns: (ResolvedColumn & { name: string; operators: string | null })[];
}

function toTable({ schema, name, oid, kind, hash, columns }: ResolvedRow): ResolvedTable {
  const byName = columns.map(({ name: column, type, notNull, number, operators }): [string, ResolvedColumn] => [column, { type, notNull, number, ...(operators === null ? {} : { operators }) }]);
  return { schema, name, oid, kind, columns: new Map(byName), columnsHash: hash ?? '' };
}

/**
 * A type modifier of -1 spells each type so that a cast to it neither truncates nor rounds (`bpchar`, not
 * `character`, which means one letter). The operators' schema comes from the type's default btree or hash class.
 */
const resolveSql = `
SELECT n.nspname AS schema, c.relname AS name, c.oid::text AS oid, ${tableKindSql} AS kind, ${columnsHashSql('c.oid')} AS hash,
  coalesce((
    SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(b.base, -1), 'notNull', a.attnotnull, 'number', a.attnum, 'operators', o.schema) ORDER BY a.attnum)
    FROM pg_attribute a
    CROSS JOIN LATERAL (
      WITH RECURSIVE domains(base, under) AS (
        SELECT t.oid, t.typbasetype FROM pg_type t WHERE t.oid = a.atttypid
        UNION ALL
        SELECT t.oid, t.typbasetype FROM domains d JOIN pg_type t ON t.oid = d.under
      )
      SELECT base FROM domains WHERE under = 0
    ) b
    LEFT JOIN LATERAL (
      SELECT quote.nspname AS schema
      FROM pg_opclass k
      JOIN pg_am m ON m.oid = k.opcmethod AND m.amname IN ('btree', 'hash')
      JOIN pg_amop p ON p.amopfamily = k.opcfamily AND p.amoplefttype = k.opcintype AND p.amoprighttype = k.opcintype
      JOIN pg_operator q ON q.oid = p.amopopr AND q.oprname = '='
      JOIN pg_namespace quote ON quote.oid = q.oprnamespace
      WHERE k.opcintype = b.base AND k.opcdefault AND quote.nspname <> 'pg_catalog'
      ORDER BY m.amname LIMIT 1
    ) o ON true
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  ), '[]'::json) AS columns
FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
JOIN pg_namespace n ON n.nspname = wanted.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
WHERE c.relkind IN ('r', 'p', 'f', 'm')`;
