import { StoreError } from '../errors.ts';
import type { BatchResult } from '../purging.ts';
import { dropState, readStanding } from './apart.ts';
import type { DropState, OpenDrop } from './apart.ts';
import { countDeleted, retryReason } from './batch.ts';
import { resolveTables } from './catalogue.ts';
import type { Connection } from './connection.ts';
import { sqlState } from './errors.ts';
import { admit } from './fence.ts';
import { appendJournal } from './journal.ts';
import type { DropPosition, JournalKind } from './journal.ts';
import { retryDelay } from './size.ts';
import { deletesAreWatched, readPartitions } from './partition-catalogue.ts';
import type { PartitionState } from './partition-catalogue.ts';
import { quoteTable } from './sql.ts';
import type { ResolvedTable } from './sql.ts';
import { countForDrop } from './statements.ts';
import { nameOf, renamedColumn } from './target.ts';
import type { Target } from './target.ts';
import { beginChanging } from './transaction.ts';
import { pause } from './throttle.ts';
import type { Compiled, StepWork } from './work.ts';

/** Counting a partition may take long; the fence is taken after it, so that no hold waits for it. Milliseconds. */
export const COUNT_TIMEOUT_MS = 600_000;
const ATTEMPTS = 4;
/** Of one partition, by its catalogue identity `$1`; these are unsigned. */
const DETACH_LOCK = '1685353570, ($1::bigint - 2147483648)::int';

