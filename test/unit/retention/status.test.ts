import { describe, expect, test } from '@jest/globals';
import type { RetentionPolicy, RetentionPolicyStatus } from '../../../src/api/generated/retentionPolicy.ts';
import { getCondition } from '../../../src/api/conditions.ts';
import type { StoreView } from '../../../src/retention/observe.ts';
import { policyStatus, type PolicyReport } from '../../../src/retention/status.ts';
import { effectiveRules } from '../../../src/rules/effective.ts';
import type { MappedCollection } from '../../../src/rules/collections.ts';
import { aCollection, aMaximum, aMinimum, aPolicy, aPurge, aStore, aTime } from '../../support/declared.ts';
import { aPlan, aRun } from './run/declared-run.ts';

const NOW = Date.parse('2026-03-02T12:00:00Z');
const general = aPolicy('general', { maximum: aMaximum('P1Y'), purge: aPurge() });

function report(policies: RetentionPolicy[], changes: Partial<PolicyReport> = {}, collections: MappedCollection[] = [aCollection()]): PolicyReport {
  const effective = effectiveRules(collections, policies, '2026-03-02T12:00:00Z');
  return { observation: { views: [{ store: aStore(), effective }], runs: [] }, rootNamespace: 'dataward-system', outcomes: [], due: { due: false, nextAt: NOW + 60_000 }, ...changes };
}

const of = (status: RetentionPolicyStatus, type: string): [string | undefined, string | undefined] => [getCondition(status.conditions, type)?.status, getCondition(status.conditions, type)?.reason];

