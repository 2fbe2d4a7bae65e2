import { StoreError } from '../errors.ts';
import type { CollectionRule } from '../counting.ts';
import type { Guard, Predicate } from '../predicate.ts';
import type { Edge } from './closure.ts';
import { belowOf, belowSql, referringSql } from './referring.ts';
import { columnOf, compilePredicate, isFalse, literalsOf, Parameters, quoteIdentifier, quoteTable } from './sql.ts';
import type { CompileContext, ResolvedTable } from './sql.ts';

/** Everything that decides whether a row of one collection may go. */
export interface Deletable {
  due: Predicate;
  /** Minimums, client rules and holds. */
  guards: readonly Guard[];
  /** Foreign keys into the table; a row somebody refers to stays. */
  edges: readonly Edge[];
  client?: CollectionRule['client'];
}

export interface Statement {
  text: string;
  values: unknown[];
}

/** How names and values are understood; the table is added by each statement. */
export type Resolver = Pick<CompileContext, 'lookup' | 'readable'>;

/** A run of heap pages, `to` exclusive. */
export interface BlockRange {
  from: number;
  to: number;
}

/** Where an index-ordered pass stands: the last row looked at. */
export interface KeysetPosition {
  time: string;
  ctid: string;
}

const ROW = 'r';

/**
 * The condition of every destructive statement about the row `alias` of one heap table: due, kept by no guard,
 * referred to by nothing. It always stands in the statement that deletes; a condition that only chose the rows
 * beforehand would not be checked again when somebody changes a row meanwhile.
 */
export function deletableSql(what: Deletable, leaf: ResolvedTable, resolver: Resolver, parameters: Parameters, alias = ROW): string {
  const context = { ...resolver, table: leaf, alias };
  return [
    `(${compilePredicate(what.due, context, parameters)})`,
    ...what.guards.map((guard) => letsGoSql(guard, context, parameters)),
    ...what.edges.map((edge) => unreferencedSql(edge, alias, resolver)),
  ].join(' AND ');
}

/** Why a guard keeps every row of a table: it cannot be understood there. Undefined when it can. */
export function unreadableGuard(guard: Guard, leaf: ResolvedTable, resolver: Resolver): string | undefined {
  const context = { ...resolver, table: leaf, alias: ROW };
  try {
    compilePredicate(guard.predicate, context, new Parameters());
    const unreadable = literalsOf(guard.predicate, context).filter(({ type, value }) => !resolver.readable(type, value)).length;
    return unreadable === 0 ? undefined : `${unreadable} of its values cannot be read in the column's type`;
  } catch (error) {
    if (error instanceof StoreError || error instanceof RangeError) return error.message;
    throw error;
  }
}

/** True of the rows a guard does not keep; unknown is kept. */
export function letsGoSql(guard: Guard, context: CompileContext, parameters: Parameters): string {
  // What cannot be understood protects everything: a hold with a mistyped value is still a hold.
  if (unreadableGuard(guard, context.table, context) !== undefined) return isFalse('TRUE');
  return isFalse(compilePredicate(guard.predicate, context, parameters));
}

/** No row refers to this one through the foreign key, except a row to itself. */
function unreferencedSql(edge: Edge, alias: string, resolver: Resolver): string {
  return `NOT EXISTS (${referringSql(edge, alias, resolver)})`;
}

/**
 * Deletes the deletable rows of a run of heap pages. Where rows belong to clients they are counted in the snapshot
 * of the same statement, before they go: RETURNING would make the DELETE about twice as slow. The count is true
 * when as many rows were deleted; fewer are where somebody changed one meanwhile.
 */
export function deleteBlocks(what: Deletable, leaf: ResolvedTable, range: BlockRange, resolver: Resolver): Statement {
  const parameters = new Parameters();
  const where = `${inBlocks(range, parameters)} AND ${deletableSql(what, leaf, resolver, parameters)}`;
  if (!countsByClient(what)) return { text: bareDelete(leaf, where), values: parameters.values };
  const counted = `SELECT ${clientSql(what)} AS client, count(*)::text AS deleted FROM ONLY ${quoteTable(leaf)} AS ${quoteIdentifier(ROW)} WHERE ${where} GROUP BY 1`;
  return { text: `WITH counted AS MATERIALIZED (${counted}), gone AS (${bareDelete(leaf, where)}) SELECT client, deleted FROM counted`, values: parameters.values };
}

/** The same, counting the rows as they go, whatever else changes them. */
export function deleteBlocksReturning(what: Deletable, leaf: ResolvedTable, range: BlockRange, resolver: Resolver): Statement {
  const parameters = new Parameters();
  const where = `${inBlocks(range, parameters)} AND ${deletableSql(what, leaf, resolver, parameters)}`;
  return { text: `WITH gone AS (${bareDelete(leaf, where)} RETURNING ${clientSql(what)} AS client) SELECT client, count(*)::text AS deleted FROM gone GROUP BY client`, values: parameters.values };
}

