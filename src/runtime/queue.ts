import type { RuntimeMetrics } from '../telemetry/runtime-metrics.ts';
import type { Clock } from './clock.ts';

/**
 * A queue of keys with the semantics of client-go's:
 * - a key waits at most once, however often it is added;
 * - a key that is being worked on is not handed out again; added meanwhile, it waits until its work is done;
 * - a failing key comes back after a time that doubles with each failure, until it is forgotten.
 */
export interface Queue {
  add(key: string): void;
  /** Adds the key after `ms`; of several such the earliest holds. 0 or less adds at once. */
  addAfter(key: string, ms: number): void;
  /** Adds the key after its back-off: 5 ms at the first failure, doubling to 1000 s. */
  addRateLimited(key: string): void;
  /** Ends the back-off of a key. */
  forget(key: string): void;
  /** Failures since the key was last forgotten. */
  failures(key: string): number;
  /** The next key, once there is one; undefined when the queue is shut down and empty. */
  get(): Promise<string | undefined>;
  /** Tells that the work on a key handed out by get is over. With `restMs` it is not handed out again before that. */
  done(key: string, restMs?: number): void;
  /** Keys ready to be handed out. */
  readonly length: number;
  /**
   * Takes no more keys and drops those that wait for their time; keys ready are still handed out. Resolves when all
   * work handed out is done.
   */
  shutDown(): Promise<void>;
}

export interface QueueOptions {
  /** The label of the metrics. */
  name: string;
  clock: Clock;
  /** First back-off in milliseconds; 5 when left out. */
  baseDelayMs?: number;
  /** Longest back-off in milliseconds; 1,000,000 when left out. */
  maxDelayMs?: number;
  metrics?: RuntimeMetrics | undefined;
}

export function createQueue(options: QueueOptions): Queue {
  const { clock, metrics } = options;
  const baseDelayMs = options.baseDelayMs ?? 5;
  const maxDelayMs = options.maxDelayMs ?? 1_000_000;
  const labels = { name: options.name, controller: options.name };

  /** Keys ready, in order, with the time they became so. */
  const ready = new Map<string, number>();
  /** Keys to be worked on (again); includes those of `ready`. */
  const dirty = new Set<string>();
  /** Keys handed out, with the time of it. */
  const processing = new Map<string, number>();
  const delayed = new Map<string, { dueAt: number; cancel: () => void }>();
  /** Until when (monotonic) a key is not handed out again. */
  const resting = new Map<string, number>();
  const failures = new Map<string, number>();
  const takers: ((key: string | undefined) => void)[] = [];
  const drained: (() => void)[] = [];
  let shuttingDown = false;

  const stopWatching = metrics?.watchQueue(options.name, () => {
    const ages = [...processing.values()].map((since) => (clock.monotonic() - since) / 1000);
    return { unfinished: ages.reduce((sum, age) => sum + age, 0), longest: ages.reduce((longest, age) => Math.max(longest, age), 0) };
  });

  const enqueue = (key: string): void => {
    ready.set(key, clock.monotonic());
    const taker = takers.shift();
    if (taker !== undefined) taker(take());
    metrics?.queueDepth.set(labels, ready.size);
  };
  const take = (): string | undefined => {
    for (const [key, since] of ready) {
      const now = clock.monotonic();
      ready.delete(key);
      dirty.delete(key);
      processing.set(key, now);
      metrics?.queueSeconds.observe(labels, (now - since) / 1000);
      metrics?.queueDepth.set(labels, ready.size);
      return key;
    }
    return undefined;
  };
  const checkDrained = (): void => {
    if (!shuttingDown || ready.size > 0) return;
    for (const taker of takers.splice(0)) taker(undefined);
    if (processing.size > 0) return;
    stopWatching?.();
    for (const resolve of drained.splice(0)) resolve();
  };

  const queue: Queue = {
    add(key) {
      if (shuttingDown || dirty.has(key)) return;
      const restMs = (resting.get(key) ?? 0) - clock.monotonic();
      if (restMs > 0) return queue.addAfter(key, restMs);
      resting.delete(key);
      metrics?.queueAdds.inc(labels);
      dirty.add(key);
      if (!processing.has(key)) enqueue(key);
    },
    addAfter(key, ms) {
      if (shuttingDown) return;
      if (!(ms > 0)) return queue.add(key);
      const dueAt = clock.monotonic() + ms;
      const waiting = delayed.get(key);
      if (waiting !== undefined && waiting.dueAt <= dueAt) return;
      waiting?.cancel();
      const cancel = clock.setTimer(ms, () => {
        delayed.delete(key);
        queue.add(key);
      });
      delayed.set(key, { dueAt, cancel });
    },
    addRateLimited(key) {
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      metrics?.queueRetries.inc(labels);
      queue.addAfter(key, Math.min(maxDelayMs, baseDelayMs * 2 ** Math.min(count, 52)));
    },
    forget(key) {
      failures.delete(key);
    },
    failures: (key) => failures.get(key) ?? 0,
    get() {
      const key = take();
      if (key !== undefined || shuttingDown) return Promise.resolve(key);
      return new Promise((resolve) => takers.push(resolve));
    },
    done(key, restMs = 0) {
      const since = processing.get(key);
      if (since === undefined) return;
      processing.delete(key);
      metrics?.workSeconds.observe(labels, (clock.monotonic() - since) / 1000);
      if (restMs > 0) resting.set(key, clock.monotonic() + restMs);
      if (dirty.has(key) && restMs > 0) {
        dirty.delete(key);
        queue.addAfter(key, restMs);
      } else if (dirty.has(key)) enqueue(key);
      checkDrained();
    },
    get length() {
      return ready.size;
    },
    shutDown() {
      shuttingDown = true;
      for (const { cancel } of delayed.values()) cancel();
      delayed.clear();
      return new Promise((resolve) => {
        drained.push(resolve);
        checkDrained();
      });
    },
  };
  return queue;
}
