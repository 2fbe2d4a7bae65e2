import { tableName } from '../predicate.ts';
import type { TableAddress } from '../predicate.ts';
import type { Connection } from './connection.ts';
import { quoteIdentifier, quoteTable } from './sql.ts';

/** As many are spelled out in a sentence; whoever mends them finds the others by the next look. */
const NAMED = 3;

interface RightsRow {
  schema: string;
  name: string;
  usage: boolean;
  read: boolean;
  remove: boolean;
  filtered: boolean;
}

/**
 * What this login lacks to read each of these tables, or to delete from it: a sentence for each kind of right, with the
 * statement that grants it. Empty: nothing. A table that is not there is left out. Only the catalogue is read.
 *
 * Rights on single columns are not enough: tables are read by the places of their rows, which only `SELECT` on the whole of
 * a table allows.
 */
export async function readMissingRights(connection: Connection, tables: readonly TableAddress[], right: 'Read' | 'Delete'): Promise<string[]> {
  if (tables.length === 0) return [];
  const { rows } = await connection.query<RightsRow>(
    `SELECT n.nspname AS schema, c.relname AS name, has_schema_privilege(n.oid, 'USAGE') AS usage, has_table_privilege(c.oid, 'SELECT') AS read,
       has_table_privilege(c.oid, 'DELETE') AS remove, row_security_active(c.oid) AS filtered
     FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS w(schema, name)) w
       JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
     ORDER BY n.nspname, c.relname`,
    [tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  return missingRights(rows, right, connection.username);
}

function missingRights(rows: readonly RightsRow[], right: 'Read' | 'Delete', username: string): string[] {
  const role = quoteIdentifier(username);
  const closed = [...new Set(rows.filter(({ usage }) => !usage).map(({ schema }) => schema))];
  const lacking = (privilege: string, found: readonly RightsRow[]): string[] =>
    found.length === 0 ? [] : [`${username} lacks ${privilege} on ${listed(found.map(tableName))}: GRANT ${privilege} ON ${found.slice(0, NAMED).map(quoteTable).join(', ')} TO ${role}`];
  const filtered = rows.filter((row) => row.filtered);
  return [
    ...(closed.length === 0 ? [] : [`${username} lacks USAGE on schema ${listed(closed)}: GRANT USAGE ON SCHEMA ${closed.slice(0, NAMED).map(quoteIdentifier).join(', ')} TO ${role}`]),
    ...lacking('SELECT', rows.filter(({ read }) => !read)),
    ...(right === 'Delete' ? lacking('DELETE', rows.filter(({ remove }) => !remove)) : []),
    ...(filtered.length === 0 ? [] : [`row security hides rows of ${listed(filtered.map(tableName))} from ${username}: ALTER ROLE ${role} BYPASSRLS`]),
  ];
}

function listed(names: readonly string[]): string {
  return `${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? ` and ${names.length - NAMED} more` : ''}`;
}
