import { describe, expect, test } from '@jest/globals';
import type { RetentionPolicy, RetentionPolicySpec } from '../../../src/api/generated/retentionPolicy.ts';
import type { MappedCollection } from '../../../src/rules/collections.ts';
import { cutoff } from '../../../src/rules/cutoff.ts';
import { effectiveRules, type EffectiveCollection } from '../../../src/rules/effective.ts';
import { ruleset } from '../../../src/rules/ruleset.ts';
import { compareCutoffs, compareRules, latestCutoff, normalRule, type NormalRule } from '../../../src/rules/weakening.ts';
import { aCollection, aMaximum, aMinimum, aPolicy, aTime } from '../../support/declared.ts';
import { collection, NOW, policies, row, spec } from './generated.ts';
import { deletable, type Row } from './truth.ts';
import { fc, runs } from '../../support/properties.ts';

const effective = (of: MappedCollection, all: readonly RetentionPolicy[], now = NOW): EffectiveCollection => effectiveRules([of], all, now)[0] as EffectiveCollection;
const normal = (of: MappedCollection, all: readonly RetentionPolicy[], now = NOW): NormalRule => normalRule(effective(of, all, now), 'uid-p0');
type Rules = [MappedCollection, RetentionPolicy[]];
const ruled = (name: string, words: Partial<RetentionPolicySpec>): RetentionPolicy => aPolicy(name, words);

const DAYS = [NOW, '2026-02-28T09:00:00Z', '2026-12-31T23:30:00Z', '2027-01-01T05:00:00Z'];

/** The days on which something would go under the second rules and not under the first. */
function daysGoingEarlier(before: Rules, after: Rules, items: readonly Row[]): string[] {
  return DAYS.filter((now) => {
    const [old] = ruleset([effective(...before, now)], { policyUid: 'uid-p0', now });
    const [young] = ruleset([effective(...after, now)], { policyUid: 'uid-p0', now });
    return old && young && items.some((item) => deletable(young, item) && !deletable(old, item));
  });
}

