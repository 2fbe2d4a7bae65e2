import { StoreError } from '../errors.ts';
import type { Cutoff, TimeField } from '../predicate.ts';
import { TIME_COLUMN_TYPES } from '../time-types.ts';

/** Adds a bound value to the statement and returns its placeholder, cast to a type. */
type Bind = (value: unknown, cast: string) => string;

/** One time column inside a statement. */
export interface TimeColumn {
  /** SQL of the column, already quoted. */
  sql: string;
  /** The column's base type as the catalogue spells it. */
  type: string;
  /** `schema.table.column`, for messages. */
  name: string;
}

const dayMs = 86_400_000;
/** No civil time is further from UTC than this; a wall clock this far from the cutoff needs no zone to be judged. */
const zoneMarginMs = dayMs;
/** The date that is latest anywhere at one instant is the one at UTC+14. */
const easternmostMs = 14 * 3_600_000;

const integers: readonly string[] = ['smallint', 'integer', 'bigint'];

/**
 * SQL that is true where the event lies before the cutoff, false where it does not or is infinite, and NULL
 * where there is no event.
 *
 * @throws StoreError when the column is not of the declared type, or the declaration lacks what its type needs
 */
export function beforeSql(column: TimeColumn, time: TimeField, cutoff: Cutoff, bind: Bind): string {
  requireType(column, time);
  const c = column.sql;
  switch (time.type) {
    case 'TimestampTZ':
      return all(...aboveInfinity(column), `${c} < ${bind(instantText(cutoff.instant), 'timestamptz')}`);
    case 'Date':
      return all(...aboveInfinity(column), `${c} < ${bind(dateText(cutoff.localDate), 'date')}`);
    case 'Timestamp': {
      // The column is moved to the instant, not the cutoff to the wall clock: for a wall clock that exists twice
      // PostgreSQL then takes the later instant, which never makes a row due early. The zone is only asked near
      // the cutoff, since for times at the end of the type's range the conversion itself is an error.
      const cutoffMs = instantMs(cutoff.instant);
      const low = bind(wallText(cutoffMs - zoneMarginMs), 'timestamp');
      const high = bind(wallText(cutoffMs + zoneMarginMs), 'timestamp');
      const exact = `${c} AT TIME ZONE ${bind(zoneOf(column, time), 'text')} < ${bind(instantText(cutoff.instant), 'timestamptz')}`;
      return all(...aboveInfinity(column), `${c} < ${high}`, `CASE WHEN ${c} < ${low} THEN TRUE WHEN ${c} >= ${high} THEN FALSE ELSE ${exact} END`);
    }
    case 'EpochSeconds':
    case 'EpochMillis':
      return all(...aboveInfinity(column), `${c} < ${epochBound(column, time.type, instantMs(cutoff.instant), Math.ceil, bind)}`);
  }
}

/**
 * SQL that is true where the column holds a time that can be believed: present, finite, not later than `now`,
 * not before `plausibleFrom`. May be NULL; whoever asks for the opposite writes `IS NOT TRUE`.
 *
 * @throws StoreError as `beforeSql`
 */
export function determinateSql(column: TimeColumn, time: TimeField, now: string, bind: Bind): string {
  requireType(column, time);
  const nowMs = instantMs(now);
  const c = column.sql;
  const from = time.plausibleFrom === undefined ? undefined : dateText(time.plausibleFrom);
  const parts = aboveInfinity(column);
  switch (time.type) {
    case 'TimestampTZ':
      parts.push(`${c} <= ${bind(instantText(now), 'timestamptz')}`);
      if (from !== undefined) parts.push(`${c} >= ${startOfDay(from, time, bind)}`);
      break;
    case 'Timestamp':
      parts.push(`${c} <= (${bind(instantText(now), 'timestamptz')} AT TIME ZONE ${bind(zoneOf(column, time), 'text')})`);
      if (from !== undefined) parts.push(`${c} >= ${bind(from, 'date')}`);
      break;
    case 'Date':
      parts.push(`${c} <= ${today(nowMs, now, time, bind)}`);
      if (from !== undefined) parts.push(`${c} >= ${bind(from, 'date')}`);
      break;
    case 'EpochSeconds':
    case 'EpochMillis': {
      parts.push(`${c} <= ${epochBound(column, time.type, nowMs, Math.floor, bind)}`);
      const scale = time.type === 'EpochSeconds' ? '' : ' * 1000';
      if (from !== undefined) parts.push(`${c} >= (extract(epoch FROM ${startOfDay(from, time, bind)})${scale})`);
      break;
    }
  }
  return all(...parts);
}

