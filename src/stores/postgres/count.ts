import type { CollectionCount, CollectionRule, CountRequest } from '../counting.ts';
import type { StoreHold } from '../fence.ts';
import { StoreError } from '../errors.ts';
import { tableKey, tableName } from '../predicate.ts';
import type { Guard, Predicate, TableAddress } from '../predicate.ts';
import { requirePinned } from '../pinned.ts';
import type { PinnedTable } from '../purging.ts';
import { disturbedTables, putBack, readApart } from './apart.ts';
import type { Apart } from './apart.ts';
import { blockedSql } from './blocked.ts';
import type { Dependants } from './blocked.ts';
import type { TableLookup } from './catalogue.ts';
import { claimsOf, keysOf, rivalsOf } from './claims.ts';
import { topologyOf } from './closure.ts';
import type { Topology } from './closure.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './errors.ts';
import { eventSql } from './event.ts';
import { readFence } from './fence.ts';
import { readInventory } from './inventory.ts';
import { readDeclared } from './references.ts';
import { reachable, startEventOf } from './predicates.ts';
import { compilePredicate, Parameters, utcText } from './sql.ts';
import type { CompileContext, ResolvedTable } from './sql.ts';
import { unreadableGuard } from './statements.ts';
import { scanInStripes } from './stripes.ts';
import { resolveTargets, targetOf } from './target.ts';
import type { Target, Targets } from './target.ts';
import { uncountedBecause } from './uncounted.ts';

const alias = 't';
/** Wall time each collection gets, however little is left for all. */
const LEAST_MS = 100;

/**
 * Counts collections' rows by what becomes of them, each row in at most one class, the first of: held and due, floored
 * (kept by a minimum or a client) and due, blocked (referred to by a row that stays) and due, due, indeterminate.
 *
 * @returns in the order of the rules; one that cannot be counted says why (`uncounted`), and the others are counted
 * @throws StoreError of the store as a whole, such as `Unreachable`
 */
export async function countRows(connection: Connection, request: CountRequest): Promise<CollectionCount[]> {
  const deadline = performance.now() + request.budgetMs;
  const fence = await readFence(connection);
  const apart = await readApart(connection, fence !== undefined);
  const tables = putBack(await readInventory(connection), apart);
  const topology = topologyOf(tables, await readDeclared(connection, tables, request.rules));
  const counts = await countIn(connection, request, { topology, holds: fence?.holds ?? [], apart, installed: fence !== undefined, deadline });
  return counts.map(({ read: _read, ...count }) => count);
}

/** A count, and the tables it is of by catalogue identity: the mapped one and what was a part of it then. */
export interface Counted extends CollectionCount {
  read: readonly string[];
}

export interface CountSurroundings {
  topology: Topology;
  holds: readonly StoreHold[];
  /** Read before the tables were. */
  apart: Apart;
  /** Whether there is a journal. */
  installed: boolean;
  /** As `performance.now()` tells it. */
  deadline: number;
  /** What a plan was made on: the rows of no other table are counted. */
  pinned?: readonly PinnedTable[];
}

/** The same in a store whose tables and holds are known. @throws StoreError `Replaced` */
export async function countIn(connection: Connection, { rules, collections, now }: Omit<CountRequest, 'budgetMs'>, { topology, holds, apart, installed, deadline, pinned }: CountSurroundings): Promise<Counted[]> {
  const wanted = rules.filter((rule) => collections?.includes(rule.collection) ?? true);
  // A table that is not there has no rows that refer.
  const present = rules.filter((rule) => topology.table(rule.table) !== undefined);
  const targets = await resolveTargets(connection, topology, present, holds);
  // By the number each name was resolved to, which a count holds to: that it belonged to the right table before, or does again, is not enough.
  requirePinned(pinned, [...targets.byCollection.values()].flatMap(({ table, reads }) => [table, ...reads]).map(({ schema, name, oid }) => ({ schema, name, oid })));
  const dependants = dependantsOf(targets, topology);
  const counts = new Map<string, Counted>();
  // Small tables first: what they leave of the time is for the large ones, which need it.
  const bySize = wanted.toSorted((a, b) => bytesOf(topology, a) - bytesOf(topology, b));
  for (const [index, rule] of bySize.entries()) {
    const { collection } = rule;
    const budgetMs = Math.max(LEAST_MS, (deadline - performance.now()) / (bySize.length - index));
    counts.set(collection, await attempt(collection, () => countCollection(connection, targetFor(targets, rule, connection), { targets, topology, dependants, now, budgetMs })));
  }
  const disturbed = disturbedTables(apart, await readApart(connection, installed));
  const steady = ({ table }: CollectionRule): boolean => disturbed !== 'any' && (disturbed.size === 0 || !judgedBy(table, topology).some((key) => disturbed.has(key)));
  return wanted.flatMap((rule) => {
    const count = counts.get(rule.collection);
    return count === undefined ? [] : [{ ...count, exact: count.exact && steady(rule) }];
  });
}

