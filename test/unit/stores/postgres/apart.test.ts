import { describe, expect, test } from '@jest/globals';
import { topologyOf } from '../../../../src/stores/postgres/closure.ts';
import { disturbedTables, dropsOf, dropState, putBack } from '../../../../src/stores/postgres/apart.ts';
import type { Apart, DropState, OpenDrop, Standing } from '../../../../src/stores/postgres/apart.ts';
import { tableKey } from '../../../../src/stores/predicate.ts';
import type { TableAddress } from '../../../../src/stores/predicate.ts';
import { aTable, refersTo } from '../../../support/declared.ts';

const at = (name: string): TableAddress => ({ schema: 'public', name });
const views = aTable('views', ['id'], { oid: '1', kind: 'PartitionedTable' });
const october = aTable('october', ['id'], { oid: '2', kind: 'Partition', parents: [at('views')] });
const drop = (state: DropState, changes: Partial<OpenDrop> = {}): OpenDrop => ({ run: 'r', leaf: '2', name: at('october'), parent: at('views'), bounds: 'FOR VALUES …', state, line: [at('views')], ...changes });
const clicks = { leaf: '3', parent: at('clicks_2023'), line: [at('clicks_2023'), at('clicks')] };
const apart = (drops: OpenDrop[], pending: string[] = [], readable = ['2']): Apart => ({ drops, pending: new Set(pending), readable: new Set(readable) });

describe('a partition whose drop was begun', () => {
  const oids: Record<string, string> = { views: '1', archive: '7', renamed: '1' };
  const below = (name: string, pending = false): Standing['parents'][number] => ({ ...at(name), oid: oids[name] ?? '9', pending });
  type Found = Pick<Standing, 'name' | 'parents'> | undefined;

  test.each<[string, Found, DropState]>([
    ['is detached when it is a part of nothing', { name: at('october'), parents: [] }, 'detached'],
    ['is attached as long as it is a part of its table', { name: at('october'), parents: [below('views')] }, 'attached'],
    ['is half detached when the catalogue says so', { name: at('october'), parents: [below('views', true)] }, 'pending'],
    ['is gone when nothing has its number', undefined, 'gone'],
    ['was moved when it has another name', { name: at('archive_october'), parents: [] }, 'moved'],
    ['was moved when it has its name in another schema', { name: { schema: 'old', name: 'october' }, parents: [] }, 'moved'],
    ['was moved when it is a part of another table', { name: at('october'), parents: [below('archive')] }, 'moved'],
    ['was moved when it inherits from two', { name: at('october'), parents: [below('views'), below('archive')] }, 'moved'],
  ])('%s', (_what, standing, state) => {
    expect(dropState({ name: at('october'), parent: at('views') }, standing)).toBe(state);
    expect(dropState({ name: at('october'), parent: at('views'), parentOid: '1' }, standing)).toBe(state);
  });

  test.each<[string, Found, DropState]>([
    ['is attached when its table has another name by now', { name: at('october'), parents: [below('renamed')] }, 'attached'],
    ['was moved when it is a part of another table that got the name', { name: at('october'), parents: [{ ...below('views'), oid: '8' }] }, 'moved'],
  ])('%s', (_what, standing, state) => {
    expect(dropState({ name: at('october'), parent: at('views'), parentOid: '1' }, standing)).toBe(state);
  });
});

describe('the tables of a store', () => {
  test('stay as they are where nothing is apart, and where what was dropped has moved or is attached still', () => {
    for (const each of [apart([]), apart([drop('moved')]), apart([drop('gone')]), apart([drop('attached')])]) {
      const standing = each.drops[0]?.state === 'attached' ? october : { ...october, parents: [] };
      expect(putBack({ tables: [views, standing] }, each)).toEqual({ tables: [views, standing] });
    }
  });

  test('have a detached partition back below its table, out of sight of a scan', () => {
    const back = putBack({ tables: [views, { ...october, kind: 'Table', parents: [] }] }, apart([drop('detached')]));
    expect(topologyOf(back).root(at('october'))).toEqual(at('views'));
    expect(topologyOf(back).leaves(at('views')).map(({ name, apart: how }) => [name, how])).toEqual([['october', { attached: false, readable: true }]]);
  });

  test('have one that is half detached out of sight too, whoever does it', () => {
    expect(putBack({ tables: [views, october] }, apart([], ['2'], [])).tables[1]).toMatchObject({ apart: { attached: true, readable: false } });
  });

  test('do not get one back that meanwhile was attached elsewhere', () => {
    const moved = { ...october, parents: [at('archive')] };
    expect(putBack({ tables: [views, moved] }, apart([drop('detached')])).tables[1]).toEqual(moved);
  });
});

test.each<[string, boolean, string[]]>([
  ['asked by itself, since a scan of its table does not see it', true, ['october', 'views']],
  ['asked with its table only where it may not be read', false, ['views']],
])('what refers from a partition out of sight is %s', (_how, readable, asked) => {
  const key = refersTo('users', 'id');
  const tables = [aTable('users', ['id']), { ...views, foreignKeys: [key] }, { ...october, foreignKeys: [key], parents: [] }];
  const edges = topologyOf(putBack({ tables }, apart([drop('detached')], [], readable ? ['2'] : []))).edgesInto(at('users'));
  expect(edges.map(({ child }) => child.name)).toEqual(asked);
  expect(edges.map(({ childRoot }) => childRoot.name)).toEqual(asked.map(() => 'views'));
});

test('so is what a map declares', () => {
  const links = [{ from: at('views'), reference: { field: 'id', table: at('users'), toField: 'id' }, indexed: true }];
  const tables = [aTable('users', ['id']), views, { ...october, parents: [] }];
  expect(topologyOf(putBack({ tables }, apart([drop('detached')])), links).edgesInto(at('users')).map(({ child }) => child.name)).toEqual(['october', 'views']);
});

test.each<[string, Apart, string[] | 'any']>([
  ['by nothing that is as it was, in any order', apart([drop('attached', clicks), drop('detached')], ['5', '4']), []],
  ['in the table of a drop that is over, and in what that is a part of', apart([drop('attached', clicks)], ['4', '5']), ['views']],
  ['in the table of a drop that went on', apart([drop('detached'), drop('detached', clicks)], ['4', '5']), ['clicks_2023', 'clicks']],
  ['in the table of a drop that was begun', apart([drop('detached'), drop('attached', clicks), drop('attached', { leaf: '9', parent: at('orders'), line: [] })], ['4', '5']), ['orders']],
  ['in any table where something else was half detached', apart([drop('detached'), drop('attached', clicks)], ['4', '6']), 'any'],
])('a count is disturbed %s', (_what, after, tables) => {
  const before = apart([drop('detached'), drop('attached', clicks)], ['4', '5']);
  expect(disturbedTables(before, after)).toEqual(tables === 'any' ? tables : new Set(tables.map((name) => tableKey(at(name)))));
});

test('the drops of a table are those of its parts, at any depth, without what is none of ours any more', () => {
  const deep = drop('pending', { leaf: '3', parent: at('views_2023'), line: [at('views_2023'), at('views')] });
  const all = apart([drop('attached'), deep, drop('moved', { leaf: '4' }), drop('gone', { leaf: '5' }), drop('detached', { leaf: '6', line: [at('clicks')] })]);
  expect(dropsOf(at('views'), all).map(({ leaf }) => leaf)).toEqual(['2', '3']);
  expect(dropsOf(at('views_2023'), all).map(({ leaf }) => leaf)).toEqual(['3']);
});
