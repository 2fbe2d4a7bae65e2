import { StoreError } from '../errors.ts';
import { tableName } from '../predicate.ts';
import type { BatchResult, PurgeMethod } from '../purging.ts';
import { deleteBatch, OVER_LIMIT, ROWS_CHANGED } from './batch.ts';
import type { Batch, BatchOutcome, DeletedRow } from './batch.ts';
import type { Connection } from './connection.ts';
import { nextPage } from './look.ts';
import { recordPlace } from './place.ts';
import { adaptSize, firstSize, halveSize, PAGES, retryDelay, ROWS } from './size.ts';
import type { BatchSize } from './size.ts';
import type { ResolvedTable } from './sql.ts';
import { deleteBlocks, deleteBlocksReturning, deleteKeyset, deleteRing } from './statements.ts';
import type { BlockRange, KeysetPosition, Statement } from './statements.ts';
import { nameOf, renamedColumn } from './target.ts';
import { pause, Throttle } from './throttle.ts';
import type { Compiled, StepWork, Unit } from './work.ts';

/** The ways to delete a run of pages; see there. */
const BLOCK_STATEMENTS = { deleteBlocks, deleteBlocksReturning };
/** Of the smallest batch; the larger ones before it were attempts too. */
const ATTEMPTS = 3;
/** Runs of pages given up one after the other: then it is not rows that are locked, but the table or the fence. */
const GIVE_UPS = 5;

/** One login working through units; a step has `pace.workers` of them. */
export class Walker {
  private readonly work: StepWork;
  private readonly connection: Connection;
  private compiled: Compiled;
  private statements = new Map<string, Statement>();
  private pages: BatchSize;
  private readonly throttle: Throttle;
  private givenUp = 0;
  private left = false;

  constructor(work: StepWork, connection: Connection, compiled: Compiled) {
    this.work = work;
    this.connection = connection;
    this.compiled = compiled;
    this.throttle = new Throttle(work, connection);
    this.pages = firstSize(work.context.pace.maxBatchMillis, PAGES);
  }

  /** What the next batch would be compiled from. */
  current(): Compiled {
    return this.compiled;
  }

  /** Rows somebody had locked were left for a later pass. */
  leftRows(): boolean {
    return this.left;
  }

  /** Deletes the due rows of a run of heap pages, batch by batch. Pages that stay locked are left to a later pass. */
  async *blocks(unit: Unit): AsyncGenerator<BatchResult> {
    let next = unit.range.from;
    let attempt = 0;
    let form: keyof typeof BLOCK_STATEMENTS = 'deleteBlocks';
    while (next < unit.range.to) {
      yield* this.throttle.ready(unit.leaf);
      const range = { from: next, to: Math.min(unit.range.to, next + this.pages.size) };
      const position = { leaf: unit.leaf.oid, pass: unit.pass, from: unit.range.from, next: range.to };
      const { outcome, millis } = yield* this.attempt('BlockRange', unit.leaf, (now) => this.blockStatement(form, now, range), position);
      if (outcome.kind === 'rolled back' && outcome.why === ROWS_CHANGED && form === 'deleteBlocks') {
        form = 'deleteBlocksReturning';
        continue;
      }
      if (outcome.kind === 'rolled back') {
        const givenUp = await this.backOff(outcome, attempt);
        attempt = this.pages.size === PAGES.min ? attempt + 1 : 0;
        this.pages = halveSize(this.pages, PAGES);
        if (givenUp) {
          yield pause(this.work.step.collection, outcome.why);
          next = range.to;
          attempt = 0;
        }
        continue;
      }
      attempt = 0;
      form = 'deleteBlocks';
      next = range.to;
      this.pages = adaptSize(this.pages, millis, this.work.context.pace.maxBatchMillis, PAGES);
      if (outcome.kind === 'committed') yield this.result(outcome, millis);
      else next = yield* this.cross(unit, next);
    }
  }

  /**
   * Crosses pages of a run without due rows. Stopped in their midst it leaves word how far it came: in a table that takes longer
   * to look through than it is let alone, it would begin anew each time.
   */
  private async *cross(unit: Unit, from: number): AsyncGenerator<BatchResult, number> {
    let passed = from;
    let stopped = true;
    try {
      const next = yield* nextPage(this.connection, this.compiled, unit.leaf, { from, to: unit.range.to }, this.pages.size, this.work, (page) => { passed = page; });
      stopped = false;
      return next;
    } catch (error) {
      stopped = false;
      throw error;
    } finally {
      const position = { leaf: unit.leaf.oid, pass: unit.pass, from: unit.range.from, next: passed };
      // Frozen, or in the hands of another, it is looked through again.
      if (stopped && passed > from) await recordPlace(this.connection, this.work, this.asCompiled(unit.leaf), position).catch(() => undefined);
    }
  }

  /** Deletes the due rows in the order of an indexed time column. */
  async *keyset(leaf: ResolvedTable, column: string): AsyncGenerator<BatchResult> {
    let rows = firstSize(this.work.context.pace.maxBatchMillis, ROWS);
    let after: KeysetPosition | undefined;
    let attempt = 0;
    for (;;) {
      yield* this.throttle.ready(leaf);
      const limit = rows.size;
      const statement = (now: ResolvedTable): Statement => deleteKeyset(this.compiled.target.what, now, column, after, limit, this.compiled.resolver);
      // No position is kept: the time of a row does not belong into the journal, and a resumed run starts at the oldest row left.
      const { outcome, millis } = yield* this.attempt('Keyset', leaf, statement, { leaf: leaf.oid, pass: 0, from: 0, next: 0 });
      if (outcome.kind === 'rolled back') {
        const givenUp = await this.backOff(outcome, attempt);
        attempt = rows.size === ROWS.min ? attempt + 1 : 0;
        rows = halveSize(rows, ROWS);
        if (givenUp) return; // the passes over the heap that follow take what is left
        continue;
      }
      attempt = 0;
      rows = adaptSize(rows, millis, this.work.context.pace.maxBatchMillis, ROWS);
      if (outcome.kind === 'committed') yield this.result(outcome, millis);
      after = reached(outcome.rows);
      if (after === undefined || (outcome.rows[0]?.looked_at ?? 0) < limit) return;
    }
  }

