import { tableKey } from '../predicate.ts';
import type { Predicate, TableAddress, TimeField } from '../predicate.ts';
import { columnOf } from './sql.ts';
import type { ResolvedTable } from './sql.ts';
import { usesOf } from './uses.ts';

/** Tables a predicate looks into beside its own, each once. */
export function addressesOf(predicate: Predicate): TableAddress[] {
  return [...new Map(usesOf(predicate).flatMap(({ table }) => (table === undefined ? [] : [[tableKey(table), table] as const]))).values()];
}

/** The event a rule's period starts from: the first time it compares with a cutoff. */
export function startEventOf(predicate: Predicate | undefined): TimeField | undefined {
  switch (predicate?.op) {
    case 'and':
    case 'or':
      return predicate.of.map(startEventOf).find((time) => time !== undefined);
    case 'before':
      return predicate.time;
    default:
      return undefined;
  }
}

/**
 * The rows a rule is about whatever their times: each part that depends on a time is replaced by what makes the
 * whole hold for more rows. Without a rule every row counts.
 */
export function reachable(due: Predicate | undefined): Predicate {
  return due === undefined ? { op: 'true' } : widen(due, true);
}

function widen(predicate: Predicate, wanted: boolean): Predicate {
  switch (predicate.op) {
    case 'and':
    case 'or':
      return { op: predicate.op, of: predicate.of.map((part) => widen(part, wanted)) };
    case 'not':
      return { op: 'not', of: widen(predicate.of, !wanted) };
    case 'before':
    case 'notBefore':
    case 'indeterminate':
      return { op: wanted ? 'true' : 'false' };
    default:
      return predicate;
  }
}

/** Whether no row makes a predicate unknown; false also where that is not looked into. */
export function neverUnknown(predicate: Predicate, table: ResolvedTable): boolean {
  switch (predicate.op) {
    case 'true':
    case 'false':
    case 'isNull':
    case 'indeterminate':
      return true;
    case 'and':
    case 'or':
      return predicate.of.every((part) => neverUnknown(part, table));
    case 'not':
      return neverUnknown(predicate.of, table);
    case 'oneOf':
      return predicate.field.via.length === 0 && columnOf(table, predicate.field.field).notNull;
    default:
      return false;
  }
}
