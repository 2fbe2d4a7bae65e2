import type { CollectionCount, CollectionRule, CountRequest } from '../counting.ts';
import type { StoreHold } from '../fence.ts';
import type { Guard, Predicate, TableAddress } from '../predicate.ts';
import { addressKey, resolveTables } from './catalogue.ts';
import type { Connection } from './connection.ts';
import { eventSql } from './event.ts';
import { readFence } from './fence.ts';
import { checkLiterals } from './literals.ts';
import { addressesOf, reachable, startEventOf } from './predicates.ts';
import { compilePredicate, utcText } from './sql.ts';
import type { CompileContext, Parameters } from './sql.ts';
import { unreadableGuard } from './statements.ts';
import { scanInStripes } from './stripes.ts';

const alias = 't';

/**
 * Counts a collection's rows by what becomes of them. Every row is in at most one class, the first of: held and
 * due, floored (kept by a minimum or a client) and due, due, indeterminate.
 *
 * @throws StoreError `RowsHidden` where row security would hide rows, `PermissionDenied`, `NotFound`
 */
export async function countCollection(connection: Connection, { rule, now, budgetMs }: CountRequest): Promise<CollectionCount> {
  const started = performance.now();
  const fence = await readFence(connection);
  const guards = [...rule.guards, ...(await holdsOn(connection, rule.table, fence?.holds ?? []))];
  const reach = reachable(rule.due);
  const predicates = [rule.due ?? { op: 'false' as const }, ...guards.map((guard) => guard.predicate)];
  const lookup = await resolveTables(connection, [rule.table, ...predicates.flatMap(addressesOf), ...rule.times.flatMap((time) => time.path.via.map((hop) => hop.table))]);
  const table = lookup(rule.table);
  const { readable, unreadable } = await checkLiterals(
    connection,
    predicates.map((predicate) => ({ predicate, table })),
    lookup,
  );
  const context: CompileContext = { table, alias, lookup, readable };

  const counts = { due: 0, held: 0, floored: 0, indeterminate: 0 };
  let oldestDue: string | undefined;
  const exact = await scanInStripes<{ class: keyof typeof counts | 'other'; rows: string; oldest: string | null }>(
    connection,
    table,
    { alias, budgetMs: Math.max(1, budgetMs - (performance.now() - started)) },
    (from, where, parameters) => classesSql(rule, guards, reach, now, context, { from, where }, parameters),
    (rows) => {
      for (const row of rows) {
        if (row.class === 'other') continue;
        counts[row.class] += Number(row.rows);
        if (row.class === 'due' && row.oldest !== null && (oldestDue === undefined || row.oldest < oldestDue)) oldestDue = row.oldest;
      }
    },
  );
  return { collection: rule.collection, ...counts, ...(oldestDue === undefined ? {} : { oldestDue }), exact, ...(unreadable === 0 ? {} : { unreadable }) };
}

/** One pass that puts every row into its class; the CASE asks about holds only for rows that are due. */
function classesSql(
  rule: CollectionRule,
  guards: readonly Guard[],
  reach: Predicate,
  now: string,
  context: CompileContext,
  { from, where }: { from: string; where: string },
  parameters: Parameters,
): string {
  const sqlOf = (predicate: Predicate): string => compilePredicate(predicate, context, parameters);
  const kept = (kinds: readonly Guard['kind'][]): string => {
    const some = guards.filter((guard) => kinds.includes(guard.kind)).map((guard) => `((${guardSql(guard, context, parameters)}) IS NOT FALSE)`);
    return some.length === 0 ? 'FALSE' : some.join(' OR ');
  };
  const unclear = rule.times.map((time) => sqlOf({ op: 'indeterminate', time, now }));
  const event = startEventOf(rule.due) ?? rule.times[0];
  const oldest = event === undefined ? 'NULL::timestamptz' : eventSql(event, now, context, parameters);
  return `
SELECT class, count(*)::text AS rows, ${utcText('min(oldest)')} AS oldest
FROM (
  SELECT CASE
      WHEN (${sqlOf(rule.due ?? { op: 'false' })}) IS TRUE THEN CASE WHEN ${kept(['Hold'])} THEN 'held' WHEN ${kept(['Minimum', 'Client'])} THEN 'floored' ELSE 'due' END
      WHEN ${unclear.length === 0 ? 'FALSE' : `(${unclear.join(' OR ')}) AND ((${sqlOf(reach)}) IS NOT FALSE)`} THEN 'indeterminate'
      ELSE 'other' END AS class,
    ${oldest} AS oldest
  FROM ${from} WHERE ${where}
) AS classed
GROUP BY class`;
}

/** A guard that cannot be understood here keeps every row, as it does when rows are deleted. */
function guardSql(guard: Guard, context: CompileContext, parameters: Parameters): string {
  return unreadableGuard(guard, context.table, context) === undefined ? compilePredicate(guard.predicate, context, parameters) : 'TRUE';
}

/** The store's holds on a table, on anything it is a part of, and on any part of it: the latter protect in the whole table. */
async function holdsOn(connection: Connection, table: TableAddress, holds: readonly StoreHold[]): Promise<Guard[]> {
  if (holds.length === 0) return [];
  const { rows } = await connection.query<TableAddress>(familySql, [table.schema, table.name]);
  const family = new Set(rows.map(addressKey));
  return holds.flatMap((hold) => hold.items.filter((item) => family.has(addressKey(item.table))).map((item): Guard => ({ kind: 'Hold', name: hold.name, predicate: item.predicate })));
}

const familySql = `
WITH RECURSIVE self AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
), up(oid) AS (
  SELECT oid FROM self UNION SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.oid
), down(oid) AS (
  SELECT oid FROM self UNION SELECT i.inhrelid FROM down JOIN pg_inherits i ON i.inhparent = down.oid
)
SELECT n.nspname AS schema, c.relname AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid IN (SELECT oid FROM up UNION SELECT oid FROM down)`;
