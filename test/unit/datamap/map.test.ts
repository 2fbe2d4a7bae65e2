import { describe, expect, test } from '@jest/globals';
import { getCondition } from '../../../src/api/conditions.ts';
import type { DataMap, DataMapStatus } from '../../../src/api/generated/dataMap.ts';
import { judgeMap, type MapVerdict } from '../../../src/datamap/plan.ts';
import { dataMapStatus } from '../../../src/datamap/status.ts';
import { aMap, anInventory, aStore, aTable } from '../../support/declared.ts';

const NOW = Date.parse('2026-03-02T12:00:00Z');
const inventory = anInventory([aTable('views', ['id']), aTable('sessions', ['id'])]);
const judge = (map: DataMap, others: DataMap[] = [], store = aStore()): MapVerdict => judgeMap(map, store, { maps: [map, ...others], policies: [], holds: [], namespaces: new Map([['shop', {}]]), rootNamespace: 'x' }, inventory);
const of = (status: DataMapStatus, type: string): string => `${getCondition(status.conditions, type)?.status} ${getCondition(status.conditions, type)?.reason}`;
const both = (verdict: MapVerdict): string[] => [of(dataMapStatus(aMap([{}]), verdict, NOW), 'Resolved'), of(dataMapStatus(aMap([{}]), verdict, NOW), 'Accepted')];
const foreign = aMap([{ table: { schema: 'public', name: 'gone' } }], { storeRef: { namespace: 'platform-db', name: 'analytics' } }, { namespace: 'shop' });

