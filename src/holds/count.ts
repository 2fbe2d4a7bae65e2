import type { DataStore } from '../api/generated/dataStore.ts';
import type { HeldStore } from '../api/generated/legalHold.ts';
import { countAt } from '../connect/counting-reader.ts';
import type { StoreConnections } from '../connect/stores.ts';
import { groupBy } from '../rules/collections.ts';
import { anyOf } from '../rules/rows.ts';
import { StoreError } from '../stores/errors.ts';
import { keptBy } from '../stores/fence.ts';
import type { StoreHold } from '../stores/fence.ts';
import { tableKey } from '../stores/predicate.ts';
import type { StoreReader } from '../stores/port.ts';

/** Wall time one store gets: other holds wait for the worker meanwhile, and this is a figure for people. Milliseconds. */
const BUDGET_MS = 20_000;

/** What stands of a hold in one store, and what each of its blocks means there; without items where that is not known. */
interface Held {
  items: StoreHold['items'];
  blocks: readonly { index: number; keeps: boolean; items?: StoreHold['items'] }[];
}

/** What was counted of a hold in one store. */
export type HeldRows = Pick<HeldStore, 'items' | 'countExact' | 'emptyBlocks'>;

/**
 * Counts the rows that what a hold wrote into a store keeps there, as the identity that only looks, and finds the blocks of
 * which there is none. A figure that could not be had is no reason to say that the hold does not stand.
 *
 * @returns without `items` where nothing could be counted
 */
export async function countHeld(store: DataStore, held: Held, context: { connections: StoreConnections; signal: AbortSignal }): Promise<HeldRows> {
  try {
    const { connections, signal } = context;
    const primary = await connections.reader(store, 'observe', signal);
    try {
      return await countAt(store, primary, (reader) => countAll(held, reader), context);
    } finally {
      await primary.close();
    }
  } catch (error) {
    // An interrupted look is not a look: the next process counts.
    if (context.signal.aborted) throw error;
    return { countExact: false };
  }
}

async function countAll({ items, blocks }: Held, reader: StoreReader): Promise<HeldRows> {
  const deadline = performance.now() + BUDGET_MS;
  const all = await count(items, reader, deadline);
  const emptyBlocks: number[] = [];
  for (const block of blocks) {
    if (!block.keeps || !block.items) continue;
    // Where nothing is kept at all none of them keeps a row, and a single block is all there is.
    const alone = all.items === 0 || blocks.length === 1;
    if (alone ? all.items === 0 && all.countExact : await isEmpty(block.items, reader, deadline)) emptyBlocks.push(block.index);
  }
  return { ...all, ...(emptyBlocks.length > 0 ? { emptyBlocks } : {}) };
}

/** A block that cannot be counted by itself is not said to be empty; the figure of all of them stays. */
async function isEmpty(items: StoreHold['items'], reader: StoreReader, deadline: number): Promise<boolean> {
  try {
    const { items: rows, countExact } = await count(items, reader, deadline);
    return rows === 0 && countExact;
  } catch (error) {
    if (error instanceof StoreError) return false;
    throw error;
  }
}

async function count(items: StoreHold['items'], reader: StoreReader, deadline: number): Promise<{ items: number; countExact: boolean }> {
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
