import { describe, expect, test } from '@jest/globals';
import type { Condition } from '../../src/api/object.ts';
import type { Failure } from '../../src/connect/failures.ts';
import { judgeMap } from '../../src/datamap/plan.ts';
import { dataMapStatus } from '../../src/datamap/status.ts';
import { dataStoreStatus } from '../../src/datastore/status.ts';
import { holdStatus, unreadStatus as unreadHold } from '../../src/holds/status.ts';
import { policyStatus, unreadStatus as unreadPolicy } from '../../src/retention/status.ts';
import { effectiveRules } from '../../src/rules/effective.ts';
import { aCollection, aHold, aMap, aMaximum, anInventory, aPolicy, aStore, aTable } from '../support/declared.ts';

/** What all kinds say while a store is not known: nothing that would look like a fact. */

const NOW = Date.parse('2026-03-02T12:00:00Z');
const inventory = anInventory([aTable('views', ['id', 'created_at', 'client'])]);
const declarations = { maps: [], policies: [], holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' };
const due = { due: false, nextAt: NOW } as const;
const policy = aPolicy('general', { maximum: aMaximum('P1Y') });
const hold = aHold([{}]);
const map = aMap([{}]);
const nobody = { bySecret: new Map(), pins: [], unreadable: [] };
const address = { namespace: 'platform-db', name: 'analytics' };

/** As good as it gets, so that a word of before that stays is seen. */
const good = {
  policy: policyStatus(policy, { observation: { views: [{ store: aStore(), effective: effectiveRules([aCollection()], [policy], '') }], runs: [] }, rootNamespace: 'dataward-system', outcomes: [], due }, NOW - 1_000),
  map: dataMapStatus(map, judgeMap(map, aStore(), { ...declarations, maps: [map] }, inventory), NOW - 1_000),
  hold: holdStatus(hold, [{ store: { ...address, enforcedSince: '2026-03-01T00:00:00Z' }, items: [], widened: [], blocks: [{ index: 0, keeps: true }], failed: false }], nobody, NOW - 1_000),
};

const said = (conditions: Condition[] | undefined): Record<string, string> => Object.fromEntries((conditions ?? []).map(({ type, status }) => [type, status]));
const NOT_READY = { Ready: 'False', Reconciling: 'True' };

test('all of it was good before', () => {
  expect([said(good.policy.conditions), said(good.map.conditions), said(good.hold.conditions)]).toEqual([
    { Ready: 'True', AsWritten: 'True', Conflicted: 'False' },
    { Ready: 'True', Resolved: 'True', Accepted: 'True' },
    { Ready: 'True', AsWritten: 'True' },
  ]);
});

describe.each([
  ['that was good before', true],
  ['that was never seen', false],
])('of a store %s', (_, before) => {
  const of = <T extends object, S>(object: T, status: S): T => (before ? { ...object, status } : object);
  const failures: Failure[] = [
    { reason: 'Unreachable', message: 'no answer' },
    { reason: 'AuthenticationFailed', message: 'the password is wrong' },
    { reason: 'SecretNotFound', message: 'the Secret is gone' },
    { reason: 'TargetChanged', message: 'another store answers' },
  ];

  test.each(failures.map((failure) => [failure.reason, failure] as const))('that cannot be looked at (%s) nothing is said that is not known', (_reason, failure) => {
    const shown = policyStatus(of(policy, good.policy), { observation: { views: [{ store: aStore(), effective: [], failure }], runs: [] }, rootNamespace: 'dataward-system', outcomes: [], due }, NOW);
    expect([said(shown.conditions), shown.effective]).toEqual([{ ...NOT_READY, AsWritten: 'Unknown', Conflicted: 'Unknown' }, { stores: 1, worst: [], truncated: 0 }]);
    const mapped = dataMapStatus(of(map, good.map), { problems: [], collections: 0, tables: 0, failure }, NOW);
    expect([said(mapped.conditions), mapped.collections, mapped.tables, mapped.missing]).toEqual([{ ...NOT_READY, Resolved: 'Unknown', Accepted: 'Unknown' }, undefined, undefined, undefined]);
    const held = holdStatus(of(hold, good.hold), [{ store: { ...address, message: failure.message }, items: [], widened: [], blocks: [{ index: 0, keeps: true }], failed: true }], nobody, NOW);
    expect([said(held.conditions), held.state]).toEqual([{ ...NOT_READY, AsWritten: 'Unknown' }, 'Pending']);
  });

  test('when the declarations cannot be read nothing is said that follows from them', () => {
    const failure: Failure = { reason: 'ReadFailed', message: 'list datamaps: forbidden' };
    expect(said(unreadPolicy(of(policy, good.policy), failure, NOW).conditions)).toEqual({ ...NOT_READY, AsWritten: 'Unknown', Conflicted: 'Unknown' });
    expect(said(unreadHold(of(hold, good.hold), failure, NOW).conditions)).toEqual({ ...NOT_READY, AsWritten: 'Unknown' });
  });
});

describe('a conflict that is found', () => {
  const conflicting = effectiveRules([aCollection()], [aPolicy('general', { maximum: aMaximum('P1Y'), minimum: { ...aMaximum('P2Y'), basis: { type: 'LegalObligation', jurisdiction: 'DE', reference: 'HGB' } } })], '2026-03-02T12:00:00Z');
  test('is one, whatever else cannot be read', () => {
    const views = [{ store: aStore(), effective: conflicting }, { store: aStore(), effective: [], failure: { reason: 'Unreachable', message: 'no answer' } as const }];
    expect(said(policyStatus(policy, { observation: { views, runs: [] }, rootNamespace: 'dataward-system', outcomes: [], due }, NOW).conditions)['Conflicted']).toBe('True');
  });
});

test.each<[Failure['reason'], string]>([
  ['SecretNotFound', 'Unknown'],
  ['SecretNotBound', 'Unknown'],
  ['CaNotFound', 'Unknown'],
  ['ReadFailed', 'Unknown'],
  ['InvalidSpec', 'Unknown'],
  ['Unreachable', 'False'],
  ['PoolerRefused', 'False'],
])('a store that was never asked may be reached or not: %s is %s', (reason, reachable) => {
  const failure = { reason, message: 'x' };
  expect(said(dataStoreStatus(aStore(), { generation: 1, installed: false, logins: {}, failure, probeFailure: failure }, NOW).conditions)['Reachable']).toBe(reachable);
});
