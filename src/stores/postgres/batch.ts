import { StoreError } from '../errors.ts';
import type { CollectionRule } from '../counting.ts';
import type { Pace, PurgeMethod } from '../purging.ts';
import type { Allowance } from './allowance.ts';
import type { Connection } from './connection.ts';
import { readCounters } from './counters.ts';
import type { CountedTables, Counters } from './counters.ts';
import { sqlState } from './errors.ts';
import { admit } from './fence.ts';
import type { Ticket } from './fence.ts';
import { appendBatch } from './journal.ts';
import type { BatchPosition, JournalEntry } from './journal.ts';
import type { ResolvedTable } from './sql.ts';
import type { Statement } from './statements.ts';
import { nameOf } from './target.ts';
import type { Shapes, Target } from './target.ts';
import { beginChanging } from './transaction.ts';

export interface Batch {
  ticket: Ticket;
  target: Target;
  shapes: Shapes;
  leaf: ResolvedTable;
  method: PurgeMethod;
  statement: Statement;
  position: BatchPosition;
  allowance: Allowance;
}

/** A row of a counted DELETE; the keyset form also says where it stands. */
export interface DeletedRow {
  client: string | null;
  deleted: string;
  looked_at?: number;
  reached_time?: string | null;
  reached_ctid?: string | null;
  /** Rows that may go together or not at all. */
  wanted?: string;
}

export type BatchOutcome =
  | { kind: 'committed'; seq: number; deleted: number; clients: Record<string, number>; walBytes: number; rows: DeletedRow[] }
  | { kind: 'nothing due'; rows: DeletedRow[] }
  /** A hold, a foreign key or a trigger came or went, or a column changed: the statement has to be compiled again. */
  | { kind: 'outdated' }
  /** Rolled back by something that may not be there the next time. */
  | { kind: 'rolled back'; why: string; error: StoreError };

/** Why a batch was rolled back that would have taken more rows than the run may delete. */
export const OVER_LIMIT = 'OverLimit';
/** Why a batch was rolled back that counted rows beforehand and did not delete them all. */
export const ROWS_CHANGED = 'RowsChanged';

/** Longest run of one statement of a batch; bounds how long a new hold waits. */
const BATCH_STATEMENT_TIMEOUT_MS = 8_000;

/**
 * One destructive transaction: fence, delete, proof that nothing else was touched, journal, commit.
 *
 * @throws StoreError `Frozen`, `Fenced`, `ForeignOwner`, and whatever another attempt would not cure. When the
 *   connection was lost at COMMIT the journal, not this error, says whether the batch is in force.
 */
export async function deleteBatch(connection: Connection, batch: Batch, pace: Pace): Promise<BatchOutcome> {
  const reserved = { rows: 0 };
  try {
    return await connection.transaction(() => work(connection, batch, reserved), begin(batch, pace));
  } catch (error) {
    // Where the connection was lost at COMMIT the rows may be gone; then the reservation stays.
    if (!connection.lost()) batch.allowance.refund(reserved.rows);
    if (error instanceof ShapeChanged) return { kind: 'outdated' };
    const why = retryReason(error);
    if (why === undefined || connection.lost() || !(error instanceof StoreError)) throw error;
    return { kind: 'rolled back', why, error };
  }
}

function begin({ target }: Batch, pace: Pace): string {
  // Otherwise a deferred constraint would fail the COMMIT, after the journal was written.
  const limits = `${beginChanging({ lockTimeoutMs: pace.lockTimeoutMillis, statementTimeoutMs: BATCH_STATEMENT_TIMEOUT_MS })}; SET CONSTRAINTS ALL IMMEDIATE`;
  // A hash join would read the whole referring table for every batch; the index every edge has makes the loop cheap.
  return target.what.edges.length === 0 ? limits : `${limits}; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off`;
}

