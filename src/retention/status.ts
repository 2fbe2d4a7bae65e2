import { setCondition, type ConditionUpdate } from '../api/conditions.ts';
import type { EffectiveCollection as EffectiveEntry, LastRun, RetentionPolicy, RetentionPolicyStatus } from '../api/generated/retentionPolicy.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import { unreadConditions, type Failure } from '../connect/failures.ts';
import { latestRuns } from '../rules/latest-runs.ts';
import { inertBecause } from '../rules/ruleset.ts';
import { conditionsFor, TerminalError, WaitingError, type Outcome } from '../runtime/result.ts';
import type { PlanOutcome } from './apply.ts';
import { asWritten, deviation } from './as-written.ts';
import type { PolicyObservation, StoreView } from './observe.ts';
import type { Due } from './schedule.ts';

const WORST = 50;

export interface PolicyReport {
  observation: PolicyObservation;
  /** Where a policy may reach into other namespaces. */
  rootNamespace: string;
  outcomes: readonly PlanOutcome[];
  due: Due;
  /** What is wrong with the spec beyond its schema, e.g. a zone nobody knows. */
  invalid?: string;
}

export function policyStatus(policy: RetentionPolicy, report: PolicyReport, now: number): RetentionPolicyStatus {
  const entries = report.observation.views.flatMap((view) => entriesOf(policy, view));
  const losing = entries.filter((entry) => !entry.applied || entry.because !== undefined);
  const last = lastRunOf(report.observation.runs);
  const enforced = report.observation.runs.filter((run) => run.status?.state === 'Succeeded').flatMap((run) => run.status?.finishedAt ?? []).toSorted().at(-1);
  // A policy that was suspended since has no next run.
  const { nextRunAt: _before, ...kept } = policy.status ?? {};
  return {
    ...kept,
    observedGeneration: policy.metadata.generation ?? 0,
    effective: {
      stores: report.observation.views.length,
      // Of a store that was not read nobody knows how many it has.
      ...(report.observation.views.some(({ failure }) => failure) ? {} : { collections: entries.length, applied: entries.filter((entry) => entry.applied).length }),
      worst: losing.slice(0, WORST),
      truncated: Math.max(0, losing.length - WORST),
    },
    ...(last ? { lastRun: last } : {}),
    ...(enforced ? { lastEnforcedTime: enforced } : {}),
    ...slots(report.due),
    conditions: conditions(policy, report, entries, now),
  };
}

/** What is said of a policy when nobody could read what else is declared. */
export function unreadStatus(policy: RetentionPolicy, failure: Failure, now: number): RetentionPolicyStatus {
  return { ...policy.status, conditions: unreadConditions(policy, failure, now, ['AsWritten', 'Conflicted']) };
}

function slots(due: Due): Pick<RetentionPolicyStatus, 'lastSlotAt' | 'nextRunAt'> {
  if (due.due) return { lastSlotAt: new Date(due.slot).toISOString() };
  return Number.isFinite(due.nextAt) ? { nextRunAt: new Date(due.nextAt).toISOString() } : {};
}

/** Each collection the policy selects: whether its word decides there, and if not, whose does. */
function entriesOf(policy: RetentionPolicy, view: StoreView): EffectiveEntry[] {
  const uid = policy.metadata.uid;
  const store = `${view.store.metadata.namespace}/${view.store.metadata.name}`;
  return view.effective.map((each) => {
    const because = deviation(uid, each)?.because ?? each.conflict;
    const working = inertBecause(each) === undefined ? [...each.maxima, ...each.minimums] : each.minimums;
    const applied = working.some((rule) => rule.policy.uid === uid && rule.time && rule.rows);
    return { store, collection: each.collection.id, applied, ...(because ? { because: because.slice(0, 512) } : {}) };
  });
}

function lastRunOf(runs: readonly PurgeRun[]): LastRun | undefined {
  const latest = latestRuns(runs);
  // A run of other tables that succeeded since must not hide one that failed.
  const newest = latest.findLast((run) => run.status?.state === 'Failed') ?? latest.at(-1);
  if (!newest) return undefined;
  const { state, progress, startedAt, finishedAt } = newest.status ?? {};
  return {
    name: newest.metadata.name,
    namespace: newest.metadata.namespace ?? '',
    ...(state ? { state } : {}),
    ...(progress?.deleted === undefined ? {} : { deleted: progress.deleted }),
    ...(startedAt ? { startedAt } : {}),
    ...(finishedAt ? { finishedAt } : {}),
  };
}

