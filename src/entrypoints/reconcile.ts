import type { DataMap } from '../api/generated/dataMap.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import { ENTRY_POINTS_SECONDS, type EntryPointRegister } from '../connect/entry-points.ts';
import type { Reconcile } from '../runtime/controller.ts';
import { done, requeueAfter } from '../runtime/result.ts';
import { observeEntryPoints, type EntryPointContext } from './observe.ts';

export interface EntryPointsContext extends EntryPointContext {
  register: EntryPointRegister;
  caches: { stores: { list(namespace?: string): readonly DataStore[] }; maps: { list(namespace?: string): readonly DataMap[] } };
}

/** An entry point that just came up, or a load balancer that is being made, is asked again soon. */
const AGAIN_SOON_MS = 60_000;

/**
 * Asks the entry points of a namespace, which the key names, while something in it declares a store or its data. The
 * objects are not ours, so no status tells of it: what is read is judged with the stores.
 */
export function createEntryPointsReconcile(context: EntryPointsContext): Reconcile {
  return async ({ name: namespace }, { signal }) => {
    if (context.caches.stores.list(namespace).length === 0 && context.caches.maps.list(namespace).length === 0) {
      context.register.forget(namespace);
      return done();
    }
    const reading = await observeEntryPoints(namespace, context, signal);
    context.register.put(namespace, reading);
    const open = context.ask !== undefined && reading.points.some(({ https, http }) => https === undefined || http === undefined);
    return requeueAfter(open ? AGAIN_SOON_MS : ENTRY_POINTS_SECONDS * 1000);
  };
}