describe('a map', () => {
  const table: [string, MapVerdict, string[]][] = [
    ['that names what exists is resolved and accepted', judge(aMap([{}])), ['True Resolved', 'True Accepted']],
    ['that names a table that is missing is not resolved', judge(aMap([{ table: { schema: 'public', name: 'gone' } }])), ['False MissingTable', 'True Accepted']],
    ['beside another on the same table overlaps', judge(aMap([{}]), [aMap([{}], {}, { name: 'ads' })]), ['False MapOverlap', 'True Accepted']],
    ['beside another on another table does not', judge(aMap([{}]), [aMap([{ table: { schema: 'public', name: 'sessions' } }], {}, { name: 'ads' })]), ['True Resolved', 'True Accepted']],
    ['of another namespace is told both what is wrong and that it is not let in', judge(foreign), ['False MissingTable', 'False NotAllowed']],
    ['does not overlap with one the store refuses', judge(aMap([{}]), [aMap([{}], { storeRef: { namespace: 'platform-db', name: 'analytics' } }, { namespace: 'shop', name: 'ads' })]), ['True Resolved', 'True Accepted']],
    ['of a store that could not be read is unknown', { problems: [], collections: 0, tables: 0, failure: { reason: 'Unreachable', message: 'no answer' } }, ['Unknown Unreachable', 'Unknown Unreachable']],
  ];
  test.each(table)('%s', (_, verdict, conditions) => {
    expect(both(verdict)).toEqual(conditions);
  });

  test('counts collections and tables, and hears only of its own problems', () => {
    const verdict = judge(aMap([{ table: { schema: 'public', name: '*' } }]), [aMap([{ table: { schema: 'public', name: 'gone' } }], {}, { name: 'ads' })]);
    expect(verdict).toEqual({ problems: [], collections: 1, tables: 2 });
  });

  test('of another namespace that the store refuses is told why, and is judged by itself: others are not its business', () => {
    const outside = aMap([{}], { storeRef: { namespace: 'platform-db', name: 'analytics' } }, { namespace: 'shop', uid: 'uid-theirs' });
    const verdict = judge(outside, [aMap([{}], {}, { uid: 'uid-ours' })]);
    expect(verdict).toMatchObject({ problems: [], refused: expect.stringMatching(/./) });
    expect(judge(aMap([{}]))).not.toHaveProperty('refused');
  });

  test('says of one problem that, and of two that there is another', () => {
    const message = (count: number): string | undefined => getCondition(dataMapStatus(aMap([{}]), { problems: Array.from({ length: count }, (_, index) => ({ reason: 'MissingTable', collection: 'c', message: `m${index}` })), collections: 2, tables: 0 }, NOW).conditions, 'Resolved')?.message;
    expect([message(1), message(2)]).toEqual(['m0', 'm0 (and 1 more)']);
  });

  test('keeps the columns of tables it calls non-personal as first seen, also while the store cannot be read', () => {
    const map = aMap([], { nonPersonal: [{ table: { schema: 'public', name: 'views' }, reason: 'x', by: 'y', reviewAt: '2027-01-01' }] });
    const pinned = [{ table: 'public.views', statement: expect.stringMatching(/^[0-9a-f]{16}$/), columns: ['id'] }];
    const first = dataMapStatus(map, judge(map), NOW);
    expect(first.pinned).toEqual(pinned);
    const grown = anInventory([aTable('views', ['id', 'e_mail'])]);
    expect(getCondition(first.conditions, 'Lapsed')).toBeUndefined();
    const again = { ...map, status: first };
    const declared = { maps: [again], policies: [], holds: [], namespaces: new Map(), rootNamespace: 'x' };
    expect(dataMapStatus(again, judgeMap(again, aStore(), declared, grown), NOW).pinned).toEqual(pinned);
    expect(dataMapStatus(again, { problems: [], collections: 0, tables: 0, failure: { reason: 'Unreachable', message: 'no answer' } }, NOW).pinned).toEqual(pinned);
    expect(dataMapStatus({ ...aMap([{}]), status: first }, judge(aMap([{}])), NOW)).not.toHaveProperty('pinned');
  });

  test('tells its owner which statement lapsed, until it is made anew', () => {
    const nonPersonal = [{ table: { schema: 'public', name: '*' }, reason: 'x', by: 'y', reviewAt: '2027-01-01' }];
    const map = aMap([], { nonPersonal });
    const grown = anInventory([aTable('views', ['id', 'e_mail']), aTable('sessions', ['id', 'ip'])]);
    const look = (of: DataMap): DataMapStatus => dataMapStatus(of, judgeMap(of, aStore(), { maps: [of], policies: [], holds: [], namespaces: new Map(), rootNamespace: 'x' }, grown), NOW);
    const lapsed = look({ ...map, status: dataMapStatus(map, judge(map), NOW) });
    expect(getCondition(lapsed.conditions, 'Lapsed')).toMatchObject({ status: 'True', reason: 'Unclassified', message: 'spec.nonPersonal speaks of table public.sessions as it was before it had column ip (and 1 more); describe the table under collections, or make the statement anew, with another reviewAt' });
    const unread = dataMapStatus({ ...map, status: lapsed }, { problems: [], collections: 0, tables: 0, failure: { reason: 'Unreachable', message: 'no answer' } }, NOW);
    expect(of(unread, 'Lapsed')).toBe('True Unclassified');
    const renewed = look({ ...aMap([], { nonPersonal: nonPersonal.map((entry) => ({ ...entry, reviewAt: '2028-01-01' })) }), status: lapsed });
    expect(getCondition(renewed.conditions, 'Lapsed')).toBeUndefined();
    const many = anInventory(Array.from({ length: 502 }, (_, index) => aTable(`t${1000 + index}`, ['id'])));
    expect(judgeMap(map, aStore(), { maps: [map], policies: [], holds: [], namespaces: new Map(), rootNamespace: 'x' }, many).lapsed).toMatch(/^spec.nonPersonal speaks of 2 tables more than can be watched .* public.t1500 among them; put some/);
  });

  test('shows fifty problems and counts the rest', () => {
    const problems = Array.from({ length: 60 }, (_, index) => ({ reason: 'MissingTable', collection: 'c', message: `m${index}` }));
    const status = dataMapStatus(aMap([{}]), { problems, collections: 60, tables: 0 }, NOW);
    expect([status.missing?.length, status.truncated, getCondition(status.conditions, 'Resolved')?.message]).toEqual([50, 10, 'm0 (and 59 more)']);
  });

  test('keeps transition times until a condition turns', () => {
    const first = dataMapStatus(aMap([{}]), judge(aMap([{}])), NOW);
    const map = { ...aMap([{}]), status: first };
    expect(dataMapStatus(map, judge(map), NOW + 60_000).conditions).toEqual(first.conditions);
    const gone = dataMapStatus(map, judge(aMap([{ table: { schema: 'public', name: 'gone' } }])), NOW + 60_000);
    expect(getCondition(gone.conditions, 'Resolved')?.lastTransitionTime).toBe('2026-03-02T12:01:00Z');
    expect(getCondition(gone.conditions, 'Accepted')?.lastTransitionTime).toBe('2026-03-02T12:00:00Z');
  });
});