/** One table that cannot be read must not leave the others uncounted. */
async function attempt(collection: string, count: () => Promise<Counted>): Promise<Counted> {
  try {
    return await count();
  } catch (error) {
    return { collection, due: 0, held: 0, floored: 0, blocked: 0, blockedForever: 0, indeterminate: 0, exact: false, read: [], uncounted: uncountedBecause(error) };
  }
}

function targetFor(targets: Targets, { collection, table }: CollectionRule, { target }: Connection): Target {
  if (targets.byCollection.has(collection)) return targetOf(targets, collection);
  throw new StoreError('NotFound', `DataStore ${target.name} has no table ${tableName(table)} in database ${target.database}; correct the data map, or remove the entry if the table was dropped.`);
}

/** Keys of a table, of what it is a part of, and of all that refers to it, directly or through others. */
function judgedBy(table: TableAddress, topology: Topology): string[] {
  const found = new Map([table, topology.root(table)].map((each) => [tableKey(each), each]));
  // A map may grow while it is gone through.
  for (const each of found.values()) for (const { childRoot } of topology.edgesInto(each)) found.set(tableKey(childRoot), childRoot);
  return [...found.keys()];
}

function bytesOf(topology: Topology, { table }: CollectionRule): number {
  return topology.leaves(table).reduce((sum, leaf) => sum + leaf.bytes, 0);
}

/** Of two collections that claim the same rows neither deletes anything, so all of theirs stay. */
function dependantsOf({ byCollection }: Targets, topology: Topology): Dependants {
  const targets = [...byCollection.values()];
  const claims = claimsOf(targets.map(({ rule }) => rule), topology);
  return new Map(targets.flatMap(({ rule, what }) => {
    const asked: Target['what'] = rivalsOf(rule, claims, topology).length === 0 ? what : { ...what, due: { op: 'false' } };
    return keysOf(rule.table, topology).map((key) => [key, asked] as const);
  }));
}

/** The same as if rows that no rule ever makes due went all the same: what is blocked even so is kept by a rule. Undefined where there are none. */
function withoutEndless(dependants: Dependants): Dependants | undefined {
  if ([...dependants.values()].every((what) => what.due.op !== 'false')) return undefined;
  return new Map([...dependants].map(([key, what]) => [key, what.due.op === 'false' ? { ...what, due: { op: 'true' } } : what]));
}

interface Counting {
  targets: Targets;
  topology: Topology;
  dependants: Dependants;
  now: string;
  budgetMs: number;
}

async function countCollection(connection: Connection, target: Target, counting: Counting): Promise<Counted> {
  const { rule } = target;
  const deadline = performance.now() + counting.budgetMs;
  const counts = { due: 0, held: 0, floored: 0, blocked: 0, blockedForever: 0, indeterminate: 0 };
  let oldestDue: string | undefined;
  const take = (rows: readonly ClassRow[]): void => {
    for (const row of rows) {
      if (row.class === 'other') continue;
      counts[row.class] += Number(row.rows);
      if (row.class === 'blockedForever') counts.blocked += Number(row.rows);
      if (row.class === 'due' && row.oldest !== null && (oldestDue === undefined || row.oldest < oldestDue)) oldestDue = row.oldest;
    }
  };
  let exact = true;
  const read: string[] = [];
  for (const table of [target.table, ...target.apart]) {
    const budgetMs = Math.max(LEAST_MS, deadline - performance.now());
    exact = table !== undefined && (await scanClasses(connection, { ...target, table }, counting, { budgetMs, only: table !== target.table, reading: (oids) => read.push(...oids) }, take)) && exact;
  }
  return { collection: rule.collection, ...counts, read, ...(oldestDue === undefined ? {} : { oldestDue }), exact, ...(target.unreadableValues === 0 ? {} : { unreadable: target.unreadableValues }) };
}

