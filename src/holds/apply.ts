import { isDeepStrictEqual } from 'node:util';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { HeldStore, LegalHold } from '../api/generated/legalHold.ts';
import { failureOf } from '../connect/failures.ts';
import type { StoreFacts } from '../connect/facts.ts';
import { ensureFence } from '../connect/install.ts';
import { ConnectionError, type StoreConnections } from '../connect/stores.ts';
import { mapsDigest } from '../rules/attach.ts';
import type { MappedCollection } from '../rules/collections.ts';
import { leftStanding, resolveHold } from '../rules/holds.ts';
import { storeRules, type Declarations } from '../rules/store-rules.ts';
import type { HoldList } from '../rules/succession.ts';
import { judgeTarget } from '../rules/target.ts';
import type { FenceState, HoldItem, StoreHold } from '../stores/fence.ts';
import { tableKey, tableName } from '../stores/predicate.ts';
import type { TableAddress } from '../stores/predicate.ts';
import type { StoreWriter } from '../stores/port.ts';
import { formerUids, orphanedUids } from './copies.ts';
import type { HeldRows } from './count.ts';
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
  /**
   * Blocks that reach it, by their places in `spec.scope`; whether each matches a collection there, true where that is not
   * known; and what it means there by itself, absent likewise.
   */
  blocks: { index: number; keeps: boolean; items?: StoreHold['items'] }[];
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
  const blocks = blocksFor(hold, store, declarations, subjects);
  const unresolved = blocks.map(({ index }) => ({ index, keeps: true }));
  if (!store.spec.credentials.enforce) {
    return { store: { ...address, message: 'the store names no enforce identity, so dataward deletes nothing here and the hold has nothing to stop' }, items: [], widened: [], blocks: unresolved, failed: false };
  }
  let writer: StoreWriter | undefined;
  try {
    writer = await context.connections.writer(store, context.signal);
    const { fence, since } = await fenceOf(store, writer, context, before?.enforcedSince);
    const inventory = await writer.inventory();
    // Others would take the tables of another store that answers under the name for those of this one.
    if (!('message' in judgeTarget(store, await writer.identity()))) context.facts.remember(store, inventory);
    const rules = storeRules(store, declarations, inventory, new Date(context.now()).toISOString());
    const resolved = resolveHold(blocks, rules.resolved.collections);
    const former = formerUids(hold, declarations.rootNamespace);
    const earlier = fence.holds.filter(({ uid }) => former.includes(uid));
    const written = await writer.putHold({
      uid: hold.metadata.uid ?? '',
      name: `${hold.metadata.namespace}/${hold.metadata.name}`,
      revision: hold.metadata.generation ?? 0,
      // What stands under its former uids too: its maps may have gone with the namespace, and then nothing of it is found anew.
      items: [...resolved.items, ...earlier.flatMap(({ items }) => items)],
    }, former);
    const orphaned = orphanedUids(hold, declarations);
    for (const { uid } of earlier) if (orphaned.includes(uid)) await writer.releaseHold(uid);
    const stood = fence.holds.find(({ uid }) => uid === hold.metadata.uid)?.items ?? [];
    const maps = mapsDigest(rules.maps);
    // Other maps too: what they added may have been committed by a process that ended before it could say so.
    const same = before?.maps === maps && written.items.every((item) => stood.some((other) => isDeepStrictEqual(other, item)));
    const standing = written.items.filter((item) => inventory.tables.some((table) => tableKey(table) === tableKey(item.table)));
    const misread = await writer.misread(standing);
    const name = (table: TableAddress): string => nameOf(table, rules.resolved.collections);
    return {
      store: { ...address, enforcedSince: since ?? written.since, maps, ...(same ? figuresOf(hold, before) : {}), otherDeleters: inventory.otherDeleters.slice(0, 16) },
      items: standing,
      widened: [
        ...resolved.widened.map((each) => `${each.collection}: ${each.because}`),
        ...misread.map(({ table, because }) => `${name(table)}: ${because}, so all of its rows are held; correct the data map or the table, or put a hold in its place (spec.supersedes)`),
        ...leftStanding(standing, resolved.items).map((table) => `${name(table)}: what it meant there at another time stands too, until it is released or another hold takes its place (spec.supersedes)`),
      ],
      blocks: blocks.map((block, at) => ({ index: block.index, keeps: resolved.matched.includes(at), items: resolveHold([block], rules.resolved.collections).items })),
      failed: false,
    };
  } catch (error) {
    // A hold that stood before still stands: only its newer words are missing, and until then nothing is purged.
    return { store: { ...address, ...(before?.enforcedSince ? { enforcedSince: before.enforcedSince } : {}), ...(before?.maps ? { maps: before.maps } : {}), ...figuresOf(hold, before), message: failureOf(error).message.slice(0, 1024) }, items: [], widened: [], blocks: unresolved, failed: true };
  } finally {
    await writer?.close();
  }
}

