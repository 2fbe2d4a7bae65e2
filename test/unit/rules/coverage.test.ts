import { describe, expect, test } from '@jest/globals';
import type { Coverage } from '../../../src/api/generated/dataStore.ts';
import type { DataMap } from '../../../src/api/generated/dataMap.ts';
import { resolveMaps } from '../../../src/rules/collections.ts';
import { coverage, looksLike } from '../../../src/rules/coverage.ts';
import type { TableFact } from '../../../src/stores/facts.ts';
import { aMap, anInventory, aTable, refersTo } from '../../support/declared.ts';

const views = aTable('views', ['id', 'viewed_at', 'session_id', 'visitor_id', 'ip', 'tenant'], { foreignKeys: [refersTo('sessions', 'session_id')] });
const strict = { defaults: { otherColumns: 'Unclassified' } } as const;
const described = {
  times: [{ event: 'Created', field: 'viewed_at' }],
  subjectKeys: [{ field: 'visitor_id', identity: 'visitor' }],
  fields: [{ name: 'ip', categories: ['user.device.ip_address'] }],
  client: { field: 'tenant' },
};

const cover = (maps: DataMap[], tables: TableFact[], otherDatabases: string[] = []): Coverage => {
  const inventory = anInventory(tables, { otherDatabases });
  return coverage(inventory, resolveMaps(maps, inventory), maps);
};

describe('coverage', () => {
  test('of a table whose every column is said what it is', () => {
    expect(cover([aMap([described], strict)], [views])).toEqual({ tables: 1, mapped: 1, nonPersonal: 0, unclassified: 0, worst: [], truncated: 0, otherDatabases: [] });
  });

  test('counts keys and references as described: they name no new kind of data', () => {
    expect(cover([aMap([{ ...described, references: [{ field: 'session_id', to: 'sessions', toField: 'id' }] }], strict)], [{ ...views, foreignKeys: [] }])).toMatchObject({ mapped: 1 });
  });

  test('makes a new column a finding until someone says what it is', () => {
    const grown = { ...views, columns: [...views.columns, { name: 'e_mail', type: 'text', notNull: false }] };
    expect(cover([aMap([described], strict)], [grown])).toMatchObject({ mapped: 0, unclassified: 1, worst: [{ table: 'public.views', why: 'nobody has described column e_mail' }] });
    expect(cover([aMap([described])], [grown])).toMatchObject({ mapped: 1, unclassified: 0 });
  });

  test('lists the first three undescribed columns and counts the rest', () => {
    expect(cover([aMap([{}], strict)], [views]).worst?.[0]?.why).toBe('nobody has described columns viewed_at, visitor_id, ip and 1 more');
  });

  test('makes a table nobody named a finding, one that looks personal first', () => {
    const { worst, unclassified } = cover([], [aTable('a', ['id']), aTable('b', ['id', 'E_Mail'])]);
    expect(unclassified).toBe(2);
    expect(worst).toEqual([
      { table: 'public.b', why: 'no map names it; column E_Mail looks like user.contact.email' },
      { table: 'public.a', why: 'no map names it' },
    ]);
  });

  test('takes the word of who declares a table free of personal data, but not for a table that is also mapped', () => {
    const nonPersonal = [{ table: { schema: 'public', name: '*' }, reason: 'x', by: 'y', reviewAt: '2027-01-01' }];
    expect(cover([aMap([described], { ...strict, nonPersonal })], [views, aTable('migrations', ['id'])])).toMatchObject({ tables: 2, mapped: 1, nonPersonal: 1, unclassified: 0 });
    expect(cover([aMap([{}], { ...strict, nonPersonal })], [views])).toMatchObject({ mapped: 0, nonPersonal: 0, unclassified: 1 });
  });

  test('leaves partitions to their parent', () => {
    expect(cover([], [aTable('p', [], { kind: 'Partition' })])).toMatchObject({ tables: 0, unclassified: 0 });
  });

  test('shows fifty findings and fifty other databases, and counts the rest of the tables', () => {
    const found = cover([], Array.from({ length: 60 }, (_, index) => aTable(`t${index}`, ['id'])), Array.from({ length: 60 }, (_, index) => `d${index}`));
    expect([found.worst?.length, found.truncated, found.unclassified, found.otherDatabases?.length]).toEqual([50, 10, 60, 50]);
  });

  test('adds up: every table is mapped, declared free or unclassified', () => {
    const { tables, mapped, nonPersonal, unclassified } = cover([aMap([described], { ...strict, nonPersonal: [{ table: { schema: 'public', name: 'tool' }, reason: 'x', by: 'y', reviewAt: '2027-01-01' }] })], [views, aTable('tool', []), aTable('new', [])]);
    expect([tables, (mapped ?? 0) + (nonPersonal ?? 0) + (unclassified ?? 0)]).toEqual([3, 3]);
  });
});

test.each([
  ['email', 'user.contact.email'],
  ['customer_phone', 'user.contact.phone_number'],
  ['LastName', 'user.name'],
  ['ip', 'user.device.ip_address'],
  ['client_ip_addr', 'user.device.ip_address'],
  ['password_hash', 'user.authorization.credentials'],
  ['visitor_id', 'user.unique_id'],
  ['created_at', undefined],
  ['shipping_id', undefined],
  ['description', undefined],
])('a column called %s looks like %s', (name, category) => {
  expect(looksLike(name)).toBe(category);
});