interface ClassRow {
  class: 'due' | 'held' | 'floored' | 'blocked' | 'blockedForever' | 'indeterminate' | 'other';
  rows: string;
  oldest: string | null;
}

/** @returns false: some rows were not read. What was apart may have been dropped, or attached again, meanwhile. */
async function scanClasses(connection: Connection, target: Target, counting: Counting, options: { budgetMs: number; only: boolean; reading: (oids: readonly string[]) => void }, take: (rows: readonly ClassRow[]) => void): Promise<boolean> {
  try {
    return await scanInStripes<ClassRow>(connection, target.table, { alias, ...options, reads: readBy(target, counting) }, (from, where, parameters) => classesSql(target, counting, { from, where }, parameters), take);
  } catch (error) {
    if (options.only && sqlState(error) === '42P01') return false;
    throw error;
  }
}

/** The tables the statement below looks into: those it asks for while it is written. */
function readBy(target: Target, counting: Counting): ResolvedTable[] {
  const asked: ResolvedTable[] = [];
  const { resolver } = counting.targets;
  const lookup: TableLookup = (address) => {
    const table = resolver.lookup(address);
    asked.push(table);
    return table;
  };
  classesSql(target, { ...counting, targets: { ...counting.targets, resolver: { ...resolver, lookup } } }, { from: '', where: '' }, new Parameters());
  return asked;
}

/** One pass that puts every row into its class; the CASE asks about holds and references only for rows that are due. */
function classesSql({ rule, table, what }: Target, { targets, topology, dependants, now }: Counting, { from, where }: { from: string; where: string }, parameters: Parameters): string {
  const context: CompileContext = { table, alias, ...targets.resolver };
  const sqlOf = (predicate: Predicate): string => compilePredicate(predicate, context, parameters);
  const kept = (kinds: readonly Guard['kind'][]): string => {
    const some = what.guards.filter((guard) => kinds.includes(guard.kind)).map((guard) => `((${keepsSql(guard, context, parameters)}) IS NOT FALSE)`);
    return some.length === 0 ? 'FALSE' : some.join(' OR ');
  };
  const blocked = (by: Dependants | undefined): string => by === undefined ? 'TRUE' : blockedSql(what, tableKey(topology.root(rule.table)), alias, by, targets.resolver, parameters);
  const unclear = rule.times.map((time) => sqlOf({ op: 'indeterminate', time, now }));
  const event = startEventOf(rule.due) ?? rule.times[0];
  const oldest = event === undefined ? 'NULL::timestamptz' : eventSql(event, now, context, parameters);
  return `
SELECT class, count(*)::text AS rows, ${utcText('min(oldest)')} AS oldest
FROM (
  SELECT CASE
      WHEN (${sqlOf(what.due)}) IS TRUE THEN CASE WHEN ${kept(['Hold'])} THEN 'held' WHEN ${kept(['Minimum', 'Client'])} THEN 'floored'
        WHEN ${blocked(dependants)} THEN CASE WHEN ${blocked(withoutEndless(dependants))} THEN 'blocked' ELSE 'blockedForever' END ELSE 'due' END
      WHEN ${unclear.length === 0 ? 'FALSE' : `(${unclear.join(' OR ')}) AND ((${sqlOf(reachable(rule.due))}) IS NOT FALSE)`} THEN 'indeterminate'
      ELSE 'other' END AS class,
    ${oldest} AS oldest
  FROM ${from} WHERE ${where}
) AS classed
GROUP BY class`;
}

/** True, or unknown, of the rows a guard keeps. One that cannot be understood here keeps every row, as it does when rows are deleted. */
function keepsSql(guard: Guard, context: CompileContext, parameters: Parameters): string {
  return unreadableGuard(guard, context.table, context) === undefined ? compilePredicate(guard.predicate, context, parameters) : 'TRUE';
}
