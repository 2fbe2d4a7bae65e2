import type { BatchResult } from '../purging.ts';
import { tableKey } from '../predicate.ts';
import { readApart } from './apart.ts';
import type { Connection } from './connection.ts';
import { partsOf } from './drop-transaction.ts';
import { PartitionDropper } from './dropper.ts';
import { deletesAreWatched, readPartition, readPartitions } from './partition-catalogue.ts';
import type { PartitionState } from './partition-catalogue.ts';
import { closedPartitions, seemsDue } from './partition-due.ts';
import type { Compiled, StepWork } from './work.ts';

/**
 * Drops the partitions of which every row may go, and finishes what an interrupted run left detached. Everything
 * else is left attached for the row-wise passes that follow.
 *
 * @returns what these are compiled from
 */
export async function* dropPartitions(connection: Connection, work: StepWork, compiled: Compiled): AsyncGenerator<BatchResult, Compiled> {
  const dropper = new PartitionDropper(connection, work, compiled);
  // A concurrent detach is no transaction of ours, so its patience is set for the login.
  await connection.query(`SET lock_timeout = ${Math.max(1, Math.round(work.context.pace.lockTimeoutMillis))}`);
  yield* settleOpenDrops(connection, dropper);
  yield* dropDue(connection, work, dropper);
  // A table of other parts has to be compiled again.
  return dropper.changed() ? work.compile(connection) : dropper.current();
}

async function* settleOpenDrops(connection: Connection, dropper: PartitionDropper): AsyncGenerator<BatchResult> {
  const root = tableKey(dropper.current().target.table);
  const { drops } = await readApart(connection, true);
  // One whose table is gone belongs to no run more than to another.
  for (const open of drops.filter(({ line }) => line.length === 0 || line.some((each) => tableKey(each) === root))) yield* dropper.settle(open);
}

async function* dropDue(connection: Connection, work: StepWork, dropper: PartitionDropper): AsyncGenerator<BatchResult> {
  const { table, leaves, rule } = dropper.current().target;
  if (await deletesAreWatched(connection, [table.oid, ...leaves.map(({ oid }) => oid)])) return;
  const partitions = await readPartitions(connection, table);
  const closed = await closedPartitions(connection, partitions, rule);
  for (const listed of partitions.filter(({ oid }) => closed.has(oid))) {
    work.context.signal.throwIfAborted();
    yield* work.consent.renew();
    if (!(await mayGo(connection, work, dropper.current(), listed))) continue;
    // The drops, and the count, before it may have taken hours.
    const partition = await readPartition(connection, listed.oid);
    // While one partition is half detached no other of the table can be detached concurrently.
    if (partition?.detachUnderWay === true) return;
    if (partition !== undefined && partition.bounds === listed.bounds && partition.parentOid === listed.parentOid) yield* dropper.drop(partition);
  }
}

async function mayGo(connection: Connection, work: StepWork, compiled: Compiled, listed: PartitionState): Promise<boolean> {
  const leaf = partsOf(compiled.target).find(({ oid }) => oid === listed.oid);
  // One that was attached since the conditions were compiled may have holds of its own that are none of them.
  if (leaf === undefined || !listed.owned || listed.detachPending) return false;
  return seemsDue(connection, work, compiled, { partition: listed, leaf });
}
