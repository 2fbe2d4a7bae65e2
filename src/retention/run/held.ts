import type { PurgeRun, Verification } from '../../api/generated/purgeRun.ts';
import type { DataStore } from '../../api/generated/dataStore.ts';
import type { StoreConnections } from '../../connect/stores.ts';
import { anyOf } from '../../rules/rows.ts';
import type { CollectionRule } from '../../stores/counting.ts';
import { StoreError } from '../../stores/errors.ts';
import { keptBy } from '../../stores/fence.ts';
import type { StoreHold } from '../../stores/fence.ts';
import type { StoreReader } from '../../stores/port.ts';
import type { PurgeRequest } from '../../stores/purging.ts';

/** The held rows of one collection as they were before the first deletion. */
export type HeldFingerprint = NonNullable<Verification['heldBefore']>[number];

/** By collection; more would make the status large, and leave nothing to compare with. */
const MOST_HOLDS = 100;

/** Fingerprints of all held rows of the run's collections, to be compared after it. */
export async function fingerprintHeld(run: PurgeRun, store: DataStore, request: PurgeRequest, connections: StoreConnections, signal: AbortSignal): Promise<HeldFingerprint[]> {
  const reader = await connections.reader(store, store.spec.credentials.verify ? 'verify' : 'observe', signal);
  try {
    const planned = new Set(run.spec.plan.steps.map((step) => step.collection));
    const rules = request.rules.filter(({ collection }) => planned.has(collection));
    const standing = await reader.holdsOn(rules.map(({ table }) => table));
    const held: HeldFingerprint[] = [];
    for (const [index, rule] of rules.entries()) {
      const holds = standing[index] ?? [];
      if (holds.length === 0) continue;
      const seen = await fingerprint(holds, rule, reader);
      const comparable = seen !== undefined && holds.length <= MOST_HOLDS;
      held.push({ collection: rule.collection, ...(seen ?? { rows: 0, sum: 'unknown' }), ...(comparable ? { holds: holds.map(({ uid }) => uid) } : {}) });
    }
    return held;
  } finally {
    await reader.close();
  }
}

/**
 * The same rows again: those of the holds that were in force before, whatever was put or released since. A collection
 * of which one of them is gone is left out: it was released, or what it names is no part of the collection any more, as a
 * partition that was detached.
 */
export async function fingerprintSame(before: readonly HeldFingerprint[], request: PurgeRequest, reader: StoreReader): Promise<HeldFingerprint[]> {
  const known = before.flatMap(({ collection, holds = [] }) => {
    const rule = request.rules.find((candidate) => candidate.collection === collection);
    return rule ? [{ collection, holds, rule }] : [];
  });
  const standing = await reader.holdsOn(known.map(({ rule }) => rule.table));
  const held: HeldFingerprint[] = [];
  for (const [index, { collection, holds, rule }] of known.entries()) {
    const same = (standing[index] ?? []).filter(({ uid }) => holds.includes(uid));
    if (same.length === 0 || same.length < holds.length) continue;
    const seen = await fingerprint(same, rule, reader);
    if (seen) held.push({ collection, ...seen, holds });
  }
  return held;
}

/**
 * Fewer rows is a loss. Other rows may be the application's own work on held data; it is reported, not blamed on the
 * run. Rows that joined, or a hold that was released meanwhile, leave nothing to compare with: then `unchanged` is not
 * known.
 *
 * @param after of the same holds; a collection is absent when one of them was released
 */
export function compareHeld(before: readonly HeldFingerprint[], after: readonly HeldFingerprint[]): { unchanged?: boolean; missing?: string } {
  let changed = false;
  let known = true;
  for (const entry of before) {
    const now = after.find((candidate) => candidate.collection === entry.collection);
    if (now && now.rows < entry.rows) return { unchanged: false, missing: `${entry.collection}: ${entry.rows - now.rows} of ${entry.rows} held rows are gone` };
    if (now?.rows !== entry.rows) known = false;
    else if (now.sum !== entry.sum) changed = true;
  }
  if (changed) return { unchanged: false };
  return known ? { unchanged: true } : {};
}

/** Undefined where there are too many rows to look at: the statements that delete keep them all the same, so a run need not wait for this. */
async function fingerprint(holds: readonly StoreHold[], rule: CollectionRule, reader: StoreReader): Promise<{ rows: number; sum: string } | undefined> {
  try {
    return await reader.fingerprint(rule.table, anyOf(holds.flatMap(({ items }) => items.map(keptBy))));
  } catch (error) {
    if (error instanceof StoreError && error.reason === 'LimitReached') return undefined;
    throw error;
  }
}
