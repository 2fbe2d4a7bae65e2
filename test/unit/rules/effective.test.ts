import { describe, expect, test } from '@jest/globals';
import type { RetentionPolicy } from '../../../src/api/generated/retentionPolicy.ts';
import { effectiveRules, oldestDueSince, type EffectiveCollection } from '../../../src/rules/effective.ts';
import type { MappedCollection } from '../../../src/rules/collections.ts';
import { aCollection, aMaximum, aMinimum, aPolicy } from '../../support/declared.ts';
import { collection, NOW, policies } from './generated.ts';
import { fc } from '../../support/properties.ts';

function effective(all: readonly RetentionPolicy[], of: MappedCollection = aCollection(), now = NOW): EffectiveCollection {
  const [one] = effectiveRules([of], all, now);
  if (!one) throw new Error('no effective rule');
  return one;
}

const names = (rules: readonly { policy: { name: string } }[]): string[] => rules.map((rule) => rule.policy.name);

describe('of maxima that speak of the same rows', () => {
  test('the shortest decides, and the loser is told who won', () => {
    const { maxima, losers } = effective([aPolicy('long', { maximum: aMaximum('P2Y') }), aPolicy('short', { maximum: aMaximum('P1Y') })]);
    expect(names(maxima)).toEqual(['short']);
    expect(losers).toEqual([{ policy: { namespace: 'platform-db', name: 'long', uid: 'uid-long' }, because: 'platform-db/short has the shorter maximum P1Y from Created' }]);
  });

  test('a month and thirty days are compared on the day, and one of them decides', () => {
    const both = [aPolicy('days', { maximum: aMaximum('P30D') }), aPolicy('month', { maximum: aMaximum('P1M') })];
    expect(names(effective(both, aCollection(), '2026-03-15T00:00:00Z').maxima)).toEqual(['month']);
    expect(names(effective(both, aCollection(), '2026-08-15T00:00:00Z').maxima)).toEqual(['days']);
  });

  test('rounding up makes a period longer', () => {
    expect(names(effective([aPolicy('rounded', { maximum: aMaximum('P1Y', { roundUp: 'EndOfYear' }) }), aPolicy('exact', { maximum: aMaximum('P1Y') })]).maxima)).toEqual(['exact']);
  });

  test('of two zones that agree on the date the one whose day begins later makes more rows due', () => {
    const zones = [aPolicy('a-berlin', { maximum: aMaximum('P1Y'), timeZone: 'Europe/Berlin' }), aPolicy('b-new-york', { maximum: aMaximum('P1Y'), timeZone: 'America/New_York' })];
    expect(names(effective(zones).maxima)).toEqual(['b-new-york']);
  });

  test('another event, other rows or other clients are another scope: both decide', () => {
    const apart = [
      aPolicy('general', { maximum: aMaximum('P1Y') }),
      aPolicy('closed', { maximum: aMaximum('P2Y', { from: 'Closed' }) }),
      aPolicy('rows', { maximum: aMaximum('P2Y'), rows: { where: [{ field: 'status', operator: 'Exists' }] } }),
      aPolicy('client', { maximum: aMaximum('P2Y'), clients: { keys: ['a'] } }),
    ];
    const { maxima, losers, ownRuleClients } = effective(apart);
    expect(names(maxima).toSorted()).toEqual(['client', 'closed', 'general', 'rows']);
    expect(losers).toEqual([]);
    expect(ownRuleClients).toEqual(['a']);
  });

  test('exactly one decides in each scope, and no policy is both', () => {
    fc.assert(
      fc.property(collection, policies, (of, all) => {
        const { maxima, losers } = effective(all, of);
        const scopes = maxima.map((rule) => JSON.stringify([rule.event, rule.rows, rule.clients ?? null]));
        expect(new Set(scopes).size).toBe(scopes.length);
        expect(names(losers).filter((name) => names(maxima).includes(name))).toEqual([]);
      }),
    );
  });
});

describe('minimums', () => {
  test('all stand side by side, the longest hiding none', () => {
    expect(names(effective([aPolicy('a', { minimum: aMinimum('P1Y') }), aPolicy('b', { minimum: aMinimum('P8Y') })]).minimums)).toEqual(['a', 'b']);
  });

  test('that start at an event the collection does not declare are named', () => {
    const { withoutStartEvent, minimums } = effective([aPolicy('a', { minimum: aMinimum('P1Y', { from: 'Paid' }) })]);
    expect(withoutStartEvent.map((ref) => ref.name)).toEqual(['a']);
    expect(minimums[0]).not.toHaveProperty('time');
  });

  test('whose rows name a column the collection lacks are named', () => {
    expect(effective([aPolicy('a', { minimum: aMinimum('P1Y'), rows: { where: [{ field: 'kind', operator: 'Exists' }] } })]).withoutColumn.map((ref) => ref.name)).toEqual(['a']);
  });
});

describe('a conflict', () => {
  const two = aPolicy('two-years', { maximum: aMaximum('P2Y') });

  test('six years at least and two at most: reported with both periods and whose word is law', () => {
    expect(effective([two, aPolicy('books', { minimum: aMinimum('P6Y') })]).conflict).toBe(
      'minimum P6Y of platform-db/books (a legal obligation) ends after maximum P2Y of platform-db/two-years; the rows in between are kept until one of the two is changed',
    );
  });

  test('with a minimum that is not law says that it should not lengthen a maximum', () => {
    const wish = aPolicy('wish', { minimum: aMinimum('P6Y', { basis: { type: 'Contract', reference: 'DPA 1' } }) });
    expect(effective([two, wish]).conflict).toMatch(/not a legal obligation, so it should not lengthen a maximum/);
  });

  const none: [string, RetentionPolicy[]][] = [
    ['a shorter minimum', [two, aPolicy('books', { minimum: aMinimum('P1Y') })]],
    ['an equal minimum', [two, aPolicy('books', { minimum: aMinimum('P2Y') })]],
    ['a minimum without a maximum', [aPolicy('books', { minimum: aMinimum('P6Y') })]],
    ['a minimum for other clients', [aPolicy('a', { maximum: aMaximum('P2Y'), clients: { keys: ['a'] } }), aPolicy('books', { minimum: aMinimum('P6Y'), clients: { keys: ['b'] } })]],
    ['a minimum from another event, whose end the rules alone do not tell', [two, aPolicy('books', { minimum: aMinimum('P6Y', { from: 'Closed' }) })]],
  ];
  test.each(none)('is none: %s', (_, all) => {
    expect(effective(all).conflict).toBeUndefined();
  });
});

test('the answer does not depend on the order of the policies', () => {
  fc.assert(
    fc.property(collection, policies, (of, all) => {
      expect(effective(all.toReversed(), of)).toEqual(effective(all, of));
    }),
  );
});

test('the oldest due row became due when its period ended, by the longest of several maxima', () => {
  const of = effective([aPolicy('a', { maximum: aMaximum('P1Y') }), aPolicy('b', { maximum: aMaximum('P2Y', { from: 'Closed' }) })]);
  expect(oldestDueSince(of, '2020-01-15T12:00:00Z')).toBe('2022-01-16T00:00:00Z');
  expect(oldestDueSince(of, undefined)).toBeUndefined();
  expect(oldestDueSince(effective([]), '2020-01-15T12:00:00Z')).toBeUndefined();
});
