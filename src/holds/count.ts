import type { DataStore } from '../api/generated/dataStore.ts';
import type { HeldStore } from '../api/generated/legalHold.ts';
import type { StoreConnections } from '../connect/stores.ts';
import type { StoreHold } from '../stores/fence.ts';

/** Wall time one store gets: other holds wait for the worker meanwhile, and this is a figure for people. Milliseconds. */
const BUDGET_MS = 20_000;

/**
 * Counts the rows that what a hold wrote into a store keeps there, as the identity that only looks. A figure that could
 * not be had is absent: it is no reason to say that the hold does not stand.
 */
export async function countHeld(store: DataStore, items: StoreHold['items'], context: { connections: StoreConnections; signal: AbortSignal }): Promise<Pick<HeldStore, 'items' | 'countExact'>> {
  try {
    const { connections, signal } = context;
    const reader = await (store.spec.observation.counts.runOn === 'Replica' ? connections.replicaReader(store, signal) : connections.reader(store, 'observe', signal));
    try {
      const deadline = performance.now() + BUDGET_MS;
      let rows = 0;
      let exact = true;
      for (const [index, { table, predicate }] of items.entries()) {
        const kept = await reader.countKept(table, predicate, { budgetMs: Math.max(0, deadline - performance.now()) / (items.length - index) });
        rows += kept.rows;
        exact &&= kept.exact;
      }
      return { items: rows, countExact: exact };
    } finally {
      await reader.close();
    }
  } catch (error) {
    // An interrupted look is not a look: the next process counts.
    if (context.signal.aborted) throw error;
    return { countExact: false };
  }
}
