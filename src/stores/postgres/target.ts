import { compareText } from '../../api/compare-text.ts';
import { StoreError } from '../errors.ts';
import type { CollectionRule } from '../counting.ts';
import { keptBy } from '../fence.ts';
import type { StoreHold } from '../fence.ts';
import { tableKey, tableName } from '../predicate.ts';
import type { Guard, Predicate, TableAddress } from '../predicate.ts';
import { columnsHashSql, resolveTables } from './catalogue.ts';
import type { TableLookup } from './catalogue.ts';
import type { Edge, Topology } from './closure.ts';
import type { Connection } from './connection.ts';
import { checkLiterals } from './literals.ts';
import { addressesOf } from './predicates.ts';
import { literalsOf } from './sql.ts';
import type { ResolvedTable } from './sql.ts';
import { unreadableGuard } from './statements.ts';
import type { Deletable, Resolver } from './statements.ts';

/** One collection as the store has it now: everything the statements about it are compiled from. */
export interface Target {
  rule: CollectionRule;
  /** The mapped table itself. */
  table: ResolvedTable;
  /** The heap tables that hold its rows and are attached. */
  leaves: ResolvedTable[];
  /** Those whose rows a scan of the mapped table does not see, attached or not. Undefined in place of one this login may not read. */
  apart: (ResolvedTable | undefined)[];
  what: Deletable;
  /** Tables the conditions look into beside its own: those that times and clients are read from, and those that refer to it. */
  reads: ResolvedTable[];
  /** Catalogue identities of the tables that refer to it, leaves included: a cascade would reach these. */
  referringOids: string[];
  /** Guards that keep the whole table because they cannot be understood, with the reason. */
  unreadable: { guard: string; why: string }[];
  /** Values of the rule and its guards that their column's type cannot hold. */
  unreadableValues: number;
}

/** What a table is a part of, what its columns are and what it does by itself on DELETE, as a text to compare, by catalogue identity. */
export type Shapes = ReadonlyMap<string, string>;

/**
 * SQL of a text that differs when what a DELETE on table `oid` means, or its side effects, may: the tables it is a part of,
 * the names and types of its columns, its triggers, among which every foreign key into it has some, and its rules. All are found by an index,
 * unlike the foreign keys themselves.
 */
export function shapeSql(oid: string): string {
  return `(coalesce((SELECT string_agg(t.oid::text || t.tgenabled::text, ',' ORDER BY t.oid) FROM pg_trigger t WHERE t.tgrelid = ${oid}), '')
    || ';' || coalesce((SELECT string_agg(w.oid::text || w.ev_enabled::text, ',' ORDER BY w.oid) FROM pg_rewrite w WHERE w.ev_class = ${oid}), '')
    || ';' || coalesce(${columnsHashSql(oid)}, '')
    || ';' || coalesce((WITH RECURSIVE up(oid) AS (SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = ${oid} UNION SELECT i.inhparent FROM up u JOIN pg_inherits i ON i.inhrelid = u.oid)
      SELECT string_agg(u.oid::text, ',' ORDER BY u.oid) FROM up u), ''))`;
}

/** Shapes of a table and everything below it. To be read before the inventory, so that a change in between shows. */
export async function readShapes(connection: Connection, table: TableAddress): Promise<Shapes> {
  const { rows } = await connection.query<{ oid: string; shape: string }>(
    `WITH RECURSIVE family(oid) AS (
       SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
       UNION SELECT i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid)
     SELECT f.oid::text AS oid, ${shapeSql('f.oid')} AS shape FROM family f`,
    [table.schema, table.name],
  );
  return new Map(rows.map(({ oid, shape }) => [oid, shape]));
}

export interface Targets {
  byCollection: ReadonlyMap<string, Target>;
  resolver: Resolver;
}

/**
 * Resolves rules in the catalogue and adds the holds that stand in the store. Rules without a due predicate get
 * one that is never true, so that they only protect.
 *
 * @throws StoreError `NotFound` for a table of a rule that does not exist
 */
export async function resolveTargets(connection: Connection, topology: Topology, rules: readonly CollectionRule[], holds: readonly StoreHold[]): Promise<Targets> {
  const narrowed = rules.map((rule) => ({ rule, guards: [...rule.guards, ...holdGuards(rule.table, topology, holds)] }));
  const addresses = narrowed.flatMap(({ rule, guards }) => [
    rule.table,
    ...topology.leaves(rule.table),
    ...topology.edgesInto(rule.table).map((edge) => edge.child),
    ...predicatesOf(rule, guards).flatMap(addressesOf),
    ...rule.times.flatMap((time) => time.path.via.map((hop) => hop.table)),
  ]);
  const lookup = await resolveTables(connection, addresses);
  const predicates = narrowed.flatMap(({ rule, guards }) =>
    // An inheritance child may have a column that its parent lacks.
    alike([lookup(rule.table), ...topology.leaves(rule.table).flatMap((leaf) => (leaf.apart?.readable === false ? [] : [lookup(leaf)]))]).flatMap((table) =>
      predicatesOf(rule, guards).filter((predicate) => nameable(predicate, table, lookup)).map((predicate) => ({ predicate, table }))));
  const { readable } = await checkLiterals(connection, predicates, lookup);
  const resolver: Resolver = { lookup, readable };
  return { resolver, byCollection: new Map(narrowed.map(({ rule, guards }) => [rule.collection, toTarget(rule, guards, topology, resolver)])) };
}

