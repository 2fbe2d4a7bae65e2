import { retryReason } from './batch.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './errors.ts';
import { readPartition } from './partition-catalogue.ts';
import type { PartitionState } from './partition-catalogue.ts';
import { quoteTable } from './sql.ts';

/** Of one partition, by its catalogue identity `$1`; these are unsigned. */
const RIGHT = '1685353570, ($1::bigint - 2147483648)::int';
const ATTEMPTS = 4;

/**
 * Takes the right to detach a partition, which a login keeps until it gives it back or ends: while somebody has it nobody
 * takes a drop for undone that goes on.
 *
 * @param oid of the partition
 * @returns false: another login has it
 */
export async function takeDetachRight(connection: Connection, oid: string): Promise<boolean> {
  const { rows } = await connection.query<{ taken: boolean }>(`SELECT pg_try_advisory_lock(${RIGHT}) AS taken`, [oid], 'takeDetachRight');
  return rows[0]?.taken === true;
}

/** Gives it back; nothing where the login is lost, and the right with it. */
export async function giveDetachRight(connection: Connection, oid: string): Promise<void> {
  if (!connection.lost()) await connection.query(`SELECT pg_advisory_unlock(${RIGHT})`, [oid], 'giveDetachRight');
}

/**
 * Detaches concurrently, or finishes a detach that somebody was in the way of. Runs outside any transaction.
 *
 * @param wait before the next attempt, the first being 0
 * @returns how the partition is left: `pending` is half detached, by its own name only to be seen
 */
export async function detachConcurrently(connection: Connection, partition: PartitionState, wait: (attempt: number) => Promise<void>): Promise<'detached' | 'attached' | 'pending'> {
  let now = partition;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    try {
      await connection.query(`ALTER TABLE ${quoteTable(now.parent)} DETACH PARTITION ${quoteTable(now.name)} ${now.detachPending ? 'FINALIZE' : 'CONCURRENTLY'}`);
      return 'detached';
    } catch (error) {
      if (sqlState(error) === undefined || connection.lost()) throw error;
      const found = await readPartition(connection, partition.oid);
      if (found === undefined) return 'detached';
      now = found;
      const why = retryReason(error);
      // It will not do better at once: a row refers to one of its own, it got a default partition beside it, or another owner.
      if (why === undefined || why === 'ReferenceAppeared') break;
      await wait(attempt);
    }
  }
  return now.detachPending ? 'pending' : 'attached';
}
