import { StoreError } from '../errors.ts';
import type { BatchResult } from '../purging.ts';
import type { OpenDrop } from './apart.ts';
import { retryReason } from './batch.ts';
import type { Connection } from './connection.ts';
import { Unanswered } from './consent.ts';
import { detachConcurrently, giveDetachRight, takeDetachRight } from './detach.ts';
import { afterFailure } from './drop-failure.ts';
import { reattach, recordStage, requireAdmission } from './drop-stages.ts';
import type { Dropping } from './drop-stages.ts';
import { dropUnderLock, partsOf } from './drop-transaction.ts';
import { sqlState } from './errors.ts';
import type { DropPosition } from './journal.ts';
import { readPartition } from './partition-catalogue.ts';
import type { PartitionState } from './partition-catalogue.ts';
import { retryDelay } from './size.ts';
import { nameOf, renamedColumn } from './target.ts';
import { pause } from './throttle.ts';
import type { Compiled, StepWork } from './work.ts';

/**
 * Drops partitions of one table in stages: intent, detach, count under a lock, drop.
 *
 * A drop cannot be one transaction, because a concurrent detach cannot run inside one. So the intent is
 * committed first; whoever comes next finds it and either finishes the drop or attaches the partition again.
 */
export class PartitionDropper {
  private readonly connection: Connection;
  private readonly work: StepWork;
  private readonly dropping: Dropping;
  private compiled: Compiled;
  private begun = false;

  constructor(connection: Connection, work: StepWork, compiled: Compiled) {
    this.connection = connection;
    this.work = work;
    this.dropping = { claim: work.context.claim, collection: work.step.collection };
    this.compiled = compiled;
  }

  /** What a partition is judged by; compiled anew when a hold came or went. */
  current(): Compiled {
    return this.compiled;
  }

  /** Whether it began to change anything, so that the parts of the table may be others. */
  changed(): boolean {
    return this.begun;
  }

  /** Drops a partition that is attached and of which every row seemed due; it stays, attached, when one must. */
  async *drop(partition: PartitionState): AsyncGenerator<BatchResult> {
    const intent: DropPosition = { leaf: partition.oid, name: partition.name, parent: partition.parent, parentOid: partition.parentOid, bounds: partition.bounds };
    yield* this.work.consent.renew();
    // Another process, which lost its run while it was paused, is about to drop it too.
    if (!(await takeDetachRight(this.connection, intent.leaf))) return;
    this.begun = true;
    try {
      await recordStage(this.connection, this.dropping, 'DropIntent', intent);
      // Beside a default partition none can be detached concurrently, but in the transaction that drops it.
      const state = partition.hasDefault ? 'to be detached' : await this.detach(partition);
      if (state === 'detached' || state === 'to be detached') yield* this.finish(intent, true);
      // Half detached it is left for the next run to finish; its rows are reached one by one all the same.
      else if (state === 'attached') await recordStage(this.connection, this.dropping, 'Reattach', intent);
    } finally {
      await giveDetachRight(this.connection, intent.leaf);
    }
  }

  /** Finishes or undoes a drop that was begun and interrupted; leaves a partition alone that is none of ours any more. */
  async *settle({ state, line: _line, run: _run, ...intent }: OpenDrop): AsyncGenerator<BatchResult> {
    this.begun = true;
    if (state === 'moved' || state === 'gone') return yield* this.leave(intent, state);
    if (state === 'detached') return yield* this.finish(intent, false);
    if (state === 'attached') {
      // Whoever began it may still be about to detach it: then the journal has to go on telling of it.
      if (!(await takeDetachRight(this.connection, intent.leaf))) return;
      try {
        await recordStage(this.connection, this.dropping, 'Reattach', intent);
      } finally {
        await giveDetachRight(this.connection, intent.leaf);
      }
      return;
    }
    const partition = await readPartition(this.connection, intent.leaf);
    if (partition === undefined || (await this.detach(partition)) === 'detached') yield* this.finish(intent, false);
  }

  private detach(partition: PartitionState): Promise<'detached' | 'attached' | 'pending'> {
    return detachConcurrently(this.connection, partition, (attempt) => this.wait(attempt));
  }

