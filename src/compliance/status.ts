import { getCondition, setCondition, type ConditionUpdate } from '../api/conditions.ts';
import type { ComplianceProfile, ComplianceProfileStatus } from '../api/generated/complianceProfile.ts';
import type { DataStore, DataStoreStatus } from '../api/generated/dataStore.ts';
import type { Condition } from '../api/object.ts';
import type { Catalogue } from '../policy/catalogue.ts';
import type { ControlResult } from '../policy/result.ts';
import { clauseStates, scoreOf } from '../policy/score.ts';
import { conditionsFor, TerminalError, type Outcome } from '../runtime/result.ts';

const NAMED = 3;

/** What the controls say of one store, as its `Compliant` condition. `Ready` is another matter: it says the operator works. */
export function compliantCondition(results: readonly ControlResult[], generation: number): Omit<Condition, 'lastTransitionTime'> {
  const failing = results.filter((result) => result.outcome === 'Fail');
  const open = results.filter((result) => result.outcome === 'Unknown' || result.outcome === 'Error');
  const base = { type: 'Compliant', observedGeneration: generation } as const;
  if (failing.length > 0) return { ...base, status: 'False', reason: 'ViolationsFound', message: sentence(failing) };
  if (open.length > 0 || results.length === 0) return { ...base, status: 'Unknown', reason: 'EvaluationFailed', message: results.length === 0 ? 'no control was evaluated' : sentence(open) };
  return { ...base, status: 'True', reason: 'AllControlsPass', message: `${results.length} controls hold.` };
}

function sentence(results: readonly ControlResult[]): string {
  const parts = results.slice(0, NAMED).map((result) => `${result.control}: ${result.findings[0]?.message ?? result.title}`);
  return `${parts.join('; ')}${results.length > NAMED ? ` (and ${results.length - NAMED} more)` : ''}`.slice(0, 2_000);
}

export function withCompliant(store: DataStore, results: readonly ControlResult[], now: number): DataStoreStatus {
  return { ...store.status, conditions: setCondition(store.status?.conditions ?? [], compliantCondition(results, store.metadata.generation ?? 0), now) };
}

/** The status of a store that nobody judges any more; undefined where it has no verdict to lose. */
export function withoutVerdict(store: DataStore, rootNamespace: string, now: number): DataStoreStatus | undefined {
  const conditions = store.status?.conditions ?? [];
  if (!getCondition(conditions, 'Compliant')) return undefined;
  const message = `no ComplianceProfile of namespace ${rootNamespace} judges stores any more; create one there`;
  return { ...store.status, conditions: setCondition(conditions, { type: 'Compliant', status: 'Unknown', reason: 'NotJudged', message, observedGeneration: store.metadata.generation ?? 0 }, now) };
}

export interface ProfileReport {
  /** Ids of all controls the profile asks for. */
  controls: readonly string[];
  results: readonly ControlResult[];
  /** Stores this process has not looked at yet, as namespace/name: there is no score without them. */
  unseen: readonly string[];
  /** What the profile says that the catalogue does not know, in sentences. */
  problems: readonly string[];
  /** What it asks less than the profiles above it do, in sentences; undefined when none is above it. */
  loosened?: readonly string[];
  /** Milliseconds until which no answer changes by itself. */
  holdsUntil: number;
}

export function profileStatus(profile: ComplianceProfile, report: ProfileReport, catalogue: Catalogue, digest: string, now: number): ComplianceProfileStatus {
  const generation = profile.metadata.generation ?? 0;
  const frameworks = catalogue.frameworks.filter((framework) => profile.spec.frameworks.includes(framework.id));
  const { ratio, ...counts } = scoreOf(report.controls, report.results);
  return {
    ...profile.status,
    observedGeneration: generation,
    evaluatedAt: new Date(now).toISOString(),
    ...(Number.isFinite(report.holdsUntil) ? { validUntil: new Date(report.holdsUntil).toISOString() } : {}),
    bundleDigest: digest,
    score: { ...counts, waived: 0, ...(ratio === undefined || report.unseen.length > 0 ? {} : { ratio }) },
    clauses: clauseStates(frameworks, report.controls, report.results).map(({ id, state, controls }) => ({ id, state, controls })),
    conditions: conditions(profile, report, now),
  };
}

function conditions(profile: ComplianceProfile, report: ProfileReport, now: number): Condition[] {
  const generation = profile.metadata.generation ?? 0;
  const [problem] = report.problems;
  const outcome: Outcome = problem
    ? { kind: 'error', error: new TerminalError('ParameterInvalid', problem) }
    : { kind: 'ready', reason: 'Evaluated', message: `${report.controls.length} controls were evaluated.${unseenText(report.unseen)}` };
  const list = conditionsFor(outcome, { generation, now, ...(profile.status?.conditions ? { conditions: profile.status.conditions } : {}) });
  const judged = setCondition(list, compliantCondition(report.results, generation), now);
  return report.loosened ? setCondition(judged, asWritten(report.loosened, generation), now) : judged.filter((condition) => condition.type !== 'AsWritten');
}

/** Why there is no score; a figure made without some of the stores, or with 0 for them, would be taken for one. */
function unseenText(unseen: readonly string[]): string {
  if (unseen.length === 0) return '';
  return ` There is no score yet: DataStore ${unseen.slice(0, NAMED).join(', ')}${unseen.length > NAMED ? ` and ${unseen.length - NAMED} more` : ''} was not looked at since the operator started.`;
}

/** Whether a profile is applied as it says; one that may only be stricter than another and is not in all is False. */
function asWritten(loosened: readonly string[], generation: number): ConditionUpdate {
  const base = { type: 'AsWritten', observedGeneration: generation } as const;
  if (loosened.length === 0) return { ...base, status: 'True', reason: 'AppliedAsWritten', message: 'The profile asks for no less than those above it.' };
  return { ...base, status: 'False', reason: 'LooserThanRoot', message: `${loosened.slice(0, NAMED).join('; ')}${loosened.length > NAMED ? ` (and ${loosened.length - NAMED} more)` : ''}` };
}
