import type { TimeType } from './predicate.ts';

/** Types of columns, as an inventory spells them, that a time of each type can be read from. */
export const TIME_COLUMN_TYPES: Readonly<Record<TimeType, readonly string[]>> = {
  TimestampTZ: ['timestamp with time zone'],
  Timestamp: ['timestamp without time zone'],
  Date: ['date'],
  EpochSeconds: ['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision'],
  EpochMillis: ['bigint', 'numeric', 'double precision'],
};

/** Types of time that can be read from such a column; none: it holds no time. */
export function timeTypesOf(columnType: string): TimeType[] {
  return (Object.keys(TIME_COLUMN_TYPES) as TimeType[]).filter((type) => TIME_COLUMN_TYPES[type].includes(columnType));
}
