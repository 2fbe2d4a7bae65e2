import { describe, expect, test } from '@jest/globals';
import { components } from '../../../src/rules/components.ts';
import type { CollectionRule } from '../../../src/stores/counting.ts';
import type { TableFact } from '../../../src/stores/facts.ts';
import { aTable, refersTo } from '../../support/declared.ts';
import { fc, runs } from '../../support/properties.ts';

const rule = (name: string, changes: Partial<CollectionRule> = {}): CollectionRule => ({ collection: `c/${name}`, table: { schema: 'public', name }, guards: [], times: [], acknowledged: [], ...changes });
const via = (table: string): CollectionRule['times'] => [{ path: { via: [{ field: 'order_id', table: { schema: 'public', name: table }, toField: 'id' }], field: 'closed_at' }, type: 'TimestampTZ' }];
const table = (name: string, ...refers: string[]): TableFact => aTable(name, [], { foreignKeys: refers.map((to) => refersTo(to, to)) });

describe('collections that belong together', () => {
  test.each<[string, CollectionRule[], TableFact[], string[][]]>([
    ['none where no key leads', [rule('a'), rule('b')], [table('a'), table('b')], [['c/a'], ['c/b']]],
    ['child and parent', [rule('a'), rule('b')], [table('a', 'b'), table('b')], [['c/a', 'c/b']]],
    ['two children of a table nobody maps', [rule('a'), rule('b')], [table('a', 'hub'), table('b', 'hub'), table('hub')], [['c/a', 'c/b']]],
    ['two parents of one unmapped child', [rule('a'), rule('b')], [table('link', 'a', 'b'), table('a'), table('b')], [['c/a', 'c/b']]],
    ['a key that only a partition has', [rule('a'), rule('b')], [table('a'), { ...table('a_1', 'b'), parents: [{ schema: 'public', name: 'a' }] }, table('b')], [['c/a', 'c/b']]],
    ['what a time is read from, without a key', [rule('items', { times: via('orders') }), rule('orders')], [table('items'), table('orders')], [['c/items', 'c/orders']]],
    ['what a guard looks into', [rule('items', { guards: [{ kind: 'Minimum', policy: 'p', predicate: { op: 'isNull', field: via('orders')[0]!.path } }] as never }), rule('orders')], [table('items'), table('orders')], [['c/items', 'c/orders']]],
    ['what a map says refers, without a key', [rule('a', { references: [{ field: 'b_id', table: { schema: 'public', name: 'b' }, toField: 'id' }] }), rule('b')], [table('a'), table('b')], [['c/a', 'c/b']]],
    ['not two whose names with their schemas read the same', [{ ...rule('a'), table: { schema: 'public', name: 'x.y' } }, { ...rule('b'), table: { schema: 'public.x', name: 'y' } }], [aTable('x.y', []), aTable('y', [], { schema: 'public.x' })], [['c/a'], ['c/b']]],
    ['two collections of one table', [rule('a'), { ...rule('b'), table: { schema: 'public', name: 'a' } }], [table('a')], [['c/a', 'c/b']]],
    ['a table that refers to itself and one the store has not', [rule('tree'), rule('gone')], [table('tree', 'tree')], [['c/gone'], ['c/tree']]],
  ])('%s', (_, rules, tables, groups) => {
    expect(components(rules, { tables })).toEqual(groups);
  });

  const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const schema = fc.record({
    keys: fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...NAMES)), { maxLength: 8 }),
    mapped: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 }),
  });
  const tablesOf = (keys: readonly (readonly [string, string])[]): TableFact[] => NAMES.map((name) => table(name, ...keys.flatMap(([from, to]) => (from === name ? [to] : []))));
  const groupsOf = (keys: readonly (readonly [string, string])[], mapped: readonly string[]): string[][] => components(mapped.map((name) => rule(name)), { tables: tablesOf(keys) });

  test('are a partition: each collection is in exactly one group', () => {
    fc.assert(fc.property(schema, ({ keys, mapped }) => expect(groupsOf(keys, mapped).flat().toSorted()).toEqual(mapped.map((name) => `c/${name}`).toSorted())), { numRuns: runs(200) });
  });

  test('are never parted by a foreign key', () => {
    fc.assert(
      fc.property(schema, ({ keys, mapped }) => {
        const groups = groupsOf(keys, mapped);
        const groupOf = (name: string): number => groups.findIndex((group) => group.includes(`c/${name}`));
        for (const [from, to] of keys) if (mapped.includes(from) && mapped.includes(to)) expect(groupOf(from)).toBe(groupOf(to));
      }),
      { numRuns: runs(200) },
    );
  });

  test('do not depend on the order of rules, tables or keys', () => {
    fc.assert(
      fc.property(schema, ({ keys, mapped }) => {
        const turned = components(mapped.toReversed().map((name) => rule(name)), { tables: tablesOf(keys.toReversed()).toReversed() });
        expect(turned).toEqual(groupsOf(keys, mapped));
      }),
      { numRuns: runs(200) },
    );
  });

  test('only merge when a key is added', () => {
    fc.assert(
      fc.property(schema, fc.constantFrom(...NAMES), fc.constantFrom(...NAMES), ({ keys, mapped }, from, to) => {
        const after = groupsOf([...keys, [from, to]], mapped);
        const before = groupsOf(keys, mapped);
        expect(before.every((group) => after.some((larger) => group.every((id) => larger.includes(id))))).toBe(true);
        expect(before.length - after.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: runs(200) },
    );
  });
});