describe('compared with the rule last approved', () => {
  test('a reference into the table asks for a person when it goes, and for nobody when it comes', () => {
    const views = aCollection();
    const clicks = aCollection({ id: 'clicks', table: { schema: 'public', name: 'clicks' }, references: [{ field: 'view_id', table: views.table, toField: 'id' }] });
    const [linked] = effectiveRules([views, clicks], [], NOW).map((each) => normalRule(each, 'uid-p0')) as [NormalRule];
    const [bare] = effectiveRules([views, { ...clicks, references: [] }], [], NOW).map((each) => normalRule(each, 'uid-p0')) as [NormalRule];
    expect(compareRules(linked, bare, 'views')).toEqual({ reason: 'RuleChanged', message: 'views: rows that refer to it by public.clicks.view_id to id no longer keep its rows, because the data map does not declare that reference any more' });
    expect(compareRules(bare, linked, 'views')).toBeUndefined();
    // Written before references counted.
    expect(bare).not.toHaveProperty('referredBy');
  });

  test('the same rule asks for nobody', () => {
    fc.assert(
      fc.property(collection, policies, (of, all) => {
        expect(compareRules(normal(of, all), normal(of, all.toReversed()), 'views')).toBeUndefined();
      }),
    );
  });

  test('a change of any policy that lets one row go earlier asks for a person', () => {
    fc.assert(
      fc.property(collection, policies, fc.nat(4), fc.option(spec, { nil: undefined }), fc.array(row, { minLength: 20, maxLength: 20 }), (of, all, at, changed, items) => {
        const index = at % all.length;
        const next = changed ? all.with(index, aPolicy(`p${index}`, changed)) : all.toSpliced(index, 1);
        if (!next.some((policy) => policy.metadata.uid === 'uid-p0')) return;
        for (const now of daysGoingEarlier([of, all], [of, next], items)) expect(compareRules(normal(of, all, now), normal(of, next, now), 'views')).toBeDefined();
      }),
      { numRuns: runs(120) },
    );
  });

  test('a change of the map that lets one row go earlier asks for a person', () => {
    fc.assert(
      fc.property(collection, collection, policies, fc.boolean(), fc.array(row, { minLength: 20, maxLength: 20 }), (of, changed, all, swap, items) => {
        const next = swap ? { ...changed, times: { Created: aTime('closed_at'), Closed: aTime('created_at') } } : changed;
        for (const now of daysGoingEarlier([of, all], [next, all], items)) expect(compareRules(normal(of, all, now), normal(next, all, now), 'views')).toBeDefined();
      }),
      { numRuns: runs(80) },
    );
  });

  const one = { maximum: aMaximum('P25M') };
  const least = ruled('least', { minimum: aMinimum('P1Y') });
  const of = aCollection();
  const { client: _client, ...withoutClient } = of;

  const narrower: [string, Rules, Rules][] = [
    ['a longer maximum', [of, [ruled('p0', one)]], [of, [ruled('p0', { maximum: aMaximum('P26M') })]]],
    ['the same period in other words', [of, [ruled('p0', { maximum: aMaximum('P24M') })]], [of, [ruled('p0', { maximum: aMaximum('P2Y') })]]],
    ['rounding up', [of, [ruled('p0', one)]], [of, [ruled('p0', { maximum: aMaximum('P25M', { roundUp: 'EndOfYear' }) })]]],
    ['a new minimum', [of, [ruled('p0', one)]], [of, [ruled('p0', one), least]]],
    ['a longer minimum', [of, [ruled('p0', one), least]], [of, [ruled('p0', one), ruled('least', { minimum: aMinimum('P2Y') })]]],
    ['another basis', [of, [ruled('p0', one)]], [of, [ruled('p0', { maximum: aMaximum('P25M', { basis: { type: 'Consent', reference: 'x' } }) })]]],
    ['losing to a shorter maximum of another policy', [of, [ruled('p0', one)]], [of, [ruled('p0', one), ruled('p1', { maximum: aMaximum('P1Y') })]]],
    ['no longer being selected', [of, [ruled('p0', one)]], [{ ...of, categories: ['system'] }, [ruled('p0', one)]]],
    ['a lost start event', [of, [ruled('p0', one)]], [{ ...of, times: {} }, [ruled('p0', one)]]],
  ];
  test.each(narrower)('asks for nobody: %s', (_, before, after) => {
    expect(compareRules(normal(...before), normal(...after), 'views')).toBeUndefined();
  });

  const wider: [string, Rules, Rules, string][] = [
    ['a shorter maximum', [of, [ruled('p0', one)]], [of, [ruled('p0', { maximum: aMaximum('P2M') })]], 'the maximum went from P25M to P2M'],
    ['thirty days for a month', [of, [ruled('p0', { maximum: aMaximum('P1M') })]], [of, [ruled('p0', { maximum: aMaximum('P30D') })]], 'the maximum went from P1M to P30D'],
    ['rounding no longer', [of, [ruled('p0', { maximum: aMaximum('P25M', { roundUp: 'EndOfYear' }) })]], [of, [ruled('p0', one)]], 'rows become due earlier'],
    ['another event', [of, [ruled('p0', one)]], [of, [ruled('p0', { maximum: aMaximum('P25M', { from: 'Closed' }) })]], 'other rows or another clock'],
    ['another field behind the event', [of, [ruled('p0', one)]], [{ ...of, times: { Created: aTime('closed_at') } }, [ruled('p0', one)]], 'other rows or another clock'],
    ['another zone', [of, [ruled('p0', one)]], [of, [ruled('p0', { ...one, timeZone: 'Asia/Tokyo' })]], 'other rows or another clock'],
    ['other rows', [of, [ruled('p0', { ...one, rows: { where: [{ field: 'status', operator: 'Exists' }] } })]], [of, [ruled('p0', one)]], 'other rows or another clock'],
    ['other clients', [of, [ruled('p0', { ...one, clients: { keys: ['a'] } })]], [of, [ruled('p0', { ...one, clients: { keys: ['a', 'b'] } })]], 'other rows or another clock'],
    ['another client key', [of, [ruled('p0', { ...one, clients: { keys: ['a'] } })]], [{ ...of, client: { value: 'a' } }, [ruled('p0', { ...one, clients: { keys: ['a'] } })]], 'other rows or another clock'],
    ["a client's own rule that is gone", [of, [ruled('p0', one), ruled('own', { maximum: aMaximum('P10Y'), clients: { keys: ['a'] } })]], [of, [ruled('p0', one)]], 'other rows or another clock'],
    ['a client key that turns up where a rule for single clients made the general one inert', [withoutClient, [ruled('p0', one), ruled('own', { maximum: aMaximum('P10Y'), clients: { keys: ['a'] } })]], [of, [ruled('p0', one), ruled('own', { maximum: aMaximum('P10Y'), clients: { keys: ['a'] } })]], 'other rows or another clock'],
    ['winning where another policy won before', [of, [ruled('p0', one), ruled('p1', { maximum: aMaximum('P1Y') })]], [of, [ruled('p0', one)]], 'other rows or another clock'],
    ['a removed minimum', [of, [ruled('p0', one), least]], [of, [ruled('p0', one)]], 'a minimum of P1Y that protected rows is gone or shorter'],
    ['a shorter minimum', [of, [ruled('p0', one), least]], [of, [ruled('p0', one), ruled('least', { minimum: aMinimum('P6M') })]], 'a minimum of P1Y that protected rows is gone or shorter'],
    ['a minimum that lacked its event and now has it', [{ ...of, times: { Created: aTime('created_at') } }, [ruled('p0', one), ruled('least', { minimum: aMinimum('P1Y', { from: 'Closed' }) })]], [of, [ruled('p0', one), ruled('least', { minimum: aMinimum('P1Y', { from: 'Closed' }) })]], 'a minimum of P1Y'],
    ['another table', [of, [ruled('p0', one)]], [{ ...of, table: { schema: 'public', name: 'orders' } }, [ruled('p0', one)]], 'now means table public.orders, not public.views'],
  ];
  test.each(wider)('asks for a person: %s', (_, before, after, words) => {
    expect(compareRules(normal(...before), normal(...after), 'views')).toMatchObject({ reason: 'RuleChanged', message: expect.stringContaining(words) });
  });

  test('a minimum is not called gone because another client got a rule of its own', () => {
    const before = normal(of, [ruled('p0', { ...one, clients: { keys: ['a'] } }), least]);
    const after = normal(of, [ruled('p0', { ...one, clients: { keys: ['a'] } }), least, ruled('own', { maximum: aMaximum('P10Y'), clients: { keys: ['b'] } })]);
    expect(compareRules(before, after, 'views')).toBeUndefined();
  });

  test('thirty days for a month asks for a person on the day they are the shorter ones, though another policy was shorter before', () => {
    const month = ruled('p1', { maximum: aMaximum('P1M') });
    const before: Rules = [of, [ruled('p0', { maximum: aMaximum('P1M') }), month]];
    const after: Rules = [of, [ruled('p0', { maximum: aMaximum('P30D') }), month]];
    const february = '2026-03-15T12:00:00Z';
    const august = '2026-08-15T12:00:00Z';
    expect(compareRules(normal(...before, august), normal(...after, february), 'views')).toBeUndefined();
    expect(compareRules(normal(...before, august), normal(...after, august), 'views')).toMatchObject({ reason: 'RuleChanged', message: expect.stringContaining('from P1M to P30D') });
  });

  test('a first run asks for a person', () => {
    expect(compareRules(undefined, normal(of, [ruled('p0', one)]), 'views')).toEqual({ reason: 'FirstRun', message: 'views: no run under this policy has been approved and verified yet' });
  });

  test('a rule says the same after it was stored as JSON', () => {
    fc.assert(
      fc.property(collection, policies, (some, all) => {
        const stored = JSON.parse(JSON.stringify(normal(some, all))) as NormalRule;
        expect(stored).toEqual(normal(some, all));
      }),
    );
  });
});