/** A count of earlier words says nothing about these. */
function figuresOf(hold: LegalHold, before: HeldStore | undefined): HeldRows & Pick<HeldStore, 'countedAt'> {
  if (!before || hold.status?.revision !== hold.metadata.generation) return {};
  const { items, countExact, emptyBlocks, countedAt } = before;
  return { ...(items === undefined ? {} : { items }), ...(countExact === undefined ? {} : { countExact }), ...(emptyBlocks ? { emptyBlocks } : {}), ...(countedAt === undefined ? {} : { countedAt }) };
}

/** A table by the collections that stand for it, as their owners know it; by its own name where there is none. */
function nameOf(table: TableAddress, collections: readonly MappedCollection[]): string {
  const names = collections.filter((each) => tableKey(each.table) === tableKey(table)).map((each) => each.id);
  return names.length > 0 ? names.join(', ') : tableName(table);
}

/**
 * A hold does not wait for the first look at a new store. One that another installation owns takes holds all the same: they
 * only protect. Where the schema is gone no hold stood for a while, whatever the status says; and it is put into no other
 * store that answers under the name, which would get another identity by it than the one a person is asked to confirm.
 *
 * @param since when the hold first stood there; given back where it has stood since
 */
async function fenceOf(store: DataStore, writer: StoreWriter, context: HoldContext, since: string | undefined): Promise<{ fence: FenceState; since?: string }> {
  const standing = await writer.fence();
  if (standing) return { fence: standing, ...(since === undefined ? {} : { since }) };
  const verdict = judgeTarget(store, await writer.identity());
  if ('message' in verdict) throw new ConnectionError(verdict.is, verdict.message);
  return { fence: await ensureFence(store, writer, context.connections, context.owner) };
}

/** Ends a released hold in a store, with what still stands there under former uids that have no object to end them by. */
export async function release(hold: LegalHold, store: DataStore, list: HoldList, context: HoldContext): Promise<void> {
  if (!store.spec.credentials.enforce) return;
  const writer = await context.connections.writer(store, context.signal);
  try {
    for (const uid of [hold.metadata.uid ?? '', ...orphanedUids(hold, list)]) await writer.releaseHold(uid);
  } finally {
    await writer.close();
  }
}

/**
 * Takes a hold out of a store for its copy, once everything that stands there of the one stands of the other too. The
 * store itself is asked: what the copy means now may be less, and no status knows the items.
 *
 * @returns false when a row would be free; then nothing is changed
 */
export async function handOver(hold: LegalHold, copy: LegalHold, store: DataStore, context: HoldContext): Promise<boolean> {
  if (!store.spec.credentials.enforce) return true;
  const writer = await context.connections.writer(store, context.signal);
  try {
    const standing = new Map((await writer.fence())?.holds.map((each) => [each.uid, each.items]));
    const items = standing.get(hold.metadata.uid ?? '');
    if (!items) return true;
    const carried = standing.get(copy.metadata.uid ?? '');
    if (!carried || !items.every((item) => carried.some((other) => keepsAtLeast(other, item)))) return false;
    await writer.releaseHold(hold.metadata.uid ?? '');
    return true;
  } finally {
    await writer.close();
  }
}

/** The same words of the same table. What the store says of why one is wider may be of another time. */
function keepsAtLeast(item: HoldItem, other: HoldItem): boolean {
  return tableKey(item.table) === tableKey(other.table) && isDeepStrictEqual(item.predicate, other.predicate) && (item.widened !== undefined || other.widened === undefined);
}
