import { describe, expect, test } from '@jest/globals';
import type { HeldStore, HoldBlock, LegalHold } from '../../../src/api/generated/legalHold.ts';
import { countDue, mayStandIn, nextToCount, reached } from '../../../src/holds/plan.ts';
import type { Declarations } from '../../../src/rules/store-rules.ts';
import { aHold, aStore } from '../../support/declared.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const stands: HeldStore = { namespace: 'platform-db', name: 'analytics', enforcedSince: '2026-01-01T00:00:00Z' };
const beside: HeldStore = { ...stands, name: 'orders' };

describe('the rows that a hold keeps in a store are counted', () => {
  test.each<[string, HeldStore, boolean]>([
    ['not where it does not stand', { namespace: 'platform-db', name: 'analytics' }, false],
    ['not where it does not stand any more, whenever that was counted', { namespace: 'platform-db', name: 'analytics', countedAt: '2026-02-01T00:00:00Z' }, false],
    ['once for its words', stands, true],
    // The store counts at half past one each night.
    ['when the store is, since', { ...stands, countedAt: '2026-02-28T12:00:00Z' }, true],
    ['not again before that', { ...stands, countedAt: '2026-03-01T11:00:00Z' }, false],
  ])('%s', (_, held, due) => {
    expect(countDue(aHold([{}]), aStore(), held, NOW)).toBe(due);
  });

  test.each<[string, LegalHold['status'], boolean]>([
    ['in a store that the status shows', { truncated: 3, revision: 1, stores: [beside, stands] }, true],
    ['not in one it has no room for, which would be counted for ever', { truncated: 3, revision: 1, stores: [beside, { ...stands, namespace: 'shop' }] }, false],
    ['not in one it has no room for, where it shows none', { truncated: 1, revision: 1 }, false],
    ['where it has room for all', { truncated: 0, revision: 1, stores: [beside] }, true],
    ['where it says nothing of that', { revision: 1, stores: [beside] }, true],
    ['where it was cut off for earlier words', { truncated: 3, revision: 0, stores: [beside] }, true],
  ])('%s', (_, status, due) => {
    expect(countDue(aHold([{}], {}, {}, status), aStore(), stands, NOW)).toBe(due);
  });
});

describe('of several stores that are to be counted', () => {
  const due = (countExact?: boolean): { held: HeldStore } => ({ held: { ...stands, ...(countExact === undefined ? {} : { countExact }) } });

  test('one that was never tried, or was counted whole, comes before those whose last try failed', () => {
    const [failed, whole, fresh] = [due(false), due(true), due()];
    expect([nextToCount([failed, fresh], NOW), nextToCount([failed, whole], NOW), nextToCount([failed, whole, fresh], NOW)]).toEqual([{ next: fresh, more: false }, { next: whole, more: false }, { next: whole, more: true }]);
  });

  test('those whose last try failed come by turns of a minute, each, and no look follows at once', () => {
    const failed = [due(false), due(false), due(false)];
    const turns = [0, 1, 2, 3].map((minute) => nextToCount(failed, NOW + minute * 60_000));
    expect(new Set(turns.slice(0, 3).map((turn) => failed.indexOf(turn!.next)))).toEqual(new Set([0, 1, 2]));
    expect([turns[3], nextToCount(failed, NOW + 30_000), turns.some((turn) => turn?.more)]).toEqual([turns[0], turns[0], false]);
  });

  test('there may be none', () => {
    expect(nextToCount([], NOW)).toBeUndefined();
  });
});

describe('a hold reaches', () => {
  const [analytics, orders, elsewhere] = [aStore(), aStore({}, { name: 'orders', uid: 'uid-orders' }), aStore({}, { namespace: 'shop', uid: 'uid-shop' })];
  const stores = [analytics, orders, elsewhere];
  const list: Declarations = { maps: [], policies: [], holds: [], namespaces: new Map([['platform-db', {}], ['shop', {}]]), rootNamespace: 'dataward-system' };
  const named = (...names: string[]): Partial<HoldBlock>[] => names.map((name) => ({ stores: { names: [name] } }));

  test.each<[string, LegalHold, object[]]>([
    ['each store that one of its blocks selects', aHold(named('orders', 'nowhere')), [orders]],
    ['the stores of its namespace and no namesake elsewhere', aHold(named('analytics')), [analytics]],
    ['a store it stood in, whatever it selects now, and no namesake', aHold(named('nowhere'), {}, {}, { stores: [stands] }), [analytics]],
  ])('%s', (_, hold, found) => {
    expect(reached(hold, stores, list)).toEqual(found);
    expect(mayStandIn(hold, stores, list)).toEqual(found);
  });

  test('stores that the object stood in for which it was created again', () => {
    const copy = aHold(named('nowhere'), {}, { namespace: 'dataward-system', uid: 'uid-copy', annotations: { 'dataward.io/moved-uids': 'uid-matter-1' } });
    const former = aHold([{}], {}, { deletionTimestamp: '2026-03-01T00:00:00Z' }, { stores: [beside] });
    expect(reached(copy, stores, { ...list, holds: [copy, former] })).toEqual([orders]);
  });

  test('every store perhaps, where its status had no room for all: those are asked when it ends', () => {
    const hold = aHold(named('orders'), {}, {}, { stores: [beside], truncated: 1 });
    expect([mayStandIn(hold, stores, list), reached(hold, stores, list)]).toEqual([stores, [orders]]);
  });
});
