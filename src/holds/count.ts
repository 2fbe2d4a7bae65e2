import type { DataStore } from '../api/generated/dataStore.ts';
import type { HeldStore } from '../api/generated/legalHold.ts';
import { countAt } from '../connect/counting-reader.ts';
import type { StoreConnections } from '../connect/stores.ts';
import { groupBy } from '../rules/collections.ts';
import { anyOf } from '../rules/rows.ts';
import { keptBy } from '../stores/fence.ts';
import type { StoreHold } from '../stores/fence.ts';
import { tableKey } from '../stores/predicate.ts';
import type { StoreReader } from '../stores/port.ts';

/** Wall time one store gets: other holds wait for the worker meanwhile, and this is a figure for people. Milliseconds. */
const BUDGET_MS = 20_000;

/**
 * Counts the rows that what a hold wrote into a store keeps there, as the identity that only looks. A figure that could
 * not be had is no reason to say that the hold does not stand.
 *
 * @returns without `items` where nothing could be counted
 */
export async function countHeld(store: DataStore, items: StoreHold['items'], context: { connections: StoreConnections; signal: AbortSignal }): Promise<Pick<HeldStore, 'items' | 'countExact'>> {
  try {
    const { connections, signal } = context;
    const primary = await connections.reader(store, 'observe', signal);
    try {
      return await countAt(store, primary, (reader) => count(items, reader), context);
    } finally {
      await primary.close();
    }
  } catch (error) {
    // An interrupted look is not a look: the next process counts.
    if (context.signal.aborted) throw error;
    return { countExact: false };
  }
}

async function count(items: StoreHold['items'], reader: StoreReader): Promise<Pick<HeldStore, 'items' | 'countExact'>> {
  const deadline = performance.now() + BUDGET_MS;
  let rows = 0;
  let exact = true;
  // A row that two items keep is one row.
  const tables = [...groupBy(items, ({ table }) => tableKey(table)).values()];
  for (const [index, [first, ...more]] of tables.entries()) {
    if (!first) continue;
    const predicate = anyOf([first, ...more].map(keptBy));
    const kept = await reader.countKept(first.table, predicate, { budgetMs: Math.max(0, deadline - performance.now()) / (tables.length - index) });
    rows += kept.rows;
    exact &&= kept.exact;
  }
  return { items: rows, countExact: exact };
}
