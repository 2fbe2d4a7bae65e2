import { StoreError } from '../errors.ts';
import type { TableFact } from '../facts.ts';
import type { CompareOperator, FieldPath, Predicate, TableAddress, TimeField } from '../predicate.ts';
import { beforeSql, determinateSql } from './times.ts';
import type { TimeColumn } from './times.ts';

/** A table as the store's catalogue knows it. Predicates are compiled against this, never against declared names alone. */
export interface ResolvedTable {
  schema: string;
  name: string;
  /** Catalogue identity; survives a rename. */
  oid: string;
  kind: TableFact['kind'];
  columns: ReadonlyMap<string, ResolvedColumn>;
  /** Differs when a name, number or type of its columns does. */
  columnsHash: string;
}

export interface ResolvedColumn {
  /** Base type without length, as SQL that casts to it (`uuid`, `bpchar`, `"shop"."state"`); a domain gives the type under it. */
  type: string;
  notNull: boolean;
  /** Its number in the table, which stays when it gets another name. */
  number: number;
  /**
   * Schema of the type's own comparison operators when that is not pg_catalog, e.g. `public` for citext. With an
   * empty search_path a bare `=` on citext would silently be the one of text, and miss held rows in other case.
   */
  operators?: string;
}

/** Where a predicate stands and what its names mean. */
export interface CompileContext {
  table: ResolvedTable;
  /** Name of the row in the surrounding statement, e.g. `t`. */
  alias: string;
  /** @throws StoreError `NotFound` for a table the store does not have */
  lookup: (address: TableAddress) => ResolvedTable;
  /** False for a value the server cannot read in a type; found out beforehand by `checkLiterals`. */
  readable: (type: string, value: string) => boolean;
}

/** Values of one statement, in order. No value is ever written into the text. */
export class Parameters {
  readonly values: unknown[] = [];
  readonly #lists: { items: readonly unknown[]; placeholder: string; cast: string }[] = [];

  /** Adds a value; returns its placeholder, e.g. `$3` or `$3::uuid[]`. A list that stands there already is sent once. */
  add(value: unknown, cast?: string): string {
    const items: readonly unknown[] | undefined = Array.isArray(value) ? value : undefined;
    const known = items && this.#lists.find((list) => list.cast === cast && list.items.length === items.length && list.items.every((item, index) => item === items[index]));
    if (known) return known.placeholder;
    this.values.push(value);
    const placeholder = cast === undefined ? `$${this.values.length}` : `$${this.values.length}::${cast}`;
    // A condition may stand in a statement many times over, and the list of a hold be long.
    if (items && cast !== undefined) this.#lists.push({ items, placeholder, cast });
    return placeholder;
  }
}

/** An identifier as SQL, always quoted, so that case and reserved words keep their meaning. @throws RangeError for names PostgreSQL cannot have */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0')) throw new RangeError('An identifier must have at least one character and no NUL character.');
  return `"${name.replaceAll('"', '""')}"`;
}

/** `"schema"."table"`. */
export function quoteTable(address: TableAddress): string {
  return `${quoteIdentifier(address.schema)}.${quoteIdentifier(address.name)}`;
}

/** The form of every guard: a row may go only where what protects it is certainly false. */
export function isFalse(sql: string): string {
  return `((${sql}) IS FALSE)`;
}

/** The opposite of `isFalse`: true or unknown, so the guard keeps the row. */
export function notFalse(sql: string): string {
  return `((${sql}) IS NOT FALSE)`;
}

