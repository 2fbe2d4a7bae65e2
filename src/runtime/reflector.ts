import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KindRef, KubeObject } from '../api/object.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { RuntimeMetrics } from '../telemetry/runtime-metrics.ts';
import { ApiError, isGone } from './api-error.ts';
import { backoffMs } from './backoff.ts';
import type { Client, ListPage } from './client.ts';
import { sleep } from './clock.ts';
import type { Clock } from './clock.ts';
import { allowManyListeners } from './signals.ts';

/** Where a reflector puts what it learns. */
export interface ReflectorSink<T> {
  /** A list begins now: what was written before this moment will be in it. */
  listStarted(): void;
  /** The complete state. Resolves once taken over. */
  replace(items: T[]): Promise<void>;
  /** One change. */
  apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void;
  /** How far the sink now is; opaque. */
  progress(resourceVersion: string): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  client: Client;
  kind: KindRef;
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  sink: ReflectorSink<T>;
  /** Applied to each object as it arrives, so that what is not needed is never held. */
  project: (object: T) => T;
  clock: Clock;
  /** 0 to 1. */
  random: () => number;
  logger: Logger;
  metrics?: RuntimeMetrics | undefined;
  timing?: Partial<ReflectorTiming> | undefined;
}

export interface ReflectorTiming {
  /** The server ends a watch after a random time between these, so that the watches of many clients do not renew together. */
  minWatchSeconds: number;
  maxWatchSeconds: number;
  /** A watch without a byte for so long is opened anew. */
  idleMs: number;
  /** Waiting after failures. Kept short, because a controller is blind meanwhile. */
  baseMs: number;
  maxMs: number;
  /** A watch that lasted this long was in order: failures before it are forgotten. */
  healthyMs: number;
}

const TIMING: ReflectorTiming = { minWatchSeconds: 240, maxWatchSeconds: 360, idleMs: 120_000, baseMs: 250, maxMs: 4_000, healthyMs: 10_000 };
const PAGE_SIZE = 500;
/** A server may ask for longer, but blind for minutes is worse than one request too many. */
const MAX_RETRY_AFTER_MS = 30_000;
/** After so many watches failed in a row the place in the stream is doubted, and the state is listed anew. */
const MAX_WATCH_FAILURES = 5;

/**
 * Keeps the sink equal to the collection on the server until the signal aborts; then resolves, with nothing left open.
 * Lists in pages, then watches from there. Whatever breaks is tried again: a broken watch goes on from the last event,
 * an expired one from a new list. Never rejects.
 */
export async function runReflector<T extends KubeObject>(options: ReflectorOptions<T>, signal: AbortSignal): Promise<void> {
  const { clock, sink, logger, metrics, kind } = options;
  const timing = { ...TIMING, ...options.timing };
  const name = kind.plural;
  let position: string | undefined;
  allowManyListeners(signal);
  let failures = 0;
  let goneInARow = 0;

  while (!signal.aborted) {
    const startedAt = clock.monotonic();
    let events = 0;
    try {
      if (position === undefined) {
        position = await listAll(options, signal);
        metrics?.reflectorLists.inc({ name });
        sink.progress(position);
      }
      metrics?.reflectorWatches.inc({ name });
      const timeoutSeconds = Math.round(timing.minWatchSeconds + options.random() * (timing.maxWatchSeconds - timing.minWatchSeconds));
      const { namespace, labelSelector } = options;
      for await (const event of options.client.watch<T>(kind, { namespace, labelSelector, resourceVersion: position, timeoutSeconds, idleMs: timing.idleMs, signal })) {
        if (event.type !== 'BOOKMARK') sink.apply(event.type, options.project(event.object));
        position = event.resourceVersion;
        sink.progress(position);
        events += 1;
        failures = 0;
        goneInARow = 0;
      }
      if (clock.monotonic() - startedAt >= timing.healthyMs) failures = 0;
      // A server that ends each watch at once must not be asked in a tight loop.
      else if (events === 0) await sleep(clock, backoffMs(failures++, timing, options.random), signal);
    } catch (error) {
      if (signal.aborted) break;
      if (clock.monotonic() - startedAt >= timing.healthyMs) failures = 0;
      metrics?.reflectorFailures.inc({ name, reason: error instanceof ApiError ? error.reason : 'Internal' });
      if (isGone(error)) {
        position = undefined;
        goneInARow += 1;
        // The first time a new list is simply due; a server that expires each list at once is another matter.
        if (goneInARow === 1) continue;
      }
      // An event that could not be read is lost, and only a list brings it back.
      if (!(error instanceof ApiError) || error.reason === 'BadEvent' || failures + 1 >= MAX_WATCH_FAILURES) position = undefined;
      const waitMs = Math.max(backoffMs(failures, timing, options.random), Math.min(MAX_RETRY_AFTER_MS, retryAfter(error)));
      failures += 1;
      // At each doubling only: an outage of an hour should not fill the log.
      if ((failures & (failures - 1)) === 0) logger.warn('cannot follow a collection; will try again', { resource: name, failures, waitMs: Math.round(waitMs), error });
      await sleep(clock, waitMs, signal);
    }
  }
}

function retryAfter(error: unknown): number {
  return error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
}

/**
 * Reads the whole collection into the sink; returns the resourceVersion the watch goes on from.
 * No resourceVersion is sent, which makes the server read its storage: one that lags or was restored from a backup
 * cannot take us back in time.
 */
async function listAll<T extends KubeObject>(options: ReflectorOptions<T>, signal: AbortSignal): Promise<string> {
  const { client, kind, namespace, labelSelector, project, sink } = options;
  const items: T[] = [];
  sink.listStarted();
  let page: ListPage<T> = await client.listPage<T>(kind, { namespace, labelSelector, limit: PAGE_SIZE, retry: false, signal });
  for (;;) {
    for (const item of page.items) items.push(project(item));
    if (page.continue === undefined) break;
    // Other work gets its turn between pages, or probes and leases would be late while a large list is read.
    await nextTurn();
    page = await client.listPage<T>(kind, { namespace, labelSelector, limit: PAGE_SIZE, continue: page.continue, signal });
  }
  await sink.replace(items);
  return page.resourceVersion;
}