async function work(connection: Connection, batch: Batch, reserved: { rows: number }): Promise<BatchOutcome> {
  const { leaf, target, ticket } = batch;
  const counted: CountedTables = { own: leaf.oid, referring: target.referringOids };
  let before: Counters | undefined;
  const admission = await admit(connection, ticket, async () => {
    const read = await readCounters(connection, counted, ticket.claim.run);
    before = read.counters;
    return read.epoch;
  });
  if (admission === 'holds changed' || before === undefined) return { kind: 'outdated' };
  const result = await connection.query<DeletedRow>(batch.statement.text, batch.statement.values);
  const { deleted, clients } = countDeleted(target.rule.client, result);
  if (deleted === 0) return { kind: 'nothing due', rows: result.rows };
  const wanted = result.rows[0]?.wanted;
  if (wanted !== undefined && Number(wanted) !== deleted) throw new RowsChanged('Conflict', `${nameOf(target)}: of rows that refer to each other in a ring some were changed meanwhile.`);
  if (!batch.allowance.reserve(deleted)) throw new OverLimit('RunLimitReached', `${nameOf(target)}: the next batch would delete more rows than this run may. The rest is for the next run, or for one approved for more.`);
  reserved.rows = deleted;
  const entry: JournalEntry = { collection: target.rule.collection, table: { schema: leaf.schema, name: leaf.name }, method: batch.method, kind: 'Batch', position: batch.position, deleted, clients };
  const { seq, walBytes, counters, shape, columns, named } = await appendBatch(connection, ticket.claim, entry, counted, before, target.reads);
  // From the DELETE on nobody can add a foreign key or trigger or change a column, so what is seen now was in force for it.
  const expected = target.reads.map(({ columnsHash }) => columnsHash).join(',');
  // The statement was written by name, and rows of another table are not for it to judge.
  if (named !== [leaf, ...target.reads].map(({ oid }) => oid).join(',')) throw new ShapeChanged('Conflict', `Another table has the name of ${nameOf(target)}, of a part of it, or of a table it is judged by.`);
  if (shape !== batch.shapes.get(leaf.oid) || columns !== expected) throw new ShapeChanged('Conflict', `The columns, foreign keys or triggers of ${nameOf(target)}, what is a part of it, or the columns of a table it is judged by, changed.`);
  refuseForeignWork(batch, deleted, before, counters);
  return { kind: 'committed', seq, deleted, clients, walBytes, rows: result.rows };
}

/** Rows per client; a row without one counts in the total only. */
export function countDeleted(client: CollectionRule['client'], result: { rows: readonly DeletedRow[]; rowCount: number }): { deleted: number; clients: Record<string, number> } {
  const grouped = result.rows.filter((row) => row.deleted !== undefined);
  const deleted = grouped.length > 0 ? grouped.reduce((sum, row) => sum + Number(row.deleted), 0) : client !== undefined && 'field' in client ? 0 : result.rowCount;
  if (client !== undefined && 'value' in client) return { deleted, clients: deleted === 0 ? {} : { [client.value]: deleted } };
  return { deleted, clients: Object.fromEntries(grouped.filter((row) => row.client !== null && Number(row.deleted) > 0).map((row) => [row.client, Number(row.deleted)])) };
}

/** Thrown inside the transaction, so that it rolls back. */
class ForeignWork extends StoreError {}
class ShapeChanged extends StoreError {}
class OverLimit extends StoreError {}
class RowsChanged extends StoreError {}

/**
 * A row that began to refer to one of ours after the statement's snapshot is unknown to its NOT EXISTS; the
 * cascade then takes it, or sets it to NULL. Only the counters show that, so they decide before the commit.
 */
function refuseForeignWork(batch: Batch, deleted: number, before: Counters, after: Counters): void {
  const grown = (name: Exclude<keyof Counters, 'lsn'>): number => after[name] - before[name];
  const reached = grown('referringDeleted') + grown('referringUpdated');
  if (grown('ownDeleted') < deleted) throw new RowsChanged('Conflict', `${nameOf(batch.target)}: rows were changed while they were counted.`);
  const own = grown('ownDeleted') + grown('ownUpdated') - deleted;
  if (reached === 0 && own === 0) return;
  const where = reached > 0 ? `${reached} rows of the tables that refer to ${nameOf(batch.target)}` : `${own} more rows of ${nameOf(batch.target)} than the statement named`;
  throw new ForeignWork('Conflict', `A cascade or trigger touched ${where}; the batch was rolled back. If it happens every time, look for a trigger that changes these tables on DELETE.`);
}

/** Why a rolled back batch is worth another attempt; undefined when it is not. */
export function retryReason(error: unknown): string | undefined {
  if (error instanceof ForeignWork) return 'CascadeReached';
  if (error instanceof OverLimit) return OVER_LIMIT;
  if (error instanceof RowsChanged) return ROWS_CHANGED;
  const reasons: Record<string, string> = {
    '55P03': 'RowLocked',
    '40P01': 'Deadlock',
    '40001': 'Serialization',
    '57014': 'BatchTooLong',
    '23503': 'ReferenceAppeared',
  };
  return reasons[sqlState(error) ?? ''];
}
