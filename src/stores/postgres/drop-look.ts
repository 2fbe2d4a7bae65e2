import type { Guard } from '../predicate.ts';
import { neverUnknown } from './predicates.ts';
import { referringSql } from './referring.ts';
import { compilePredicate, notFalse, Parameters, quoteIdentifier, quoteTable } from './sql.ts';
import type { CompileContext, ResolvedTable } from './sql.ts';
import { unreadableGuard } from './statements.ts';
import type { Deletable, Resolver, Statement } from './statements.ts';

const ROW = 'r';

/**
 * Whether a partition has a row, and whether it has one that must stay: 1 or 0 each. It reads no further than to the first of
 * them, and none where nothing can keep one; where guards keep rows by an indexed column, a few pages of the index.
 */
export function lookForDrop({ due, guards, edges }: Deletable, leaf: ResolvedTable, resolver: Resolver): Statement {
  const parameters = new Parameters();
  const context = { ...resolver, table: leaf, alias: ROW };
  const stays = [
    ...(due.op === 'true' ? [] : [`(${compilePredicate(due, context, parameters)}) IS NOT TRUE`]),
    ...guards.map((guard) => keepsSql(guard, context, parameters)),
    ...edges.map((edge) => `EXISTS (${referringSql(edge, ROW, resolver)})`),
  ];
  const found = (where: string): string => `EXISTS (SELECT FROM ONLY ${quoteTable(leaf)} AS ${quoteIdentifier(ROW)}${where})::int`;
  return { text: `SELECT ${found('')} AS rows, ${stays.length === 0 ? '0' : found(` WHERE ${stays.join(' OR ')}`)} AS kept`, values: parameters.values };
}

/** The opposite of `letsGoSql`. */
function keepsSql(guard: Guard, context: CompileContext, parameters: Parameters): string {
  if (unreadableGuard(guard, context.table, context) !== undefined) return 'TRUE';
  const sql = compilePredicate(guard.predicate, context, parameters);
  // No index serves a condition that also asks for unknown.
  return neverUnknown(guard.predicate, context.table) ? `(${sql})` : notFalse(sql);
}
