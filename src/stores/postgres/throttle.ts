import { StoreError } from '../errors.ts';
import type { BatchResult } from '../purging.ts';
import type { Connection } from './connection.ts';
import { decidePace, LONG_SNAPSHOT, samplePace, SLOW_BATCHES, SLOW_WINDOW } from './pace.ts';
import type { ResolvedTable } from './sql.ts';
import type { StepWork } from './work.ts';

/** Asking costs a query over the server's statistics, so not every batch does. */
const SAMPLE_EVERY_MS = 1_000;

/** Lets one worker wait while the server has no room for its next batch. */
export class Throttle {
  private readonly work: StepWork;
  private readonly connection: Connection;
  private sampledAt: number | undefined;
  private batches: number[] = [];

  constructor(work: StepWork, connection: Connection) {
    this.work = work;
    this.connection = connection;
  }

  /** A batch was tried and took this long. */
  took(millis: number): void {
    this.batches = [...this.batches, millis].slice(-SLOW_WINDOW);
  }

  /** Ends when the next batch may start; reports each wait before it. @throws StoreError `LimitReached` */
  async *ready(leaf: ResolvedTable): AsyncGenerator<BatchResult> {
    const { context, history, step } = this.work;
    for (;;) {
      context.signal.throwIfAborted();
      if (this.sampledAt !== undefined && this.work.monotonicMs() - this.sampledAt < SAMPLE_EVERY_MS) return;
      const decision = decidePace(await samplePace(this.connection, leaf.oid), { ...history, batches: this.batches }, context.pace);
      if ('stop' in decision) throw new StoreError('RunLimitReached', `${step.collection}: ${decision.stop}. The rest is done by the next run; raise pace.maxWalMegabytesPerRun for larger ones.`);
      if (decision.go) {
        this.sampledAt = this.work.monotonicMs();
        return;
      }
      yield pause(step.collection, decision.reason);
      await this.work.sleep(decision.waitMs, context.signal);
      if (decision.reason === LONG_SNAPSHOT) history.snapshotWaitMs += decision.waitMs;
      // What was slow is over; the next batches tell whether it still is.
      if (decision.reason === SLOW_BATCHES) this.batches = [];
      this.sampledAt = undefined;
    }
  }
}

/** A report of a wait, or of rows left for later, without a commit. */
export function pause(collection: string, why: string): BatchResult {
  return { seq: 0, collection, deleted: 0, clients: {}, millis: 0, throttledBy: why };
}
