import type { DataStore } from '../api/generated/dataStore.ts';
import type { HeldStore, LegalHold } from '../api/generated/legalHold.ts';
import { failureOf } from '../connect/failures.ts';
import type { StoreFacts } from '../connect/facts.ts';
import { ensureFence } from '../connect/install.ts';
import type { StoreConnections } from '../connect/stores.ts';
import { resolveHold } from '../rules/holds.ts';
import { anyOf } from '../rules/rows.ts';
import { storeRules, type Declarations } from '../rules/store-rules.ts';
import type { Inventory } from '../stores/facts.ts';
import type { StoreWriter } from '../stores/port.ts';
import { blocksFor, type HoldSubjects } from './observe.ts';

export interface HoldContext {
  connections: StoreConnections;
  facts: StoreFacts;
  /** This installation, as the stores it owns know it. */
  owner: string;
  now: () => number;
  signal: AbortSignal;
}

/** What became of a hold in one store. */
export interface StoreOutcome {
  store: HeldStore;
  /** Where it had to be wider than its words. */
  widened: string[];
  failed: boolean;
}

/**
 * Commits a hold in a store. When this returns without a failure no later commit deletes a row it covers, whoever
 * runs the purge. The names are resolved against a reading of now: a table that appeared since the last inventory
 * must not stay outside.
 */
export async function enforce(hold: LegalHold, store: DataStore, declarations: Declarations, subjects: HoldSubjects, context: HoldContext): Promise<StoreOutcome> {
  const address = { namespace: store.metadata.namespace ?? '', name: store.metadata.name };
  const before = hold.status?.stores?.find((each) => each.namespace === address.namespace && each.name === address.name);
  if (!store.spec.credentials.enforce) {
    return { store: { ...address, message: 'the store names no enforce identity, so dataward deletes nothing here and the hold has nothing to stop' }, widened: [], failed: false };
  }
  let writer: StoreWriter | undefined;
  try {
    writer = await context.connections.writer(store, context.signal);
    await installWhereMissing(store, writer, context);
    const inventory = await writer.inventory();
    context.facts.remember(store, inventory);
    const rules = storeRules(store, declarations, inventory, new Date(context.now()).toISOString());
    const resolved = resolveHold(blocksFor(hold, store, declarations, subjects), rules.resolved.collections);
    const written = await writer.putHold({
      uid: hold.metadata.uid ?? '',
      name: `${hold.metadata.namespace}/${hold.metadata.name}`,
      revision: hold.metadata.generation ?? 0,
      items: resolved.items,
    });
    const held = await countHeld(writer, resolved.items, inventory);
    return {
      store: { ...address, enforcedSince: before?.enforcedSince ?? written.since, items: held.rows, countExact: held.exact, otherDeleters: inventory.otherDeleters.slice(0, 16) },
      widened: resolved.widened.map((each) => `${each.collection}: ${each.because}`),
      failed: false,
    };
  } catch (error) {
    // A hold that stood before still stands: only its newer words are missing, and until then nothing is purged.
    return { store: { ...address, ...(before?.enforcedSince ? { enforcedSince: before.enforcedSince } : {}), message: failureOf(error).message.slice(0, 1024) }, widened: [], failed: true };
  } finally {
    await writer?.close();
  }
}

/** A hold does not wait for the first look at a new store. One that another installation owns takes holds all the same: they only protect. */
async function installWhereMissing(store: DataStore, writer: StoreWriter, context: HoldContext): Promise<void> {
  if ((await writer.fence()) === undefined) await ensureFence(store, writer, context.connections, context.owner);
}

/** Held rows, for people; a figure that could not be had is no reason to say the hold does not stand. */
async function countHeld(writer: StoreWriter, items: readonly { table: { schema: string; name: string }; predicate: Parameters<typeof anyOf>[0][number] }[], inventory: Inventory): Promise<{ rows: number; exact: boolean }> {
  let rows = 0;
  let exact = true;
  for (const item of items) {
    if (!inventory.tables.some((table) => table.schema === item.table.schema && table.name === item.table.name)) continue;
    try {
      rows += (await writer.fingerprint(item.table, item.predicate)).rows;
    } catch {
      exact = false;
    }
  }
  return { rows, exact };
}

/** Ends a released hold in a store. */
export async function release(hold: LegalHold, store: DataStore, context: HoldContext): Promise<void> {
  if (!store.spec.credentials.enforce) return;
  const writer = await context.connections.writer(store, context.signal);
  try {
    await writer.releaseHold(hold.metadata.uid ?? '');
  } finally {
    await writer.close();
  }
}