/**
 * SQL of the column's time as timestamptz, for columns whose value was checked by `determinateSql` before.
 * Other values may be out of the type's range and fail the statement.
 */
export function asInstantSql(column: TimeColumn, time: TimeField, bind: Bind): string {
  requireType(column, time);
  const c = column.sql;
  switch (time.type) {
    case 'TimestampTZ':
      return c;
    case 'Timestamp':
      return `(${c} AT TIME ZONE ${bind(zoneOf(column, time), 'text')})`;
    case 'Date':
      return `(${c}::timestamp AT TIME ZONE ${bind(time.timeZone ?? 'UTC', 'text')})`;
    case 'EpochSeconds':
      return `to_timestamp(${c}::double precision)`;
    case 'EpochMillis':
      return `to_timestamp(${c}::double precision / 1000)`;
  }
}

/** `YYYY-MM-DDTHH:MM[:SS[.f]]` with `Z` or an offset; a time without one would be read in whatever zone runs the code. */
const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Milliseconds of an RFC 3339 instant. @throws RangeError when it is none */
function instantMs(instant: string): number {
  const ms = rfc3339.test(instant) ? Date.parse(instant) : Number.NaN;
  if (Number.isNaN(ms)) throw new RangeError(`${JSON.stringify(instant)} is not an RFC 3339 instant with an offset, such as 2024-10-23T00:00:00+02:00.`);
  return ms;
}

function instantText(instant: string): string {
  instantMs(instant);
  return instant;
}

function dateText(date: string): string {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date) || Number.isNaN(Date.parse(date))) throw new RangeError(`${JSON.stringify(date)} is not a date such as 2024-10-23.`);
  return date;
}

function wallText(ms: number): string {
  return new Date(ms).toISOString().slice(0, -1);
}

/** Keeps minus infinity out, which sorts before every cutoff but says nothing; integers have none. */
function aboveInfinity(column: TimeColumn): string[] {
  return integers.includes(column.type) ? [] : [`${column.sql} > '-infinity'::${column.type}`];
}

function all(...parts: string[]): string {
  return `(${parts.join(' AND ')})`;
}

function startOfDay(date: string, time: TimeField, bind: Bind): string {
  return `(${bind(date, 'date')}::timestamp AT TIME ZONE ${bind(time.timeZone ?? 'UTC', 'text')})`;
}

function today(nowMs: number, now: string, time: TimeField, bind: Bind): string {
  if (time.timeZone === undefined) return bind(wallText(nowMs + easternmostMs).slice(0, 10), 'date');
  return `(${bind(instantText(now), 'timestamptz')} AT TIME ZONE ${bind(time.timeZone, 'text')})::date`;
}

function epochBound(column: TimeColumn, type: 'EpochSeconds' | 'EpochMillis', ms: number, whole: (value: number) => number, bind: Bind): string {
  const value = type === 'EpochSeconds' ? ms / 1000 : ms;
  if (column.type === 'numeric') return bind(String(value), 'numeric');
  if (column.type === 'real' || column.type === 'double precision') return bind(String(value), 'double precision');
  return bind(String(whole(value)), 'bigint');
}

function zoneOf(column: TimeColumn, time: TimeField): string {
  if (time.timeZone === undefined) {
    throw new StoreError('Conflict', `${column.name} has no time zone of its own and none is declared; give timeZone, e.g. Europe/Paris.`);
  }
  return time.timeZone;
}

function requireType(column: TimeColumn, time: TimeField): void {
  const wanted = TIME_COLUMN_TYPES[time.type];
  if (wanted.includes(column.type)) return;
  throw new StoreError(
    'Conflict',
    `${column.name} is of type ${column.type}, but the data map declares it as ${time.type}, which needs ${wanted.join(' or ')}; correct the declared type or name another column.`,
  );
}
