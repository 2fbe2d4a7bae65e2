import type { DataStore } from '../api/generated/dataStore.ts';
import type { HeldStore, LegalHold } from '../api/generated/legalHold.ts';
import { owedSlot } from '../rules/schedule.ts';
import { covers, type Declarations } from '../rules/store-rules.ts';
import { formerHolds } from './copies.ts';

/**
 * Whether the rows a hold keeps in a store are to be counted: once for its words, then when the store's counts are made
 * (`spec.observation.counts.schedule`). The figure is for people; a scan each minute for it would be all that a store does.
 *
 * @param held what the next status says of the store; its figures are gone where the words are new
 */
export function countDue(hold: LegalHold, store: DataStore, held: HeldStore, now: number): boolean {
  if (held.enforcedSince === undefined) return false;
  if (held.countedAt !== undefined) {
    const schedule = { cron: store.spec.observation.counts.schedule, timeZone: 'UTC' };
    return owedSlot(schedule, Date.parse(held.countedAt), now, store.metadata.uid ?? '') !== undefined;
  }
  // Of a store the status has no room for nobody would see the figure, and it would be counted for ever.
  const leftOut = (hold.status?.truncated ?? 0) > 0 && hold.status?.revision === hold.metadata.generation;
  return !leftOut || (hold.status?.stores ?? []).some((each) => each.namespace === held.namespace && each.name === held.name);
}

/** Time between two tries to count where the last one failed, in which others get their turn. Milliseconds. */
const TURN_MS = 60_000;

/**
 * Which of the stores that are to be counted is counted now, and whether another is to follow at once. Those where the last
 * try failed, or ran out of time, come after the others and by turns: one that always fails must not keep the rest from it.
 */
export function nextToCount<Due extends { held: HeldStore }>(due: readonly Due[], now: number): { next: Due; more: boolean } | undefined {
  const fresh = due.filter(({ held }) => held.countExact !== false);
  const next = fresh[0] ?? due[Math.floor(now / TURN_MS) % Math.max(1, due.length)];
  return next && { next, more: fresh.length > 1 };
}

/**
 * Where a hold that ends is taken out: what was committed just before a crash is in no status yet, and where the list
 * of stores was cut off every store is asked. A release of what does not stand there changes nothing.
 */
export function mayStandIn(hold: LegalHold, stores: readonly DataStore[], declarations: Declarations): readonly DataStore[] {
  return (hold.status?.truncated ?? 0) > 0 ? stores : reached(hold, stores, declarations);
}

/**
 * Stores a hold selects now, and those it stood in before, also as the object it was created again for: relabelling a
 * store lifts nothing.
 */
export function reached(hold: LegalHold, stores: readonly DataStore[], declarations: Declarations): DataStore[] {
  const before = [hold, ...formerHolds(hold, declarations)].flatMap(({ status }) => status?.stores ?? []);
  return stores.filter(
    (store) =>
      hold.spec.scope.some((block) => covers(hold, block.stores, store, declarations)) ||
      before.some((held) => held.namespace === store.metadata.namespace && held.name === store.metadata.name),
  );
}
