import type { TableAddress } from '../predicate.ts';
import type { Connection } from './connection.ts';

/** Key of a column in what `indexedColumns` found. */
export function columnKey({ schema, name }: TableAddress, column: string): string {
  return JSON.stringify([schema, name, column]);
}

/** Of some columns those that a whole, valid btree index of their table leads with, by `columnKey`. */
export async function indexedColumns(connection: Connection, columns: readonly { table: TableAddress; column: string }[]): Promise<Set<string>> {
  if (columns.length === 0) return new Set();
  const { rows } = await connection.query<{ schema: string; name: string; column: string }>(
    `SELECT DISTINCT w.schema, w.name, w.column FROM unnest($1::text[], $2::text[], $3::text[]) AS w(schema, name, "column")
       JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
       JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
       WHERE a.attname = w.column AND i.indisvalid AND i.indpred IS NULL AND m.amname = 'btree'`,
    [columns.map(({ table }) => table.schema), columns.map(({ table }) => table.name), columns.map(({ column }) => column)],
  );
  return new Set(rows.map(({ schema, name, column }) => columnKey({ schema, name }, column)));
}
