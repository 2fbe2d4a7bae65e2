import { describe, expect, test } from '@jest/globals';
import type { RetentionPolicy } from '../../../src/api/generated/retentionPolicy.ts';
import type { MappedCollection } from '../../../src/rules/collections.ts';
import { effectiveRules } from '../../../src/rules/effective.ts';
import { inertBecause, ruleset } from '../../../src/rules/ruleset.ts';
import type { CollectionRule } from '../../../src/stores/counting.ts';
import { aCollection, aMaximum, aMinimum, aPolicy, aPurge, aTime } from '../../support/declared.ts';
import { collection, judge, NOW, policies, row } from './generated.ts';
import { deletable, truth, type Row } from './truth.ts';
import { fc, runs } from '../../support/properties.ts';

function ruleFor(of: MappedCollection, all: readonly RetentionPolicy[], policyUid?: string, now = NOW): CollectionRule {
  const [rule] = ruleset(effectiveRules([of], all, now), { now, ...(policyUid === undefined ? {} : { policyUid }) });
  if (!rule) throw new Error('no rule for the collection');
  return rule;
}

describe('a row', () => {
  test('may go exactly where a maximum that speaks of it is over and no minimum keeps it', () => {
    fc.assert(
      fc.property(collection, policies, fc.array(row, { minLength: 8, maxLength: 8 }), (of, all, items) => {
        const rule = ruleFor(of, all);
        for (const item of items) {
          const { due, kept } = judge(item, of, all, NOW);
          expect({ item, goes: deletable(rule, item) }).toEqual({ item, goes: due && !kept });
          expect(rule.guards.every((guard) => truth(guard.predicate, item) === false)).toBe(!kept);
        }
      }),
      { numRuns: runs(200) },
    );
  });

  test('goes under a policy only where that policy has the deciding maximum, and under some policy where it may go at all', () => {
    fc.assert(
      fc.property(collection, policies, row, (of, all, item) => {
        const under = all.filter((policy) => deletable(ruleFor(of, all, policy.metadata.uid), item));
        for (const policy of under) expect(judge(item, of, all, NOW, policy.metadata.uid)).toEqual({ due: true, kept: false });
        expect(under.length > 0).toBe(deletable(ruleFor(of, all), item));
      }),
      { numRuns: runs(200) },
    );
  });

  test('is judged the same whatever the order of the policies', () => {
    fc.assert(
      fc.property(collection, policies, (of, all) => {
        expect(ruleFor(of, all.toReversed())).toEqual(ruleFor(of, all));
      }),
    );
  });

  test('never goes because a policy with only a minimum was added', () => {
    fc.assert(
      fc.property(collection, policies, fc.constantFrom('P1D', 'P1Y'), row, (of, all, period, item) => {
        const more = [...all, aPolicy('another', { minimum: aMinimum(period) })];
        if (deletable(ruleFor(of, more), item)) expect(deletable(ruleFor(of, all), item)).toBe(true);
      }),
    );
  });
});

const OLD = '2020-06-01T12:00:00Z';
const general = aPolicy('general', { maximum: aMaximum('P1Y') });

