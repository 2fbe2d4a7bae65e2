import { isDeepStrictEqual } from 'node:util';
import type { DataMap } from '../api/generated/dataMap.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import { ENTRY_POINTS_SECONDS, type EntryPointRegister, type EntryPointsReading } from '../connect/entry-points.ts';
import type { Reconcile } from '../runtime/controller.ts';
import { done, requeueAfter, requeueAt } from '../runtime/result.ts';
import { observeEntryPoints, type EntryPointContext } from './observe.ts';
import { askAgainAt } from './plan.ts';

export interface EntryPointsContext extends EntryPointContext {
  register: EntryPointRegister;
  caches: { stores: { list(namespace?: string): readonly DataStore[] }; maps: { list(namespace?: string): readonly DataMap[] } };
  /** Something is known that was not, or is no longer so: whoever judges by it has to judge again. */
  changed: () => void;
}

/**
 * Asks the entry points of a namespace, which the key names, while something in it declares a store or its data. The
 * objects are not ours, so no status tells of it: what is read is judged with the stores.
 */
export function createEntryPointsReconcile(context: EntryPointsContext): Reconcile {
  const { register, changed } = context;
  return async ({ name: namespace }, { signal }) => {
    const before = register.get(namespace);
    if (context.caches.stores.list(namespace).length === 0 && context.caches.maps.list(namespace).length === 0) {
      register.forget(namespace);
      return done();
    }
    const reading = await observeEntryPoints(namespace, before, context, signal);
    register.put(namespace, reading);
    if (!isDeepStrictEqual(saidBy(before), saidBy(reading))) changed();
    if (context.ask === undefined || reading.points.length === 0) return requeueAfter(ENTRY_POINTS_SECONDS * 1000);
    return requeueAt(Math.min(...reading.points.map(askAgainAt)), context.now());
  };
}

/** A reading without its times. */
function saidBy(reading: EntryPointsReading | undefined): unknown {
  return reading && { complete: reading.complete, points: reading.points.map(({ at: _at, ...point }) => point) };
}