/** Of tables whose columns have the same names and types the first: a thousand partitions are not asked about the same values. */
function alike(tables: readonly ResolvedTable[]): ResolvedTable[] {
  const byColumns = new Map<string, ResolvedTable>();
  for (const table of tables) {
    const key = JSON.stringify([...table.columns].map(([name, { type }]) => [name, type]).toSorted(([a = ''], [b = '']) => compareText(a, b)));
    if (!byColumns.has(key)) byColumns.set(key, table);
  }
  return [...byColumns.values()];
}

function predicatesOf(rule: CollectionRule, guards: readonly Guard[]): Predicate[] {
  return [...(rule.due === undefined ? [] : [rule.due]), ...guards.map((guard) => guard.predicate)];
}

function toTarget(rule: CollectionRule, guards: readonly Guard[], topology: Topology, resolver: Resolver): Target {
  const edges = topology.edgesInto(rule.table);
  const table = resolver.lookup(rule.table);
  return {
    rule,
    table,
    leaves: topology.leaves(rule.table).filter(({ apart }) => apart?.attached !== false).map(resolver.lookup),
    apart: topology.leaves(rule.table).flatMap((leaf) => (leaf.apart === undefined ? [] : [leaf.apart.readable ? resolver.lookup(leaf) : undefined])),
    what: { due: rule.due ?? { op: 'false' }, guards, edges, ...(rule.client === undefined ? {} : { client: rule.client }) },
    reads: readBy(predicatesOf(rule, guards), edges, resolver.lookup).filter(({ oid }) => oid !== table.oid),
    referringOids: [...new Set(edges.flatMap((edge) => topology.leaves(edge.child)).map((leaf) => leaf.oid))],
    unreadable: guards.flatMap((guard) => {
      const why = unreadableGuard(guard, table, resolver);
      return why === undefined ? [] : [{ guard: guard.name, why }];
    }),
    unreadableValues: unreadableValues(predicatesOf(rule, guards).filter((predicate) => nameable(predicate, table, resolver.lookup)), table, resolver),
  };
}

/** A table that is not there is not read: what names it cannot be understood, and keeps every row. */
function readBy(predicates: readonly Predicate[], edges: readonly Edge[], lookup: TableLookup): ResolvedTable[] {
  const found = [...predicates.flatMap(addressesOf), ...edges.map((edge) => edge.child)].flatMap((address) => {
    try {
      return [lookup(address)];
    } catch (error) {
      if (error instanceof StoreError && error.reason === 'NotFound') return [];
      throw error;
    }
  });
  return [...new Map(found.map((each) => [each.oid, each])).values()];
}

/** A column, with its table, whose name was that of another column of the table before. */
export function renamedColumn(before: Target, now: Target): string | undefined {
  const tables = new Map([...now.leaves, ...now.reads].map((each) => [each.oid, each]));
  for (const old of [...before.leaves, ...before.reads]) {
    const columns = tables.get(old.oid)?.columns;
    const [name] = [...old.columns].find(([each, { number }]) => (columns?.get(each)?.number ?? number) !== number) ?? [];
    if (name !== undefined) return `${name} of ${tableName(old)}`;
  }
  return undefined;
}

function unreadableValues(predicates: readonly Predicate[], table: ResolvedTable, { lookup, readable }: Resolver): number {
  const literals = predicates.flatMap((predicate) => literalsOf(predicate, { table, lookup }));
  return new Set(literals.filter(({ type, value }) => !readable(type, value)).map(({ type, value }) => JSON.stringify([type, value]))).size;
}

/** The holds on a table as guards. A hold on a partition or an inheritance child protects in the whole table. */
function holdGuards(table: TableAddress, topology: Topology, holds: readonly StoreHold[]): Guard[] {
  return holdsOn(table, topology, holds).flatMap(({ name, items }) => items.map((item): Guard => ({ kind: 'Hold', name, predicate: keptBy(item) })));
}

/** The holds that protect rows of a table, each with the items that do. */
export function holdsOn(table: TableAddress, topology: Topology, holds: readonly StoreHold[]): StoreHold[] {
  const family = new Set([table, topology.root(table), ...topology.leaves(table)].map(tableKey));
  const covers = (held: TableAddress): boolean => [held, topology.root(held), ...topology.leaves(held)].some((part) => family.has(tableKey(part)));
  return holds.map((hold) => ({ ...hold, items: hold.items.filter((item) => covers(item.table)) })).filter(({ items }) => items.length > 0);
}

/** The target of one collection. @throws StoreError `NotFound` */
export function targetOf(targets: Targets, collection: string): Target {
  const target = targets.byCollection.get(collection);
  if (target === undefined) throw new StoreError('NotFound', `No rule for the collection ${collection} was given.`);
  return target;
}

/** False where a predicate names something the store does not have; a guard then protects the whole table. */
function nameable(predicate: Predicate, table: ResolvedTable, lookup: TableLookup): boolean {
  try {
    literalsOf(predicate, { table, lookup });
    return true;
  } catch (error) {
    if (error instanceof StoreError || error instanceof RangeError) return false;
    throw error;
  }
}

/** Name of a target's table for messages. */
export function nameOf(target: Target): string {
  return tableName(target.table);
}
