import { describe, expect, test } from '@jest/globals';
import { columnSinceApproval, rememberedRule } from '../../../src/retention/approved-columns.ts';
import type { NormalRule } from '../../../src/rules/weakening.ts';
import type { CollectionRule } from '../../../src/stores/counting.ts';
import type { PinnedTable } from '../../../src/stores/purging.ts';

const at = (name: string): { schema: string; name: string } => ({ schema: 'public', name });
const table = (name: string, number = 3, oid = name): PinnedTable => ({ ...at(name), oid, columns: [{ name: 'created_at', number, type: 'date' }] });
const normal: NormalRule = { algebra: 1, table: 'public.views', maxima: [], minimums: [] };
const rule: CollectionRule = {
  collection: 'views',
  table: at('views'),
  due: { op: 'isNull', field: { via: [{ field: 'owner', table: at('owners'), toField: 'id' }], field: 'created_at' } },
  guards: [],
  times: [],
  acknowledged: [],
};
const remembered = rememberedRule(normal, rule, [table('owners'), table('strangers'), table('views')]);

describe('a rule that is remembered', () => {
  test('carries its own table and those it looks into, as the run knew them', () => {
    expect(JSON.parse(remembered)).toEqual({ ...normal, tables: [table('owners'), table('views')] });
    expect(JSON.parse(rememberedRule(normal, undefined, [table('views')]))).toEqual({ ...normal, tables: [] });
  });

  test.each<[string, PinnedTable[], RegExp | undefined]>([
    ['the same column is there', [table('views'), table('owners')], undefined],
    ['another one has the name in its table', [table('views', 5), table('owners')], /^created_at of public\.views is another column by now \(number 5\).* when a run under it was last approved$/],
    ['another one has the name in a table it looks into', [table('views'), table('owners', 1)], /^created_at of public\.owners is another column by now/],
    ['another one has the name in a table it does not name', [table('views'), table('strangers', 7)], undefined],
    ['another table has the name', [table('views', 5, '2')], undefined],
    ['the plan does not ask for the table', [], undefined],
  ])('asks a person as it should where %s', (_, tables, expected) => {
    const found = columnSinceApproval(remembered, tables);
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(expected);
  });

  test('by an older release says nothing of columns', () => {
    expect(columnSinceApproval(JSON.stringify(normal), [table('views', 5)])).toBeUndefined();
    expect(columnSinceApproval('null', [table('views', 5)])).toBeUndefined();
  });
});
