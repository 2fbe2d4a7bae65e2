import { describe, expect, test } from '@jest/globals';
import { resolveReferences } from '../../../src/rules/references.ts';
import type { TableFact } from '../../../src/stores/facts.ts';
import { effectiveRules } from '../../../src/rules/effective.ts';
import { resolveMaps } from '../../../src/rules/resolve-maps.ts';
import { ruleset } from '../../../src/rules/ruleset.ts';
import { aMap, anInventory, aTable } from '../../support/declared.ts';

const inSchema = (schema: string, name: string): TableFact => aTable(name, ['id', 'order_id'], { schema });
const lines = inSchema('shop', 'lines');
const spec = { references: [{ field: 'order_id', to: 'orders', toField: 'id' }] };
const targets = (tables: readonly TableFact[]): string[] => resolveReferences(spec, lines, () => tables).references.map(({ table }) => `${table.schema}.${table.name}`);

describe('a declared reference', () => {
  test('leads to the table of the collection it names', () => {
    expect(resolveReferences(spec, lines, (name) => (name === 'orders' ? [inSchema('shop', 'orders')] : undefined))).toEqual({ references: [{ field: 'order_id', table: { schema: 'shop', name: 'orders' }, toField: 'id' }], problems: [] });
  });

  test.each<[string, TableFact[], string[]]>([
    ['of its own schema where one schema is one client', [inSchema('shop', 'orders'), inSchema('other', 'orders')], ['shop.orders']],
    ['of its own schema, all of them: any may hold the row', [inSchema('shop', 'orders_1'), inSchema('shop', 'orders_2')], ['shop.orders_1', 'shop.orders_2']],
    ['of any schema where its own has none', [inSchema('one', 'orders'), inSchema('two', 'orders')], ['one.orders', 'two.orders']],
    ['and to none where the store has none', [], []],
  ])('to a collection of several tables leads to those %s', (_name, tables, expected) => {
    expect(targets(tables)).toEqual(expected);
  });

  test('to a collection the map does not declare is a problem of the map', () => {
    const { references, problems } = resolveReferences(spec, lines, () => undefined);
    expect(references).toEqual([]);
    expect(problems).toEqual([{ reason: 'UnresolvedReference', message: expect.stringMatching(/^references\[0\]\.to names the collection orders, which this map does not declare/) }]);
  });

  test.each<[string, TableFact, TableFact, RegExp]>([
    ['from', aTable('lines', ['id'], { schema: 'shop' }), inSchema('shop', 'orders'), /references\[0\]\.field names column order_id, which table shop\.lines does not have/],
    ['to', lines, aTable('orders', ['number'], { schema: 'shop' }), /references\[0\]\.toField names column id, which table shop\.orders does not have/],
  ])('%s a column that is missing is told and passed on, so that the driver refuses', (_name, from, to, message) => {
    const { references, problems } = resolveReferences(spec, from, () => [to]);
    expect(references).toHaveLength(1);
    expect(problems).toEqual([{ reason: 'MissingColumn', message: expect.stringMatching(message) }]);
  });
});

test('the way of a reference: from the map to the rule of the row that refers, and to what is approved of the row it refers to', () => {
  const inventory = anInventory([aTable('orders', ['id']), aTable('lines', ['id', 'order_id'])]);
  const map = aMap([
    { name: 'lines', table: { schema: 'public', name: 'lines' }, references: [{ field: 'order_id', to: 'orders', toField: 'id' }] },
    { name: 'orders', table: { schema: 'public', name: 'orders' } },
  ]);
  const effective = effectiveRules(resolveMaps([map], inventory).collections, [], '2026-03-02T12:00:00Z');
  expect(ruleset(effective, { now: '2026-03-02T12:00:00Z' }).map(({ collection, references }) => [collection, references])).toEqual([
    ['platform-db/web/lines', [{ field: 'order_id', table: { schema: 'public', name: 'orders' }, toField: 'id' }]],
    ['platform-db/web/orders', undefined],
  ]);
  expect(effective.map(({ referredBy }) => referredBy)).toEqual([[], ['public.lines.order_id to id']]);
});
