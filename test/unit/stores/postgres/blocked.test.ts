import { describe, expect, test } from '@jest/globals';
import type { Predicate } from '../../../../src/stores/predicate.ts';
import { blockedSql } from '../../../../src/stores/postgres/blocked.ts';
import type { Edge } from '../../../../src/stores/postgres/closure.ts';
import { tableKey } from '../../../../src/stores/predicate.ts';
import { Parameters } from '../../../../src/stores/postgres/sql.ts';
import type { Deletable, Resolver } from '../../../../src/stores/postgres/statements.ts';

const at = (name: string): { schema: string; name: string } => ({ schema: 'public', name });
const columns = new Map(['id', 'state', 'orders_id', 'items_id'].map((name) => [name, { type: 'text', notNull: false, number: 1 }]));
const resolver: Resolver = { lookup: ({ schema, name }) => ({ schema, name, oid: name, kind: 'Table', columns, columnsHash: '' }), readable: () => true };
const edge = (child: string, parent: string): Edge => ({ constraint: `${child}_fk`, child: at(child), childRoot: at(child), columns: [`${parent}_id`], parent: at(parent), referencedColumns: ['id'], onDelete: 'NoAction', indexed: true, self: child === parent });
const over: Predicate = { op: 'compare', field: { via: [], field: 'state' }, operator: 'Equals', value: 'over' };
const rule = (...edges: Edge[]): Deletable => ({ due: over, guards: [], edges });

function blocked(what: Deletable, dependants: Record<string, Deletable>): string {
  const parameters = new Parameters();
  const sql = blockedSql(what, tableKey(at('orders')), 'r', new Map(Object.entries(dependants).map(([name, each]) => [tableKey(at(name)), each])), resolver, parameters);
  expect(sql).not.toContain("'over'");
  return sql.replaceAll(/\$\d+/g, '$').replaceAll('"', '');
}

describe('a row is blocked', () => {
  test.each<[string, Deletable, Record<string, Deletable>, string]>([
    ['by nothing where nothing refers', rule(), {}, 'FALSE'],
    ['by nothing where only a table nobody described refers: that is no reason to keep it', rule(edge('items', 'orders')), {}, 'FALSE'],
    ['by nothing over a key without an index: a plan refuses it, and each row would read a whole table', rule({ ...edge('items', 'orders'), indexed: false }), { items: rule() }, 'FALSE'],
    ['by nothing over a link that cannot be followed', rule({ ...edge('items', 'orders'), declared: { problem: 'no column' } }), { items: rule() }, 'FALSE'],
    ['by any row of a table no rule ever empties', rule(edge('items', 'orders')), { items: { ...rule(), due: { op: 'false' } } }, 'EXISTS (SELECT FROM public.items AS r_by WHERE r_by.orders_id = r.id)'],
    ['by a row that is not due itself', rule(edge('items', 'orders')), { items: rule() }, 'EXISTS (SELECT FROM public.items AS r_by WHERE r_by.orders_id = r.id AND ((((r_by.state = $::text))) IS NOT TRUE))'],
    [
      'by a row that is blocked itself',
      rule(edge('items', 'orders')),
      { items: rule(edge('notes', 'items')), notes: { ...rule(), due: { op: 'false' } } },
      'EXISTS (SELECT FROM public.items AS r_by WHERE r_by.orders_id = r.id AND ((((r_by.state = $::text))) IS NOT TRUE OR EXISTS (SELECT FROM public.notes AS r_by_by WHERE r_by_by.items_id = r_by.id)))',
    ],
    ['and a circle of tables ends', rule(edge('items', 'orders')), { items: rule(edge('orders', 'items')), orders: rule(edge('items', 'orders')) }, 'EXISTS (SELECT FROM public.items AS r_by WHERE r_by.orders_id = r.id AND ((((r_by.state = $::text))) IS NOT TRUE))'],
  ])('%s', (_name, what, dependants, expected) => {
    expect(blocked(what, dependants)).toBe(expected);
  });

  test('by any row below it in its own table, each of which is asked the same', () => {
    const orders = rule(edge('orders', 'orders'), edge('items', 'orders'));
    const sql = blocked(orders, { orders, items: { ...rule(), due: { op: 'false' } } });
    expect(sql).toContain('WITH RECURSIVE r_below AS (SELECT r.tableoid AS t, r.ctid AS at, r.id AS k0, FALSE AS stays UNION');
    expect(sql).toContain('((((r_next.state = $::text))) IS NOT TRUE OR EXISTS (SELECT FROM public.items AS r_next_by WHERE r_next_by.orders_id = r_next.id)) AS stays');
    expect(sql).toContain('FROM public.orders AS r_next WHERE r_next.orders_id = r_below.k0');
  });

  describe('through other tables', () => {
    const subqueries = (sql: string): number => sql.split('EXISTS (SELECT').length - 1;
    /** Tables of a schema, the first of which is asked about; `refers` tells which refer to which. */
    const schema = (names: readonly string[], refers: (child: number, parent: number) => boolean): Record<string, Deletable> =>
      Object.fromEntries(names.map((name, parent) => [name, rule(...names.flatMap((child, index) => (refers(index, parent) ? [{ ...edge(child, name), columns: ['id'] }] : [])))]));

    test('as long as the way is', () => {
      const chain = schema(['orders', 'a', 'b', 'c', 'd', 'e', 'f'], (child, parent) => child === parent + 1);
      expect(subqueries(blocked(chain['orders']!, chain))).toBe(6);
    });

    test('but not by more ways than one statement can hold: 14 tables that all refer to those before them have 8,191', () => {
      const names = ['orders', ...Array.from({ length: 13 }, (_, index) => `t${index}`)];
      const dense = schema(names, (child, parent) => child > parent);
      expect(subqueries(blocked(dense['orders']!, dense))).toBe(13 + 78);
    });
  });
});
