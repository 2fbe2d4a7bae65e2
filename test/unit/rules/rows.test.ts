import { describe, expect, test } from '@jest/globals';
import type { RowCondition } from '../../../src/api/generated/retentionPolicy.ts';
import { allOf, anyOf, rowFields, rowsPredicate } from '../../../src/rules/rows.ts';
import type { Predicate } from '../../../src/stores/predicate.ts';

const field = { via: [], field: 'status' };
const table: [string, RowCondition, Predicate][] = [
  ['In', { field: 'status', operator: 'In', values: ['a', 'b'] }, { op: 'oneOf', field, values: ['a', 'b'] }],
  ['NotIn, unknown for NULL', { field: 'status', operator: 'NotIn', values: ['a'] }, { op: 'not', of: { op: 'oneOf', field, values: ['a'] } }],
  ['Exists', { field: 'status', operator: 'Exists' }, { op: 'not', of: { op: 'isNull', field } }],
  ['DoesNotExist', { field: 'status', operator: 'DoesNotExist' }, { op: 'isNull', field }],
  ['LessThan', { field: 'status', operator: 'LessThan', values: ['5'] }, { op: 'compare', field, operator: 'LessThan', value: '5' }],
  ['GreaterOrEqual', { field: 'status', operator: 'GreaterOrEqual', values: ['5'] }, { op: 'compare', field, operator: 'GreaterOrEqual', value: '5' }],
];

describe('a selection of rows', () => {
  test.each(table)('%s', (_, condition, expected) => {
    expect(rowsPredicate({ where: [condition] })).toEqual(expected);
  });

  test('of all is every row and needs no column', () => {
    expect(rowsPredicate({ all: {} })).toEqual({ op: 'true' });
    expect(rowFields({ all: {} })).toEqual([]);
  });

  test('with several conditions needs all of them', () => {
    const where: RowCondition[] = [{ field: 'status', operator: 'Exists' }, { field: 'kind', operator: 'DoesNotExist' }];
    expect(rowsPredicate({ where })).toMatchObject({ op: 'and', of: [{ op: 'not' }, { op: 'isNull' }] });
    expect(rowFields({ where })).toEqual(['status', 'kind']);
  });
});

test('nothing to fulfil is true, nothing to choose from is false, and one part stands alone', () => {
  expect([allOf([]), allOf([{ op: 'true' }, { op: 'false' }]), anyOf([]), anyOf([{ op: 'true' }])]).toEqual([{ op: 'true' }, { op: 'false' }, { op: 'false' }, { op: 'true' }]);
});
