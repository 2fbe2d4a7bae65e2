import type { PurgeRun } from '../api/generated/purgeRun.ts';
import { isInForce } from '../rules/holds.ts';
import type { DomainMetrics } from '../telemetry/metrics.ts';
import type { Caches } from './caches.ts';

/**
 * Gauges that are a count over objects rather than the news of one: they are set anew from the caches, so that an
 * object that went away takes its figure with it.
 *
 * @param now milliseconds
 */
export function refreshGauges(metrics: DomainMetrics, caches: Pick<Caches, 'runs' | 'holds' | 'stores'>, now: number): void {
  const runs = caches.runs.list();
  metrics.purgeRuns.reset();
  for (const run of runs) metrics.purgeRuns.inc({ state: run.status?.state ?? 'Waiting' });

  metrics.holdsActive.reset();
  metrics.holdsReviewOverdue.reset();
  for (const hold of caches.holds.list()) {
    if (!isInForce(hold)) continue;
    const labels = { resource_namespace: hold.metadata.namespace ?? '' };
    metrics.holdsActive.inc(labels);
    metrics.holdsReviewOverdue.inc(labels, Date.parse(hold.spec.reviewAt) <= now ? 1 : 0);
  }

  for (const store of caches.stores.list()) {
    const labels = { resource_namespace: store.metadata.namespace ?? '', name: store.metadata.name };
    const here = runs.filter((run) => run.metadata.namespace === store.metadata.namespace && run.spec.store === store.metadata.name);
    metrics.purgeBlocked.remove(labels);
    for (const reason of blockedBy(here)) metrics.purgeBlocked.set({ ...labels, reason }, 1);
    const waiting = here.filter((run) => run.status?.state === 'AwaitingApproval').map((run) => now - Date.parse(run.metadata.creationTimestamp ?? ''));
    if (waiting.length > 0) metrics.planPending.set(labels, Math.max(...waiting) / 1000);
    else metrics.planPending.remove(labels);
  }
}

/** Reasons of runs that wait for something else than people. */
function blockedBy(runs: readonly PurgeRun[]): string[] {
  const held = runs.filter((run) => run.status?.state === 'Waiting' || run.status?.state === 'Paused');
  return [...new Set(held.flatMap((run) => run.status?.conditions?.find((condition) => condition.type === 'Ready')?.reason ?? []))];
}