type Finished = { kind: 'dropped'; seq: number; deleted: number; clients: Record<string, number> } | { kind: 'moved' | 'gone' | 'half detached' | 'keeps rows' } | { kind: 'outdated' };

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
    // Another process, which lost its run while it was paused, is about to drop it too.
    if (!(await this.reserve(intent))) return;
    try {
      await this.record('DropIntent', intent);
      const state = partition.hasDefault ? 'detached' : await this.detach(partition);
      if (state === 'detached') yield* this.finishDetached(intent, true);
      // Half detached it is left for the next run to finish; its rows are reached one by one all the same.
      else if (state === 'attached') await this.record('Reattach', intent);
    } finally {
      await this.unreserve(intent);
    }
  }

  /** Finishes or undoes a drop that was begun and interrupted; leaves a partition alone that is none of ours any more. */
  async *settle({ state, line: _line, ...intent }: OpenDrop): AsyncGenerator<BatchResult> {
    if (state === 'moved' || state === 'gone') return yield* this.giveUp(intent, state);
    if (state === 'detached') return yield* this.finishDetached(intent, false);
    if (state === 'attached') {
      // Whoever began it may still be about to detach it: then the journal has to go on telling of it.
      if (!(await this.reserve(intent))) return;
      try {
        await this.record('Reattach', intent);
      } finally {
        await this.unreserve(intent);
      }
      return;
    }
    const partition = (await readPartitions(this.connection, intent.parent)).find(({ oid }) => oid === intent.leaf);
    if (partition === undefined || (await this.detach(partition)) === 'detached') yield* this.finishDetached(intent, false);
  }

  /** A login keeps the right to detach one partition until it ends, so that nobody takes a drop for undone that goes on. @returns false: another has it */
  private async reserve({ leaf }: DropPosition): Promise<boolean> {
    const { rows } = await this.connection.query<{ reserved: boolean }>(`SELECT pg_try_advisory_lock(${DETACH_LOCK}) AS reserved`, [leaf]);
    return rows[0]?.reserved === true;
  }

  private async unreserve({ leaf }: DropPosition): Promise<void> {
    if (!this.connection.lost()) await this.connection.query(`SELECT pg_advisory_unlock(${DETACH_LOCK})`, [leaf]);
  }

  private async *giveUp(intent: DropPosition, lost: 'moved' | 'gone'): AsyncGenerator<BatchResult> {
    if (lost === 'moved') yield pause(this.work.step.collection, 'PartitionMoved');
    await this.record('Reattach', { ...intent, lost });
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

  /**
   * Drops a partition that is detached, or that a default partition kept attached; attaches it again when a row must stay.
   *
   * @param ours this very process detached it, and attaches it again even where the run belongs to another by now
   */
  private async *finishDetached(intent: DropPosition, ours: boolean): AsyncGenerator<BatchResult> {
    for (let attempt = 0; ; ) {
      const started = this.work.monotonicMs();
      try {
        this.work.context.signal.throwIfAborted();
        // No fence was held while it was detached. Asked now, the application need not wait for a count to have its rows back.
        await this.admitted();
        const finished = await this.connection.transaction(() => this.finish(intent), beginChanging({ lockTimeoutMs: this.work.context.pace.lockTimeoutMillis, statementTimeoutMs: COUNT_TIMEOUT_MS }));
        if (finished.kind === 'outdated') {
          await this.compile();
          continue;
        }
        if (finished.kind === 'dropped') this.work.allowance.reserve(finished.deleted);
        if (finished.kind === 'dropped') yield { seq: finished.seq, collection: this.work.step.collection, deleted: finished.deleted, clients: finished.clients, millis: this.work.monotonicMs() - started };
        if (finished.kind === 'moved' || finished.kind === 'gone') yield* this.giveUp(intent, finished.kind);
        if (finished.kind === 'keeps rows') await this.reattach(intent);
        return;
      } catch (error) {
        const why = retryReason(error);
        if (this.connection.lost()) throw error;
        if (sqlState(error) === undefined) {
          // Not the server but we refuse, because of a freeze for example: the application gets its rows back meanwhile.
          if (ours || !taken(error)) await this.reattach(intent, !taken(error)).catch(() => undefined);
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

  /** @throws StoreError `Conflict` when a column is another one than before: the rule that was approved spoke of what it was */
  private async compile(): Promise<void> {
    const before = this.compiled.target;
    this.compiled = await this.work.compile(this.connection);
    const renamed = renamedColumn({ ...before, leaves: partsOf(before) }, { ...this.compiled.target, leaves: partsOf(this.compiled.target) });
    if (renamed !== undefined) throw new StoreError('Conflict', `The column ${renamed} is another column than when this began, so the rule of ${nameOf(before)} is not the one that was approved. Plan again.`);
  }

  private async finish(intent: DropPosition): Promise<Finished> {
    const state = await this.lock(intent);
    if (state === 'moved' || state === 'gone') return { kind: state };
    if (state === 'pending') return { kind: 'half detached' };
    const leaf = (await resolveTables(this.connection, [intent.name]))(intent.name);
    const known = partsOf(this.compiled.target).find(({ oid }) => oid === leaf.oid);
    if (known !== undefined && known.columnsHash !== leaf.columnsHash) return { kind: 'outdated' };
    // Both may have come since the partitions were looked at.
    if (await deletesAreWatched(this.connection, [this.compiled.target.table.oid, leaf.oid])) return { kind: 'keeps rows' };
    const statement = countForDrop(this.compiled.target.what, leaf, this.compiled.resolver);
    const { rows } = await this.connection.query<{ client: string | null; rows: string; kept: string }>(statement.text, statement.values);
    if ((await admit(this.connection, { claim: this.work.context.claim, holdsRevision: this.compiled.holdsRevision })) === 'holds changed') return { kind: 'outdated' };
    // Since they were counted by nobody can change the columns of a table they were judged by.
    const reads = await resolveTables(this.connection, this.compiled.target.reads);
    if (this.compiled.target.reads.some((table) => reads(table).columnsHash !== table.columnsHash)) return { kind: 'outdated' };
    if (rows.some((row) => row.kept !== '0')) return { kind: 'keeps rows' };
    const { deleted, clients } = countDeleted(this.compiled.target.rule.client, { rows: rows.map((row) => ({ client: row.client, deleted: row.rows })), rowCount: 0 });
    if (!this.work.allowance.covers(deleted)) return { kind: 'keeps rows' };
    if (state === 'attached') await this.connection.query(`ALTER TABLE ${quoteTable(intent.parent)} DETACH PARTITION ${quoteTable(intent.name)}`);
    await this.connection.query(`DROP TABLE ${quoteTable(intent.name)}`);
    const seq = await appendJournal(this.connection, this.work.context.claim, { collection: this.work.step.collection, table: intent.name, method: 'DropPartition', kind: 'Drop', position: intent, deleted, clients });
    return { kind: 'dropped', seq, deleted, clients };
  }

  /** What has become of a partition. Where it still is what the journal says, nobody can change that, or a row of it, or begin to refer to one, from here to the commit. */
  private async lock(intent: DropPosition): Promise<DropState> {
    const state = dropState(intent, await readStanding(this.connection, intent.leaf));
    if (state === 'moved' || state === 'gone') return state;
    await this.connection.query(`LOCK TABLE ONLY ${quoteTable(intent.name)} IN ACCESS EXCLUSIVE MODE`);
    return dropState(intent, await readStanding(this.connection, intent.leaf));
  }

  /** Puts a detached partition back, so that its rows are seen, held and purged like all others. `record`: false where the run is not ours any more, and its journal neither. */
  private async reattach(intent: DropPosition, record = true): Promise<void> {
    await this.connection.transaction(async () => {
      let state = dropState(intent, await readStanding(this.connection, intent.leaf));
      if (state === 'detached') state = await this.lock(intent);
      if (state === 'detached') await this.connection.query(`ALTER TABLE ${quoteTable(intent.parent)} ATTACH PARTITION ${quoteTable(intent.name)} ${intent.bounds}`);
      if (record && state !== 'pending') await this.append('Reattach', state === 'moved' || state === 'gone' ? { ...intent, lost: state } : intent);
    }, beginChanging({ lockTimeoutMs: 5_000, statementTimeoutMs: COUNT_TIMEOUT_MS }));
  }

  /** @throws StoreError `Frozen`, `Fenced`, `ForeignOwner` */
  private async admitted(): Promise<void> {
    await this.connection.transaction(() => admit(this.connection, { claim: this.work.context.claim, holdsRevision: 0 }), beginChanging({ lockTimeoutMs: 5_000, statementTimeoutMs: 10_000 }));
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

/** The heap tables of a collection, attached or not. */
function partsOf({ leaves, apart }: Target): ResolvedTable[] {
  return [...leaves, ...apart.filter((table) => table !== undefined)];
}

/** The run belongs to somebody else now, who decides what becomes of the partition. */
function taken(error: unknown): boolean {
  return error instanceof StoreError && (error.reason === 'Fenced' || error.reason === 'ForeignOwner');
}
