import type { DataStore } from '../api/generated/dataStore.ts';
import type { HeldStore, LegalHold } from '../api/generated/legalHold.ts';
import { failureOf } from '../connect/failures.ts';
import type { StoreFacts } from '../connect/facts.ts';
import { ensureFence } from '../connect/install.ts';
import type { StoreConnections } from '../connect/stores.ts';
import type { MappedCollection } from '../rules/collections.ts';
import { leftStanding, resolveHold } from '../rules/holds.ts';
import { storeRules, type Declarations } from '../rules/store-rules.ts';
import type { StoreHold } from '../stores/fence.ts';
import { tableKey, tableName } from '../stores/predicate.ts';
import type { TableAddress } from '../stores/predicate.ts';
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
  /** What stands there, earlier items among it; empty where nothing was written. */
  items: StoreHold['items'];
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
    return { store: { ...address, message: 'the store names no enforce identity, so dataward deletes nothing here and the hold has nothing to stop' }, items: [], widened: [], failed: false };
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
    const standing = written.items.filter((item) => inventory.tables.some((table) => tableKey(table) === tableKey(item.table)));
    const misread = await writer.misread(standing);
    const name = (table: TableAddress): string => nameOf(table, rules.resolved.collections);
    return {
      store: { ...address, enforcedSince: before?.enforcedSince ?? written.since, ...figuresOf(hold, before), otherDeleters: inventory.otherDeleters.slice(0, 16) },
      items: standing,
      widened: [
        ...resolved.widened.map((each) => `${each.collection}: ${each.because}`),
        ...misread.map(({ table, because }) => `${name(table)}: ${because}, so all of its rows are held; correct the data map, or put a hold in its place (spec.supersedes)`),
        ...leftStanding(standing, resolved.items).map((table) => `${name(table)}: what it meant there at another time stands too, until it is released or another hold takes its place (spec.supersedes)`),
      ],
      failed: false,
    };
  } catch (error) {
    // A hold that stood before still stands: only its newer words are missing, and until then nothing is purged.
    return { store: { ...address, ...(before?.enforcedSince ? { enforcedSince: before.enforcedSince } : {}), message: failureOf(error).message.slice(0, 1024) }, items: [], widened: [], failed: true };
  } finally {
    await writer?.close();
  }
}

/** A count of earlier words says nothing about these. */
function figuresOf(hold: LegalHold, before: HeldStore | undefined): Pick<HeldStore, 'items' | 'countExact' | 'countedAt'> {
  if (!before || hold.status?.revision !== hold.metadata.generation) return {};
  const { items, countExact, countedAt } = before;
  return { ...(items === undefined ? {} : { items }), ...(countExact === undefined ? {} : { countExact }), ...(countedAt === undefined ? {} : { countedAt }) };
}

/** A table by the collections that stand for it, as their owners know it; by its own name where there is none. */
function nameOf(table: TableAddress, collections: readonly MappedCollection[]): string {
  const names = collections.filter((each) => tableKey(each.table) === tableKey(table)).map((each) => each.id);
  return names.length > 0 ? names.join(', ') : tableName(table);
}

/** A hold does not wait for the first look at a new store. One that another installation owns takes holds all the same: they only protect. */
async function installWhereMissing(store: DataStore, writer: StoreWriter, context: HoldContext): Promise<void> {
  if ((await writer.fence()) === undefined) await ensureFence(store, writer, context.connections, context.owner);
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
