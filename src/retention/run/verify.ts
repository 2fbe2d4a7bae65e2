import type { PurgeRun, Verification } from '../../api/generated/purgeRun.ts';
import type { DataStore } from '../../api/generated/dataStore.ts';
import type { StoreConnections } from '../../connect/stores.ts';
import { anyOf } from '../../rules/rows.ts';
import type { FenceState } from '../../stores/fence.ts';
import type { StoreReader } from '../../stores/port.ts';
import type { PurgeRequest, StepForecast } from '../../stores/purging.ts';

type HeldFingerprint = NonNullable<Verification['heldBefore']>[number];

/** What a look by another identity showed. */
export interface Verdict {
  verification: Verification;
  /** Counts per collection as the verifying identity saw them. */
  counts: StepForecast[];
  /** Why the run cannot be called done; absent: it can. */
  problem?: { reason: 'ResidualRows' | 'HeldRowsMissing' | 'Failed'; message: string };
}

/**
 * Counts again what the run was to delete, over another connection and as another identity: done is what a fresh
 * read shows, never what a call returned. Without a verify identity the result stays a claim.
 */
export async function verifyRun(run: PurgeRun, store: DataStore, request: PurgeRequest, connections: StoreConnections, context: { now: () => number; signal: AbortSignal }): Promise<Verdict> {
  const independent = store.spec.credentials.verify !== undefined;
  const reader = await connections.reader(store, independent ? 'verify' : 'observe', context.signal);
  try {
    const plan = await reader.planPurge({ ...request, budgetMs: 600_000 });
    const planned = new Set(run.spec.plan.steps.map((step) => step.collection));
    const counts = plan.forecast.filter((count) => planned.has(count.collection));
    if (counts.some((count) => !count.exact)) throw new Error('the rows that are left could not be counted exactly');
    const residual = counts.reduce((sum, count) => sum + count.due, 0);
    const before = run.status?.verification?.heldBefore;
    const held = before ? compareHeld(before, await heldRows(request, reader)) : undefined;
    const unseen = [...planned].find((collection) => !counts.some((count) => count.collection === collection));
    const problem = problemOf(counts, residual, held, unseen);
    return {
      counts,
      verification: {
        ...(before ? { heldBefore: before } : {}),
        level: independent ? 'VerifiedLive' : 'Claimed',
        residual,
        ...(held?.unchanged === undefined ? {} : { heldUnchanged: held.unchanged }),
        by: independent ? 'verify' : 'observe',
        at: new Date(context.now()).toISOString(),
      },
      ...(problem ? { problem } : {}),
    };
  } finally {
    await reader.close();
  }
}

/** Fingerprints of all held rows of the run's collections, to be compared after it. */
export async function fingerprintHeld(run: PurgeRun, store: DataStore, request: PurgeRequest, connections: StoreConnections, signal: AbortSignal): Promise<HeldFingerprint[]> {
  const reader = await connections.reader(store, store.spec.credentials.verify ? 'verify' : 'observe', signal);
  try {
    const rows = await heldRows(request, reader);
    const planned = new Set(run.spec.plan.steps.map((step) => step.collection));
    return rows.filter((entry) => planned.has(entry.collection));
  } finally {
    await reader.close();
  }
}

async function heldRows(request: PurgeRequest, reader: StoreReader): Promise<HeldFingerprint[]> {
  const fence: FenceState | undefined = await reader.fence();
  const held: HeldFingerprint[] = [];
  for (const rule of request.rules) {
    const items = (fence?.holds ?? []).flatMap((hold) => hold.items.filter((item) => item.table.schema === rule.table.schema && item.table.name === rule.table.name));
    if (items.length === 0) continue;
    held.push({ collection: rule.collection, ...(await reader.fingerprint(rule.table, anyOf(items.map((item) => item.predicate)))) });
  }
  return held;
}

/**
 * Fewer rows is a loss. Other rows may be the application's own work on held data; it is reported, not blamed on the
 * run. Rows that joined, or a hold that was released meanwhile, leave nothing to compare with: then `unchanged` is not
 * known.
 */
function compareHeld(before: readonly HeldFingerprint[], after: readonly HeldFingerprint[]): { unchanged?: boolean; missing?: string } {
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

function problemOf(counts: readonly StepForecast[], residual: number, held: { missing?: string } | undefined, unseen: string | undefined): Verdict['problem'] {
  if (held?.missing) return { reason: 'HeldRowsMissing', message: `${held.missing}; find out who deleted them, the run stopped and issues no certificate` };
  // Not counted is not zero.
  if (unseen) return { reason: 'Failed', message: `${unseen} could not be counted again: it is no longer declared, found or due; what was deleted is in the audit log` };
  if (residual === 0) return undefined;
  const worst = counts.toSorted((a, b) => b.due - a.due)[0];
  return { reason: 'ResidualRows', message: `${residual} due rows are still there, most in ${worst?.collection}; something goes on writing, or keeps, rows with an old time; find it, then plan again` };
}