describe('how far the cutoff moves', () => {
  const table: [string, string | undefined, string, string, boolean][] = [
    ['no verified run yet says nothing here', undefined, 'P2M', 'P7D', false],
    ['seven days within P7D', '2024-01-25', 'P25M', 'P7D', false],
    ['eight days are more than P7D', '2024-01-24', 'P25M', 'P7D', true],
    ['a mistyped P2M for P25M', '2024-02-01', 'P2M', 'P7D', true],
    ['back is never too far', '2025-06-01', 'P25M', 'P7D', false],
    ['a month allows its longest', '2024-01-01', 'P25M', 'P1M', false],
    ['a stored instant counts by its date', '2024-01-24T00:00:00Z', 'P25M', 'P7D', true],
  ];
  test.each(table)('%s', (_, last, period, limit, asks) => {
    const reason = compareCutoffs(last, cutoff('2026-03-01T12:00:00Z', period, 'UTC'), limit, 'views');
    expect(reason?.reason).toBe(asks ? 'CutoffAdvance' : undefined);
    if (asks) expect(reason?.message).toMatch(/^views: the cutoff would move \d+ days, from 20.* to .*; limits\.maxCutoffAdvance is P/);
  });

  test('the latest cutoff of several maxima counts, and guards do not', () => {
    const all = [aPolicy('p0', { maximum: aMaximum('P2Y') }), aPolicy('p1', { maximum: aMaximum('P1Y', { from: 'Closed' }) }), aPolicy('p2', { minimum: aMinimum('P1M') })];
    const [rule] = ruleset(effectiveRules([aCollection()], all, NOW), { now: NOW });
    expect(rule && latestCutoff(rule)?.localDate).toBe('2025-03-01');
    const [none] = ruleset(effectiveRules([aCollection()], all.slice(2), NOW), { now: NOW });
    expect(none && latestCutoff(none)).toBeUndefined();
  });
});
