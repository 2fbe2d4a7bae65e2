import type { DataStore } from '../api/generated/dataStore.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { POLICY_UID_LABEL } from '../api/kinds.ts';
import type { Readings } from '../connect/readings.ts';
import type { PurgeInput } from '../policy/input.ts';
import { nextMidnight } from '../rules/cutoff.ts';
import { latestRuns } from '../rules/latest-runs.ts';
import { nextSlot } from '../rules/schedule.ts';
import type { StoreRules } from '../rules/store-rules.ts';
import { instant, seconds } from './instants.ts';

/** Collections the policy has the deciding maximum of. */
export function governedBy(policy: RetentionPolicy, { effective }: StoreRules): ReadonlySet<string> {
  return new Set(effective.filter(({ maxima }) => maxima.some((rule) => rule.policy.uid === policy.metadata.uid)).map(({ collection }) => collection.id));
}

/** Whether the policy speaks of a collection that lacks the start event or a column it needs: a count of its due rows is 0 then, and says nothing. */
export function speaksInVain(policy: RetentionPolicy, { effective }: StoreRules): boolean {
  return effective.some((each) => [...each.withoutStartEvent, ...each.withoutColumn].some(({ uid }) => uid === policy.metadata.uid));
}

/**
 * How far purging by one policy is proven in one store. Pure.
 *
 * @param governed collections the policy has the deciding maximum of; absent: not known
 * @param counts absent: not known, or not to be believed
 */
export function purgeInput(policy: RetentionPolicy, store: DataStore, runs: readonly PurgeRun[], governed: ReadonlySet<string> | undefined, counts: Readings['counts']): PurgeInput {
  const purge = policy.spec.purge;
  const own = runs.filter((run) => run.metadata.labels?.[POLICY_UID_LABEL] === policy.metadata.uid && run.spec.store === store.metadata.name && run.metadata.namespace === store.metadata.namespace);
  const latest = latestRuns(own, governed);
  const lastVerifiedAt = verifiedUntil(own, latest, governed);
  const nothingDueAt = nothingDue(governed, counts);
  // Where nothing is due a slot makes no run, and the policy is no later for it; rows become due at midnight only.
  const clearUntil = nothingDueAt === undefined ? 0 : nextMidnight(nothingDueAt * 1000, policy.spec.timeZone);
  const since = Math.max((lastVerifiedAt ?? instant(policy.metadata.creationTimestamp) ?? 0) * 1000, clearUntil);
  const state = (latest.find((run) => run.status?.state === 'Failed') ?? latest.at(-1))?.status?.state;
  const started = latestRuns(own.filter((run) => run.status?.startedAt !== undefined), governed);
  const held = allOf(started.map((run) => run.status?.verification?.heldUnchanged));
  return {
    policy: `${policy.metadata.namespace}/${policy.metadata.name}`,
    mode: purge?.mode ?? 'None',
    suspended: purge?.suspend ?? false,
    attempted: started.length > 0,
    ...(lastVerifiedAt === undefined ? {} : { lastVerifiedAt }),
    ...(nothingDueAt === undefined ? {} : { nothingDueAt }),
    ...unplanned(governed, counts, latest),
    ...(state ? { lastState: state } : {}),
    ...(purge ? { nextDueAt: seconds(nextSlot({ cron: purge.schedule.cron, timeZone: policy.spec.timeZone, window: purge.schedule.window }, since, policy.metadata.uid ?? '').at) } : {}),
    ...(held === undefined ? {} : { heldUnchanged: held }),
  };
}

/** Seconds: when every collection was last counted, exactly, and none had a due row. A collection that was not counted is not known to have none. */
function nothingDue(governed: ReadonlySet<string> | undefined, counts: Readings['counts']): number | undefined {
  if (!governed || !counts) return undefined;
  const clear = new Set(counts.counts.filter(({ exact, due }) => exact && due === 0).map(({ collection }) => collection));
  return [...governed].every((collection) => clear.has(collection)) ? seconds(counts.at) : undefined;
}

/** Collections with due rows of which there is no run: one that proves another group of tables proves nothing of them. */
function unplanned(governed: ReadonlySet<string> | undefined, counts: Readings['counts'], latest: readonly PurgeRun[]): Pick<PurgeInput, 'unplanned'> {
  if (!governed || !counts) return {};
  const due = new Map(counts.counts.map((count) => [count.collection, count.due]));
  if ([...governed].some((collection) => !due.has(collection))) return {};
  const planned = new Set(latest.flatMap((run) => run.spec.plan.steps.map(({ collection }) => collection)));
  return { unplanned: [...governed].filter((collection) => (due.get(collection) ?? 0) > 0 && !planned.has(collection)).toSorted() };
}

/**
 * Seconds: up to when purging is proven. The newest verification, since a group of tables without due rows gets no run;
 * but where the latest run of a collection did not succeed, only as far as that collection was proven before.
 */
function verifiedUntil(own: readonly PurgeRun[], latest: readonly PurgeRun[], governed: ReadonlySet<string> | undefined): number | undefined {
  const verified = own.filter((run) => run.status?.state === 'Succeeded' && run.status.verification?.level !== 'Claimed');
  const at = (runs: readonly PurgeRun[]): number => Math.max(Number.NEGATIVE_INFINITY, ...runs.map((run) => instant(run.status?.verification?.at) ?? Number.NEGATIVE_INFINITY));
  const open = latest.filter((run) => run.status?.state !== 'Succeeded').flatMap((run) => run.spec.plan.steps.map(({ collection }) => collection));
  const behind = open.filter((collection) => governed?.has(collection) ?? true).map((collection) => at(verified.filter((run) => run.spec.plan.steps.some((step) => step.collection === collection))));
  const until = Math.min(at(verified), ...behind);
  return Number.isFinite(until) ? until : undefined;
}

/** False when one is; undefined when one is not known, or there is none. */
function allOf(values: readonly (boolean | undefined)[]): boolean | undefined {
  if (values.includes(false)) return false;
  return values.length === 0 || values.includes(undefined) ? undefined : true;
}