/** A timestamptz expression as RFC 3339 text in UTC, with microseconds, whatever the connection's settings. */
export function utcText(sql: string): string {
  return `to_char(${sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/** The equality that the column's own type means, whatever the search path. */
export function equalsOf({ operators }: Pick<ResolvedColumn, 'operators'>): string {
  return operators === undefined ? '=' : `OPERATOR(${quoteIdentifier(operators)}.=)`;
}

/** The column of a table. @throws StoreError `NotFound` */
export function columnOf(table: ResolvedTable, field: string): ResolvedColumn {
  const column = table.columns.get(field);
  if (column === undefined) {
    throw new StoreError('NotFound', `Table ${table.schema}.${table.name} has no column ${field}; correct the data map, or update it if the column was renamed.`);
  }
  return column;
}

/**
 * A predicate as one boolean SQL expression about the row `context.alias`, in SQL's three-valued logic.
 *
 * Nothing in it casts a row's text, so no single bad row can fail the statement; the columns are compared as
 * they are and the values come to their type. Another row that is referred to is read by a correlated subquery.
 *
 * @throws StoreError `NotFound` for a table or column that does not exist, `Conflict` for a column whose type cannot express the predicate
 */
export function compilePredicate(predicate: Predicate, context: CompileContext, parameters: Parameters): string {
  const compile = (part: Predicate): string => compilePredicate(part, context, parameters);
  switch (predicate.op) {
    case 'true':
      return 'TRUE';
    case 'false':
      return 'FALSE';
    case 'and':
      return predicate.of.length === 0 ? 'TRUE' : `(${predicate.of.map(compile).join(' AND ')})`;
    case 'or':
      return predicate.of.length === 0 ? 'FALSE' : `(${predicate.of.map(compile).join(' OR ')})`;
    case 'not':
      return `(NOT ${compile(predicate.of)})`;
    case 'oneOf':
      fieldAt(predicate.field, context);
      // Outside any subquery: none of nothing is false even where there is no row to refer to.
      if (predicate.values.length === 0) return 'FALSE';
      return atField(predicate.field, context, (field) => oneOf(field, predicate.values, context, parameters));
    case 'jsonOneOf':
      if (fieldAt(predicate.field, context).type !== 'jsonb') {
        throw new StoreError('Conflict', `Column ${predicate.field.field} is not of type jsonb, so no path within it can be compared without casts that fail on single rows; correct subjectKeys in the data map, or change the column's type.`);
      }
      return atField(predicate.field, context, (field) => jsonOneOf(field, predicate, parameters));
    case 'compare':
      return atField(predicate.field, context, (field) => compare(field, predicate.operator, predicate.value, context, parameters));
    case 'isNull':
      // The value itself is fetched, so that a row that refers to nothing has no value either.
      return `(${atField(predicate.field, context, (field) => field.sql)} IS NULL)`;
    case 'before':
      return atTime(predicate.time, context, (column) => beforeSql(column, predicate.time, predicate.cutoff, bindTo(parameters)));
    case 'notBefore':
      return `(NOT ${atTime(predicate.time, context, (column) => beforeSql(column, predicate.time, predicate.cutoff, bindTo(parameters)))})`;
    case 'indeterminate':
      return `(${atTime(predicate.time, context, (column) => determinateSql(column, predicate.time, predicate.now, bindTo(parameters)))} IS NOT TRUE)`;
  }
}

/** The literals of a predicate by column type: what `checkLiterals` has to ask the server about. */
export function literalsOf(predicate: Predicate, context: Pick<CompileContext, 'table' | 'lookup'>): { type: string; value: string }[] {
  switch (predicate.op) {
    case 'and':
    case 'or':
      return predicate.of.flatMap((part) => literalsOf(part, context));
    case 'not':
      return literalsOf(predicate.of, context);
    case 'jsonOneOf':
      fieldAt(predicate.field, context);
      return predicate.values.map((value) => ({ type: 'text', value }));
    case 'oneOf':
    case 'compare': {
      const { type } = fieldAt(predicate.field, context);
      const values = predicate.op === 'oneOf' ? predicate.values : [predicate.value];
      return values.map((value) => ({ type, value }));
    }
    default:
      return [];
  }
}

interface FieldColumn extends ResolvedColumn {
  sql: string;
  name: string;
}

/** The column a path ends at. */
function fieldAt(path: FieldPath, context: Pick<CompileContext, 'table' | 'lookup'>): ResolvedColumn {
  const last = path.via.at(-1);
  return columnOf(last === undefined ? context.table : context.lookup(last.table), path.field);
}

