import { StoreError } from '../errors.ts';
import { tableKey } from '../predicate.ts';
import type { UndoneDrop } from '../purging.ts';
import { readApart } from './apart.ts';
import type { OpenDrop } from './apart.ts';
import { retryReason } from './batch.ts';
import type { Connection } from './connection.ts';
import { detachConcurrently, giveDetachRight, takeDetachRight } from './detach.ts';
import { reattach } from './drop-stages.ts';
import type { Dropping } from './drop-stages.ts';
import { sqlState } from './errors.ts';
import { claim } from './fence.ts';
import { readOpenDrops } from './journal.ts';
import { readPartition } from './partition-catalogue.ts';
import { retryDelay } from './size.ts';
import type { Surroundings } from './work.ts';

/**
 * Whose claim stands in the journal for what is attached again. Not that of the run: a claim of that would end a process that
 * works on it, and a run that has ended would get rows that nobody takes into the audit log, so that it never left the journal.
 */
const UNDOING = 'undone drops';
/** Milliseconds a concurrent detach that has to be finished first waits for others. */
const LOCK_TIMEOUT_MS = 5_000;
const ATTEMPTS = 3;

/** See `StoreWriter.undoDrops`. */
export async function undoDrops(connection: Connection, surroundings: Pick<Surroundings, 'random' | 'sleep'>, { owner, of }: { owner: string; of: (run: string) => boolean }): Promise<UndoneDrop[]> {
  const begun = (await readOpenDrops(connection)).filter(({ run }) => of(run)).map(({ leaf }) => leaf);
  if (begun.length === 0) return [];
  await requireOwner(connection, owner);
  const drops = (await readApart(connection, true)).drops.filter(({ leaf }) => begun.includes(leaf));
  const claimed = await claim(connection, UNDOING);
  const undone: UndoneDrop[] = [];
  for (const drop of drops) {
    const end = await undoAlone(connection, surroundings, { claim: claimed, collection: `${drop.parent.schema}.${drop.parent.name}` }, drop);
    if (end !== undefined) undone.push({ partition: drop.name, table: drop.parent, ...end });
  }
  return undone;
}

/** Asked before anything is claimed: a claim is a change, and the store of another cluster is not ours to change. */
async function requireOwner(connection: Connection, owner: string): Promise<void> {
  const { rows } = await connection.query<{ owner: string }>('SELECT owner FROM dataward.fence');
  if (rows[0]?.owner !== owner) throw new StoreError('ForeignOwner', `The store belongs to ${rows[0]?.owner ?? 'nobody'}, so what a drop left detached in it is for its own operator to attach again.`);
}

type End = Pick<UndoneDrop, 'end' | 'because'>;

/** @returns undefined: somebody came to an end with it meanwhile */
async function undoAlone(connection: Connection, surroundings: Pick<Surroundings, 'random' | 'sleep'>, dropping: Dropping, drop: OpenDrop): Promise<End | undefined> {
  if (!(await takeDetachRight(connection, drop.leaf))) return { end: 'Left', because: 'another login of the operator is at work on it' };
  try {
    const stands = (await readOpenDrops(connection)).some(({ leaf, name }) => leaf === drop.leaf && tableKey(name) === tableKey(drop.name));
    return stands ? await undo(connection, surroundings, dropping, drop) : undefined;
  } finally {
    await giveDetachRight(connection, drop.leaf);
  }
}

async function undo(connection: Connection, { random, sleep }: Pick<Surroundings, 'random' | 'sleep'>, dropping: Dropping, { state, line: _line, run: _run, ...intent }: OpenDrop): Promise<End> {
  const wait = (attempt: number): Promise<void> => sleep(retryDelay(attempt, random), new AbortController().signal);
  for (let attempt = 0; ; attempt += 1) {
    try {
      // Half detached it can only be detached; then it can be attached.
      if (state === 'pending') await finishDetach(connection, intent.leaf, wait);
      const left = await reattach(connection, dropping, intent);
      if (left === 'pending') return { end: 'Left', because: 'it is half detached, and somebody who reads its table is in the way of more' };
      return { end: left === 'attached' ? 'Attached' : 'Lost' };
    } catch (error) {
      const mine = error instanceof StoreError && !['Fenced', 'ForeignOwner', 'Unreachable'].includes(error.reason);
      if (!mine || connection.lost()) throw error;
      // What took minutes would take them again.
      if (retryReason(error) === undefined || sqlState(error) === '57014' || attempt + 1 >= ATTEMPTS) return { end: 'Left', because: error.message };
      await wait(attempt);
    }
  }
}

async function finishDetach(connection: Connection, leaf: string, wait: (attempt: number) => Promise<void>): Promise<void> {
  const partition = await readPartition(connection, leaf);
  if (partition?.detachPending !== true) return;
  // It is no transaction of ours, so its patience is set for the login.
  await connection.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
  try {
    await detachConcurrently(connection, partition, wait);
  } finally {
    if (!connection.lost()) await connection.query('RESET lock_timeout');
  }
}
