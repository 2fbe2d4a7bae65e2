import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KubeObject, ObjectRef } from '../api/object.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { RuntimeMetrics } from '../telemetry/runtime-metrics.ts';
import { reconcileOnce } from './attempt.ts';
import type { Cache } from './cache.ts';
import { sleep } from './clock.ts';
import type { Clock } from './clock.ts';
import { keyOf, refOfKey } from './keys.ts';
import { createQueue } from './queue.ts';
import { TerminalError, WaitingError } from './result.ts';
import type { Result } from './result.ts';
import { allowManyListeners } from './signals.ts';
import type { WriteBarrier } from './write-barrier.ts';

/**
 * Which objects to reconcile when an object of a cache changes. `map` is pure and is given the state before as well,
 * unless the object is new or gone. It answers with objects, or with a function for a whole group of them.
 */
export interface Source<T extends KubeObject = KubeObject> {
  cache: Pick<Cache<T>, 'synced' | 'onChange'>;
  map(object: T, old?: T): readonly ObjectRef[] | Group;
  /** Whether objects that are there at the start are mapped, as new ones. */
  atStart: boolean;
}

/**
 * Many objects that a change reaches at once. It is asked when the changes that arrived together are through, and once
 * for all of them: five hundred policies in one list would otherwise name ten thousand stores five hundred times.
 */
export type Group = () => readonly ObjectRef[];

/** The source of a controller's own kind: what is there at the start is reconciled. `map` is typed by the cache. */
export function source<T extends KubeObject>(cache: Source<T>['cache'], map: (object: T, old?: T) => readonly ObjectRef[] | Group): Source {
  return { cache, map, atStart: true } as Source<T> as Source;
}

/**
 * A source of something else that objects depend on. What is there at the start wakes nobody: each object is woken by
 * the source of its own kind then, and once for each thing it depends on would be quadratic.
 */
export function changes<T extends KubeObject>(cache: Source<T>['cache'], map: (object: T, old?: T) => readonly ObjectRef[] | Group): Source {
  return { cache, map, atStart: false } as Source<T> as Source;
}

/** The usual map: the object itself. */
export function itself(object: KubeObject): ObjectRef[] {
  const { namespace, name } = object.metadata;
  return [namespace === undefined ? { name } : { namespace, name }];
}

/** Brings one object from what is to what should be, from the start each time, and says when to look again. */
export type Reconcile = (ref: ObjectRef, context: { signal: AbortSignal }) => Promise<Result>;

export interface ControllerOptions {
  name: string;
  sources: readonly Source[];
  reconcile: Reconcile;
  logger: Logger;
  clock: Clock;
  /** Objects worked on at the same time; 1 when left out. One object is never worked on twice at once. */
  concurrency?: number;
  /** A reconciliation is aborted after this long; 120,000 when left out. */
  deadlineMs?: number;
  /** Work under way may go on for so long once the signal aborted; 30,000 when left out. */
  graceMs?: number;
  /** One that ignores the abort is given up after this long more, and its object tried again; 30,000 when left out. */
  abandonMs?: number;
  queue?: { baseDelayMs?: number; maxDelayMs?: number };
  /**
   * How long an object is left alone after work on it that took so long, whatever changes meanwhile; not at all when left
   * out. For work over many objects, which each of them would otherwise start again at once.
   */
  restMs?: (workedMs: number) => number;
  metrics?: RuntimeMetrics | undefined;
  /** When given, an object is left alone until our own last write to it has come back through the cache. */
  barrier?: WriteBarrier;
}

export interface Controller {
  readonly name: string;
  /** Waits for the sources to be complete, then works until the signal aborts or stop is called. Resolves when it works. */
  start(signal: AbortSignal): Promise<void>;
  /** Begins nothing new, drops what waits, and resolves when the work under way is over. After `graceMs` that is aborted. */
  stop(options?: { graceMs?: number }): Promise<void>;
  /** Asks for a reconciliation from outside the caches. */
  enqueue(ref: ObjectRef): void;
  /** Objects waiting for a worker, a group not asked yet counting as one; those with a time to wait for do not count. */
  readonly queueLength: number;
  /** Objects being worked on. */
  readonly active: number;
}

/**
 * A worker lets other work have its turn after this many. Reconciliations that find nothing to do wait for nothing:
 * ten thousand in a row after the first list would keep probes and the lease waiting for a third of a second.
 */
const TURN = 16;

const RESULTS = ['success', 'requeue_after', 'error', 'terminal_error', 'timeout'] as const;

