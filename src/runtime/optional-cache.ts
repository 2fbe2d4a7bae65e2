import type { KindRef, KubeObject } from '../api/object.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { backoffMs } from './backoff.ts';
import { createCache } from './cache.ts';
import type { Cache, CacheOptions } from './cache.ts';
import type { Client } from './client.ts';
import { sleep, systemClock } from './clock.ts';

/** How soon a kind is noticed that is installed while we run. */
const LOOK_AGAIN_MS = 15_000;
const FAILING = { baseMs: 250, maxMs: 30_000 };

/**
 * A cache of a kind that may not be installed. While the API server does not serve it the cache is complete and empty,
 * and the server is asked again now and then: a watch on nothing would fail, and log so, for ever. From the moment
 * it is served this is a cache like any other, and what was there already is heard as added.
 *
 * A server that could not be asked has said neither, so the cache is not synced before it has answered.
 */
export function createOptionalCache<T extends KubeObject>(client: Client, kind: KindRef, options: CacheOptions<T> = {}): Cache<T> {
  const cache = createCache<T>(client, kind, options);
  const { clock = systemClock, random = Math.random, logger = silentLogger } = options;
  let absent = false;
  let announceAbsent: () => void = () => {};
  const foundAbsent = new Promise<void>((resolve) => {
    announceAbsent = resolve;
  });
  // One race for all who ask: each would leave a reaction for good on the promise that never settles.
  const answered = Promise.race([foundAbsent, cache.synced()]);

  /** Resolves true once the kind is served, false when the signal aborts before. */
  const installed = async (signal: AbortSignal): Promise<boolean> => {
    let failures = 0;
    while (!signal.aborted) {
      try {
        if (await client.serves(kind, { signal })) return true;
        absent = true;
        announceAbsent();
        failures = 0;
        await sleep(clock, LOOK_AGAIN_MS, signal);
      } catch (error) {
        if (signal.aborted) break;
        const waitMs = backoffMs(failures, FAILING, random);
        failures += 1;
        // At each doubling only, as for a collection that cannot be followed.
        if ((failures & (failures - 1)) === 0) logger.warn('cannot ask whether a kind is installed; will try again', { resource: kind.plural, failures, waitMs: Math.round(waitMs), error });
        await sleep(clock, waitMs, signal);
      }
    }
    return false;
  };

  return {
    kind,
    async start(signal) {
      if (await installed(signal)) await cache.start(signal);
    },
    synced: () => answered,
    get hasSynced() {
      return absent || cache.hasSynced;
    },
    get: (ref) => cache.get(ref),
    list: (namespace) => cache.list(namespace),
    byIndex: (name, value) => cache.byIndex(name, value),
    onChange: (listener, how) => cache.onChange(listener, how),
    get lastSyncedResourceVersion() {
      return cache.lastSyncedResourceVersion;
    },
    waitFor: (written, how) => cache.waitFor(written, how),
  };
}
