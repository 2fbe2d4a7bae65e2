import { compareText } from '../api/compare-text.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import { FINAL_STATES } from './run/plan.ts';

/** Ended runs that stay visible per policy and collection; what they did stays in the audit log and the certificates for good. */
const KEPT = { succeeded: 10, others: 10 } as const;

/**
 * Ended runs of one policy that none of their collections needs any more, oldest first: each has enough later ones. Runs
 * that foreign keys do not join are so counted apart, however often a key comes or goes. Open runs are never among
 * them. Pure.
 */
export function surplusRuns(runs: readonly PurgeRun[]): PurgeRun[] {
  const ended = runs.filter((run) => FINAL_STATES.includes(run.status?.state ?? 'Waiting') && !run.metadata.deletionTimestamp).toSorted((a, b) => compareText(endOf(b), endOf(a)));
  const later = new Map<string, number>();
  const surplus = ended.filter((run) => {
    const succeeded = run.status?.state === 'Succeeded';
    const keys = new Set(run.spec.plan.steps.map((step) => JSON.stringify([run.metadata.namespace, run.spec.store, step.collection, succeeded])));
    const needed = [...keys].some((key) => (later.get(key) ?? 0) < (succeeded ? KEPT.succeeded : KEPT.others));
    for (const key of keys) later.set(key, (later.get(key) ?? 0) + 1);
    return !needed;
  });
  return surplus.toReversed();
}

const endOf = (run: PurgeRun): string => run.status?.finishedAt ?? run.metadata.creationTimestamp ?? '';
