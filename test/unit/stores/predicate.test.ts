import { describe, expect, test } from '@jest/globals';
import { tableKey, tableName, type TableAddress } from '../../../src/stores/predicate.ts';
import { fc, runs } from '../../support/properties.ts';

const at = (schema: string, name: string): TableAddress => ({ schema, name });

describe('the name of a table', () => {
  test.each<[string, TableAddress, string]>([
    ['is its schema and name', at('public', 'views'), 'public.views'],
    ['leaves case and spaces as they are', at('Public', 'page views'), 'Public.page views'],
    ['quotes a part with a dot', at('a', 'b.c'), 'a."b.c"'],
    ['quotes a part with a quote, which is doubled', at('a"', 'b'), '"a""".b'],
  ])('%s', (_, address, name) => {
    expect(tableName(address)).toBe(name);
  });

  test('and its key tell any two tables apart', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '.', '"'), minLength: 1, maxLength: 4 });
    const address = fc.record({ schema: part, name: part });
    fc.assert(fc.property(address, address, (one, other) => {
      const same = one.schema === other.schema && one.name === other.name;
      expect([tableKey(one) === tableKey(other), tableName(one) === tableName(other)]).toEqual([same, same]);
    }), { numRuns: runs(2_000) });
  });
});
