import type { LegalHold } from '../api/generated/legalHold.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import { latestRuns } from '../rules/latest-runs.ts';
import { isReleased } from '../rules/succession.ts';
import type { DomainMetrics } from '../telemetry/metrics.ts';
import type { Labels } from '../telemetry/object-gauge.ts';
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
    // One that two people released and that waits for its successor is still in force.
    if (isReleased(hold) && hold.status?.state !== 'Active') continue;
    const labels = { resource_namespace: hold.metadata.namespace ?? '' };
    metrics.holdsActive.inc(labels, isInForceSomewhere(hold) ? 1 : 0);
    metrics.holdsReviewOverdue.inc(labels, Date.parse(hold.spec.reviewAt) <= now ? 1 : 0);
  }

  refreshLastRuns(metrics, runs);
  const open = openByStore(runs);
  const blocked: [Labels, number][] = [];
  const pending: [Labels, number][] = [];
  for (const store of caches.stores.list()) {
    const here = open.get(`${store.metadata.namespace}/${store.metadata.name}`);
    if (here === undefined) continue;
    const labels = { resource_namespace: store.metadata.namespace ?? '', name: store.metadata.name };
    for (const reason of blockedBy(here)) blocked.push([{ ...labels, reason }, 1]);
    const waiting = here.filter((run) => run.status?.state === 'AwaitingApproval').map((run) => now - Date.parse(run.metadata.creationTimestamp ?? ''));
    if (waiting.length > 0) pending.push([labels, Math.max(...waiting) / 1000]);
  }
  metrics.purgeBlocked.replace(blocked);
  metrics.planPending.replace(pending);
}

/** One that stands in no store yet keeps no row, whatever it says. */
function isInForceSomewhere({ status }: LegalHold): boolean {
  return status?.state === 'Active' || (status?.stores ?? []).some(({ enforcedSince }) => enforcedSince !== undefined);
}

/**
 * How the last attempts ended. A store is as well as the worst of its groups of tables: one that succeeded a minute
 * after another failed must not silence the alarm.
 */
function refreshLastRuns(metrics: DomainMetrics, runs: readonly PurgeRun[]): void {
  const attempts = new Map<string, { labels: Labels; ok: boolean; succeededAt: number }>();
  const ended = runs.filter(({ status }) => status?.state === 'Succeeded' || status?.state === 'Failed');
  for (const run of latestRuns(ended)) {
    const labels = { resource_namespace: run.metadata.namespace ?? '', name: run.spec.store };
    const key = `${labels.resource_namespace}/${labels.name}`;
    const before = attempts.get(key) ?? { labels, ok: true, succeededAt: Number.NEGATIVE_INFINITY };
    const succeeded = run.status?.state === 'Succeeded';
    const at = succeeded ? Date.parse(run.status?.finishedAt ?? '') : Number.NaN;
    attempts.set(key, { labels, ok: before.ok && succeeded, succeededAt: Number.isNaN(at) ? before.succeededAt : Math.max(before.succeededAt, at) });
  }
  const all = [...attempts.values()];
  metrics.purgeLastAttemptOk.replace(all.map(({ labels, ok }) => [labels, ok ? 1 : 0]));
  metrics.purgeLastSuccess.replace(all.filter(({ succeededAt }) => Number.isFinite(succeededAt)).map(({ labels, succeededAt }) => [labels, succeededAt / 1000]));
}

/** Runs that have not ended, by their store. Gathered once: to look through all runs for each store would stall a large installation. */
function openByStore(runs: readonly PurgeRun[]): Map<string, PurgeRun[]> {
  const open = runs.filter((run) => OPEN.includes(run.status?.state ?? ''));
  const stores = new Map<string, PurgeRun[]>();
  for (const run of open) {
    const key = `${run.metadata.namespace}/${run.spec.store}`;
    stores.set(key, [...(stores.get(key) ?? []), run]);
  }
  return stores;
}

const OPEN: readonly string[] = ['Waiting', 'Paused', 'AwaitingApproval', 'Running', 'Verifying'];
/** A run that waits for people has a gauge of its own; one with another of these is at work. */
const NOT_BLOCKED: readonly string[] = ['AwaitingApproval', 'Running', 'Verifying', 'ResidualRows'];

/** Reasons of runs that wait for something else than people. One that is at work waits too: for a login that was taken away. */
function blockedBy(runs: readonly PurgeRun[]): string[] {
  const reasons = runs.flatMap((run) => (run.status?.state === 'AwaitingApproval' ? [] : (run.status?.conditions?.find((condition) => condition.type === 'Ready')?.reason ?? [])));
  return [...new Set(reasons)].filter((reason) => !NOT_BLOCKED.includes(reason));
}
