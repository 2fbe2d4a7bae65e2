import type { CollectionRule } from '../counting.ts';
import type { Inventory } from '../facts.ts';
import type { PurgeRequest } from '../purging.ts';
import { tableKey } from '../predicate.ts';
import type { Predicate } from '../predicate.ts';
import type { Apart } from './apart.ts';
import { claimsOf } from './claims.ts';
import { topologyOf } from './closure.ts';
import type { Connection } from './connection.ts';
import { columnKey, indexedColumns } from './indexes.ts';
import { edgeKey } from './plan.ts';
import type { PlanFacts } from './plan.ts';
import { readDeclared } from './references.ts';
import { quoteIdentifier, quoteTable } from './sql.ts';
import { uncountedBecause } from './uncounted.ts';

/** Reads what a plan needs beside the inventory, except the selectivity, which needs counts. `inventory`: with what is apart put back. */
export async function readPlanFacts(connection: Connection, inventory: Pick<Inventory, 'tables'>, request: PurgeRequest, { drops }: Pick<Apart, 'drops'>): Promise<PlanFacts> {
  const oids = new Map(inventory.tables.map((table) => [table.oid, table]));
  const { rows } = await connection.query<{ oid: string; hidden: boolean; published: boolean }>(
    `SELECT c.oid::text AS oid, row_security_active(c.oid) AS hidden,
            EXISTS (SELECT FROM pg_publication p WHERE p.puballtables)
              OR EXISTS (SELECT FROM pg_publication_rel r WHERE r.prrelid = c.oid)
              OR EXISTS (SELECT FROM pg_publication_tables t WHERE (t.schemaname, t.tablename) = (n.nspname, c.relname)) AS published
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[]) AND c.relkind IN ('r', 'p')`,
    [relevantOids(inventory, request)],
  );
  const keysWhere = (wanted: 'hidden' | 'published'): Set<string> => new Set(rows.filter((row) => row[wanted]).flatMap((row) => oids.get(row.oid) ?? []).map(tableKey));
  const orphans = new Map(drops.flatMap(({ leaf, parent, state }) => {
    const table = oids.get(leaf);
    return table === undefined || state === 'moved' ? [] : [[tableKey(table), { name: table.name, parent }] as const];
  }));
  return { ...(await readReferring(connection, inventory, request)), rowsHidden: keysWhere('hidden'), published: keysWhere('published'), orphans, selectivity: new Map(), declared: await readDeclared(connection, inventory, request.rules) };
}

/** The mapped tables with all their parts. */
function relevantOids(inventory: Pick<Inventory, 'tables'>, request: PurgeRequest): string[] {
  const topology = topologyOf(inventory);
  const tables = request.rules.flatMap((rule) => [topology.table(rule.table), topology.table(topology.root(rule.table)), ...topology.leaves(rule.table)]);
  return [...new Set(tables.flatMap((table) => (table === undefined ? [] : [table.oid])))];
}

async function readReferring(connection: Connection, inventory: Pick<Inventory, 'tables'>, request: PurgeRequest): Promise<Required<Pick<PlanFacts, 'referring' | 'unread'>>> {
  const topology = topologyOf(inventory);
  const nonPersonal = new Set(request.nonPersonal.map((address) => tableKey(topology.root(address))));
  const mapped = claimsOf(request.rules, topology);
  const referring = new Set<string>();
  const unread = new Map<string, string>();
  for (const edge of request.rules.flatMap((rule) => topology.edgesInto(rule.table))) {
    const child = tableKey(edge.childRoot);
    if (!nonPersonal.has(child) || mapped.has(child) || referring.has(edgeKey(edge)) || unread.has(edgeKey(edge))) continue;
    const set = edge.columns.map((column) => `${quoteIdentifier(column)} IS NOT NULL`).join(' AND ');
    try {
      const { rows } = await connection.query<{ refers: boolean }>(`SELECT EXISTS (SELECT FROM ${quoteTable(edge.child)} WHERE ${set}) AS refers`);
      if (rows[0]?.refers !== false) referring.add(edgeKey(edge));
    } catch (error) {
      unread.set(edgeKey(edge), uncountedBecause(error).message);
    }
  }
  return { referring, unread };
}

/** Whether an index has the time of the collections whose share of due rows (0 to 1) is known. */
export async function readSelectivity(connection: Connection, request: PurgeRequest, dueShares: ReadonlyMap<string, number>): Promise<PlanFacts['selectivity']> {
  const known = request.rules.flatMap((rule) => {
    const dueShare = dueShares.get(rule.collection);
    const column = keysetColumn(rule);
    return dueShare === undefined || column === undefined ? [] : [{ collection: rule.collection, table: rule.table, column, dueShare }];
  });
  const indexed = await indexedColumns(connection, known);
  return new Map(known.map(({ collection, table, column, dueShare }) => [collection, { dueShare, timeIndexed: indexed.has(columnKey(table, column)) }]));
}

/** The row's own time column that every due row must have passed; undefined when there is none. */
export function keysetColumn(rule: Pick<CollectionRule, 'due'>): string | undefined {
  return rule.due === undefined ? undefined : columnOf(rule.due);
}

function columnOf(predicate: Predicate): string | undefined {
  if (predicate.op === 'before' && predicate.time.path.via.length === 0) return predicate.time.path.field;
  if (predicate.op !== 'and') return undefined;
  return predicate.of.map(columnOf).find((column) => column !== undefined);
}