  /** Deletes a ring of rows in one batch, or leaves it as it is. `at`: place of its first row; `page`: of that place. */
  async *ring(leaf: ResolvedTable, at: string, page: number, pass: number): AsyncGenerator<BatchResult> {
    for (let attempt = 0; ; attempt += 1) {
      yield* this.throttle.ready(leaf);
      const { outcome, millis } = yield* this.attempt('BlockRange', leaf, (now) => deleteRing(this.compiled.target.what, now, at, this.compiled.resolver), { leaf: leaf.oid, pass, from: page, next: page + 1 });
      if (outcome.kind === 'committed') yield this.result(outcome, millis);
      if (outcome.kind !== 'rolled back') return;
      // It cannot be halved: what does not fit into the run, or into a statement, stays whole.
      if (outcome.why === OVER_LIMIT) throw outcome.error;
      if (attempt >= ATTEMPTS) return yield pause(this.work.step.collection, outcome.why);
      await this.work.sleep(retryDelay(attempt, this.work.random), this.work.context.signal);
    }
  }

  /** Runs one batch; compiles again, as often as needed, when what it was compiled from has changed. */
  private async *attempt(method: PurgeMethod, part: ResolvedTable, statement: (leaf: ResolvedTable) => Statement, position: Batch['position']): AsyncGenerator<BatchResult, { outcome: Exclude<BatchOutcome, { kind: 'outdated' }>; millis: number }> {
    for (;;) {
      // It may have looked, waited, or compiled for long.
      yield* this.work.consent.renew();
      this.work.context.signal.throwIfAborted();
      const { target, holdsRevision, shapes } = this.compiled;
      const leaf = this.asCompiled(part);
      const batch: Batch = { ticket: { claim: this.work.context.claim, holdsRevision }, target, shapes, leaf, method, statement: statement(leaf), position, allowance: this.work.allowance };
      const started = this.work.monotonicMs();
      const outcome = await deleteBatch(this.connection, batch, this.work.context.pace);
      if (outcome.kind === 'committed' || outcome.kind === 'nothing due') this.givenUp = 0;
      const millis = this.work.monotonicMs() - started;
      if (outcome.kind !== 'outdated') {
        this.throttle.took(millis);
        return { outcome, millis };
      }
      const before = this.compiled.target;
      this.compiled = await this.work.compile(this.connection);
      this.statements = new Map();
      const renamed = renamedColumn(before, this.compiled.target);
      if (renamed !== undefined) throw new StoreError('Conflict', `The column ${renamed} is another column than when this began, so the rule of ${nameOf(before)} is not the one that was approved. Plan again.`);
    }
  }

  /**
   * A part with the names and types its columns had when the batch was compiled, not those the walk through it began with.
   *
   * @throws StoreError `Conflict` when it is no part any more
   */
  private asCompiled(part: ResolvedTable): ResolvedTable {
    const leaf = this.compiled.target.leaves.find(({ oid }) => oid === part.oid);
    if (leaf === undefined) throw new StoreError('Conflict', `${tableName(part)} is no longer a part of ${nameOf(this.compiled.target)}. Plan again.`);
    return leaf;
  }

  /** Compiled once per table and hold revision: only the page numbers, its first two values, differ. */
  private blockStatement(form: keyof typeof BLOCK_STATEMENTS, leaf: ResolvedTable, range: BlockRange): Statement {
    const name = `${form} ${leaf.oid}`;
    const known = this.statements.get(name) ?? BLOCK_STATEMENTS[form](this.compiled.target.what, leaf, range, this.compiled.resolver);
    this.statements.set(name, known);
    return { text: known.text, values: [`(${range.from},0)`, `(${range.to},0)`, ...known.values.slice(2)] };
  }

  /** Waits before the next attempt. `attempt`: of the smallest size. @returns true when these rows are to be left for later */
  private async backOff(outcome: Extract<BatchOutcome, { kind: 'rolled back' }>, attempt: number): Promise<boolean> {
    // Nobody is in the way: half of it may fit, and if not the smallest batch, nothing does.
    if (outcome.why === OVER_LIMIT && attempt === 0) return false;
    if (outcome.why === OVER_LIMIT) throw outcome.error;
    if (attempt >= ATTEMPTS) {
      if (outcome.why === 'RowLocked' || outcome.why === 'Deadlock') {
        this.givenUp += 1;
        this.left = true;
        if (this.givenUp < GIVE_UPS) return true;
      }
      throw new StoreError(outcome.error.reason, `${nameOf(this.compiled.target)}: it failed however small the batch was (${outcome.why}). ${outcome.error.message}`, { cause: outcome.error.cause });
    }
    await this.work.sleep(retryDelay(attempt, this.work.random), this.work.context.signal);
    return false;
  }

  private result(outcome: Extract<BatchOutcome, { kind: 'committed' }>, millis: number): BatchResult {
    this.work.history.walBytes += outcome.walBytes;
    return { seq: outcome.seq, collection: this.work.step.collection, deleted: outcome.deleted, clients: outcome.clients, millis };
  }
}

function reached(rows: readonly DeletedRow[]): KeysetPosition | undefined {
  const last = rows[0];
  return last?.reached_time == null || last.reached_ctid == null ? undefined : { time: last.reached_time, ctid: last.reached_ctid };
}
