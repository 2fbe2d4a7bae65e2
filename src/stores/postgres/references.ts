import type { CollectionRule, DeclaredReference } from '../counting.ts';
import type { Inventory, TableFact } from '../facts.ts';
import type { TableAddress } from '../predicate.ts';
import { resolveTables } from './catalogue.ts';
import type { TableLookup } from './catalogue.ts';
import { tableKey, tableName, topologyOf } from './closure.ts';
import type { DeclaredLink, Topology } from './closure.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './errors.ts';
import { columnOf, equalsOf } from './sql.ts';

/**
 * The links that maps declare, as far as the catalogue has no foreign key that says the same, with what a foreign key
 * would warrant and they do not: that the columns are there, can be compared, and have an index.
 *
 * Must not be called in a transaction: a comparison the server refuses would end it.
 */
export async function readDeclared(connection: Connection, inventory: Pick<Inventory, 'tables'>, rules: readonly CollectionRule[]): Promise<DeclaredLink[]> {
  const topology = topologyOf(inventory);
  const wanted = rules.flatMap((rule) => (rule.references ?? []).map((reference) => ({ from: rule.table, reference })))
    .filter(({ from, reference }) => topology.table(from) !== undefined && topology.table(reference.table) !== undefined && !isForeignKey(topology, from, reference));
  if (wanted.length === 0) return [];
  const lookup = await resolveTables(connection, wanted.flatMap(({ from, reference }) => [from, reference.table]));
  const links: DeclaredLink[] = [];
  for (const { from, reference } of wanted) {
    const problem = await problemOf(connection, lookup, from, reference);
    links.push({ from, reference, indexed: problem === undefined && (await isIndexed(connection, topology, from, reference.field)), ...(problem === undefined ? {} : { problem }) });
  }
  return links;
}

function isForeignKey(topology: Topology, from: TableAddress, { field, table, toField }: DeclaredReference): boolean {
  const target = tableKey(topology.root(table));
  const keys = topology.table(from)?.foreignKeys ?? [];
  return keys.some(({ columns, references, referencedColumns }) => columns.length === 1 && columns[0] === field && referencedColumns[0] === toField && tableKey(topology.root(references)) === target);
}

async function problemOf(connection: Connection, lookup: TableLookup, from: TableAddress, { field, table, toField }: DeclaredReference): Promise<string | undefined> {
  const [child, parent] = [lookup(from), lookup(table)];
  const missing = !child.columns.has(field) ? `${tableName(from)} has no column ${field}` : !parent.columns.has(toField) ? `${tableName(table)} has no column ${toField}` : undefined;
  if (missing !== undefined) return missing;
  const [one, other] = [columnOf(child, field), columnOf(parent, toField)];
  try {
    await connection.query(`SELECT NULL::${one.type} ${equalsOf(one)} NULL::${other.type}`);
    return undefined;
  } catch (error) {
    // Of all a server may answer, only this speaks of the two types.
    if (!['42883', '42725', '42809'].includes(sqlState(error) ?? '')) throw error;
    return `${field} of ${tableName(from)} is of type ${one.type} and ${toField} of ${tableName(table)} of type ${other.type}, which cannot be compared`;
  }
}

/** An index on a partitioned table has one on each partition; anything else needs its own on each part. */
async function isIndexed(connection: Connection, topology: Topology, from: TableAddress, field: string): Promise<boolean> {
  if (topology.table(from)?.kind === 'PartitionedTable' && (await hasIndex(connection, from, field))) return true;
  const leaves: TableFact[] = topology.leaves(from);
  for (const leaf of leaves) if (!(await hasIndex(connection, leaf, field))) return false;
  return leaves.length > 0;
}

/** Whether a whole, valid btree index of the table leads with the column. */
export async function hasIndex(connection: Connection, table: TableAddress, column: string): Promise<boolean> {
  const { rows } = await connection.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
       WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3 AND i.indisvalid AND i.indpred IS NULL AND m.amname = 'btree') AS found`,
    [table.schema, table.name, column],
  );
  return rows[0]?.found === true;
}
