import type { TableAddress } from '../predicate.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './errors.ts';
import { longestStatementMs } from './settings.ts';
import { Parameters, quoteIdentifier, quoteTable } from './sql.ts';
import type { ResolvedTable } from './sql.ts';
import { holdStill } from './still.ts';

/** A statement over one run of heap pages; `from` is its FROM item and `where` its condition on the pages. */
export type StripeStatement = (from: string, where: string, parameters: Parameters) => string;

export interface ScanOptions {
  /** Name of the row in the statement. */
  alias: string;
  /** Wall time for the whole scan, in milliseconds. */
  budgetMs: number;
  /** Wall time to aim at for one statement; shorter ones give a better lower bound, longer ones cost less. */
  targetMs?: number;
  /** Without partitions and inheritance children. */
  only?: boolean;
  /** Other tables the statement looks into. */
  reads?: readonly ResolvedTable[];
  /** Told which tables are read, by catalogue identity: the table and, as they stand in the snapshot, its parts. */
  reading?: (oids: readonly string[]) => void;
}

/**
 * Reads a whole table in runs of heap pages, all in one snapshot, until it is through or the time is over.
 *
 * What was added up when the time ran out is a true lower bound, which one long statement that is cancelled
 * cannot give. The table is addressed as it was named, partitions and inheritance children with it, so that the
 * privileges and policies that hold are those of the table and no partition is asked behind their back.
 *
 * @returns true when every row visible at the start was read
 * @throws StoreError `Conflict` when the table, or one it is judged by, is not the one it was resolved to
 */
export async function scanInStripes<Row extends object>(
  connection: Connection,
  table: ResolvedTable,
  options: ScanOptions,
  statement: StripeStatement,
  take: (rows: readonly Row[]) => void,
): Promise<boolean> {
  const deadline = performance.now() + options.budgetMs;
  const targetMs = options.targetMs ?? 500;
  const alias = quoteIdentifier(options.alias);
  const scan = async (): Promise<true> => {
    await connection.query(`SET LOCAL statement_timeout = ${Math.max(1, Math.floor(Math.min(options.budgetMs, longestStatementMs)))}`);
    await holdStill(connection, [table, ...(options.reads ?? [])], options.only === true);
    const { pages, foreign, family } = await readFamily(connection, table);
    options.reading?.(options.only === true ? [table.oid] : family);
    let from = 0;
    let run = 2_048;
    do {
      const remaining = Math.floor(Math.min(deadline - performance.now(), longestStatementMs));
      if (remaining <= 0) throw new OutOfTime();
      const parameters = new Parameters();
      // A foreign table has no pages of ours; it is read in one go.
      const where = foreign ? 'TRUE' : `${alias}.ctid >= ${parameters.add(`(${from},0)`, 'tid')} AND ${alias}.ctid < ${parameters.add(`(${from + run},0)`, 'tid')}`;
      const text = statement(`${options.only === true ? 'ONLY ' : ''}${quoteTable(table)} AS ${alias}`, where, parameters);
      const started = performance.now();
      await connection.query(`SET LOCAL statement_timeout = ${remaining}`);
      take((await connection.query<Row>(text, parameters.values)).rows);
      const elapsed = Math.max(1, performance.now() - started);
      from = foreign ? pages : from + run;
      run = Math.max(64, Math.min(run * 4, Math.round((run * targetMs) / elapsed)));
    } while (from < pages);
    return true;
  };
  try {
    // A server that compiles a statement before it runs would do so again for each stripe, longer than the stripe takes.
    return await connection.transaction(scan, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off');
  } catch (error) {
    if (error instanceof OutOfTime || sqlState(error) === '57014') return false;
    throw error;
  }
}

class OutOfTime extends Error {}

/**
 * A table with its descendants, and the pages of the largest heap of them. Not before the snapshot, so every row of it lies
 * within; and what somebody has half detached is left out, as it is by a scan.
 */
async function readFamily(connection: Connection, table: TableAddress & { oid: string }): Promise<{ pages: number; foreign: boolean; family: string[] }> {
  const { rows } = await connection.query<{ pages: string | null; foreign: boolean | null; family: string[] | null }>(
    `WITH RECURSIVE family(oid) AS (SELECT $1::oid UNION SELECT i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid WHERE NOT i.inhdetachpending)
     SELECT max(pg_relation_size(c.oid, 'main') / current_setting('block_size')::int) FILTER (WHERE c.relkind <> 'p')::text AS pages, bool_or(c.relkind = 'f') AS foreign, array_agg(c.oid::text) AS family
     FROM family f JOIN pg_class c ON c.oid = f.oid WHERE c.relkind IN ('r', 'm', 'f', 'p')`,
    [table.oid],
  );
  const size = rows[0];
  return { pages: Number(size?.pages ?? 0), foreign: size?.foreign ?? false, family: size?.family ?? [] };
}
