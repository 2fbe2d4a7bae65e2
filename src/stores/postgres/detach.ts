import { StoreError } from '../errors.ts';
import type { BatchResult } from '../purging.ts';
import { countDeleted, retryReason } from './batch.ts';
import { resolveTables } from './catalogue.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './errors.ts';
import { admit } from './fence.ts';
import { appendJournal } from './journal.ts';
import type { DropPosition, JournalKind } from './journal.ts';
import { retryDelay } from './size.ts';
import { findByOid, readPartitions } from './partition-catalogue.ts';
import type { PartitionState } from './partition-catalogue.ts';
import { quoteTable } from './sql.ts';
import { countForDrop } from './statements.ts';
import { beginChanging } from './transaction.ts';
import { pause } from './throttle.ts';
import type { Compiled, StepWork } from './work.ts';

/** Counting a partition may take long; the fence is taken after it, so that no hold waits for it. Milliseconds. */
export const COUNT_TIMEOUT_MS = 600_000;
const ATTEMPTS = 4;

type Finished = { kind: 'dropped'; seq: number; deleted: number; clients: Record<string, number> } | { kind: 'gone' } | { kind: 'keeps rows' } | { kind: 'holds changed' };

/**
 * Drops partitions of one table in stages: intent, detach, count under a lock, drop.
 *
 * A drop cannot be one transaction, because a concurrent detach cannot run inside one. So the intent is
 * committed first; whoever comes next finds it and either finishes the drop or attaches the partition again.
 */
export class PartitionDropper {
  private readonly connection: Connection;
  private readonly work: StepWork;
  private compiled: Compiled;

  constructor(connection: Connection, work: StepWork, compiled: Compiled) {
    this.connection = connection;
    this.work = work;
    this.compiled = compiled;
  }

  /** What a partition is judged by; compiled anew when a hold came or went. */
  current(): Compiled {
    return this.compiled;
  }

  /** Drops a partition that is attached and of which every row seemed due; it stays, attached, when one must. */
  async *drop(partition: PartitionState): AsyncGenerator<BatchResult> {
    const intent: DropPosition = { leaf: partition.oid, name: partition.name, parent: partition.parent, bounds: partition.bounds };
    await this.record('DropIntent', intent);
    const state = partition.hasDefault ? 'detached' : await this.detach(partition);
    if (state === 'detached') yield* this.finishDetached(intent);
    // Half detached it is left for the next run to finish; its rows are reached one by one all the same.
    else if (state === 'attached') await this.record('Reattach', intent);
  }

  /** Finishes or undoes a drop that was begun and interrupted. `partition`: undefined when it is detached or gone. */
  async *settle(open: DropPosition, partition: PartitionState | undefined): AsyncGenerator<BatchResult> {
    if (partition === undefined) yield* this.finishDetached(open);
    else if (!partition.detachPending) await this.record('Reattach', open);
    else if ((await this.detach(partition)) === 'detached') yield* this.finishDetached(open);
  }

