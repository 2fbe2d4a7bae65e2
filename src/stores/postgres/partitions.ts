import type { BatchResult } from '../purging.ts';
import { tableKey } from '../predicate.ts';
import { readApart } from './apart.ts';
import { boundsProveDue } from './bounds.ts';
import { resolveTables } from './catalogue.ts';
import type { Connection } from './connection.ts';
import { COUNT_TIMEOUT_MS, PartitionDropper } from './detach.ts';
import { sqlState } from './errors.ts';
import { deletesAreWatched, liesBeforeCutoff, readPartitions } from './partition-catalogue.ts';
import type { PartitionState } from './partition-catalogue.ts';
import { quoteTable } from './sql.ts';
import { countForDrop } from './statements.ts';
import type { Compiled, StepWork } from './work.ts';

/**
 * Drops the partitions of which every row may go, and finishes what an interrupted run left detached. Everything
 * else is left attached for the row-wise passes that follow.
 */
export async function* dropPartitions(connection: Connection, work: StepWork, compiled: Compiled): AsyncGenerator<BatchResult> {
  const dropper = new PartitionDropper(connection, work, compiled);
  // A concurrent detach is no transaction of ours, so its patience is set for the login.
  await connection.query(`SET lock_timeout = ${Math.max(1, Math.round(work.context.pace.lockTimeoutMillis))}`);
  const root = compiled.target.table;
  const { drops } = await readApart(connection, true);
  for (const open of drops.filter(({ line }) => line.some((each) => tableKey(each) === tableKey(root)))) yield* dropper.settle(open);
  const { table, leaves } = dropper.current().target;
  if (await deletesAreWatched(connection, [table.oid, ...leaves.map(({ oid }) => oid)])) return;
  for (const partition of await readPartitions(connection, root)) {
    work.context.signal.throwIfAborted();
    const known = dropper.current();
    if (!partition.owned || partition.detachPending || !(await liesBeforeCutoff(connection, partition, known.target.rule))) continue;
    if (!(await wholeIsDue(connection, work, known, partition))) continue;
    // A table can have one half detached partition; while there is one, no other can be detached concurrently.
    if ((await readPartitions(connection, partition.parent)).some(({ detachPending }) => detachPending)) return;
    yield* dropper.drop(partition);
  }
}

/** A larger one is counted before it is detached, since nobody reads its rows while they are counted again under the lock. Bytes. */
const UNCOUNTED_BYTES = 8 * 1024 ** 3;
/** By how much the statistics may be wrong before a limit would be passed; else the application loses sight of rows that then stay. */
const ESTIMATE_MARGIN = 1.5;

/** Whether every row of a partition seems due now. It is no proof: under the lock the rows are counted exactly, and it is attached again where one must stay. */
async function wholeIsDue(connection: Connection, work: StepWork, compiled: Compiled, partition: PartitionState): Promise<boolean> {
  const { name } = partition;
  // It may have been attached again a moment ago, after the others were resolved.
  const leaf = (await resolveTables(connection, [name]))(name);
  const within = work.allowance.covers((partition.estimatedRows ?? Number.POSITIVE_INFINITY) * ESTIMATE_MARGIN);
  const proven = within && partition.bytes <= UNCOUNTED_BYTES && boundsProveDue(partition, leaf.columns.get(partition.rangeColumn ?? '')?.type, compiled.target.what);
  // Whose the rows are is counted once, under the lock.
  const { client: _client, ...what } = compiled.target.what;
  const statement = proven ? { text: `SELECT EXISTS (SELECT FROM ONLY ${quoteTable(leaf)})::int AS rows, 0 AS kept`, values: [] } : countForDrop(what, leaf, compiled.resolver);
  let rows: { rows: string; kept: string }[];
  try {
    rows = await connection.transaction(async () => (await connection.query<{ rows: string; kept: string }>(statement.text, statement.values)).rows, `BEGIN READ ONLY; SET LOCAL statement_timeout = ${COUNT_TIMEOUT_MS}`);
  } catch (error) {
    // Too large to be counted: row by row, then.
    if (sqlState(error) === '57014') return false;
    throw error;
  }
  // An empty partition of the past costs nothing and may be waited for by a late import.
  const total = rows.reduce((sum, row) => sum + Number(row.rows), 0);
  return total > 0 && rows.every(({ kept }) => Number(kept) === 0) && work.allowance.covers(total);
}