/**
 * Deletes among the next `limit` due rows in the order of an indexed time column. Answers with where it stands:
 * `reached_time`, `reached_ctid` and how many it looked at, since a pass goes on behind rows that have to stay.
 */
export function deleteKeyset(what: Deletable, leaf: ResolvedTable, column: string, after: KeysetPosition | undefined, limit: number, resolver: Resolver): Statement {
  const parameters = new Parameters();
  const type = columnOf(leaf, column).type;
  const key = `"k".${quoteIdentifier(column)}`;
  const due = compilePredicate(what.due, { ...resolver, table: leaf, alias: 'k' }, parameters);
  const cursor = after === undefined ? '' : keysetCursor(key, type, after, parameters);
  const picked = `SELECT "k".ctid AS at, ${key} AS t FROM ONLY ${quoteTable(leaf)} AS "k" WHERE (${due})${cursor} ORDER BY ${key}, "k".ctid LIMIT ${parameters.add(limit, 'bigint')}`;
  const where = `${quoteIdentifier(ROW)}.ctid = ANY (ARRAY(SELECT at FROM picked)) AND ${deletableSql(what, leaf, resolver, parameters)}`;
  return {
    text: `WITH picked AS MATERIALIZED (${picked}), gone AS (${bareDelete(leaf, where)} RETURNING ${clientSql(what)} AS client),
      reached AS (SELECT t, at FROM picked ORDER BY t DESC, at DESC LIMIT 1)
      SELECT g.client, coalesce(g.deleted, 0)::text AS deleted, (SELECT count(*) FROM picked)::int AS looked_at, (SELECT t::text FROM reached) AS reached_time, (SELECT at::text FROM reached) AS reached_ctid
      FROM (SELECT 1) one LEFT JOIN (SELECT client, count(*) AS deleted FROM gone GROUP BY client) g ON true`,
    values: parameters.values,
  };
}

function keysetCursor(key: string, type: string, after: KeysetPosition, parameters: Parameters): string {
  const time = parameters.add(after.time, type);
  return ` AND ${key} >= ${time} AND (${key} > ${time} OR "k".ctid > ${parameters.add(after.ctid, 'tid')})`;
}

/**
 * Deletes a row and all that refers to it in its own table, together: rows that refer to each other in a ring can go in no
 * other way, since each of them is referred to as long as the others are there. None goes unless all may. `wanted` is their
 * number; fewer are deleted where one was changed meanwhile, and then none may go.
 *
 * @param at place of the row, `(page,row)`
 */
export function deleteRing(what: Deletable, leaf: ResolvedTable, at: string, resolver: Resolver): Statement {
  const parameters = new Parameters();
  const ring = belowOf(ROW);
  const goes = (alias: string): string => deletableSql(withoutOwn(what), leaf, resolver, parameters, alias);
  const stays = (alias: string): string => `(${goes(alias)}) IS NOT TRUE`;
  const top = { from: `FROM ONLY ${quoteTable(leaf)} AS ${quoteIdentifier(ROW)} WHERE ${quoteIdentifier(ROW)}.ctid = ${parameters.add(at, 'tid')}`, stays: stays(ROW) };
  const found = belowSql(what.edges.filter((edge) => edge.self), ROW, top, stays, resolver);
  const where = `${quoteIdentifier(ROW)}.ctid = ANY (ARRAY(SELECT at FROM ${ring})) AND ${goes(ROW)} AND NOT EXISTS (SELECT FROM ${ring} WHERE stays)`;
  return {
    text: `WITH RECURSIVE ${found}, gone AS (${bareDelete(leaf, where)} RETURNING ${clientSql(what)} AS client)
      SELECT g.client, coalesce(g.deleted, 0)::text AS deleted, (SELECT count(DISTINCT at) FROM ${ring})::text AS wanted
      FROM (SELECT 1) one LEFT JOIN (SELECT client, count(*) AS deleted FROM gone GROUP BY client) g ON true`,
    values: parameters.values,
  };
}

/**
 * Where rings are that may go: of each the row that comes first in the heap, in a run of pages and 1,000 at most. Of rings
 * that refer to each other it may be some only.
 */