  private async *leave(intent: DropPosition, lost: 'moved' | 'gone'): AsyncGenerator<BatchResult> {
    if (lost === 'moved') yield pause(this.work.step.collection, 'PartitionMoved');
    await recordStage(this.connection, this.dropping, 'Reattach', { ...intent, lost });
  }

  /**
   * Drops a partition that is detached, or that a default partition kept attached; attaches it again when a row must stay.
   *
   * @param ours this very process detached it, and attaches it again even where the run belongs to another by now
   */
  private async *finish(intent: DropPosition, ours: boolean): AsyncGenerator<BatchResult> {
    let stopped = true;
    let told: BatchResult | undefined;
    try {
      told = yield* this.dropOrUndo(intent, ours);
      stopped = false;
    } catch (error) {
      stopped = false;
      throw error;
    } finally {
      // Who wants no more of it dropped may want that for long, and the application its rows.
      if (stopped) await this.undo(intent).catch(() => undefined);
    }
    if (told) yield told;
  }

  /** @returns what is to be told of it when it is over */
  private async *dropOrUndo(intent: DropPosition, ours: boolean): AsyncGenerator<BatchResult, BatchResult | undefined> {
    for (let attempt = 0; ; ) {
      const started = this.work.monotonicMs();
      try {
        this.work.context.signal.throwIfAborted();
        yield* this.work.consent.renew();
        // No fence was held while it was detached. Asked now, the application need not wait for a count to have its rows back.
        await requireAdmission(this.connection, this.dropping);
        const finished = yield* this.work.consent.during((ask) => dropUnderLock(this.connection, this.work, this.compiled, intent, ask));
        if (finished.kind === 'outdated') {
          await this.compile();
          // It came after its table was looked at, or may not be read: it is not for this run.
          if (partsOf(this.compiled.target).some(({ oid }) => oid === intent.leaf)) continue;
          await this.undo(intent);
          return undefined;
        }
        if (finished.kind === 'dropped') {
          this.work.allowance.reserve(finished.deleted);
          return { seq: finished.seq, collection: this.work.step.collection, deleted: finished.deleted, clients: finished.clients, millis: this.work.monotonicMs() - started };
        }
        if (finished.kind === 'moved' || finished.kind === 'gone') yield* this.leave(intent, finished.kind);
        if (finished.kind === 'keeps rows') await this.undo(intent);
        return undefined;
      } catch (error) {
        // An answer that came too late for the transaction is one for the next.
        if (error instanceof Unanswered) continue;
        const retry = retryReason(error);
        const taken = isTaken(error);
        const next = afterFailure({ lost: this.connection.lost(), sqlState: sqlState(error), retry, taken, ours, attempt });
        if (next === 'undo and fail') await this.undo(intent, !taken).catch(() => undefined);
        if (next === 'fail' || next === 'undo and fail') throw error;
        if (next !== 'retry') {
          await this.undo(intent);
          return next === 'give up' ? pause(this.work.step.collection, retry ?? '') : undefined;
        }
        await this.wait(attempt);
        attempt += 1;
      }
    }
  }

  private async undo(intent: DropPosition, record = true): Promise<void> {
    await reattach(this.connection, this.dropping, intent, record);
  }

  private wait(attempt: number): Promise<void> {
    return this.work.sleep(retryDelay(attempt, this.work.random), this.work.context.signal);
  }

  /** @throws StoreError `Conflict` when a column is another one than before: the rule that was approved spoke of what it was */
  private async compile(): Promise<void> {
    const before = this.compiled.target;
    this.compiled = await this.work.compile(this.connection);
    const renamed = renamedColumn({ ...before, leaves: partsOf(before) }, { ...this.compiled.target, leaves: partsOf(this.compiled.target) });
    if (renamed !== undefined) throw new StoreError('Conflict', `The column ${renamed} is another column than when this began, so the rule of ${nameOf(before)} is not the one that was approved. Plan again.`);
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof StoreError && (error.reason === 'Fenced' || error.reason === 'ForeignOwner');
}