describe('the status of a policy', () => {
  test('counts where its word decides', () => {
    const status = policyStatus(general, report([general]), NOW);
    expect(status).toMatchObject({ observedGeneration: 1, effective: { stores: 1, collections: 1, applied: 1, worst: [], truncated: 0 }, nextRunAt: '2026-03-02T12:01:00.000Z' });
    expect(of(status, 'Conflicted')).toEqual(['False', 'NoConflict']);
  });

  test('names the first refusal of a slot and says how many more there are', () => {
    const refused = (message: string): PolicyReport['outcomes'][number] => ({ store: 'analytics', made: 'Failure', failure: { reason: 'SideEffect', message } });
    const message = (...outcomes: PolicyReport['outcomes']): string | undefined => getCondition(policyStatus(general, report([general], { outcomes }), NOW).conditions, 'Ready')?.message;
    expect([message(refused('views: a'), { store: 'analytics', made: 'Run', name: 'general-1' }, refused('clicks: b'), refused('carts: c')), message(refused('views: a'))]).toEqual(['store analytics: views: a (and 2 more)', 'store analytics: views: a']);
  });

  const table: [string, RetentionPolicy[], MappedCollection, boolean, RegExp][] = [
    ['another policy has the shorter maximum', [general, aPolicy('strict', { maximum: aMaximum('P1M') })], aCollection(), false, /platform-db\/strict has the shorter maximum/],
    ['the start event is missing', [general], aCollection({ times: {} }), false, /does not declare the start event/],
    ['a column of spec.rows is missing', [{ ...general, spec: { ...general.spec, rows: { where: [{ field: 'kind', operator: 'Exists' }] } } }], aCollection(), false, /lacks a column that spec\.rows names/],
    ['a minimum lasts longer', [general, aPolicy('books', { minimum: aMinimum('P8Y') })], aCollection(), true, /ends after maximum P1Y/],
  ];
  test.each(table)('says of a collection why: %s', (_, policies, collection, applied, because) => {
    const status = policyStatus(policies[0] as RetentionPolicy, report(policies, {}, [collection]), NOW);
    expect(status.effective?.worst).toEqual([{ store: 'platform-db/analytics', collection: 'platform-db/web/views', applied, because: expect.stringMatching(because) }]);
  });

  const byClient = aPolicy('general', { maximum: aMaximum('P1Y'), clients: { keys: ['client-a'] } });
  const foreign = { ...general, spec: { ...general.spec, namespaceSelector: { all: {} } } };
  const rows: RetentionPolicy = { ...general, spec: { ...general.spec, rows: { where: [{ field: 'kind', operator: 'Exists' }] } } };
  const { client: _client, ...noClient } = aCollection();
  const written: [string, RetentionPolicy, Partial<PolicyReport>, RetentionPolicy[], MappedCollection[], string, string, RegExp][] = [
    ['is applied as it says', general, {}, [], [aCollection()], 'True', 'AppliedAsWritten', /1 collections/],
    ['also where a minimum keeps rows longer: that is a conflict', general, {}, [aPolicy('books', { minimum: aMinimum('P8Y') })], [aCollection()], 'True', 'AppliedAsWritten', /./],
    ['is the strictest of two', general, {}, [aPolicy('lax', { maximum: aMaximum('P9Y') })], [aCollection()], 'True', 'AppliedAsWritten', /./],
    ['has its event, and another policy does not', general, {}, [aPolicy('closed', { maximum: aMaximum('P1Y', { from: 'Closed' }) })], [aCollection({ times: { Created: aTime('created_at') } })], 'True', 'AppliedAsWritten', /./],
    ['has its columns, and another policy does not', general, {}, [aPolicy('some', { maximum: aMaximum('P1M'), rows: { where: [{ field: 'kind', operator: 'Exists' }] } })], [aCollection()], 'True', 'AppliedAsWritten', /./],
    ['only keeps rows, where another speaks of clients nobody can tell apart', aPolicy('books', { minimum: aMinimum('P8Y') }), {}, [byClient], [noClient], 'True', 'AppliedAsWritten', /./],
    ['is stopped by two maps that claim one table', general, {}, [], [aCollection({ problems: [{ reason: 'MapOverlap', collection: 'platform-db/web/views', message: 'x' }] })], 'False', 'MapOverlap', /two maps claim its table/],
    ['lacks the event', general, {}, [], [aCollection({ times: {} })], 'False', 'NoStartEvent', /^platform-db\/web\/views: .* a minimum keeps every row$/],
    ['lacks a column', rows, {}, [], [aCollection()], 'False', 'MissingRowField', /spec\.rows/],
    ['speaks of clients nobody can tell apart', byClient, {}, [], [noClient], 'False', 'NoClientKey', /no client key/],
    ['is not the strictest', general, {}, [aPolicy('strict', { maximum: aMaximum('P1M') })], [aCollection()], 'False', 'ReplacedByStricter', /platform-db\/strict/],
    ['first says what its author can mend', general, {}, [aPolicy('strict', { maximum: aMaximum('P1M') })], [aCollection(), aCollection({ id: 'dateless', times: {} })], 'False', 'NoStartEvent', /^dateless: .*\(and 1 more in status\.effective\.worst\)$/],
    ['reaches for other namespaces from a place where it may not', foreign, {}, [], [aCollection()], 'False', 'NotInRootNamespace', /spec\.namespaceSelector has no effect outside the namespace dataward-system/],
    ['reaches for other namespaces from the root namespace', foreign, { rootNamespace: 'platform-db' }, [], [aCollection()], 'True', 'AppliedAsWritten', /./],
    ['selects nothing', general, {}, [], [], 'Unknown', 'NothingSelected', /./],
    ['cannot tell of a store that cannot be read', general, { observation: { views: [{ store: aStore(), effective: [], failure: { reason: 'Unreachable', message: 'no answer' } }], runs: [] } }, [], [], 'Unknown', 'Unreachable', /platform-db\/analytics/],
  ];
  test.each(written)('AsWritten: %s', (_, policy, changes, others, collections, status, reason, message) => {
    const told = policyStatus(policy, report([policy, ...others], changes, collections), NOW);
    expect(getCondition(told.conditions, 'AsWritten')).toMatchObject({ status, reason, message: expect.stringMatching(message) });
  });

  test('is Conflicted while a minimum lasts longer than the maximum, and keeps the time it began', () => {
    const policies = [general, aPolicy('books', { minimum: aMinimum('P8Y') })];
    const first = policyStatus(general, report(policies), NOW);
    const second = policyStatus({ ...general, status: first }, report(policies), NOW + 3_600_000);
    expect(of(second, 'Conflicted')).toEqual(['True', 'Conflicted']);
    expect(getCondition(second.conditions, 'Conflicted')?.lastTransitionTime).toBe('2026-03-02T12:00:00Z');
    const third = policyStatus({ ...general, status: second }, report([general]), NOW + 7_200_000);
    expect(getCondition(third.conditions, 'Conflicted')).toMatchObject({ status: 'False', lastTransitionTime: '2026-03-02T14:00:00Z' });
  });

  test('shows fifty collections and counts the rest', () => {
    const many = Array.from({ length: 60 }, (_, index) => aCollection({ id: `c${index}`, times: {} }));
    const { effective } = policyStatus(general, report([general], {}, many), NOW);
    expect([effective?.worst?.length, effective?.truncated, effective?.collections, effective?.applied]).toEqual([50, 10, 60, 0]);
  });

  test('does not count a collection where it cannot work, and counts one that it only keeps', () => {
    const applied = (policy: RetentionPolicy, collection: MappedCollection): unknown => policyStatus(policy, report([policy], {}, [collection]), NOW).effective?.applied;
    expect([applied(byClient, aCollection()), applied(byClient, noClient), applied(aPolicy('books', { minimum: aMinimum('P8Y') }), noClient)]).toEqual([1, 0, 1]);
  });

  test('names one of several conflicts, and how many there are besides', () => {
    const policies = [general, aPolicy('books', { minimum: aMinimum('P8Y') })];
    const message = (...ids: string[]): string | undefined => getCondition(policyStatus(general, report(policies, {}, ids.map((id) => aCollection({ id }))), NOW).conditions, 'Conflicted')?.message;
    expect([message('a'), message('a', 'b', 'c')]).toEqual([expect.stringMatching(/^a: .* changed$/), expect.stringMatching(/^a: .* \(and 2 more\)$/)]);
  });

  test('does not know what it would do where its spec can never work, whatever was said of an earlier one', () => {
    const before = { ...general, status: policyStatus(general, report([general]), NOW) };
    const status = policyStatus(before, report([general], { observation: { views: [], runs: [] }, invalid: 'spec.timeZone: nobody knows it' }), NOW);
    expect([of(status, 'AsWritten'), of(status, 'Conflicted')]).toEqual([['Unknown', 'InvalidSpec'], ['Unknown', 'InvalidSpec']]);
  });

  const failure = { reason: 'Unreachable', message: 'no answer' } as const;
  const readiness: [string, RetentionPolicy, Partial<PolicyReport>, string, string][] = [
    ['is ready in its mode', general, {}, 'True', 'Evaluated'],
    ['in mode Plan', aPolicy('general', { maximum: aMaximum('P1Y'), purge: aPurge({ mode: 'Plan' }) }), {}, 'True', 'PlanOnly'],
    ['in mode Observe', aPolicy('general', { maximum: aMaximum('P1Y'), purge: aPurge({ mode: 'Observe' }) }), {}, 'True', 'Observing'],
    ['while suspended', aPolicy('general', { maximum: aMaximum('P1Y'), purge: aPurge({ suspend: true }) }), {}, 'True', 'Suspended'],
    ['selects nothing', general, { observation: { views: [], runs: [] } }, 'True', 'NothingSelected'],
    ['says what can never work', general, { invalid: 'spec.timeZone: nobody knows it' }, 'False', 'InvalidSpec'],
    ['could not be read in a store', general, { observation: { views: [{ store: aStore(), effective: [], failure }], runs: [] } }, 'False', 'Unreachable'],
    ['could not be read in the second of two stores', general, { observation: { views: [{ store: aStore(), effective: [] }, { store: aStore(), effective: [], failure }], runs: [] } }, 'False', 'Unreachable'],
    ['could not be planned in the second of two stores', general, { outcomes: [{ store: 'orders', made: 'Run', name: 'general-1' }, { store: 'analytics', made: 'Failure', failure }] }, 'False', 'Unreachable'],
    ['could not be planned in a store', general, { outcomes: [{ store: 'analytics', made: 'Failure', failure }] }, 'False', 'Unreachable'],
  ];
  test.each(readiness)('%s', (_, policy, changes, status, reason) => {
    expect(of(policyStatus(policy, report([policy], changes), NOW), 'Ready')).toEqual([status, reason]);
  });

  test.each<[string, StoreView[], RegExp]>([
    ['store', [], /^No DataStore is selected by spec\.stores; nothing is protected or deleted/],
    ['collection', ['a', 'b', 'c', 'd'].map((name) => ({ store: aStore({}, { name }), effective: [] })), /^No collection of DataStore platform-db\/a, platform-db\/b, platform-db\/c and 1 more is selected by spec\.collections, or no DataMap describes one there;/],
  ])('that selects no %s says so', (_, views, message) => {
    const status = policyStatus(general, report([general], { observation: { views, runs: [] } }), NOW);
    expect(status.conditions?.find(({ type }) => type === 'Ready')?.message).toMatch(message);
  });

  test('names the newest run, and the end of the last that succeeded', () => {
    const old = aRun({}, { state: 'Succeeded', finishedAt: '2026-02-01T03:00:00Z' }, 'old');
    const young = { ...aRun({}, { state: 'Running', progress: { deleted: 7 }, startedAt: '2026-03-02T02:01:00Z' }, 'young') };
    const status = policyStatus(general, report([general], { observation: { views: [], runs: [{ ...old, metadata: { ...old.metadata, creationTimestamp: '2026-02-01T02:00:00Z' } }, young] } }), NOW);
    expect(status.lastRun).toEqual({ name: 'young', namespace: 'platform-db', state: 'Running', deleted: 7, startedAt: '2026-03-02T02:01:00Z' });
    expect(status.lastEnforcedTime).toBe('2026-02-01T03:00:00Z');
  });

  test('was last enforced by the latest run that succeeded, whatever failed since and however they are listed', () => {
    const at = (state: 'Succeeded' | 'Failed', day: string): ReturnType<typeof aRun> => aRun({}, { state, finishedAt: `2026-02-${day}T03:00:00Z` }, `run-${day}`);
    const runs = [at('Succeeded', '10'), at('Succeeded', '01'), at('Failed', '20')];
    expect(policyStatus(general, report([general], { observation: { views: [], runs } }), NOW).lastEnforcedTime).toBe('2026-02-10T03:00:00Z');
  });

  test('names a run that failed, although one of other tables succeeded since', () => {
    const failed = aRun({}, { state: 'Failed', finishedAt: '2026-02-01T03:00:00Z' }, 'failed');
    const steps = [{ ...aPlan().steps[0]!, collection: 'platform-db/web/clicks' }];
    const later = aRun({ plan: aPlan({ steps }) }, { state: 'Succeeded', finishedAt: '2026-02-02T03:00:00Z' }, 'later');
    const runs = [{ ...failed, metadata: { ...failed.metadata, creationTimestamp: '2026-02-01T02:00:00Z' } }, { ...later, metadata: { ...later.metadata, creationTimestamp: '2026-02-02T02:00:00Z' } }];
    expect(policyStatus(general, report([general], { observation: { views: [], runs } }), NOW).lastRun).toEqual({ name: 'failed', namespace: 'platform-db', state: 'Failed', finishedAt: '2026-02-01T03:00:00Z' });
  });

  test('a run that has only been planned enforced nothing', () => {
    expect(policyStatus(general, report([general], { observation: { views: [], runs: [aRun({}, { state: 'AwaitingApproval' })] } }), NOW)).not.toHaveProperty('lastEnforcedTime');
  });

  test('notes a slot it acted on; one that is past is not the next run, and without a schedule there is none', () => {
    const before = { ...general, status: { nextRunAt: '2026-03-02T02:03:00Z', lastSlotAt: '2026-03-01T02:00:00Z' } };
    const acted = policyStatus(before, report([general], { due: { due: true, slot: Date.parse('2026-03-02T02:00:00Z') } }), NOW);
    expect(acted.lastSlotAt).toBe('2026-03-02T02:00:00.000Z');
    expect(acted).not.toHaveProperty('nextRunAt');
    const stopped = policyStatus(before, report([general], { due: { due: false, nextAt: Infinity } }), NOW);
    expect(stopped.lastSlotAt).toBe('2026-03-01T02:00:00Z');
    expect(stopped).not.toHaveProperty('nextRunAt');
  });
});
