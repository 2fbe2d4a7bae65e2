/**
 * The typed predicate tree in which every rule is said to a store.
 *
 * There is no free-form query text anywhere above the drivers: a declaration becomes a tree, a driver
 * resolves its names in the store's own catalogue, binds its values and compiles it. Three-valued logic is
 * part of the contract: a comparison with a missing value is unknown, and the place where a predicate
 * stands decides what unknown means (see `Guard`: unknown protects; a due predicate: unknown is not due).
 */
export type Predicate =
  | { op: 'true' }
  | { op: 'false' }
  | { op: 'and'; of: Predicate[] }
  | { op: 'or'; of: Predicate[] }
  | { op: 'not'; of: Predicate }
  /** The field's value is one of these, compared in the field's own type. A value that cannot be read in that type matches nothing and is counted as unparsable when the predicate is compiled. */
  | { op: 'oneOf'; field: FieldPath; values: string[] }
  /**
   * The text or whole number at `keys` within the field's JSON is one of these. Unknown where nothing, or anything else,
   * stands there: a list may hold any of them.
   */
  | { op: 'jsonOneOf'; field: FieldPath; keys: string[]; values: string[] }
  | { op: 'compare'; field: FieldPath; operator: CompareOperator; value: string }
  | { op: 'isNull'; field: FieldPath }
  /** The event lies before the cutoff. Unknown for NULL. Never true for infinite times. */
  | { op: 'before'; time: TimeField; cutoff: Cutoff }
  /** The event does not lie before the cutoff. Unknown for NULL. */
  | { op: 'notBefore'; time: TimeField; cutoff: Cutoff }
  /** The event's time says nothing: NULL, infinite, later than `now`, or before `plausibleFrom`. Never unknown. */
  | { op: 'indeterminate'; time: TimeField; now: string };

export const COMPARE_OPERATORS = ['Equals', 'NotEquals', 'LessThan', 'LessOrEqual', 'GreaterThan', 'GreaterOrEqual'] as const;
export type CompareOperator = (typeof COMPARE_OPERATORS)[number];

/** A column of the row itself, or of the row it refers to, hop by hop. */
export interface FieldPath {
  /** Each hop: this row's `field` equals `toField` of a row of `table`. Empty for the row's own columns. */
  via: { field: string; table: TableAddress; toField: string }[];
  field: string;
}

export interface TableAddress {
  schema: string;
  name: string;
}

/** Key of an address for maps and sets. Names may contain dots, so `schema.name` would mean several tables. */
export function tableKey({ schema, name }: TableAddress): string {
  return JSON.stringify([schema, name]);
}

/** An address for people: `schema.name`, where a part with a dot or a quote in it stands in quotes, as in SQL. */
export function tableName({ schema, name }: TableAddress): string {
  return [schema, name].map((part) => (/[."]/.test(part) ? `"${part.replaceAll('"', '""')}"` : part)).join('.');
}

const TIME_TYPES = ['TimestampTZ', 'Timestamp', 'Date', 'EpochSeconds', 'EpochMillis'] as const;
export type TimeType = (typeof TIME_TYPES)[number];

/** Where an event's time stands and how it is to be read. */
export interface TimeField {
  path: FieldPath;
  type: TimeType;
  /** IANA zone of a `Timestamp` column; required for that type. */
  timeZone?: string;
  /** Local date; earlier values are indeterminate. */
  plausibleFrom?: string;
}

/** The first local day that is not due, as a date, as the instant that day begins, and in which zone. */
export interface Cutoff {
  /** RFC 3339 with offset. */
  instant: string;
  /** YYYY-MM-DD in `timeZone`. */
  localDate: string;
  timeZone: string;
}

/**
 * Something that keeps rows. A row is deletable only where `(predicate) IS FALSE` for every guard, so a
 * NULL anywhere in it protects the row.
 */
export interface Guard {
  kind: 'Minimum' | 'Hold' | 'Client';
  /** Name of the declaring object, for reports: never a value from the store. */
  name: string;
  predicate: Predicate;
}
