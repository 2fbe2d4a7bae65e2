import type { ClientBase } from 'pg';

/** Milliseconds; both hold for this transaction only. */
export interface TransactionLimits {
  lockTimeoutMs: number;
  statementTimeoutMs: number;
}

/**
 * Runs work in one READ COMMITTED, read-write transaction and commits it; rolls back when it throws.
 *
 * READ COMMITTED is said because a role's default may be REPEATABLE READ: there a batch would see the holds,
 * claims and children of before it waited for the fence.
 */
export async function inTransaction<Result>(sql: ClientBase, limits: TransactionLimits, work: () => Promise<Result>): Promise<Result> {
  await begin(sql, limits);
  let result: Result;
  try {
    result = await work();
  } catch (error) {
    // The first error is the one that says what went wrong; a lost connection cannot roll back anyway.
    await sql.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
  await commit(sql);
  return result;
}

/** COMMIT. @throws when the server answers ROLLBACK, as it does without an error where an earlier statement failed */
export async function commit(sql: ClientBase): Promise<void> {
  const { command } = await sql.query('COMMIT');
  if (command !== 'COMMIT') throw new Error(`The transaction ended with ${command}, not with COMMIT.`);
}

/** BEGIN with everything a destructive transaction must not inherit from a role's or database's defaults. */
export async function begin(sql: ClientBase, limits: TransactionLimits): Promise<void> {
  const lock = milliseconds(limits.lockTimeoutMs);
  const statement = milliseconds(limits.statementTimeoutMs);
  await sql.query(
    `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = ${lock}; SET LOCAL statement_timeout = ${statement}; SET LOCAL row_security = off`,
  );
}

function milliseconds(value: number): number {
  // 0 would mean "wait for ever".
  if (!Number.isFinite(value) || value < 1) throw new RangeError(`A timeout must be at least 1 ms, not ${value}.`);
  return Math.round(value);
}
