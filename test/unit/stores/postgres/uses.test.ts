import { describe, expect, test } from '@jest/globals';
import type { Cutoff, FieldPath, Predicate, TableAddress, TimeField } from '../../../../src/stores/predicate.ts';
import { namesRead, usesOf } from '../../../../src/stores/postgres/uses.ts';

const at = (name: string): TableAddress => ({ schema: 'public', name });
const own = (field: string): FieldPath => ({ via: [], field });
const far: FieldPath = { via: [{ field: 'owner_id', table: at('owners'), toField: 'id' }, { field: 'firm_id', table: at('firms'), toField: 'code' }], field: 'person' };
const time: TimeField = { path: own('at'), type: 'Date' };
const cutoff: Cutoff = { instant: '2024-01-01T00:00:00Z', localDate: '2024-01-01', timeZone: 'UTC' };
const oneOf = (field: FieldPath): Predicate => ({ op: 'oneOf', field, values: ['1'] });
const compared = (onlyEqual: boolean) => ({ compared: { values: ['1'], onlyEqual } });

describe('a predicate reads', () => {
  test.each<[string, Predicate, ReturnType<typeof usesOf>]>([
    ['nothing where it is the same for all rows', { op: 'and', of: [{ op: 'true' }, { op: 'false' }] }, []],
    ['a column and the values it may have', oneOf(own('a')), [{ column: 'a', ...compared(true) }]],
    ['a column and the values it may not have', { op: 'not', of: oneOf(own('a')) }, [{ column: 'a', ...compared(false) }]],
    ['a column and the values it may have, said twice over', { op: 'not', of: { op: 'or', of: [{ op: 'not', of: oneOf(own('a')) }] } }, [{ column: 'a', ...compared(true) }]],
    ['a column that is equal to a value', { op: 'compare', field: own('a'), operator: 'Equals', value: '1' }, [{ column: 'a', ...compared(true) }]],
    ['a column that is not', { op: 'compare', field: own('a'), operator: 'NotEquals', value: '1' }, [{ column: 'a', ...compared(false) }]],
    ['a column that is less', { op: 'compare', field: own('a'), operator: 'LessThan', value: '1' }, [{ column: 'a', ...compared(false) }]],
    ['columns whose values it does not compare', { op: 'or', of: [{ op: 'isNull', field: own('a') }, { op: 'jsonOneOf', field: own('b'), keys: [], values: ['1'] }] }, [{ column: 'a' }, { column: 'b' }]],
    ['times', { op: 'and', of: [{ op: 'before', time, cutoff }, { op: 'notBefore', time, cutoff }, { op: 'indeterminate', time, now: '' }] }, [{ column: 'at' }, { column: 'at' }, { column: 'at' }]],
    ['both ends of each way to another table', oneOf(far), [{ column: 'owner_id' }, { table: at('owners'), column: 'id' }, { table: at('owners'), column: 'firm_id' }, { table: at('firms'), column: 'code' }, { table: at('firms'), column: 'person', ...compared(true) }]],
  ])('%s', (_, predicate, expected) => {
    expect(usesOf(predicate)).toEqual(expected);
  });

  test('of each table its names once, of its own also where it comes back to it', () => {
    const back: FieldPath = { via: [{ field: 'parent', table: at('views'), toField: 'id' }], field: 'a' };
    const found = namesRead(usesOf({ op: 'and', of: [oneOf(back), oneOf(own('a')), oneOf(far)] }), at('views'));
    expect([...found.values()].map(({ table, names }) => [table.name, [...names]])).toEqual([['views', ['parent', 'id', 'a', 'owner_id']], ['owners', ['id', 'firm_id']], ['firms', ['code', 'person']]]);
  });
});
