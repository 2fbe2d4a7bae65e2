import { digestOf } from '../canonical.ts';
import { StoreError } from '../port.ts';
import type { Claim, FenceState, StoreHold } from '../port.ts';
import type { Connection } from './connection.ts';
import { LOCK_FENCE } from './schema.ts';
import { utcText } from './sql.ts';
import { changing } from './transaction.ts';

/**
 * Longest wait of a takeover, hold or freeze for running batches. A batch ends by its statement timeout or,
 * where its process is frozen, by the idle-in-transaction timeout; both are shorter than this.
 */
const FENCE_WAIT_MS = 30_000;

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
    throw new StoreError('PermissionDenied', 'The schema dataward exists but this login may not read it, so its holds are unknown. Let the enforce login install it with this login among its readers.');
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

/**
 * All holds that stand in the store. The schema must exist and be readable. An item whose table was renamed since
 * comes twice, under the recorded and under the present name: neither the moved rows nor a new table that took
 * the old name lose their hold.
 */
export async function readHolds(connection: Connection): Promise<StoreHold[]> {
  const { rows } = await connection.query<{ uid: string; name: string; revision: string; since: string; items: StoreHold['items'] | null }>(
    `SELECT h.uid, h.name, h.revision, ${utcText('h.since')} AS since,
            (SELECT json_agg(json_build_object('table', json_build_object('schema', a.schema, 'name', a.name), 'predicate', i.predicate) ORDER BY i.digest, a.moved)
             FROM dataward.hold_item i
             CROSS JOIN LATERAL (
               SELECT i.table_schema AS schema, i.table_name AS name, false AS moved
               UNION ALL
               SELECT n.nspname, c.relname, true FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.oid = i.table_oid AND (n.nspname, c.relname) <> (i.table_schema, i.table_name)
             ) a
             WHERE i.uid = h.uid) AS items
     FROM dataward.hold h ORDER BY h.uid`,
  );
  return rows.map(({ uid, name, revision, since, items }) => ({ uid, name, revision: Number(revision), since, items: items ?? [] }));
}

/**
 * Commits a hold. When this returns, every batch that started without it has ended and every later one carries it.
 * Items are united with what stands there, so that a hold resolved against a renamed or emptied object lifts nothing.
 */
export async function putHold(connection: Connection, hold: StoreHold): Promise<{ holdsRevision: number; since: string }> {
  const items = hold.items.map((item) => ({ digest: digestOf(item), ...item }));
  const result = await changeFence(connection, async () => {
    const written = await connection.query<{ changed: boolean }>(
      `INSERT INTO dataward.hold AS h (uid, name, revision) VALUES ($1, $2, $3)
       ON CONFLICT (uid) DO UPDATE SET name = excluded.name, revision = greatest(h.revision, excluded.revision)
       RETURNING xmax = 0 AS changed`,
      [hold.uid, hold.name, hold.revision],
    );
    const added = await connection.query(
      `INSERT INTO dataward.hold_item (uid, digest, table_schema, table_name, table_oid, predicate)
       SELECT $1, i->>'digest', i->'table'->>'schema', i->'table'->>'name', to_regclass(format('%I.%I', i->'table'->>'schema', i->'table'->>'name')), i->'predicate'
       FROM jsonb_array_elements($2::jsonb) i
       ON CONFLICT (uid, digest) DO NOTHING`,
      [hold.uid, JSON.stringify(items)],
    );
    // Only a change that protects more makes running purges compile again.
    if (written.rows[0]?.changed === true || added.rowCount > 0) await connection.query('UPDATE dataward.fence SET holds_revision = holds_revision + 1');
  }).then(async () => {
    const reread = await connection.query<{ holds_revision: string; since: string; present: string[] }>(
      `SELECT f.holds_revision, ${utcText('h.since')} AS since,
              ARRAY(SELECT i.digest FROM dataward.hold_item i WHERE i.uid = h.uid) AS present
       FROM dataward.fence f, dataward.hold h WHERE h.uid = $1`,
      [hold.uid],
    );
    return reread.rows[0];
  });
  const missing = items.filter((item) => result === undefined || !result.present.includes(item.digest));
  if (result === undefined || missing.length > 0) {
    throw new StoreError('Conflict', `Hold ${hold.name} was written but a fresh read does not show ${result === undefined ? 'it' : `its items on ${missing.map((item) => `${item.table.schema}.${item.table.name}`).join(', ')}`}. Something else deletes from dataward.hold; find it, nothing is purged meanwhile.`);
  }
  return { holdsRevision: Number(result.holds_revision), since: result.since };
}

/** Ends a hold; an unknown uid changes nothing. */
export async function releaseHold(connection: Connection, uid: string): Promise<void> {
  await changeFence(connection, async () => {
    await connection.query('DELETE FROM dataward.hold_item WHERE uid = $1', [uid]);
    const released = await connection.query('DELETE FROM dataward.hold WHERE uid = $1', [uid]);
    if (released.rowCount > 0) await connection.query('UPDATE dataward.fence SET holds_revision = holds_revision + 1');
  });
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
 * @returns `holds changed` when the statements at hand were compiled before the newest hold: roll back, compile again
 * @throws StoreError `Frozen`, `Fenced`, `ForeignOwner`
 */
export async function admit(connection: Connection, ticket: Ticket): Promise<Admission> {
  const fence = await connection.query<{ owner: string; holds_revision: string; frozen_by: string | null; frozen_reason: string | null }>(
    'SELECT owner, holds_revision, frozen_by, frozen_reason, frozen_at FROM dataward.fence FOR SHARE',
  );
  const row = fence.rows[0];
  if (row === undefined) throw new StoreError('Fenced', 'dataward.fence has no row, so nobody may delete. Let the operator install the schema again.');
  const { claim: held } = ticket;
  if (row.owner !== held.owner) throw new StoreError('ForeignOwner', `The store now belongs to ${row.owner}; run ${held.run} was claimed for ${held.owner}. Only one cluster may purge a store.`);
  if (row.frozen_by !== null) throw new StoreError('Frozen', `The store is frozen by ${row.frozen_by}: ${row.frozen_reason ?? ''}. It goes on after the thaw.`);
  // A statement of its own: after the lock it sees what was committed while the lock was waited for.
  const claims = await connection.query<{ epoch: string }>('SELECT epoch FROM dataward.claim WHERE run = $1', [held.run]);
  const epoch = claims.rows[0]?.epoch;
  if (Number(epoch ?? 0) !== held.epoch) throw new StoreError('Fenced', `Run ${held.run} was taken over (epoch ${epoch ?? 'none'}, ours ${held.epoch}). This process stops; the newer one goes on.`);
  return Number(row.holds_revision) === ticket.holdsRevision ? 'admitted' : 'holds changed';
}

async function changeFence<Result>(connection: Connection, change: () => Promise<Result>): Promise<Result> {
  return changing(connection, { lockTimeoutMs: FENCE_WAIT_MS, statementTimeoutMs: FENCE_WAIT_MS + 5_000 }, async () => {
    await connection.query(LOCK_FENCE);
    return change();
  });
}
