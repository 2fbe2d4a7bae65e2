import { StoreError } from '../errors.ts';
import type { Claim, FenceState } from '../fence.ts';
import type { Connection } from './connection.ts';
import { readHolds } from './holds.ts';
import { utcText } from './sql.ts';
import { changeFence } from './transaction.ts';

/**
 * The state of the `dataward` schema, undefined where none is installed.
 *
 * @throws StoreError `PermissionDenied` when the schema is there but may not be read: holds that cannot be
 *   seen must never look like no holds
 */
export async function readFence(connection: Connection): Promise<FenceState | undefined> {
  const found = await connection.query<{ installed: boolean; readable: boolean }>(
    `SELECT c.oid IS NOT NULL AS installed,
            coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AND coalesce(has_table_privilege(c.oid, 'SELECT'), false) AS readable
     FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = 'fence'
     WHERE n.nspname = 'dataward'`,
  );
  const schema = found.rows[0];
  if (schema === undefined || !schema.installed) return undefined;
  if (!schema.readable) {
    throw new StoreError('PermissionDenied', `DataStore ${connection.target.name}: ${connection.username} may not read the schema dataward, so its holds are unknown and nothing is deleted; let its owner or a superuser grant it USAGE on the schema and SELECT on its tables.`);
  }
  const state = await connection.query<{ owner: string; marker: string; holds_revision: string; frozen_by: string | null; frozen_reason: string | null; frozen_at: string | null }>(
    `SELECT f.owner, i.marker, f.holds_revision, f.frozen_by, f.frozen_reason, ${utcText('f.frozen_at')} AS frozen_at
     FROM dataward.fence f, dataward.installation i`,
  );
  const row = state.rows[0];
  if (row === undefined) throw new StoreError('Failed', 'dataward.fence has no row. Somebody emptied it; drop the schema dataward only after every hold was put on record elsewhere, then let the operator install it again.');
  return {
    owner: row.owner,
    marker: row.marker,
    holdsRevision: Number(row.holds_revision),
    ...(row.frozen_at === null ? {} : { frozen: { by: row.frozen_by ?? '', reason: row.frozen_reason ?? '', at: row.frozen_at } }),
    holds: await readHolds(connection),
  };
}

/** Stops all destruction in the store. A freeze that stands already is kept, whoever set it. */
export async function freeze(connection: Connection, by: string, reason: string): Promise<void> {
  await changeFence(connection, async () => {
    await connection.query('UPDATE dataward.fence SET frozen_by = $1, frozen_reason = $2, frozen_at = clock_timestamp() WHERE frozen_at IS NULL OR frozen_by = $1', [by, reason]);
  });
}

/** Lifts the freeze that `by` set. @throws StoreError `Conflict` when somebody else set it */
export async function thaw(connection: Connection, by: string): Promise<void> {
  await changeFence(connection, async () => {
    const { rows } = await connection.query<{ frozen_by: string | null }>('SELECT frozen_by FROM dataward.fence WHERE frozen_at IS NOT NULL AND frozen_by <> $1', [by]);
    if (rows[0] !== undefined) {
      throw new StoreError('Conflict', `The store was frozen by ${rows[0].frozen_by}, not by ${by}. Whoever froze it lifts it; a DBA does so with SELECT dataward.thaw().`);
    }
    await connection.query('UPDATE dataward.fence SET frozen_by = NULL, frozen_reason = NULL, frozen_at = NULL');
  });
}

/**
 * Takes a run over: issues its next epoch. Waits for running batches, so that when this returns nothing of an
 * earlier claim of the run can commit any more.
 */
export async function claim(connection: Connection, run: string): Promise<Claim> {
  return changeFence(connection, async () => {
    // The row is touched too: a batch that read it under an older snapshot then fails instead of passing.
    const { rows } = await connection.query<{ epoch: string; owner: string }>(
      `WITH fence AS (UPDATE dataward.fence SET holds_revision = holds_revision RETURNING owner)
       INSERT INTO dataward.claim AS c (run, epoch, owner) SELECT $1, 1, owner FROM fence
       ON CONFLICT (run) DO UPDATE SET epoch = c.epoch + 1, owner = excluded.owner, at = clock_timestamp()
       RETURNING epoch, owner`,
      [run],
    );
    const row = rows[0];
    if (row === undefined) throw new StoreError('Failed', 'dataward.fence has no row; let the operator install the schema again.');
    return { run, epoch: Number(row.epoch), owner: row.owner };
  });
}

/** What a destructive transaction was compiled against. */
export interface Ticket {
  claim: Claim;
  holdsRevision: number;
}

export type Admission = 'admitted' | 'holds changed';

/**
 * The first statements of every destructive transaction. Holds the fence in share mode until the transaction ends.
 *
 * @param newestEpoch asked by a statement of its own: after the lock it sees what was committed while the lock was
 *   waited for. `readEpoch`, or one that reads more in the same round trip.
 * @returns `holds changed` when the statements at hand were compiled before the newest hold: roll back, compile again
 * @throws StoreError `Frozen`, `Fenced`, `ForeignOwner`; `Conflict` where the fence is of an earlier time than the ticket
 */
export async function admit(connection: Connection, ticket: Ticket, newestEpoch: () => Promise<number | undefined> = () => readEpoch(connection, ticket.claim.run)): Promise<Admission> {
  const fence = await connection.query<{ owner: string; holds_revision: string; frozen: boolean; frozen_by: string | null; frozen_reason: string | null }>(
    'SELECT owner, holds_revision, frozen_at IS NOT NULL OR frozen_by IS NOT NULL AS frozen, frozen_by, frozen_reason FROM dataward.fence FOR SHARE',
    [],
    'fence',
  );
  const row = fence.rows[0];
  if (row === undefined) throw new StoreError('Fenced', 'dataward.fence has no row, so nobody may delete. Let the operator install the schema again.');
  const { claim: held } = ticket;
  if (row.owner !== held.owner) throw new StoreError('ForeignOwner', `The store now belongs to ${row.owner}; run ${held.run} was claimed for ${held.owner}. Only one cluster may purge a store.`);
  if (row.frozen) throw new StoreError('Frozen', `The store is frozen by ${row.frozen_by ?? 'somebody'}: ${row.frozen_reason ?? ''}. It goes on after the thaw.`);
  const epoch = await newestEpoch();
  if (epoch !== held.epoch) throw new StoreError('Fenced', `Run ${held.run} was taken over (epoch ${epoch ?? 'none'}, ours ${held.epoch}). This process stops; the newer one goes on.`);
  // It only grows. Compiled again, the batch would go by the holds of before, until somebody notices which are missing.
  if (Number(row.holds_revision) < ticket.holdsRevision) throw new StoreError('Conflict', 'The schema dataward was put back to an earlier state while this purge was at work, so holds may be missing in it. Nothing is deleted before it was looked at again.');
  return Number(row.holds_revision) === ticket.holdsRevision ? 'admitted' : 'holds changed';
}

async function readEpoch(connection: Connection, run: string): Promise<number | undefined> {
  const { rows } = await connection.query<{ epoch: string }>('SELECT epoch FROM dataward.claim WHERE run = $1', [run], 'epoch');
  return rows[0] === undefined ? undefined : Number(rows[0].epoch);
}
