import type { CollectionRule, DeclaredReference } from '../counting.ts';
import type { Inventory } from '../facts.ts';
import { tableKey, tableName } from '../predicate.ts';
import type { TableAddress } from '../predicate.ts';
import { resolveTables } from './catalogue.ts';
import type { TableLookup } from './catalogue.ts';
import { topologyOf } from './closure.ts';
import type { DeclaredLink, Topology } from './closure.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './errors.ts';
import { columnKey, indexedColumns } from './indexes.ts';
import { columnOf, equalsOf } from './sql.ts';
import type { ResolvedColumn } from './sql.ts';

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
  const indexed = await indexedColumns(connection, wanted.flatMap(({ from, reference }) => [from, ...topology.leaves(from)].map((table) => ({ table, column: reference.field }))));
  const comparable = comparisons(connection);
  const links: DeclaredLink[] = [];
  for (const { from, reference } of wanted) {
    const problem = await problemOf(comparable, lookup, from, reference);
    links.push({ from, reference, indexed: isIndexed(indexed, topology, from, reference.field), ...(problem === undefined ? {} : { problem }) });
  }
  return links;
}

function isForeignKey(topology: Topology, from: TableAddress, { field, table, toField }: DeclaredReference): boolean {
  const target = tableKey(topology.root(table));
  const keys = topology.table(from)?.foreignKeys ?? [];
  return keys.some(({ columns, references, referencedColumns }) => columns.length === 1 && columns[0] === field && referencedColumns[0] === toField && tableKey(topology.root(references)) === target);
}

type Comparable = (one: ResolvedColumn, other: ResolvedColumn) => Promise<boolean>;

/** Asks the server whether values of two types can be compared, once for each two. */
function comparisons(connection: Connection): Comparable {
  const known = new Map<string, boolean>();
  return async (one, other) => {
    const comparison = `NULL::${one.type} ${equalsOf(one)} NULL::${other.type}`;
    const before = known.get(comparison);
    if (before !== undefined) return before;
    let answer = true;
    try {
      await connection.query(`SELECT ${comparison}`);
    } catch (error) {
      // No such operator, or no single one. Of all a server may answer, only these speak of the two types.
      if (!['42883', '42725'].includes(sqlState(error) ?? '')) throw error;
      answer = false;
    }
    known.set(comparison, answer);
    return answer;
  };
}

async function problemOf(comparable: Comparable, lookup: TableLookup, from: TableAddress, { field, table, toField }: DeclaredReference): Promise<string | undefined> {
  const [child, parent] = [lookup(from), lookup(table)];
  const missing = !child.columns.has(field) ? `${tableName(from)} has no column ${field}` : !parent.columns.has(toField) ? `${tableName(table)} has no column ${toField}` : undefined;
  if (missing !== undefined) return missing;
  const [one, other] = [columnOf(child, field), columnOf(parent, toField)];
  if (await comparable(one, other)) return undefined;
  return `${field} of ${tableName(from)} is of type ${one.type} and ${toField} of ${tableName(table)} of type ${other.type}, which cannot be compared`;
}

/** An index on a partitioned table has one on each partition; anything else needs its own on each part. */
function isIndexed(indexed: ReadonlySet<string>, topology: Topology, from: TableAddress, field: string): boolean {
  if (topology.table(from)?.kind === 'PartitionedTable' && indexed.has(columnKey(from, field))) return true;
  const leaves = topology.leaves(from);
  return leaves.length > 0 && leaves.every((leaf) => indexed.has(columnKey(leaf, field)));
}