describe('what decides about an old row', () => {
  const base: Row = { created_at: OLD, closed_at: OLD, client: 'a', status: 'closed' };
  const table: [string, MappedCollection, RetentionPolicy[], Row, boolean][] = [
    ['a maximum that is over lets it go', aCollection(), [general], base, true],
    ['without a rule it stays', aCollection(), [], base, false],
    ['with only a minimum it stays', aCollection(), [aPolicy('least', { minimum: aMinimum('P1M') })], base, false],
    ['a NULL start stays', aCollection(), [general], { ...base, created_at: null }, false],
    ['a start in the future stays', aCollection(), [general], { ...base, created_at: '2031-01-01T00:00:00Z' }, false],
    ['an infinite start stays', aCollection(), [general], { ...base, created_at: '-infinity' }, false],
    ['an implausible start stays', aCollection({ times: { Created: aTime('created_at', { plausibleFrom: '2021-01-01' }) } }), [general], base, false],
    ['without the start event of the maximum it stays', aCollection({ times: {} }), [general], base, false],
    ['without the start event of a minimum it stays', aCollection(), [general, aPolicy('least', { minimum: aMinimum('P1M', { from: 'Paid' }) })], base, false],
    ['without the column a minimum asks for it stays', aCollection(), [general, aPolicy('least', { minimum: aMinimum('P1M'), rows: { where: [{ field: 'kind', operator: 'Exists' }] } })], base, false],
    ['a minimum of a suspended policy in mode Observe keeps it all the same', aCollection(), [general, aPolicy('least', { minimum: aMinimum('P10Y'), maximum: aMaximum('P12Y'), purge: aPurge({ mode: 'Observe', suspend: true }) })], base, false],
    ['a minimum that is over lets it go', aCollection(), [general, aPolicy('least', { minimum: aMinimum('P2Y') })], base, true],
    ['a category of a single field does not select it for deletion', aCollection({ categories: [], fieldCategories: ['user.behavior'] }), [general], base, false],
    ['a category of a single field brings a minimum', aCollection({ fieldCategories: ['user.contact.email'] }), [general, aPolicy('least', { collections: { categories: ['user.contact'] }, minimum: aMinimum('P10Y') })], base, false],
    ['where two maps claim its table it stays', aCollection({ problems: [{ reason: 'MapOverlap', collection: 'x', message: 'x' }] }), [general], base, false],
    ['another problem of the map does not stop it', aCollection({ problems: [{ reason: 'MissingColumn', collection: 'x', message: 'x' }] }), [general], base, true],
    ["a client's own longer maximum replaces the general one", aCollection(), [general, aPolicy('own', { maximum: aMaximum('P10Y'), clients: { keys: ['a'] } })], base, false],
    ["another client's own maximum does not", aCollection(), [general, aPolicy('own', { maximum: aMaximum('P10Y'), clients: { keys: ['b'] } })], base, true],
    ["a client's own maximum whose event is missing here still replaces the general one", aCollection(), [general, aPolicy('own', { maximum: aMaximum('P10Y', { from: 'Paid' }), clients: { keys: ['a'] } })], base, false],
    ['a row of no client stays where some client has a rule of its own', aCollection(), [general, aPolicy('own', { maximum: aMaximum('P10Y'), clients: { keys: ['b'] } })], { ...base, client: null }, false],
    ['a row of no client goes where nobody has', aCollection(), [general], { ...base, client: null }, true],
    ['a table of one client follows its own rule', aCollection({ client: { value: 'a' } }), [general, aPolicy('own', { maximum: aMaximum('P10Y'), clients: { keys: ['a'] } })], base, false],
    ['a table of another client follows the general rule', aCollection({ client: { value: 'c' } }), [general, aPolicy('own', { maximum: aMaximum('P10Y'), clients: { keys: ['a'] } })], base, true],
    ['a selection of rows that is unknown for it leaves it', aCollection(), [aPolicy('some', { maximum: aMaximum('P1Y'), rows: { where: [{ field: 'status', operator: 'NotIn', values: ['open'] }] } })], { ...base, status: null }, false],
    ['a minimum whose selection of rows is unknown for it keeps it', aCollection(), [general, aPolicy('least', { minimum: aMinimum('P10Y'), rows: { where: [{ field: 'status', operator: 'In', values: ['open'] }] } })], { ...base, status: null }, false],
    ['a minimum for other rows does not', aCollection(), [general, aPolicy('least', { minimum: aMinimum('P10Y'), rows: { where: [{ field: 'status', operator: 'In', values: ['open'] }] } })], base, true],
  ];
  test.each(table)('%s', (_, of, all, item, goes) => {
    expect(deletable(ruleFor(of, all), item)).toBe(goes);
  });

  test('a collection without client key is not touched by rules for single clients, nor by the general rule beside them', () => {
    const { client: _client, ...without } = aCollection();
    const own = aPolicy('own', { maximum: aMaximum('P1Y'), clients: { keys: ['a'] } });
    expect(deletable(ruleFor(without, [own]), base)).toBe(false);
    expect(deletable(ruleFor(without, [own, general]), base)).toBe(false);
    expect(deletable(ruleFor(without, [general]), base)).toBe(true);
  });
});

describe('what a driver is told', () => {
  test('names the table, the client, the acknowledged triggers and every time a rule starts at', () => {
    const rule = ruleFor(aCollection({ acknowledged: ['audit'] }), [general, aPolicy('closed', { minimum: aMinimum('P1M', { from: 'Closed' }) })]);
    expect(rule).toMatchObject({ collection: 'platform-db/web/views', table: { schema: 'public', name: 'views' }, client: { field: 'client' }, acknowledged: ['audit'] });
    expect(rule.times.map((time) => time.path.field).toSorted()).toEqual(['closed_at', 'created_at']);
  });

  test('has guards for all minimums also where the policy of the run deletes nothing', () => {
    const rule = ruleFor(aCollection(), [general, aPolicy('least', { minimum: aMinimum('P10Y') })], 'uid-of-nobody');
    expect(rule.due).toBeUndefined();
    expect(rule.guards.map((guard) => [guard.kind, guard.name])).toEqual([['Minimum', 'platform-db/least']]);
  });

  test('has no column for a client that is found through a reference: counts per client would need a join', () => {
    const of = aCollection({ client: { path: { via: [{ field: 'session', table: { schema: 'public', name: 'sessions' }, toField: 'id' }], field: 'client' } } });
    expect(ruleFor(of, [general])).not.toHaveProperty('client');
  });
});

describe('maxima make no row due', () => {
  const one = { maximum: aMaximum('P1Y'), clients: { keys: ['acme'] } };
  const general = aPolicy('general', { maximum: aMaximum('P1Y') });
  const withKey = aCollection({ times: { Created: aTime('at') }, client: { path: { via: [], field: 'tenant' } } });
  const { client: _none, ...withoutKey } = withKey;
  const overlapping = { ...withKey, problems: [{ collection: withKey.id, reason: 'MapOverlap', message: '' }] } as MappedCollection;
  test.each<[string, MappedCollection, RetentionPolicy[], RegExp | undefined]>([
    ['not where there is none', withKey, [], undefined],
    ['not where one is for all', withKey, [general], undefined],
    ['not where one is for a client whose rows can be told', withKey, [general, aPolicy('one', one)], undefined],
    ['where rows of a client cannot be told, which the general one has to leave alone', withoutKey, [general, aPolicy('one', one)], /no client key/],
    ['where two maps claim the table', overlapping, [general], /two maps/],
  ])('%s', (_, of, all, why) => {
    const [each] = effectiveRules([of], all, NOW);
    if (why === undefined) expect(each && inertBecause(each)).toBeUndefined();
    else expect(each && inertBecause(each)).toMatch(why);
    expect(ruleFor(of, all).due === undefined).toBe(all.length === 0 || why !== undefined);
  });
});
