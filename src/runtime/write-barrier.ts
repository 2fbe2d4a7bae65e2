import type { KubeObject, ObjectRef } from '../api/object.ts';
import type { Cache } from './cache.ts';
import { keyOf } from './keys.ts';
import type { Written } from './sightings.ts';

/** Keeps a controller from acting on a state older than what it wrote itself (KEP-5647). */
export interface WriteBarrier {
  /** Notes the stored object a write returned. */
  wrote(object: KubeObject): void;
  /**
   * Resolves true when the cache has come past the last write to that object, or there was none; false after the time
   * limit. A write whose object the cache never shows is let go then, so that it cannot hold the key for ever.
   */
  passed(ref: ObjectRef, signal?: AbortSignal): Promise<boolean>;
}

export function createWriteBarrier<T extends KubeObject>(cache: Pick<Cache<T>, 'waitFor'>, options: { timeoutMs?: number } = {}): WriteBarrier {
  const pending = new Map<string, Written>();
  return {
    wrote(object) {
      pending.set(keyOf(object.metadata), stateOf(object));
    },
    async passed(ref, signal) {
      const key = keyOf(ref);
      const written = pending.get(key);
      if (written === undefined) return true;
      const arrived = await cache.waitFor(written, { timeoutMs: options.timeoutMs ?? 10_000, signal });
      if (pending.get(key) === written && signal?.aborted !== true) pending.delete(key);
      return arrived;
    },
  };
}

/** Which state it was, not the state itself: the objects of ten thousand writes would take more memory than their cache. */
function stateOf({ metadata: { namespace, name, uid, resourceVersion } }: KubeObject): Written {
  return { metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) } };
}
