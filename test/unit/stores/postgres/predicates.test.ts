import { describe, expect, test } from '@jest/globals';
import type { Predicate, TimeField } from '../../../../src/stores/predicate.ts';
import { addressesOf, neverUnknown, reachable, startEventOf } from '../../../../src/stores/postgres/predicates.ts';
import type { ResolvedColumn, ResolvedTable } from '../../../../src/stores/postgres/sql.ts';
import { fc } from '../../../support/properties.ts';

const at: TimeField = { path: { via: [], field: 'at' }, type: 'TimestampTZ' };
const ended: TimeField = { path: { via: [{ field: 'client', table: { schema: 'public', name: 'clients' }, toField: 'id' }], field: 'ended' }, type: 'Date' };
const cutoff = { instant: '2024-01-01T00:00:00Z', localDate: '2024-01-01', timeZone: 'UTC' };
const before = (time: TimeField): Predicate => ({ op: 'before', time, cutoff });
const known: Predicate = { op: 'isNull', field: { via: [], field: 'note' } };

test('a predicate looks into the tables it refers to', () => {
  expect(addressesOf({ op: 'and', of: [before(at), { op: 'not', of: { op: 'indeterminate', time: ended, now: cutoff.instant } }, known] })).toEqual([{ schema: 'public', name: 'clients' }]);
});

test('the start event is the time compared with the cutoff, not one that only has to be known', () => {
  expect(startEventOf({ op: 'and', of: [{ op: 'not', of: { op: 'indeterminate', time: at, now: cutoff.instant } }, known, before(ended)] })).toBe(ended);
  expect(startEventOf(known)).toBeUndefined();
  expect(startEventOf(undefined)).toBeUndefined();
});

describe('the rows a rule is about whatever their times', () => {
  test.each<[string, Predicate | undefined, Predicate]>([
    ['without a rule, all', undefined, { op: 'true' }],
    ['the time drops out', { op: 'and', of: [before(at), known] }, { op: 'and', of: [{ op: 'true' }, known] }],
    ['also where its opposite was asked for', { op: 'not', of: { op: 'or', of: [{ op: 'indeterminate', time: at, now: cutoff.instant }, known] } }, { op: 'not', of: { op: 'or', of: [{ op: 'false' }, known] } }],
  ])('%s', (_name, due, expected) => {
    expect(reachable(due)).toEqual(expected);
  });

  test('never fewer than the rule selects', () => {
    const leaf = fc.constantFrom<Predicate>({ op: 'true' }, { op: 'false' }, known, before(at), { op: 'notBefore', time: at, cutoff }, { op: 'indeterminate', time: at, now: cutoff.instant });
    const trees = fc.letrec<{ tree: Predicate }>((tie) => ({
      tree: fc.oneof(leaf, fc.record({ op: fc.constantFrom('and' as const, 'or' as const), of: fc.array(tie('tree'), { maxLength: 3 }) }), tie('tree').map((of): Predicate => ({ op: 'not', of }))),
    })).tree;
    fc.assert(
      fc.property(trees, fc.record({ time: fc.boolean(), known: fc.boolean() }), (due, row) => {
        if (holds(due, row)) expect(holds(reachable(due), row)).toBe(true);
      }),
    );
  });
});

describe('a condition that is known of every row', () => {
  const column = (notNull: boolean): ResolvedColumn => ({ notNull }) as ResolvedColumn;
  const table = { columns: new Map([['client', column(true)], ['note', column(false)]]) } as unknown as ResolvedTable;
  const oneOf = (field: string, via: TimeField['path']['via'] = []): Predicate => ({ op: 'oneOf', field: { via, field }, values: ['a'] });
  const never = oneOf('client');
  const perhaps = oneOf('note');

  test.each<[string, Predicate, boolean]>([
    ['names all of them', { op: 'true' }, true],
    ['names none', { op: 'false' }, true],
    ['asks whether a value is there', known, true],
    ['asks whether a time can be believed', { op: 'indeterminate', time: at, now: cutoff.instant }, true],
    ['compares a column that is never NULL', never, true],
    ['compares a column that may be NULL', perhaps, false],
    ['compares a column beside it, which may not be there', oneOf('client', ended.path.via), false],
    ['compares a time', before(at), false],
    ['compares a time the other way', { op: 'notBefore', time: at, cutoff }, false],
    ['is the opposite of one', { op: 'not', of: never }, true],
    ['is the opposite of one that is not known', { op: 'not', of: perhaps }, false],
    ['is of several that are', { op: 'and', of: [never, known] }, true],
    ['is of several of which one is not', { op: 'and', of: [never, perhaps] }, false],
    ['is one of several of which one is not', { op: 'or', of: [perhaps, never] }, false],
  ])('%s', (_, predicate, sure) => {
    expect(neverUnknown(predicate, table)).toBe(sure);
  });
});

function holds(predicate: Predicate, row: { time: boolean; known: boolean }): boolean {
  switch (predicate.op) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'and':
      return predicate.of.every((part) => holds(part, row));
    case 'or':
      return predicate.of.some((part) => holds(part, row));
    case 'not':
      return !holds(predicate.of, row);
    case 'isNull':
      return row.known;
    default:
      return row.time;
  }
}
