import { StoreError } from '../errors.ts';
import type { BatchResult } from '../purging.ts';
import { countDeleted, retryReason } from './batch.ts';
import { resolveTables } from './catalogue.ts';
import { tableKey } from './closure.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './errors.ts';
import { admit } from './fence.ts';
import { appendJournal, readOpenDrops } from './journal.ts';
import type { DropPosition, JournalKind } from './journal.ts';
import { retryDelay } from './size.ts';
import { findByOid, liesBeforeCutoff, readPartitions } from './partition-catalogue.ts';
import type { PartitionState } from './partition-catalogue.ts';
import { quoteTable } from './sql.ts';
import { countForDrop } from './statements.ts';
import { beginChanging } from './transaction.ts';
import { pause } from './throttle.ts';
import type { Compiled, StepWork } from './walk.ts';

/** Counting a partition may take long; the fence is taken after it, so that no hold waits for it. */
const COUNT_TIMEOUT_MS = 600_000;
const ATTEMPTS = 4;

/**
 * Drops the partitions of which every row may go, and finishes what an interrupted run left detached. Everything
 * else is left attached for the row-wise passes that follow.
 *
 * A drop cannot be one transaction, because a concurrent detach cannot run inside one. So the intent is
 * committed first; whoever comes next finds it and either finishes the drop or attaches the partition again.
 */
export async function* dropPartitions(connection: Connection, work: StepWork, compiled: Compiled): AsyncGenerator<BatchResult> {
  const known: Known = { compiled };
  // A concurrent detach is no transaction of ours, so its patience is set for the login.
  await connection.query(`SET lock_timeout = ${Math.max(1, Math.round(work.context.pace.lockTimeoutMillis))}`);
  const root = known.compiled.target.table;
  const attached = await readPartitions(connection, root);
  for (const open of (await readOpenDrops(connection)).filter((drop) => belongs(drop, root, attached))) {
    const partition = attached.find(({ oid }) => oid === open.leaf);
    if (partition === undefined) yield* finishDetached(connection, work, known, open);
    else if (!partition.detachPending) await record(connection, work, 'Reattach', open);
    else if ((await detach(connection, work, partition)) === 'detached') yield* finishDetached(connection, work, known, open);
  }
  if (!(await mayDrop(connection, known.compiled))) return;
  for (const partition of await readPartitions(connection, root)) {
    work.context.signal.throwIfAborted();
    if (!partition.owned || partition.detachPending || !(await liesBeforeCutoff(connection, partition, known.compiled.target.rule))) continue;
    if (!(await wholeIsDue(connection, work, known.compiled, partition.name))) continue;
    // A table can have one half detached partition; while there is one, no other can be detached concurrently.
    if ((await readPartitions(connection, partition.parent)).some(({ detachPending }) => detachPending)) return;
    yield* dropOne(connection, work, known, partition);
  }
}

/** What all partitions are judged by; compiled anew when a hold came or went. */
interface Known {
  compiled: Compiled;
}

function belongs(drop: DropPosition, root: { schema: string; name: string }, attached: readonly PartitionState[]): boolean {
  return [tableKey(root), ...attached.map(({ parent }) => tableKey(parent))].includes(tableKey(drop.parent));
}

