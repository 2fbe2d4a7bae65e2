import type { KubeObject } from '../api/object.ts';
import type { Logger } from '../telemetry/logger.ts';
import { isNotFound } from './api-error.ts';
import type { Client } from './client.ts';
import { formatMicroTime } from './clock.ts';
import type { Clock } from './clock.ts';
import { EVENT, eventObject } from './event-object.ts';
import type { EventInput } from './event-object.ts';

/** Writes events about objects. Nothing here throws or waits: an event that cannot be written must not stop the work. */
export interface EventRecorder {
  event(regarding: KubeObject, input: EventInput): void;
  /** Resolves when what was recorded so far is written or given up. */
  flush(): Promise<void>;
  /** Writes the counts not yet written, then takes no more. */
  stop(): Promise<void>;
}

export interface EventRecorderOptions {
  client: Pick<Client, 'create' | 'mergePatch'>;
  /** `dataward.io/operator`: reportingController. */
  controller: string;
  /** The pod: reportingInstance. */
  instance: string;
  clock: Clock;
  logger: Logger;
  /** Repeats are counted in the first event and written at most this often; 30,000 ms when left out. */
  seriesIntervalMs?: number;
  /** A repeat later than this is a new event; 360,000 ms when left out. */
  seriesWindowMs?: number;
}

const MAX_SERIES = 1_000;
/** So many writes may wait for a slow API server; more are dropped, as events are a courtesy. */
const MAX_WAITING = 500;

interface Series {
  event: KubeObject;
  count: number;
  lastAt: number;
  written: number;
  cancel: (() => void) | undefined;
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, clock, logger } = options;
  const intervalMs = options.seriesIntervalMs ?? 30_000;
  const windowMs = options.seriesWindowMs ?? 360_000;
  const seriesByKey = new Map<string, Series>();
  let tail: Promise<void> = Promise.resolve();
  let waiting = 0;
  let dropped = 0;
  let sequence = 0;
  let stopped = false;

  const write = (run: () => Promise<unknown>): void => {
    if (waiting >= MAX_WAITING) {
      dropped += 1;
      return;
    }
    waiting += 1;
    tail = tail
      .then(run)
      .catch((error: unknown) => logger.warn('an event could not be written', { error, dropped }))
      .then(() => {
        waiting -= 1;
      });
  };
  const writeSeries = (series: Series): void => {
    series.cancel = undefined;
    if (series.written === series.count) return;
    series.written = series.count;
    const { namespace, name } = series.event.metadata;
    const body = { series: { count: series.count, lastObservedTime: formatMicroTime(series.lastAt) } };
    write(async () => {
      try {
        await client.mergePatch(EVENT, { namespace: namespace ?? 'default', name }, body);
      } catch (error) {
        // Events expire after an hour on the server; a series that outlived its event starts again.
        if (!isNotFound(error)) throw error;
        await client.create(EVENT, { ...series.event, ...body });
      }
    });
  };
  const close = (key: string, series: Series): void => {
    series.cancel?.();
    writeSeries(series);
    seriesByKey.delete(key);
  };
  const record = (regarding: KubeObject, input: EventInput): void => {
    const now = clock.now();
    const key = JSON.stringify([regarding.metadata.uid ?? regarding.metadata.name, regarding.kind, input.type, input.reason, input.action]);
    const open = seriesByKey.get(key);
    if (open !== undefined && now - open.lastAt <= windowMs) {
      open.count += 1;
      open.lastAt = now;
      open.cancel ??= clock.setTimer(intervalMs, () => writeSeries(open));
      return;
    }
    if (open !== undefined) close(key, open);
    for (const [oldest, series] of seriesByKey) {
      if (seriesByKey.size < MAX_SERIES) break;
      close(oldest, series);
    }
    sequence += 1;
    const event = eventObject(regarding, input, { controller: options.controller, instance: options.instance, now, sequence });
    seriesByKey.set(key, { event, count: 1, lastAt: now, written: 1, cancel: undefined });
    write(() => client.create(EVENT, event));
  };

  return {
    event(regarding, input) {
      if (stopped) return;
      try {
        record(regarding, input);
      } catch (error) {
        logger.warn('an event could not be made', { reason: input.reason, error });
      }
    },
    flush: () => tail,
    async stop() {
      stopped = true;
      for (const [key, series] of seriesByKey) close(key, series);
      await tail;
    },
  };
}
