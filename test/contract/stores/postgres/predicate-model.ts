import { Temporal } from 'temporal-polyfill';
import type { FieldPath, Predicate, TimeField } from '../../../../src/stores/predicate.ts';

/** Three-valued truth; null is unknown. */
export type Truth = boolean | null;

/** Rows by table; columns hold a number, a text, an infinity of a time, or nothing. Times are the text PostgreSQL reads. */
export type Row = Readonly<Record<string, string | number | null>>;
export type Tables = Readonly<Record<string, readonly Row[]>>;

/** What a predicate says about a row, written as plainly as possible and without SQL. */
export function truthOf(predicate: Predicate, row: Row, tables: Tables): Truth {
  switch (predicate.op) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'and':
      return predicate.of.map((part) => truthOf(part, row, tables)).reduce<Truth>((a, b) => (a === false || b === false ? false : a === null || b === null ? null : true), true);
    case 'or':
      return predicate.of.map((part) => truthOf(part, row, tables)).reduce<Truth>((a, b) => (a === true || b === true ? true : a === null || b === null ? null : false), false);
    case 'not':
      return negate(truthOf(predicate.of, row, tables));
    case 'isNull':
      return valueOf(predicate.field, row, tables) === null;
    case 'oneOf': {
      if (predicate.values.length === 0) return false;
      const value = valueOf(predicate.field, row, tables);
      if (value === null) return null;
      return predicate.values.some((wanted) => spelled(predicate.field.field, wanted) === spelled(predicate.field.field, String(value)));
    }
    case 'jsonOneOf':
      return withinJson(valueOf(predicate.field, row, tables), predicate.keys, predicate.values);
    case 'compare': {
      const value = valueOf(predicate.field, row, tables);
      const wanted = spelled(predicate.field.field, predicate.value);
      if (value === null || wanted === undefined) return null;
      return compared(Number(value), Number(wanted), predicate.operator);
    }
    case 'before': {
      const at = instantOf(predicate.time, valueOf(predicate.time.path, row, tables));
      if (at === null) return null;
      if (predicate.time.type === 'Date') return at !== -Infinity && at < Date.parse(predicate.cutoff.localDate);
      return at !== -Infinity && at < Date.parse(predicate.cutoff.instant);
    }
    case 'notBefore':
      return negate(truthOf({ ...predicate, op: 'before' }, row, tables));
    case 'indeterminate': {
      const { time } = predicate;
      const at = instantOf(time, valueOf(time.path, row, tables));
      if (at === null || Math.abs(at) === Infinity) return true;
      const today = Temporal.Instant.from(predicate.now).toZonedDateTimeISO(time.timeZone ?? '+14:00').toPlainDate().toString();
      if (at > (time.type === 'Date' ? Date.parse(today) : Date.parse(predicate.now))) return true;
      if (time.plausibleFrom === undefined) return false;
      const start = time.type === 'Date' ? Date.parse(time.plausibleFrom) : Temporal.PlainDate.from(time.plausibleFrom).toZonedDateTime(time.timeZone ?? 'UTC').epochMilliseconds;
      return at < start;
    }
  }
}

/** Whether a value stands in it that is none of its column's type. */
export function hasUnreadable(predicate: Predicate): boolean {
  switch (predicate.op) {
    case 'and':
    case 'or':
      return predicate.of.some(hasUnreadable);
    case 'not':
      return hasUnreadable(predicate.of);
    case 'oneOf':
      return predicate.values.some((value) => spelled(predicate.field.field, value) === undefined);
    case 'compare':
      return spelled(predicate.field.field, predicate.value) === undefined;
    default:
      return false;
  }
}

function negate(truth: Truth): Truth {
  return truth === null ? null : !truth;
}

/** The value at the end of a path; a reference to no row has none. */
function valueOf(path: FieldPath, row: Row, tables: Tables): string | number | null {
  const end = path.via.reduce<Row | undefined>((at, hop) => {
    const from = at?.[hop.field];
    return from == null ? undefined : tables[hop.table.name]?.find((candidate) => candidate[hop.toField] === from);
  }, row);
  return end?.[path.field] ?? null;
}

/** One spelling per value of the column `u` (uuid) and the integers; undefined where it is no such value. */
function spelled(field: string, value: string): string | undefined {
  if (field === 'u') {
    const digits = value.toLowerCase().replace(/^\{(.*)\}$/, '$1').replaceAll('-', '');
    return /^[0-9a-f]{32}$/.test(digits) ? digits : undefined;
  }
  if (field === 'txt') return value;
  return /^\s*[+-]?\d{1,9}\s*$/.test(value) ? String(Number(value)) : undefined;
}

/** The text or whole number at the end of the keys; whatever else stands there may mean anybody. */
function withinJson(text: string | number | null, keys: readonly string[], values: readonly string[]): Truth {
  if (text === null) return null;
  const found = keys.reduce<unknown>((at, key) => {
    if (Array.isArray(at)) return /^-?\d+$/.test(key) ? at.at(Number(key)) : undefined;
    return typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined;
  }, JSON.parse(String(text)));
  if (typeof found === 'string') return values.includes(found);
  if (typeof found !== 'number' || !Number.isInteger(found)) return null;
  return values.some((value) => /^\s*[+-]?\d+\s*$/.test(value) && Number(value) === found);
}

function compared(a: number, b: number, operator: string): boolean {
  const outcomes: Record<string, boolean> = { Equals: a === b, NotEquals: a !== b, LessThan: a < b, LessOrEqual: a <= b, GreaterThan: a > b, GreaterOrEqual: a >= b };
  return outcomes[operator] ?? false;
}

/** Milliseconds, or an infinity; for a Date those of its midnight in UTC. */
function instantOf(time: TimeField, value: string | number | null): number | null {
  if (value === null) return null;
  if (value === 'infinity') return Infinity;
  if (value === '-infinity') return -Infinity;
  switch (time.type) {
    case 'TimestampTZ':
    case 'Date':
      return Date.parse(String(value));
    case 'Timestamp':
      return Temporal.PlainDateTime.from(String(value)).toZonedDateTime(time.timeZone ?? 'UTC', { disambiguation: 'later' }).epochMilliseconds;
    case 'EpochSeconds':
      return Number(value) * 1000;
    case 'EpochMillis':
      return Number(value);
  }
}
