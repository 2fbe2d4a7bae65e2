import { describe, expect, test } from '@jest/globals';
import { workTables, type WorkTables } from '../../../src/datastore/work-tables.ts';
import type { RetentionPolicy } from '../../../src/api/generated/retentionPolicy.ts';
import { storeRules } from '../../../src/rules/store-rules.ts';
import type { ForeignKeyFact, TableFact } from '../../../src/stores/facts.ts';
import { tableName } from '../../../src/stores/predicate.ts';
import { aMap, aMaximum, aMinimum, anInventory, aPolicy, aPurge, aStore, aTable } from '../../support/declared.ts';

const NOW = '2026-03-02T12:00:00Z';
const address = (name: string): { schema: string; name: string } => ({ schema: 'public', name });
const key: ForeignKeyFact = { name: 'fk', columns: ['view'], references: address('views'), referencedColumns: ['id'], onDelete: 'NoAction', indexed: true, validated: true };
const TYPES: Readonly<Record<string, string>> = { id: 'bigint', view: 'bigint', created_at: 'timestamp with time zone' };
const aPart = (name: string, changes: Partial<TableFact> = {}): TableFact => {
  const table = aTable(name, Object.keys(TYPES), changes);
  return { ...table, columns: table.columns.map((column) => ({ ...column, type: TYPES[column.name] ?? '' })) };
};
/** Views in two partitions, one of which has one of its own; notes refer to them; books stand alone. */
const inventory = anInventory([
  aPart('views', { kind: 'PartitionedTable' }),
  aPart('views_1', { kind: 'Partition', parents: [address('views')] }),
  aPart('views_2', { kind: 'PartitionedTable', parents: [address('views')] }),
  aPart('views_2_a', { kind: 'Partition', parents: [address('views_2')] }),
  aPart('notes', { foreignKeys: [key] }),
  aPart('books'),
  aPart('unmapped'),
]);
const times = [{ event: 'Created', field: 'created_at', type: 'TimestampTZ' as const }];
const collection = (name: string, category: string) => ({ name, table: address(name), categories: [category], times });
const map = aMap([collection('views', 'user.behavior'), collection('notes', 'user.content'), collection('books', 'user.financial')]);

const needed = (...policies: RetentionPolicy[]): Record<keyof WorkTables, string[]> => {
  const rules = storeRules(aStore(), { maps: [map], policies, holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'x' }, inventory, NOW);
  const tables = workTables(rules, inventory, NOW);
  const names = (which: keyof WorkTables): string[] => tables[which].map(tableName).map((name) => name.replace('public.', '')).toSorted();
  return { observe: names('observe'), judge: names('judge'), enforce: names('enforce') };
};
const all = ['books', 'notes', 'views'];

describe('rights are asked for where the work is', () => {
  test.each<[string, RetentionPolicy[], Record<keyof WorkTables, string[]>]>([
    ['every part of what is deleted from, and what refers to it to be read', [aPolicy('p', { maximum: aMaximum('P1Y'), purge: aPurge() })], { observe: all, judge: ['notes', 'views'], enforce: ['views', 'views_1', 'views_2', 'views_2_a'] }],
    ['also where a plan is only shown, since a person may want it carried out', [aPolicy('p', { maximum: aMaximum('P1Y'), purge: aPurge({ mode: 'Plan' }) })], { observe: all, judge: ['notes', 'views'], enforce: ['views', 'views_1', 'views_2', 'views_2_a'] }],
    ['nowhere where rows are only counted', [aPolicy('p', { maximum: aMaximum('P1Y'), purge: aPurge({ mode: 'Observe' }) })], { observe: all, judge: [], enforce: [] }],
    ['nowhere where a policy plans no purge', [aPolicy('p', { maximum: aMaximum('P1Y') })], { observe: all, judge: [], enforce: [] }],
    ['nowhere where rows are only kept', [aPolicy('p', { minimum: aMinimum('P1Y') })], { observe: all, judge: [], enforce: [] }],
    ['nowhere without a policy', [], { observe: all, judge: [], enforce: [] }],
    ['where the policy with the shortest maximum plans, not where one it replaces does', [aPolicy('p', { maximum: aMaximum('P2Y'), purge: aPurge() }), aPolicy('q', { maximum: aMaximum('P1Y'), purge: aPurge({ mode: 'Observe' }) })], { observe: all, judge: [], enforce: [] }],
  ])('%s', (_, policies, tables) => {
    expect(needed(...policies)).toEqual(tables);
  });
});
