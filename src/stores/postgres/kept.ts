import { StoreError } from '../errors.ts';
import type { StoreHold } from '../fence.ts';
import type { Guard, Predicate, TableAddress } from '../predicate.ts';
import { resolveTables } from './catalogue.ts';
import type { TableLookup } from './catalogue.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './errors.ts';
import { checkLiterals } from './literals.ts';
import { addressesOf, neverUnknown } from './predicates.ts';
import { compilePredicate, notFalse, Parameters, quoteTable } from './sql.ts';
import type { CompileContext, ResolvedTable } from './sql.ts';
import { unreadableGuard } from './statements.ts';
import { scanInStripes } from './stripes.ts';

const alias = 't';
const asGuard = (predicate: Predicate): Guard => ({ kind: 'Hold', name: '', predicate });

/** The rows of a table that a guard with a predicate keeps: where it is not certainly false. */
interface Kept {
  table: ResolvedTable;
  condition: (parameters: Parameters) => string;
  /** The condition is the bare predicate, for which the server may take an index. */
  bare: boolean;
  /** Other tables it looks into. */
  reads: ResolvedTable[];
  /** Every row is kept, because the predicate cannot be understood here. */
  misread: boolean;
}

async function resolveKept(connection: Connection, address: TableAddress, where: Predicate): Promise<Kept> {
  const lookup = await resolveTables(connection, [address, ...addressesOf(where)]);
  const table = lookup(address);
  const { readable } = await checkLiterals(connection, [{ predicate: where, table }], lookup);
  // As when rows are deleted: what cannot be understood keeps all of them.
  if (unreadableGuard(asGuard(where), table, { lookup, readable }) !== undefined) return { table, condition: () => 'TRUE', bare: false, reads: [], misread: true };
  const context: CompileContext = { table, alias, lookup, readable };
  const bare = neverUnknown(where, table);
  return { table, bare, reads: addressesOf(where).map(lookup), misread: false, condition: (parameters) => (bare ? compilePredicate(where, context, parameters) : notFalse(compilePredicate(where, context, parameters))) };
}

/**
 * The tables of which the kept rows are to be read one by one, so that they are those the statements that delete keep:
 * an inheritance child may have the column that its parent lacks, and then keeps fewer than all. Undefined: the table
 * as it was named will do, which needs no right on its parts.
 */
export async function keptApart(connection: Connection, address: TableAddress, where: Predicate): Promise<TableAddress[] | undefined> {
  const { table, misread } = await resolveKept(connection, address, where);
  if (!misread || table.kind !== 'Table') return undefined;
  const { rows } = await connection.query<TableAddress>(
    `WITH RECURSIVE family(oid) AS (SELECT $1::oid UNION SELECT i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid)
     SELECT n.nspname AS schema, c.relname AS name FROM family f JOIN pg_class c ON c.oid = f.oid JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2`,
    [table.oid],
  );
  return rows.length > 1 ? rows : undefined;
}

/**
 * Reads the rows a guard keeps, in one snapshot: by one statement that may use an index, where there may be one, else in
 * runs of pages. `select` is a list of aggregates that can be added up.
 *
 * @param partly a lower bound is of use too. One statement gives none, so it then gets only half of the time.
 * @param only without partitions and inheritance children
 * @returns false when the time ran out; what was taken is then a lower bound
 */
export async function scanKept<Row extends object>(
  connection: Connection,
  address: TableAddress,
  where: Predicate,
  { select, budgetMs, partly, only = false }: { select: string; budgetMs: number; partly: boolean; only?: boolean },
  take: (row: Row) => void,
): Promise<boolean> {
  const { table, condition, bare, reads } = await resolveKept(connection, address, where);
  const all = (rows: readonly Row[]): void => rows.forEach(take);
  if (bare) {
    const rows = await readAtOnce<Row>(connection, table, { select, condition, budgetMs: partly ? budgetMs / 2 : budgetMs, only });
    if (rows) all(rows);
    if (rows || !partly) return rows !== undefined;
  }
  return scanInStripes<Row>(connection, table, { alias, budgetMs: bare ? budgetMs / 2 : budgetMs, only, reads }, (from, pages, parameters) => `SELECT ${select} FROM ${from} WHERE ${pages} AND ${condition(parameters)}`, all);
}

async function readAtOnce<Row extends object>(connection: Connection, table: ResolvedTable, how: { select: string; condition: Kept['condition']; budgetMs: number; only: boolean }): Promise<Row[] | undefined> {
  const parameters = new Parameters();
  const text = `SELECT ${how.select} FROM ${how.only ? 'ONLY ' : ''}${quoteTable(table)} AS "${alias}" WHERE ${how.condition(parameters)}`;
  try {
    const { rows } = await connection.transaction(async () => {
      await connection.query(`SET LOCAL statement_timeout = ${Math.max(1, Math.floor(how.budgetMs))}`);
      return connection.query<Row>(text, parameters.values);
    }, 'BEGIN READ ONLY');
    return rows;
  } catch (error) {
    if (sqlState(error) === '57014') return undefined;
    throw error;
  }
}

/** How many rows a guard keeps; a lower bound where `exact` is false. @throws StoreError `NotFound` */
export async function countKept(connection: Connection, address: TableAddress, where: Predicate, { budgetMs }: { budgetMs: number }): Promise<{ rows: number; exact: boolean }> {
  let rows = 0;
  const exact = await scanKept<{ rows: string }>(connection, address, where, { select: 'count(*)::text AS rows', budgetMs, partly: true }, (row) => {
    rows += Number(row.rows);
  });
  return { rows, exact };
}

/** Which items keep every row of their table because the store cannot understand them there, and why; no value is named. A table that is not there has no rows. */
export async function readMisread(connection: Connection, items: StoreHold['items']): Promise<{ table: TableAddress; because: string }[]> {
  const lookup = await resolveTables(connection, items.flatMap((item) => [item.table, ...addressesOf(item.predicate)]));
  const present = items.flatMap((item) => {
    const table = tableThere(lookup, item.table);
    return table === undefined ? [] : [{ table, predicate: item.predicate, widened: item.widened }];
  });
  const { readable } = await checkLiterals(connection, present, lookup);
  return present.flatMap(({ table, predicate, widened }) => {
    const because = widened ?? unreadableGuard(asGuard(predicate), table, { lookup, readable });
    return because === undefined ? [] : [{ table: { schema: table.schema, name: table.name }, because }];
  });
}

function tableThere(lookup: TableLookup, address: TableAddress): ResolvedTable | undefined {
  try {
    return lookup(address);
  } catch (error) {
    if (error instanceof StoreError) return undefined;
    throw error;
  }
}
