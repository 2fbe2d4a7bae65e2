import { describe, expect, test } from '@jest/globals';
import { resolveMaps } from '../../../../src/rules/resolve-maps.ts';
import type { CollectionRule } from '../../../../src/stores/counting.ts';
import type { TableFact } from '../../../../src/stores/facts.ts';
import { claimsOf, keysOf, rivalsOf } from '../../../../src/stores/postgres/claims.ts';
import { topologyOf } from '../../../../src/stores/postgres/closure.ts';
import { decidePurge } from '../../../../src/stores/postgres/plan.ts';
import { aMap, anInventory, aTable } from '../../../support/declared.ts';
import { fc, runs } from '../../../support/properties.ts';

const at = (name: string): { schema: string; name: string } => ({ schema: 'public', name });
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];

/** Tables of which each may inherit from some before it. */
const inheriting = fc.tuple(...NAMES.map((_, index) => fc.subarray(NAMES.slice(0, index), { maxLength: Math.min(index, 2) }))).map((parents) => NAMES.map((name, index) => aTable(name, ['id'], { parents: (parents[index] ?? []).map(at) })));
const rulesAbout = (names: readonly string[]): CollectionRule[] => names.map((name) => ({ collection: `platform-db/web/${name}`, table: at(name), due: { op: 'true' }, guards: [], times: [], acknowledged: [] }));
const described = fc.subarray(NAMES, { minLength: 1 });

/** Every table of which rows are rows of a table, by the letter of what inheritance means. */
const rowsOf = (name: string, tables: readonly TableFact[]): string[] => [name, ...tables.filter(({ parents }) => parents.some((parent) => parent.name === name)).flatMap((child) => rowsOf(child.name, tables))];

describe('rules about the same rows', () => {
  test('are those of which one table has rows of the other, or both of a third', () => {
    fc.assert(fc.property(inheriting, described, (tables, names) => {
      const topology = topologyOf({ tables });
      const rules = rulesAbout(names);
      const rivals = rules.map((rule) => rivalsOf(rule, claimsOf(rules, topology), topology).map(({ table }) => table.name).toSorted());
      expect(rivals).toEqual(names.map((name) => names.filter((other) => other !== name && rowsOf(other, tables).some((each) => rowsOf(name, tables).includes(each))).toSorted()));
    }), { numRuns: runs(300) });
  });

  test('are told by the maps and refused by the plan, or neither', () => {
    fc.assert(fc.property(inheriting, described, (tables, names) => {
      const map = aMap(names.map((name) => ({ name, table: at(name) })));
      const told = resolveMaps([map], anInventory(tables)).collections.filter(({ problems }) => problems.some(({ reason }) => reason === 'MapOverlap')).map(({ id }) => id);
      const rules = rulesAbout(names);
      const facts = { referring: new Set<string>(), rowsHidden: new Set<string>(), published: new Set<string>(), orphans: new Map(), selectivity: new Map(), declared: [] };
      const { refusals } = decidePurge({ tables }, { rules, targets: rules.map(({ collection }) => collection), nonPersonal: [], now: '2026-01-01T00:00:00Z', budgetMs: 1 }, facts);
      expect(refusals.map(({ reason }) => reason).filter((reason) => reason !== 'MapOverlap')).toEqual([]);
      expect([...new Set(refusals.map(({ collection }) => collection))].toSorted()).toEqual(told.toSorted());
    }), { numRuns: runs(300) });
  });

  test('leave each table of the store to one rule at most, where nothing is refused: a pattern over all of them does', () => {
    fc.assert(fc.property(inheriting, (tables) => {
      const { collections, problems } = resolveMaps([aMap([{ name: 'all', table: at('*') }])], anInventory(tables));
      const claimed = collections.flatMap(({ table }) => [...new Set(rowsOf(table.name, tables))]);
      const shared = claimed.filter((name, index) => claimed.indexOf(name) !== index);
      expect(new Set(claimed)).toEqual(new Set(NAMES));
      expect(problems.length === 0).toBe(shared.length === 0);
    }), { numRuns: runs(300) });
  });
});

test('partitions are claimed under the table they belong to, however deep', () => {
  const tables = [aTable('p', [], { kind: 'PartitionedTable' }), aTable('p1', [], { kind: 'PartitionedTable', parents: [at('p')] }), aTable('p1a', [], { kind: 'Partition', parents: [at('p1')] })];
  const topology = topologyOf({ tables });
  expect(['p', 'p1', 'p1a'].map((name) => keysOf(at(name), topology))).toEqual([['["public","p"]'], ['["public","p"]'], ['["public","p"]']]);
});
