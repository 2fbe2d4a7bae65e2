import { describe, expect, test } from '@jest/globals';
import { changedColumn, replacedTable } from '../../../src/stores/pinned.ts';
import type { NamedTable } from '../../../src/stores/pinned.ts';
import type { PinnedTable } from '../../../src/stores/purging.ts';

const created = { name: 'created_at', number: 3, type: 'timestamp with time zone' };
const state = { name: 'state', number: 4, type: 'text' };
const pinned: PinnedTable = { schema: 'public', name: 'views', oid: '16401', columns: [created, state] };
const now = (changes: Partial<NamedTable> = {}): NamedTable => ({ schema: 'public', name: 'views', oid: '16401', columns: [{ name: 'id', number: 1, type: 'bigint' }, created, state], ...changes });

describe('what a plan was made on', () => {
  test.each<[string, NamedTable[]]>([
    ['is there where all of it has its number and type', [now()]],
    ['is not another one where a column has no name any more that is asked for', [now({ columns: [created] })]],
    ['is not another one where nothing has the name of the table', [now({ name: 'other', oid: '1' })]],
    ['is not another one where a column that nobody asks for is', [now({ columns: [{ name: 'id', number: 9, type: 'text' }, created, state] })]],
  ])('%s', (_, tables) => {
    expect(replacedTable([pinned], tables)).toBeUndefined();
  });

  test.each<[string, NamedTable, RegExp]>([
    ['another table has the name', now({ oid: '16500', columns: [] }), /^public\.views is another table than the one the plan was made on \(oid 16500, then 16401\)/],
    ['another column has the name of the first', now({ columns: [{ ...created, number: 9 }, state] }), /^created_at of public\.views is another column by now \(number 9\), which had another name, or none, and number 3 was called so when the plan was made\. Nothing is deleted by this one; give the columns their names back/],
    ['another column has the name of the last', now({ columns: [created, { ...state, number: 2 }] }), /^state of public\.views is another column by now \(number 2\)/],
    ['a column has another type', now({ columns: [created, { ...state, type: 'integer' }] }), /^state of public\.views is of type integer by now, and was of type text when the plan was made/],
  ])('is another one where %s', (_, table, expected) => {
    const other: PinnedTable = { schema: 'public', name: 'aside', oid: '1' };
    expect(replacedTable([other, pinned], [now({ name: 'aside', oid: '1' }), table])).toMatch(expected);
  });

  test('of a plan that an older release made is the tables alone', () => {
    const { columns: _columns, ...older } = pinned;
    expect(replacedTable([older], [now({ columns: [{ ...created, number: 9 }] })])).toBeUndefined();
    expect(replacedTable([pinned], [{ schema: 'public', name: 'views', oid: '16401' }])).toBeUndefined();
  });
});

test('columns of another table are not compared: it has numbers of its own', () => {
  expect(changedColumn(pinned, now({ oid: '16500', columns: [{ ...created, number: 9 }] }))).toBeUndefined();
});