export function createController(options: ControllerOptions): Controller {
  const { name, clock, logger, metrics } = options;
  const concurrency = options.concurrency ?? 1;
  const deadlineMs = options.deadlineMs ?? 120_000;
  const graceMs = options.graceMs ?? 30_000;
  const queue = createQueue({ name, clock, metrics, ...options.queue });
  const work = new AbortController();
  allowManyListeners(work.signal);
  /** Ends waits that come before work, so that the end does not have to wait for them. */
  const leaving = new AbortController();
  allowManyListeners(leaving.signal);
  const unsubscribe: (() => void)[] = [];
  /** Groups to be asked at the next turn. */
  const groups = new Set<Group>();
  let workers: Promise<void>[] = [];
  let stopping: Promise<void> | undefined;
  let active = 0;
  // Series that exist from the start: an alert on the rate of a counter misses the step from absent to 1.
  for (const result of RESULTS) metrics?.reconcileTotal.inc({ controller: name, result }, 0);
  for (const counter of metrics === undefined ? [] : [metrics.reconcileErrors, metrics.terminalErrors, metrics.reconcilePanics, metrics.reconcileTimeouts]) counter.inc({ controller: name }, 0);

  const worker = async (): Promise<void> => {
    let worked = 0;
    for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
      // Keys that still wait at the end are let go: after a lost lease nothing new may begin here.
      const begun = clock.monotonic();
      if (stopping === undefined) {
        active += 1;
        metrics?.activeWorkers.set({ controller: name }, active);
        await attempt(key);
        active -= 1;
        metrics?.activeWorkers.set({ controller: name }, active);
      }
      queue.done(key, options.restMs?.(clock.monotonic() - begun));
      worked += 1;
      if (worked % TURN === 0) await nextTurn();
    }
  };

  /** Runs one reconciliation and decides when the object comes next. Never rejects. */
  const attempt = async (key: string): Promise<void> => {
    const ref = refOfKey(key);
    const startedAt = clock.monotonic();
    const outcome = await reconcileOnce(
      async (signal) => {
        if (options.barrier !== undefined && !(await options.barrier.passed(ref, leaving.signal))) throw new WaitingError('CacheBehind', 'the cache has not shown our last write yet', 1_000);
        return options.reconcile(ref, { signal });
      },
      { deadlineMs, abandonMs: options.abandonMs ?? 30_000, signal: work.signal, clock },
    );
    metrics?.reconcileSeconds.observe({ controller: name }, (clock.monotonic() - startedAt) / 1000);
    const count = (result: (typeof RESULTS)[number]): void => metrics?.reconcileTotal.inc({ controller: name, result });

    if (outcome.kind === 'result') {
      queue.forget(key);
      const { result } = outcome;
      count(result.kind === 'done' ? 'success' : 'requeue_after');
      if (result.kind === 'requeueAfter') queue.addAfter(key, result.ms);
      return;
    }
    if (outcome.kind === 'timeout') {
      count('timeout');
      metrics?.reconcileTimeouts.inc({ controller: name });
      metrics?.reconcileErrors.inc({ controller: name });
      logger.error('a reconciliation ran into its deadline and was aborted; it will be tried again', { controller: name, object: key, deadlineMs, abandoned: outcome.abandoned });
      return queue.addRateLimited(key);
    }
    const { error } = outcome;
    if (work.signal.aborted) return;
    if (error instanceof TerminalError) {
      queue.forget(key);
      count('terminal_error');
      metrics?.terminalErrors.inc({ controller: name });
      logger.warn('an object needs a person', { controller: name, object: key, reason: error.reason, error });
      return;
    }
    if (error instanceof WaitingError) {
      queue.forget(key);
      count('requeue_after');
      logger.debug('an object waits', { controller: name, object: key, reason: error.reason, afterMs: error.afterMs });
      return queue.addAfter(key, error.afterMs);
    }
    count('error');
    metrics?.reconcileErrors.inc({ controller: name });
    if (isProgrammingError(error)) metrics?.reconcilePanics.inc({ controller: name });
    logger.error('a reconciliation failed; it will be tried again', { controller: name, object: key, failures: queue.failures(key) + 1, error });
    return queue.addRateLimited(key);
  };

  const wake = (woken: readonly ObjectRef[] | Group): void => {
    if (typeof woken !== 'function') {
      for (const ref of woken) queue.add(keyOf(ref));
      return;
    }
    if (groups.size === 0) {
      void nextTurn().then(() => {
        const asked = [...groups];
        groups.clear();
        for (const group of asked) for (const ref of group()) queue.add(keyOf(ref));
      });
    }
    groups.add(woken);
  };

  const stop = (afterMs: number): Promise<void> => {
    stopping ??= (async () => {
      for (const end of unsubscribe.splice(0)) end();
      const finished = queue.shutDown();
      leaving.abort();
      const waited = new AbortController();
      void sleep(clock, afterMs, waited.signal).then(() => work.abort());
      await finished;
      await Promise.all(workers);
      waited.abort();
      metrics?.maxConcurrent.set({ controller: name }, 0);
    })();
    return stopping;
  };

  return {
    name,
    async start(signal) {
      allowManyListeners(signal);
      const aborted = new Promise<'aborted'>((resolve) => {
        if (signal.aborted) resolve('aborted');
        signal.addEventListener('abort', () => resolve('aborted'), { once: true });
      });
      // Work that starts on half the objects would take the other half for deleted.
      const ready = Promise.all(options.sources.map((each) => each.cache.synced())).then(() => 'ready' as const);
      if ((await Promise.race([aborted, ready])) === 'aborted' || stopping !== undefined) return;
      signal.addEventListener('abort', () => void stop(graceMs), { once: true });
      metrics?.maxConcurrent.set({ controller: name }, concurrency);
      for (const each of options.sources) {
        unsubscribe.push(
          each.cache.onChange(
            // Of an object that is gone no map may find that nothing changed: whoever depends on it has to hear.
            (change) => wake(change.type === 'deleted' ? each.map(change.object) : each.map(change.object, change.old)),
            { fromNow: !each.atStart },
          ),
        );
      }
      workers = Array.from({ length: concurrency }, () => worker());
    },
    stop: (how = {}) => stop(how.graceMs ?? graceMs),
    enqueue: (ref) => queue.add(keyOf(ref)),
    get queueLength() {
      return queue.length + groups.size;
    },
    get active() {
      return active;
    },
  };
}

/** What Go would panic at: a mistake in the code rather than in the world. */
function isProgrammingError(error: unknown): boolean {
  return !(error instanceof Error) || error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError || error instanceof SyntaxError;
}