/** Compiles an expression at the end of a path; each hop is a correlated scalar subquery around it. */
export function atField(path: FieldPath, context: CompileContext, expression: (field: FieldColumn) => string, depth = 0): string {
  const { table, alias } = context;
  const [hop, ...rest] = path.via;
  if (hop === undefined) {
    const column = columnOf(table, path.field);
    return expression({ ...column, sql: `${quoteIdentifier(alias)}.${quoteIdentifier(path.field)}`, name: `${table.schema}.${table.name}.${path.field}` });
  }
  const target = context.lookup(hop.table);
  const targetAlias = `${depth === 0 ? `${alias}_via` : alias.replace(/\d+$/, '')}${depth + 1}`;
  const inner = atField({ via: rest, field: path.field }, { ...context, table: target, alias: targetAlias }, expression, depth + 1);
  const to = `${quoteIdentifier(targetAlias)}.${quoteIdentifier(hop.toField)}`;
  const from = `${quoteIdentifier(alias)}.${quoteIdentifier(hop.field)}`;
  columnOf(table, hop.field);
  const equals = operator('=', columnOf(target, hop.toField));
  return `(SELECT ${inner} FROM ${quoteTable(target)} ${quoteIdentifier(targetAlias)} WHERE ${to} ${equals} ${from})`;
}

function atTime(time: TimeField, context: CompileContext, expression: (column: TimeColumn) => string): string {
  return atField(time.path, context, expression);
}

function bindTo(parameters: Parameters): (value: unknown, cast: string) => string {
  return (value, cast) => parameters.add(value, cast);
}

function oneOf(field: FieldColumn, values: readonly string[], context: CompileContext, parameters: Parameters): string {
  const readable = values.filter((value) => context.readable(field.type, value));
  // Still unknown for NULL: a missing value might have been any of them.
  if (readable.length === 0) return `(${field.sql} IS NULL AND NULL::boolean)`;
  const equals = operator('=', field);
  if (!isArrayType(field.type)) return `(${field.sql} ${equals} ANY (${parameters.add(readable, `${field.type}[]`)}))`;
  return `(${readable.map((value) => `${field.sql} ${equals} ${parameters.add(value, field.type)}`).join(' OR ')})`;
}

/** Null, and so unknown, for what is no text and no whole number: `["v1"]` or `{"id":"v1"}` differs from `v1` and may well mean it. */
function jsonOneOf(field: FieldColumn, { keys, values }: { keys: readonly string[]; values: readonly string[] }, parameters: Parameters): string {
  const found = `jsonb_extract_path(${field.sql}, VARIADIC ${parameters.add(keys, 'text[]')})`;
  const text = `(${found} #>> '{}')`;
  const whole = values.filter((value) => /^\s*[+-]?\d+\s*$/.test(value)).map((value) => BigInt(value).toString());
  return `(CASE jsonb_typeof(${found}) WHEN 'string' THEN ${text} = ANY (${parameters.add(values, 'text[]')}) WHEN 'number' THEN CASE WHEN ${text} ~ '^-?[0-9]+$' THEN ${text} = ANY (${parameters.add(whole, 'text[]')}) END END)`;
}

const operators: Record<CompareOperator, string> = {
  Equals: '=',
  NotEquals: '<>',
  LessThan: '<',
  LessOrEqual: '<=',
  GreaterThan: '>',
  GreaterOrEqual: '>=',
};

function compare(field: FieldColumn, by: CompareOperator, value: string, context: CompileContext, parameters: Parameters): string {
  // Nothing can be said about a value that is none of this type.
  if (!context.readable(field.type, value)) return 'NULL::boolean';
  return `(${field.sql} ${operator(operators[by], field)} ${parameters.add(value, field.type)})`;
}

function operator(symbol: string, column: ResolvedColumn): string {
  return column.operators === undefined ? symbol : `OPERATOR(${quoteIdentifier(column.operators)}.${symbol})`;
}

function isArrayType(type: string): boolean {
  return type.endsWith('[]');
}