function conditions(policy: RetentionPolicy, report: PolicyReport, entries: readonly EffectiveEntry[], now: number): NonNullable<RetentionPolicyStatus['conditions']> {
  const generation = policy.metadata.generation ?? 0;
  const list: NonNullable<RetentionPolicyStatus['conditions']> = conditionsFor(outcomeOf(policy, report), { generation, now, ...(policy.status?.conditions ? { conditions: policy.status.conditions } : {}) });
  const unknown = (type: string, { reason, message }: Failure): ConditionUpdate => ({ type, status: 'Unknown', reason, message, observedGeneration: generation });
  if (report.invalid) {
    const invalid: Failure = { reason: 'InvalidSpec', message: report.invalid };
    return ['AsWritten', 'Conflicted'].reduce((conditions, type) => setCondition(conditions, unknown(type, invalid), now), list);
  }
  return [asWritten(policy, report.observation, report.rootNamespace), conflicted(report.observation, entries.length, generation)].reduce((conditions, update) => setCondition(conditions, update, now), list);
}

/** Whether a minimum outlasts a maximum; a conflict that is found is one, whatever could not be read besides. */
function conflicted({ views }: PolicyObservation, total: number, observedGeneration: number): ConditionUpdate {
  const say = (status: ConditionUpdate['status'], reason: string, message: string): ConditionUpdate => ({ type: 'Conflicted', status, reason, message, observedGeneration });
  const conflicts = views.flatMap((view) => view.effective.filter((each) => each.conflict).map((each) => `${each.collection.id}: ${each.conflict}`));
  if (conflicts[0] !== undefined) return say('True', 'Conflicted', `${conflicts[0]}${conflicts.length > 1 ? ` (and ${conflicts.length - 1} more)` : ''}`);
  const unread = views.find(({ failure }) => failure);
  if (unread?.failure) return say('Unknown', unread.failure.reason, `Store ${unread.store.metadata.namespace}/${unread.store.metadata.name} could not be read: ${unread.failure.message}`);
  if (total === 0) return say('Unknown', 'NothingSelected', 'No collection is selected.');
  return say('False', 'NoConflict', `No minimum outlasts a maximum in ${total} collections.`);
}

function outcomeOf(policy: RetentionPolicy, report: PolicyReport): Outcome {
  if (report.invalid) return { kind: 'error', error: new TerminalError('InvalidSpec', report.invalid) };
  if (policy.spec.purge?.suspend) return { kind: 'suspended' };
  const refused = report.outcomes.flatMap((outcome) => (outcome.made === 'Failure' ? [outcome] : []));
  const unread = report.observation.views.flatMap(({ store, failure }) => (failure ? [{ store: store.metadata.name, failure }] : []));
  const [first, ...others] = refused.length > 0 ? refused : unread;
  // Whoever mends the first and sees the next only then would look at as many slots as there are refusals.
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  if (first) return { kind: 'error', error: new WaitingError(first.failure.reason, `store ${first.store}: ${first.failure.message}${more}`, 60_000) };
  const total = report.observation.views.flatMap((view) => view.effective).length;
  if (total === 0) return { kind: 'ready', reason: 'NothingSelected', message: `${nothingSelected(report.observation.views)}; nothing is protected or deleted by this policy.` };
  return { kind: 'ready', reason: policy.spec.purge ? modeReason(policy) : 'Evaluated', message: `In force for ${total} collections of ${report.observation.views.length} stores.` };
}

function nothingSelected(views: readonly StoreView[]): string {
  if (views.length === 0) return 'No DataStore is selected by spec.stores';
  const stores = views.map(({ store }) => `${store.metadata.namespace}/${store.metadata.name}`);
  return `No collection of DataStore ${stores.slice(0, 3).join(', ')}${stores.length > 3 ? ` and ${stores.length - 3} more` : ''} is selected by spec.collections, or no DataMap describes one there`;
}

function modeReason(policy: RetentionPolicy): string {
  switch (policy.spec.purge?.mode) {
    case 'Plan':
      return 'PlanOnly';
    case 'Apply':
      return 'Evaluated';
    default:
      return 'Observing';
  }
}
