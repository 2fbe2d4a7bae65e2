import type { JournalledRun, TrimLimit } from '../journal.ts';
import type { Connection } from './connection.ts';
import { newestFirst } from './journal.ts';
import { changing } from './transaction.ts';

/** Runs told of at once. What cannot go stays in the answer, and must not keep the rest from being seen. */
const MAX_RUNS = 10_000;
/** A run of a million batches is gone in a few seconds; longer, and something is wrong with the table. */
const TRIM_TIMEOUT_MS = 120_000;

const DROP_KINDS = `kind IN ('DropIntent', 'Drop', 'Reattach')`;

/** The newest stage of the drop of one partition, among rows for which `also` holds. */
const latestStage = (also: string): string =>
  `(SELECT d.kind FROM dataward.journal d WHERE d.position->>'leaf' = own.position->>'leaf' AND d.${DROP_KINDS} AND ${also} ORDER BY ${newestFirst('d')} LIMIT 1)`;

/**
 * Whether a run's rows keep a partition from being lost sight of: its drop was begun and nobody finished it, or another
 * run's drop would look unfinished without them. Whoever plans next has to find what was left detached.
 */
const neededForDrop = (run: string): string =>
  `EXISTS (SELECT FROM dataward.journal own WHERE own.run = ${run} AND own.${DROP_KINDS}
     AND 'DropIntent' IN (${latestStage('true')}, ${latestStage(`d.run <> ${run}`)}))`;

/** In a frozen store nothing is removed, not even ours: somebody may be looking into what happened. */
const storeIsOurs = (owner: string): string => `EXISTS (SELECT FROM dataward.fence f WHERE f.owner = ${owner} AND f.frozen_at IS NULL AND f.frozen_by IS NULL)`;

/** Runs that have rows, all of them older than `before`, and that nothing in the store needs; oldest first. */
export async function readJournalledRuns(connection: Connection, { before, owner }: Omit<TrimLimit, 'lastSeq'>): Promise<JournalledRun[]> {
  // Claims are few and stay; to group the journal by run would read all of it.
  const { rows } = await connection.query<{ run: string; last: string }>(
    `SELECT c.run, newest.seq AS last
     FROM dataward.claim c CROSS JOIN LATERAL (SELECT j.seq, j.at FROM dataward.journal j WHERE j.run = c.run ORDER BY j.seq DESC LIMIT 1) newest
     WHERE newest.at < $1::timestamptz AND ${storeIsOurs('$2')} AND NOT ${neededForDrop('c.run')}
     ORDER BY newest.at, c.run LIMIT ${MAX_RUNS}`,
    [before, owner],
  );
  return rows.map(({ run, last }) => ({ run, lastSeq: Number(last) }));
}

/**
 * Removes all rows of one run from the journal, or none: none when there is a row after `lastSeq`, one that is not old
 * enough, a drop that needs them, a freeze, or another owner. The claim stays: the sum of all claims is what a store
 * that was put back is known by. To do it again removes nothing.
 *
 * @returns how many rows were removed
 */
export async function trimRun(connection: Connection, run: string, { lastSeq, before, owner }: TrimLimit): Promise<number> {
  return changing(connection, { lockTimeoutMs: 5_000, statementTimeoutMs: TRIM_TIMEOUT_MS }, async () => {
    // Whoever appends a row changes the claim first, so none can join while it is locked.
    const { rows } = await connection.query<{ last: string }>('SELECT last_seq AS last FROM dataward.claim WHERE run = $1 FOR UPDATE', [run]);
    if (Number(rows[0]?.last ?? Number.NaN) !== lastSeq) return 0;
    const { rowCount } = await connection.query(
      `DELETE FROM dataward.journal WHERE run = $1 AND ${storeIsOurs('$2')} AND NOT ${neededForDrop('$1')}
       AND NOT EXISTS (SELECT FROM dataward.journal young WHERE young.run = $1 AND young.at >= $3::timestamptz)`,
      [run, owner, before],
    );
    return rowCount;
  });
}
