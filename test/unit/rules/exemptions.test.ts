import { describe, expect, test } from '@jest/globals';
import type { DataMap, NonPersonalTable } from '../../../src/api/generated/dataMap.ts';
import { coverage } from '../../../src/rules/coverage.ts';
import { exemptions, type Exemptions } from '../../../src/rules/exemptions.ts';
import { resolveMaps } from '../../../src/rules/resolve-maps.ts';
import type { TableFact } from '../../../src/stores/facts.ts';
import { aMap, anInventory, aTable } from '../../support/declared.ts';
import { fc } from '../../support/properties.ts';

const statement = (name: string, changes: Partial<NonPersonalTable> = {}): NonPersonalTable => ({ table: { schema: 'public', name }, reason: 'state of a tool', by: 'ops', reviewAt: '2027-01-01', ...changes });
const saying = (...nonPersonal: NonPersonalTable[]): DataMap => aMap([], { nonPersonal });

/** Looks again and again, as the controller does: each look begins from what the last one wrote. */
function looks(...steps: [DataMap, TableFact[]][]): Exemptions {
  let last: Exemptions | undefined;
  for (const [map, tables] of steps) last = exemptions({ ...map, ...(last ? { status: { pinned: last.pinned } } : {}) }, anInventory(tables));
  return last as Exemptions;
}

const said = ({ lapsed, standing, unwatched }: Exemptions): object => ({ lapsed: Object.fromEntries(lapsed), standing: [...standing].toSorted(), unwatched: [...unwatched] });
const tool = (...columns: string[]): TableFact[] => [aTable('tool', columns)];
const stands = { lapsed: {}, standing: ['public.tool'], unwatched: [] };
const lapsed = (...columns: string[]): object => ({ lapsed: { 'public.tool': columns }, standing: [], unwatched: [] });
const once = saying(statement('tool'));
const renewed = saying(statement('tool', { reviewAt: '2028-01-01' }));

describe('a statement that a table holds no personal data', () => {
  test.each<[string, [DataMap, TableFact[]][], object]>([
    ['speaks of the columns of the first look', [[once, tool('id', 'state')]], stands],
    ['stands while there are no more', [[once, tool('id', 'state')], [once, tool('state', 'id')]], stands],
    ['lapses with a new column', [[once, tool('id')], [once, tool('id', 'e_mail')]], lapsed('e_mail')],
    ['stays lapsed, however often one looks', [[once, tool('id')], [once, tool('id', 'e_mail')], [once, tool('id', 'e_mail')]], lapsed('e_mail')],
    ['lapses with a new name of an old column', [[once, tool('id', 'state')], [once, tool('id', 'person')]], lapsed('person')],
    ['stands again once the column is gone', [[once, tool('id')], [once, tool('id', 'e_mail')], [once, tool('id')]], stands],
    ['does not mind a column that goes and comes back', [[once, tool('id', 'state')], [once, tool('id')], [once, tool('id', 'state')]], stands],
    ['is made anew with another date', [[once, tool('id')], [once, tool('id', 'e_mail')], [renewed, tool('id', 'e_mail')]], stands],
    ['is made anew with another reason', [[once, tool('id')], [saying(statement('tool', { reason: 'looked again' })), tool('id', 'e_mail')]], stands],
    ['made anew lapses in its turn', [[once, tool('id')], [renewed, tool('id', 'a')], [renewed, tool('id', 'a', 'b')]], lapsed('b')],
    ['does not forget a table that is dropped and comes back with more', [[once, tool('id')], [once, []], [once, tool('id', 'e_mail')]], lapsed('e_mail')],
    ['that is withdrawn is forgotten', [[once, tool('id')], [saying(), tool('id')], [once, tool('id', 'e_mail')]], stands],
    ['about others does not touch it', [[once, tool('id')], [saying(statement('other'), statement('tool')), tool('id', 'e_mail')]], lapsed('e_mail')],
    ['by a pattern speaks of each table as it was first seen', [[saying(statement('t*')), tool('id')], [saying(statement('t*')), [...tool('id', 'e_mail'), aTable('tmp', ['id', 'x'])]]], { lapsed: { 'public.tool': ['e_mail'] }, standing: ['public.tmp'], unwatched: [] }],
    ['counts before a later one about the same table', [[saying(statement('tool'), statement('*')), tool('id')], [saying(statement('tool'), statement('*', { reviewAt: '2028-01-01' })), tool('id', 'e_mail')]], lapsed('e_mail')],
  ])('%s', (_, steps, expected) => {
    expect(said(looks(...steps))).toEqual(expected);
  });

  test('about one table is not about another whose name with its schema reads the same', () => {
    const map = saying(statement('c', { table: { schema: 'a.b', name: 'c' } }));
    const tables = [aTable('b.c', ['id', 'e_mail'], { schema: 'a' }), aTable('c', ['id'], { schema: 'a.b' })];
    expect(said(looks([map, tables]))).toEqual({ lapsed: {}, standing: ['"a.b".c'], unwatched: [] });
    expect(coverage(anInventory(tables), resolveMaps([map], anInventory(tables)), [map])).toMatchObject({ nonPersonal: 1, unclassified: 1, worst: [{ table: 'a."b.c"' }] });
  });

  test('is kept with the columns, by table, and nothing else', () => {
    expect(looks([saying(statement('*')), [aTable('b', ['id']), aTable('a', ['id', 'state']), aTable('a_2026', ['id'], { kind: 'Partition' })]]).pinned).toEqual([
      { table: 'public.a', statement: expect.stringMatching(/^[0-9a-f]{16}$/), columns: ['id', 'state'] },
      { table: 'public.b', statement: expect.stringMatching(/^[0-9a-f]{16}$/), columns: ['id'] },
    ]);
  });

  const many = (count: number, from = 1000): TableFact[] => Array.from({ length: count }, (_, index) => aTable(`t${from + index}`, ['id']));

  test('about more tables than a status has room for does not hold for the rest, and newcomers push nobody out', () => {
    const all = saying(statement('*'));
    const full = looks([all, many(500)], [all, [...many(3, 0), ...many(500)]]);
    expect([full.pinned.length, full.standing.size, [...full.unwatched]]).toEqual([500, 500, ['public.t0', 'public.t1', 'public.t2']]);
  });

  test('about wide tables finds less room', () => {
    const wide = Array.from({ length: 8 }, (_, index) => aTable(`w${index}`, Array.from({ length: 1500 }, (__, column) => `c${column}`)));
    expect([...looks([saying(statement('*')), wide]).unwatched]).toEqual(['public.w6', 'public.w7']);
  });

  test('never stands for a table with a column that no earlier look of the same words saw', () => {
    const columns = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(columns, { minLength: 1, maxLength: 6 }), (history) => {
        const result = looks(...history.map((names): [DataMap, TableFact[]] => [once, tool(...names)]));
        const added = (history.at(-1) ?? []).filter((name) => !history[0]?.includes(name));
        expect(said(result)).toEqual(added.length > 0 ? lapsed(...added) : stands);
      }),
    );
  });
});