/** Triggers would not see the rows of a dropped partition, and a subscriber of a publication would keep them. */
async function mayDrop(connection: Connection, { target }: Compiled): Promise<boolean> {
  const { rows } = await connection.query<{ watched: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = ANY ($1::oid[]) AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype::int & 8 <> 0)
         OR EXISTS (SELECT FROM pg_publication_rel r WHERE r.prrelid = ANY ($1::oid[]))
         OR EXISTS (SELECT FROM pg_publication p WHERE p.puballtables)
         OR EXISTS (SELECT FROM pg_publication_tables p JOIN pg_class c ON c.relname = p.tablename JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = p.schemaname
                    WHERE c.oid = ANY ($1::oid[])) AS watched`,
    [[target.table.oid, ...target.leaves.map(({ oid }) => oid)]],
  );
  return rows[0]?.watched === false;
}

async function* dropOne(connection: Connection, work: StepWork, known: Known, partition: PartitionState): AsyncGenerator<BatchResult> {
  const intent: DropPosition = { leaf: partition.oid, name: partition.name, parent: partition.parent, bounds: partition.bounds };
  await record(connection, work, 'DropIntent', intent);
  const state = partition.hasDefault ? 'detached' : await detach(connection, work, partition);
  if (state === 'detached') yield* finishDetached(connection, work, known, intent);
  // Half detached it is left for the next run to finish; its rows are reached one by one all the same.
  else if (state === 'attached') await record(connection, work, 'Reattach', intent);
}

/** Detaches concurrently, or finishes a detach that somebody was in the way of. */
async function detach(connection: Connection, work: StepWork, partition: PartitionState): Promise<'detached' | 'attached' | 'pending'> {
  let pending = partition.detachPending;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    try {
      await connection.query(`ALTER TABLE ${quoteTable(partition.parent)} DETACH PARTITION ${quoteTable(partition.name)} ${pending ? 'FINALIZE' : 'CONCURRENTLY'}`);
      return 'detached';
    } catch (error) {
      const why = retryReason(error);
      if (why === undefined || connection.lost()) throw error;
      const now = (await readPartitions(connection, partition.parent)).find(({ oid }) => oid === partition.oid);
      if (now === undefined) return 'detached';
      pending = now.detachPending;
      if (why === 'ReferenceAppeared') break;
      await work.sleep(retryDelay(attempt, work.random), work.context.signal);
    }
  }
  return pending ? 'pending' : 'attached';
}

type Finished = { kind: 'dropped'; seq: number; deleted: number; clients: Record<string, number> } | { kind: 'gone' } | { kind: 'keeps rows' } | { kind: 'holds changed' };

/** Drops a partition that is detached, or that a default partition kept attached; attaches it again when a row must stay. */
async function* finishDetached(connection: Connection, work: StepWork, known: Known, intent: DropPosition): AsyncGenerator<BatchResult> {
  for (let attempt = 0; ; ) {
    work.context.signal.throwIfAborted();
    const started = work.monotonicMs();
    try {
      const finished = await connection.transaction(() => finish(connection, work, known.compiled, intent), beginChanging({ lockTimeoutMs: work.context.pace.lockTimeoutMillis, statementTimeoutMs: COUNT_TIMEOUT_MS }));
      if (finished.kind === 'holds changed') {
        known.compiled = await work.compile(connection);
        continue;
      }
      if (finished.kind === 'dropped') work.allowance.reserve(finished.deleted);
      if (finished.kind === 'dropped') yield { seq: finished.seq, collection: work.step.collection, deleted: finished.deleted, clients: finished.clients, millis: work.monotonicMs() - started };
      if (finished.kind === 'gone') await record(connection, work, 'Reattach', intent);
      if (finished.kind === 'keeps rows') await reattach(connection, work, intent);
      return;
    } catch (error) {
      const why = retryReason(error);
      if (connection.lost()) throw error;
      if (sqlState(error) === undefined) {
        // Not the server but we refuse, because of a freeze for example: the application gets its rows back meanwhile.
        if (!taken(error)) await reattach(connection, work, intent).catch(() => undefined);
        throw error;
      }
      // The server will not drop it: a view depends on it, an event trigger forbids it. Then its rows go one by one.
      if (why === undefined) return reattach(connection, work, intent);
      if (attempt >= ATTEMPTS) {
        yield pause(work.step.collection, why);
        return reattach(connection, work, intent);
      }
      await work.sleep(retryDelay(attempt, work.random), work.context.signal);
      attempt += 1;
    }
  }
}

/** The run belongs to somebody else now, who decides what becomes of the partition. */
function taken(error: unknown): boolean {
  return error instanceof StoreError && (error.reason === 'Fenced' || error.reason === 'ForeignOwner');
}

async function finish(connection: Connection, work: StepWork, compiled: Compiled, intent: DropPosition): Promise<Finished> {
  const name = await findByOid(connection, intent.leaf);
  if (name === undefined) return { kind: 'gone' };
  // Nobody can change a row, or begin to refer to one, from here to the commit.
  await connection.query(`LOCK TABLE ONLY ${quoteTable(name)} IN ACCESS EXCLUSIVE MODE`);
  const leaf = (await resolveTables(connection, [name]))(name);
  if (leaf.oid !== intent.leaf) return { kind: 'gone' };
  const statement = countForDrop(compiled.target.what, leaf, compiled.resolver);
  const { rows } = await connection.query<{ client: string | null; rows: string; kept: string }>(statement.text, statement.values);
  if ((await admit(connection, { claim: work.context.claim, holdsRevision: compiled.holdsRevision })) === 'holds changed') return { kind: 'holds changed' };
  if (rows.some((row) => row.kept !== '0')) return { kind: 'keeps rows' };
  const { deleted, clients } = countDeleted(compiled.target.rule.client, { rows: rows.map((row) => ({ client: row.client, deleted: row.rows })), rowCount: 0 });
  if (!work.allowance.covers(deleted)) return { kind: 'keeps rows' };
  const attached = (await readPartitions(connection, intent.parent)).some(({ oid }) => oid === intent.leaf);
  if (attached) await connection.query(`ALTER TABLE ${quoteTable(intent.parent)} DETACH PARTITION ${quoteTable(name)}`);
  await connection.query(`DROP TABLE ${quoteTable(name)}`);
  const seq = await appendJournal(connection, work.context.claim, { collection: work.step.collection, table: name, method: 'DropPartition', kind: 'Drop', position: intent, deleted, clients, walBytes: 0 });
  return { kind: 'dropped', seq, deleted, clients };
}

async function wholeIsDue(connection: Connection, work: StepWork, compiled: Compiled, name: { schema: string; name: string }): Promise<boolean> {
  // It may have been attached again a moment ago, after the others were resolved.
  const leaf = (await resolveTables(connection, [name]))(name);
  // Whose the rows are is counted once, under the lock.
  const { client: _client, ...what } = compiled.target.what;
  const statement = countForDrop(what, leaf, compiled.resolver);
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
  return total > 0 && rows.every((row) => row.kept === '0') && work.allowance.covers(total);
}

/** Puts a detached partition back, so that its rows are seen, held and purged like all others. */
async function reattach(connection: Connection, work: StepWork, intent: DropPosition): Promise<void> {
  await connection.transaction(async () => {
    const attached = (await readPartitions(connection, intent.parent)).some(({ oid }) => oid === intent.leaf);
    const name = await findByOid(connection, intent.leaf);
    if (!attached && name !== undefined) await connection.query(`ALTER TABLE ${quoteTable(intent.parent)} ATTACH PARTITION ${quoteTable(name)} ${intent.bounds}`);
    await append(connection, work, 'Reattach', intent);
  }, beginChanging({ lockTimeoutMs: 5_000, statementTimeoutMs: COUNT_TIMEOUT_MS }));
}

/** Commits a stage of a drop by itself, under the fence. */
async function record(connection: Connection, work: StepWork, kind: JournalKind, intent: DropPosition): Promise<void> {
  await connection.transaction(async () => {
    // Nothing is deleted here, so it does not matter which holds are known; the drop itself asks again.
    await admit(connection, { claim: work.context.claim, holdsRevision: 0 });
    await append(connection, work, kind, intent);
  }, beginChanging({ lockTimeoutMs: 5_000, statementTimeoutMs: 10_000 }));
}

async function append(connection: Connection, work: StepWork, kind: JournalKind, intent: DropPosition): Promise<void> {
  await appendJournal(connection, work.context.claim, { collection: work.step.collection, table: intent.name, method: 'DropPartition', kind, position: intent, deleted: 0, clients: {}, walBytes: 0 });
}