  /** Detaches concurrently, or finishes a detach that somebody was in the way of. */
  private async detach(partition: PartitionState): Promise<'detached' | 'attached' | 'pending'> {
    let pending = partition.detachPending;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      try {
        await this.connection.query(`ALTER TABLE ${quoteTable(partition.parent)} DETACH PARTITION ${quoteTable(partition.name)} ${pending ? 'FINALIZE' : 'CONCURRENTLY'}`);
        return 'detached';
      } catch (error) {
        const why = retryReason(error);
        if (why === undefined || this.connection.lost()) throw error;
        const now = (await readPartitions(this.connection, partition.parent)).find(({ oid }) => oid === partition.oid);
        if (now === undefined) return 'detached';
        pending = now.detachPending;
        if (why === 'ReferenceAppeared') break;
        await this.work.sleep(retryDelay(attempt, this.work.random), this.work.context.signal);
      }
    }
    return pending ? 'pending' : 'attached';
  }

  /** Drops a partition that is detached, or that a default partition kept attached; attaches it again when a row must stay. */
  private async *finishDetached(intent: DropPosition): AsyncGenerator<BatchResult> {
    for (let attempt = 0; ; ) {
      this.work.context.signal.throwIfAborted();
      const started = this.work.monotonicMs();
      try {
        const finished = await this.connection.transaction(() => this.finish(intent), beginChanging({ lockTimeoutMs: this.work.context.pace.lockTimeoutMillis, statementTimeoutMs: COUNT_TIMEOUT_MS }));
        if (finished.kind === 'holds changed') {
          this.compiled = await this.work.compile(this.connection);
          continue;
        }
        if (finished.kind === 'dropped') this.work.allowance.reserve(finished.deleted);
        if (finished.kind === 'dropped') yield { seq: finished.seq, collection: this.work.step.collection, deleted: finished.deleted, clients: finished.clients, millis: this.work.monotonicMs() - started };
        if (finished.kind === 'gone') await this.record('Reattach', intent);
        if (finished.kind === 'keeps rows') await this.reattach(intent);
        return;
      } catch (error) {
        const why = retryReason(error);
        if (this.connection.lost()) throw error;
        if (sqlState(error) === undefined) {
          // Not the server but we refuse, because of a freeze for example: the application gets its rows back meanwhile.
          if (!taken(error)) await this.reattach(intent).catch(() => undefined);
          throw error;
        }
        // The server will not drop it: a view depends on it, an event trigger forbids it. Or its rows cannot be counted in
        // time, and trying again would take as long while nobody sees them. Then they go one by one.
        if (why === undefined || sqlState(error) === '57014') return this.reattach(intent);
        if (attempt >= ATTEMPTS) {
          yield pause(this.work.step.collection, why);
          return this.reattach(intent);
        }
        await this.work.sleep(retryDelay(attempt, this.work.random), this.work.context.signal);
        attempt += 1;
      }
    }
  }

  private async finish(intent: DropPosition): Promise<Finished> {
    const name = await findByOid(this.connection, intent.leaf);
    if (name === undefined) return { kind: 'gone' };
    // Nobody can change a row, or begin to refer to one, from here to the commit.
    await this.connection.query(`LOCK TABLE ONLY ${quoteTable(name)} IN ACCESS EXCLUSIVE MODE`);
    const leaf = (await resolveTables(this.connection, [name]))(name);
    if (leaf.oid !== intent.leaf) return { kind: 'gone' };
    const statement = countForDrop(this.compiled.target.what, leaf, this.compiled.resolver);
    const { rows } = await this.connection.query<{ client: string | null; rows: string; kept: string }>(statement.text, statement.values);
    if ((await admit(this.connection, { claim: this.work.context.claim, holdsRevision: this.compiled.holdsRevision })) === 'holds changed') return { kind: 'holds changed' };
    if (rows.some((row) => row.kept !== '0')) return { kind: 'keeps rows' };
    const { deleted, clients } = countDeleted(this.compiled.target.rule.client, { rows: rows.map((row) => ({ client: row.client, deleted: row.rows })), rowCount: 0 });
    if (!this.work.allowance.covers(deleted)) return { kind: 'keeps rows' };
    const attached = (await readPartitions(this.connection, intent.parent)).some(({ oid }) => oid === intent.leaf);
    if (attached) await this.connection.query(`ALTER TABLE ${quoteTable(intent.parent)} DETACH PARTITION ${quoteTable(name)}`);
    await this.connection.query(`DROP TABLE ${quoteTable(name)}`);
    const seq = await appendJournal(this.connection, this.work.context.claim, { collection: this.work.step.collection, table: name, method: 'DropPartition', kind: 'Drop', position: intent, deleted, clients });
    return { kind: 'dropped', seq, deleted, clients };
  }

  /** Puts a detached partition back, so that its rows are seen, held and purged like all others. */
  private async reattach(intent: DropPosition): Promise<void> {
    await this.connection.transaction(async () => {
      const attached = (await readPartitions(this.connection, intent.parent)).some(({ oid }) => oid === intent.leaf);
      const name = await findByOid(this.connection, intent.leaf);
      if (!attached && name !== undefined) await this.connection.query(`ALTER TABLE ${quoteTable(intent.parent)} ATTACH PARTITION ${quoteTable(name)} ${intent.bounds}`);
      await this.append('Reattach', intent);
    }, beginChanging({ lockTimeoutMs: 5_000, statementTimeoutMs: COUNT_TIMEOUT_MS }));
  }

  /** Commits a stage of a drop by itself, under the fence. */
  private async record(kind: JournalKind, intent: DropPosition): Promise<void> {
    await this.connection.transaction(async () => {
      // Nothing is deleted here, so it does not matter which holds are known; the drop itself asks again.
      await admit(this.connection, { claim: this.work.context.claim, holdsRevision: 0 });
      await this.append(kind, intent);
    }, beginChanging({ lockTimeoutMs: 5_000, statementTimeoutMs: 10_000 }));
  }

  private async append(kind: JournalKind, intent: DropPosition): Promise<void> {
    await appendJournal(this.connection, this.work.context.claim, { collection: this.work.step.collection, table: intent.name, method: 'DropPartition', kind, position: intent, deleted: 0, clients: {} });
  }
}

/** The run belongs to somebody else now, who decides what becomes of the partition. */
function taken(error: unknown): boolean {
  return error instanceof StoreError && (error.reason === 'Fenced' || error.reason === 'ForeignOwner');
}
