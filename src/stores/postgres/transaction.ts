import { StoreError } from '../errors.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './errors.ts';
import { LOCK_FENCE } from './schema.ts';

/** Milliseconds; both hold for one transaction only. */
export interface TransactionLimits {
  lockTimeoutMs: number;
  statementTimeoutMs: number;
}

/** Runs work in one transaction that changes the store; rolls back when it throws. */
export async function changing<Result>(connection: Connection, limits: TransactionLimits, work: () => Promise<Result>): Promise<Result> {
  return connection.transaction(work, beginChanging(limits));
}

/**
 * Longest wait of a takeover, hold or freeze for running batches. A batch ends by its statement timeout or,
 * where its process is frozen, by the idle-in-transaction timeout; both are shorter than this.
 */
const FENCE_WAIT_MS = 30_000;

/** What is answered where there is no `dataward` schema. */
export function notInstalled({ target }: Connection): StoreError {
  return new StoreError('Fenced', `DataStore ${target.name}: the schema dataward is not installed in database ${target.database}, so there is no fence and no journal. Let the operator install it with the enforce login.`);
}

/** A change of the fence: it begins when no batch is running, and every later batch sees it. */
export async function changeFence<Result>(connection: Connection, change: () => Promise<Result>): Promise<Result> {
  return changing(connection, { lockTimeoutMs: FENCE_WAIT_MS, statementTimeoutMs: FENCE_WAIT_MS + 5_000 }, async () => {
    await connection.query(LOCK_FENCE).catch((error: unknown) => {
      throw ['42P01', '3F000'].includes(sqlState(error) ?? '') ? notInstalled(connection) : error;
    });
    return change();
  });
}

/**
 * BEGIN with everything a destructive transaction must not inherit from a role's or database's defaults.
 *
 * READ COMMITTED is said because a default may be REPEATABLE READ: there a batch would see the holds, claims and
 * children of before it waited for the fence.
 */
export function beginChanging(limits: TransactionLimits): string {
  return [
    'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
    `SET LOCAL lock_timeout = ${milliseconds(limits.lockTimeoutMs)}`,
    `SET LOCAL statement_timeout = ${milliseconds(limits.statementTimeoutMs)}`,
    'SET LOCAL row_security = off',
  ].join('; ');
}

function milliseconds(value: number): number {
  // 0 would mean "wait for ever".
  if (!Number.isFinite(value) || value < 1) throw new RangeError(`A timeout must be at least 1 ms, not ${value}.`);
  return Math.round(value);
}