export function ringStarts(what: Deletable, leaf: ResolvedTable, range: BlockRange, resolver: Resolver): Statement {
  const parameters = new Parameters();
  const own = what.edges.filter((edge) => edge.self);
  const goes = (alias: string): string => deletableSql(withoutOwn(what), leaf, resolver, parameters, alias);
  const where = [inBlocks(range, parameters), goes(ROW), `(${own.map((edge) => `EXISTS (${referringSql(edge, ROW, resolver)})`).join(' OR ')})`].join(' AND ');
  const found = belowSql(own, ROW, { stays: 'FALSE' }, (alias) => `(${goes(alias)}) IS NOT TRUE`, resolver);
  return {
    text: `SELECT ${quoteIdentifier(ROW)}.ctid::text AS at FROM ONLY ${quoteTable(leaf)} AS ${quoteIdentifier(ROW)}
      WHERE ${where} AND NOT EXISTS (WITH RECURSIVE ${found} SELECT FROM ${belowOf(ROW)} WHERE stays OR at < ${quoteIdentifier(ROW)}.ctid) LIMIT 1000`,
    values: parameters.values,
  };
}

/** As if no row of the table referred to another of it. */
function withoutOwn(what: Deletable): Deletable {
  return { ...what, edges: what.edges.filter((edge) => !edge.self) };
}

/** Rows of a whole table by client, and how many of them must stay: a partition may be dropped where none must. One row where nobody declared whose they are. */
export function countForDrop(what: Deletable, leaf: ResolvedTable, resolver: Resolver): Statement {
  const parameters = new Parameters();
  const deletable = deletableSql(what, leaf, resolver, parameters);
  return {
    text: `SELECT ${clientSql(what)} AS client, count(*)::text AS rows, count(*) FILTER (WHERE (${deletable}) IS NOT TRUE)::text AS kept FROM ONLY ${quoteTable(leaf)} AS ${quoteIdentifier(ROW)}${countsByClient(what) ? ' GROUP BY 1' : ''}`,
    values: parameters.values,
  };
}

/** The first row, in the order of the heap, that is deletable in a run of pages; no range: in the whole table. */
export function firstDeletable(what: Deletable, leaf: ResolvedTable, range: BlockRange | undefined, resolver: Resolver): Statement {
  const parameters = new Parameters();
  const within = range === undefined ? '' : `${inBlocks(range, parameters)} AND `;
  const where = `${within}${deletableSql(what, leaf, resolver, parameters)}`;
  // With LIMIT the server might take an index, and the first row it finds there is not the first of the heap.
  return { text: `SELECT min(${quoteIdentifier(ROW)}.ctid)::text AS ctid FROM ONLY ${quoteTable(leaf)} AS ${quoteIdentifier(ROW)} WHERE ${where}`, values: parameters.values };
}

function inBlocks({ from, to }: BlockRange, parameters: Parameters): string {
  const ctid = `${quoteIdentifier(ROW)}.ctid`;
  return `${ctid} >= ${parameters.add(`(${from},0)`, 'tid')} AND ${ctid} < ${parameters.add(`(${to},0)`, 'tid')}`;
}

/** The only place that writes DELETE. ONLY: a ctid means nothing outside its own table. */
function bareDelete(leaf: ResolvedTable, where: string): string {
  return `DELETE FROM ONLY ${quoteTable(leaf)} AS ${quoteIdentifier(ROW)} WHERE ${where}`;
}

function countsByClient({ client }: Deletable): boolean {
  return client !== undefined && 'field' in client;
}

function clientSql({ client }: Deletable): string {
  return client !== undefined && 'field' in client ? `${quoteIdentifier(ROW)}.${quoteIdentifier(client.field)}::text` : 'NULL::text';
}

export type DestructiveStatement = (what: Deletable, leaf: ResolvedTable, resolver: Resolver) => Statement;

/**
 * Every statement that destroys rows or decides that a partition may be dropped, with sample positions. A test
 * walks them all; a new one that is missing here, or lacks a condition, fails it.
 */
export const DESTRUCTIVE_STATEMENTS: Readonly<Record<'deleteBlocks' | 'deleteBlocksReturning' | 'deleteKeyset' | 'deleteRing' | 'countForDrop', (column: string) => DestructiveStatement>> = {
  deleteBlocks: () => (what, leaf, resolver) => deleteBlocks(what, leaf, { from: 0, to: 150 }, resolver),
  deleteBlocksReturning: () => (what, leaf, resolver) => deleteBlocksReturning(what, leaf, { from: 0, to: 150 }, resolver),
  deleteKeyset: (column) => (what, leaf, resolver) => deleteKeyset(what, leaf, column, { time: '2020-01-01', ctid: '(0,0)' }, 100, resolver),
  deleteRing: () => (what, leaf, resolver) => deleteRing(what, leaf, '(0,1)', resolver),
  countForDrop: () => (what, leaf, resolver) => countForDrop(what, leaf, resolver),
};
