import type { Edge } from './closure.ts';
import { columnOf, equalsOf, quoteIdentifier, quoteTable } from './sql.ts';
import type { CompileContext } from './sql.ts';

type Lookup = Pick<CompileContext, 'lookup'>;

/** The rows `<alias>_by` that refer to the row `alias` through the foreign key, except a row to itself. */
export function referringSql(edge: Edge, alias: string, resolver: Lookup): string {
  const child = `${alias}_by`;
  const other = edge.self ? ` AND (${quoteIdentifier(child)}.tableoid, ${quoteIdentifier(child)}.ctid) <> (${quoteIdentifier(alias)}.tableoid, ${quoteIdentifier(alias)}.ctid)` : '';
  return `SELECT FROM ${quoteTable(edge.child)} AS ${quoteIdentifier(child)} WHERE ${refersSql(edge, child, (column) => `${quoteIdentifier(alias)}.${quoteIdentifier(column)}`, resolver)}${other}`;
}

/** The row `child` refers through the foreign key to the row whose referenced columns `parent` names. */
export function refersSql(edge: Edge, child: string, parent: (column: string) => string, resolver: Lookup): string {
  const childTable = resolver.lookup(edge.child);
  const pairs = edge.columns.map((column, index) => {
    const period = edge.temporal === true && index === edge.columns.length - 1;
    const refers = period ? 'OPERATOR(pg_catalog.&&)' : equalsOf(columnOf(childTable, column));
    return `${quoteIdentifier(child)}.${quoteIdentifier(column)} ${refers} ${parent(edge.referencedColumns[index] ?? '')}`;
  });
  return pairs.join(' AND ');
}

/** Where `belowSql` begins: the row `alias` itself. */
export interface Top {
  /** FROM and WHERE of the row; absent: it is one of the statement around. */
  from?: string;
  /** Whether it stays. */
  stays: string;
}

/** Name of what `belowSql` gives for the row `alias`. */
export function belowOf(alias: string): string {
  return quoteIdentifier(`${alias}_below`);
}

/**
 * `<alias>_below`, for WITH RECURSIVE: a row of a table that refers to itself, and all rows that refer to it, directly or
 * through others, each as table `t`, place `at` and whether it `stays`. They are found one level at a time; a circle ends
 * because each row is taken once.
 *
 * @param own the foreign keys of the table into itself
 * @param stays condition of the row with a name, which refers by a foreign key, in SQL
 */
export function belowSql(own: readonly Edge[], alias: string, top: Top, stays: (row: string, edge: Edge) => string, resolver: Lookup): string {
  const below = belowOf(alias);
  const child = `${alias}_next`;
  const columns = [...new Set(own.flatMap((edge) => edge.referencedColumns))];
  const carried = (column: string): string => `${below}.k${columns.indexOf(column)}`;
  const row = (name: string, kept: string): string => [`${quoteIdentifier(name)}.tableoid AS t`, `${quoteIdentifier(name)}.ctid AS at`, ...columns.map((column, index) => `${quoteIdentifier(name)}.${quoteIdentifier(column)} AS k${index}`), `${kept} AS stays`].join(', ');
  const next = own.map((edge) => `SELECT ${row(child, `(${stays(child, edge)})`)} FROM ${quoteTable(edge.child)} AS ${quoteIdentifier(child)} WHERE ${refersSql(edge, child, carried, resolver)}`);
  return `${below} AS (SELECT ${row(alias, top.stays)}${top.from === undefined ? '' : ` ${top.from}`} UNION SELECT n.* FROM ${below}, LATERAL (${next.join(' UNION ALL ')}) n)`;
}
