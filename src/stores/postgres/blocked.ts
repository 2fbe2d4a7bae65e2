import { tableKey } from '../predicate.ts';
import type { Edge } from './closure.ts';
import { belowOf, belowSql, referringSql } from './referring.ts';
import { compilePredicate } from './sql.ts';
import type { Parameters } from './sql.ts';
import { letsGoSql } from './statements.ts';
import type { Deletable, Resolver } from './statements.ts';

/** The described tables of a store and their parts by `tableKey` of their root: whether a row stays depends on those that refer to it. */
export type Dependants = ReadonlyMap<string, Deletable>;

/** Foreign keys followed in a row, at most: each is a subquery within the one before. */
const DEEPEST = 6;
/** Subqueries in one statement. Where many tables refer to many, the ways through them are too many to write down. */
const MOST = 200;

/**
 * The condition of a row `alias` that nothing keeps but a row that refers to it, directly or through others, and stays
 * itself: it is not due, or something keeps it. The one definition of a blocked row: what a plan forecasts, a count
 * shows and a verification takes for granted must not differ, or a purge that did all it may looks unfinished.
 *
 * Rows of tables nobody described do not block, because no rule is the reason why they stay. Nor does what a plan refuses
 * to follow. What lies further away than can be asked in one statement is taken to go, which calls a row due too long
 * and never too short.
 *
 * @param root table `what` is about; the partitioned one where it is a partition
 */
export function blockedSql(what: Deletable, root: string, alias: string, dependants: Dependants, resolver: Resolver, parameters: Parameters): string {
  const depths = Array.from({ length: DEEPEST }, (_, index) => DEEPEST - index);
  const depth = depths.find((each) => subqueries(what, dependants, [root], each, MOST) <= MOST) ?? 1;
  return blocked(what, alias, { dependants, resolver, parameters, depth }, [root]);
}

interface Context {
  dependants: Dependants;
  resolver: Resolver;
  parameters: Parameters;
  /** Foreign keys to follow in a row. */
  depth: number;
}

/** How many the statement would have, or any number above `most`. */
function subqueries(what: Deletable, dependants: Dependants, seen: readonly string[], depth: number, most: number): number {
  const inTree = what.edges.some((edge) => edge.self && usable(edge));
  let found = inTree ? 2 : 0;
  for (const { key, dependant } of followed(what, dependants, seen, depth)) {
    // In a tree they are asked of the row and of those below it.
    found += (inTree ? 2 : 1) * (1 + (dependant.due.op === 'false' ? 0 : subqueries(dependant, dependants, [...seen, key], depth, most - found)));
    if (found > most) break;
  }
  return found;
}

/** The other tables that refer to one and are asked about. */
function followed(what: Deletable, dependants: Dependants, seen: readonly string[], depth: number): { edge: Edge; key: string; dependant: Deletable }[] {
  return what.edges.flatMap((edge) => {
    const key = tableKey(edge.childRoot);
    const dependant = dependants.get(key);
    return edge.self || !usable(edge) || dependant === undefined || seen.includes(key) || seen.length > depth ? [] : [{ edge, key, dependant }];
  });
}

/** @param seen tables on the way here; a circle of tables is refused by the plan. */
function blocked(what: Deletable, alias: string, context: Context, seen: readonly string[]): string {
  const own = what.edges.filter((edge) => edge.self && usable(edge));
  const conditions = others(what, alias, context, seen);
  if (own.length > 0) conditions.push(descendantStays(what, own, alias, context, seen));
  return conditions.length === 0 ? 'FALSE' : conditions.join(' OR ');
}

/**
 * Links by which nothing can be looked up, and those without an index, by which each row would read a whole table, are
 * not followed: a plan refuses what they lead to, so its rows are due and stay so until somebody mends the link.
 */
function usable(edge: Edge): boolean {
  return edge.indexed && edge.declared?.problem === undefined;
}

/** For each other table that refers to this one: one of its rows refers to this row and stays. */
function others(what: Deletable, alias: string, context: Context, seen: readonly string[]): string[] {
  const child = `${alias}_by`;
  return followed(what, context.dependants, seen, context.depth).map(({ edge, key, dependant }) => {
    const referring = `EXISTS (${referringSql(edge, alias, context.resolver)}`;
    if (dependant.due.op === 'false') return `${referring})`;
    const deeper = blocked(dependant, child, context, [...seen, key]);
    return `${referring} AND (${keptSql(dependant, edge, child, context)}${deeper === 'FALSE' ? '' : ` OR ${deeper}`}))`;
  });
}

/** A row of the referring table is not due under its own rule, or a guard keeps it. */
function keptSql(what: Deletable, edge: Edge, alias: string, { resolver, parameters }: Context): string {
  const row = { ...resolver, table: resolver.lookup(edge.child), alias };
  const goes = [`(${compilePredicate(what.due, row, parameters)})`, ...what.guards.map((guard) => letsGoSql(guard, row, parameters))];
  return `(${goes.join(' AND ')}) IS NOT TRUE`;
}

/**
 * Somewhere below the row, in a table that refers to itself, is one that stays: an answer in a thread keeps all it
 * answers to. Most rows have nothing below them, and asking that first spares them the recursion.
 */
function descendantStays(what: Deletable, own: readonly Edge[], alias: string, context: Context, seen: readonly string[]): string {
  const stays = (row: string, edge: Edge): string => [keptSql(what, edge, row, context), ...others(what, row, context, seen)].join(' OR ');
  const below = belowSql(own, alias, { stays: 'FALSE' }, stays, context.resolver);
  const any = own.map((edge) => `EXISTS (${referringSql(edge, alias, context.resolver)})`).join(' OR ');
  return `((${any}) AND EXISTS (WITH RECURSIVE ${below} SELECT FROM ${belowOf(alias)} WHERE stays))`;
}
