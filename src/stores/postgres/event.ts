import type { TimeField } from '../predicate.ts';
import { atField } from './sql.ts';
import type { CompileContext, Parameters } from './sql.ts';
import { asInstantSql, determinateSql } from './times.ts';

/** The event as an instant, NULL where it is not to be believed or lies before year 1. */
export function eventSql(time: TimeField, now: string, context: CompileContext, parameters: Parameters): string {
  const bind = (value: unknown, cast: string): string => parameters.add(value, cast);
  const bounded: TimeField = { ...time, plausibleFrom: time.plausibleFrom ?? '0001-01-02' };
  return atField(time.path, context, (column) => `CASE WHEN ${determinateSql(column, bounded, now, bind)} THEN ${asInstantSql(column, time, bind)} END`);
}
