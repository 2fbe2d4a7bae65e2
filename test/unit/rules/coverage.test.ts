import { describe, expect, test } from '@jest/globals';
import type { Coverage } from '../../../src/api/generated/dataStore.ts';
import type { DataMap } from '../../../src/api/generated/dataMap.ts';
import { resolveMaps } from '../../../src/rules/resolve-maps.ts';
import { coverage, looksLike } from '../../../src/rules/coverage.ts';
import { exemptions } from '../../../src/rules/exemptions.ts';
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
    const grown = { ...views, columns: [...views.columns, { name: 'e_mail', type: 'text', number: 1, notNull: false }] };
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

  test('recognises a partition that was detached by its columns, in whatever order', () => {
    const parted = { ...views, kind: 'PartitionedTable' as const };
    const detached = { ...aTable('views_2020', []), columns: [...views.columns].reverse() };
    const why = (...tables: TableFact[]): (string | undefined)[] => (cover([aMap([described], strict)], tables).worst ?? []).map((each) => each.why);
    expect(why(parted, detached)).toEqual([expect.stringMatching(/^no map names it; it has the columns of public\.views and looks like a partition that was detached/)]);
    expect(why(parted, { ...detached, kind: 'Partition', parents: [{ schema: 'public', name: 'views' }] })).toEqual([]);
    expect(why(parted, { ...detached, columns: detached.columns.slice(1) })).toEqual([expect.not.stringContaining('detached')]);
    expect(why(views, detached)).toEqual([expect.not.stringContaining('detached')]);
  });

  test('takes what inherits from a described table as a part of it, whose own columns need their words too', () => {
    const parents = [{ schema: 'public', name: 'views' }];
    const child = { ...aTable('views_eu', []), columns: views.columns, parents };
    expect(cover([aMap([described], strict)], [views, child])).toMatchObject({ tables: 2, mapped: 2, unclassified: 0 });
    const more = { ...child, columns: [...child.columns, { name: 'e_mail', type: 'text', number: 1, notNull: false }] };
    expect(cover([aMap([described], strict)], [views, more])).toMatchObject({ mapped: 1, worst: [{ table: 'public.views_eu', why: 'nobody has described column e_mail' }] });
    const nonPersonal = [{ table: { schema: 'public', name: 'views_eu' }, reason: 'x', by: 'y', reviewAt: '2027-01-01' }];
    expect(cover([aMap([described], { ...strict, nonPersonal })], [views, more])).toMatchObject({ mapped: 1, nonPersonal: 1, unclassified: 0 });
  });

  test('counts a partition with partitions of its own as one', () => {
    const part = { ...views, name: 'views_2026', kind: 'PartitionedTable' as const, parents: [{ schema: 'public', name: 'views' }] };
    expect(cover([aMap([described], strict)], [{ ...views, kind: 'PartitionedTable' }, part])).toMatchObject({ tables: 1, mapped: 1, unclassified: 0 });
  });

  test('takes the word of who declares a table free of personal data, but not for a table that is also mapped', () => {
    const nonPersonal = [{ table: { schema: 'public', name: '*' }, reason: 'x', by: 'y', reviewAt: '2027-01-01' }];
    expect(cover([aMap([described], { ...strict, nonPersonal })], [views, aTable('migrations', ['id'])])).toMatchObject({ tables: 2, mapped: 1, nonPersonal: 1, unclassified: 0 });
    expect(cover([aMap([{}], { ...strict, nonPersonal })], [views])).toMatchObject({ mapped: 0, nonPersonal: 0, unclassified: 1 });
  });

  describe('of a table declared free of personal data', () => {
    const nonPersonal = [{ table: { schema: 'public', name: 'tool' }, reason: 'x', by: 'y', reviewAt: '2027-01-01' }];
    const seen = (map: DataMap, ...tables: TableFact[]): DataMap => ({ ...map, status: { pinned: exemptions(map, anInventory(tables)).pinned } });
    const map = seen(aMap([], { nonPersonal }), aTable('tool', ['id', 'state']));

    test('goes by the columns it had then: a new one makes it a finding that says what to do', () => {
      expect(cover([map], [aTable('tool', ['id', 'state'])])).toMatchObject({ nonPersonal: 1, unclassified: 0 });
      expect(cover([map], [aTable('tool', ['id', 'state', 'note'])])).toMatchObject({
        nonPersonal: 0,
        unclassified: 1,
        worst: [{ table: 'public.tool', why: 'DataMap platform-db/web called it free of personal data before it had column note; describe the table, or make the statement in spec.nonPersonal anew, with another reviewAt' }],
      });
    });

    test('names first what a new column looks like', () => {
      const { worst } = cover([map], [aTable('tool', ['id', 'state', 'e_mail']), aTable('a', ['id'])]);
      expect(worst?.[0]?.why).toContain('before it had column e_mail, which looks like user.contact.email; describe');
    });

    test('goes by the word of another map that was given later', () => {
      const grown = aTable('tool', ['id', 'state', 'note']);
      expect(cover([map, seen(aMap([], { nonPersonal }, { name: 'ops' }), grown)], [grown])).toMatchObject({ nonPersonal: 1, unclassified: 0 });
    });

    test('says so where the map speaks of more than it can watch', () => {
      const all = [{ ...nonPersonal[0]!, table: { schema: 'public', name: '*' } }];
      const found = cover([aMap([], { nonPersonal: all })], Array.from({ length: 501 }, (_, index) => aTable(`t${1000 + index}`, ['id'])));
      expect(found).toMatchObject({ nonPersonal: 500, unclassified: 1, worst: [{ table: 'public.t1500', why: expect.stringContaining('put some of them into a DataMap of their own') }] });
    });
  });

  describe('of a column with an inner form', () => {
    const withPayload = (type: string): TableFact => ({ ...views, columns: [...views.columns, { name: 'payload', type, number: 1, notNull: false }] });
    const saying = (fields: NonNullable<DataMap['spec']['collections']>[number]['fields']): DataMap => aMap([{ ...described, fields: [...described.fields, ...(fields ?? [])] }]);
    const finding = 'nobody has said which categories of data are within column payload, which may hold anything; list them in spec.collections[].fields';

    test.each<[string, DataMap, string, string | undefined]>([
      ['wants its categories said, whatever other columns count as', saying([]), 'jsonb', finding],
      ['wants them where it is json', saying([]), 'json', finding],
      ['wants them where it is xml', saying([]), 'xml', finding],
      ['wants them where it is an extension\'s', saying([]), 'public.hstore', finding],
      ['wants them where it is a list', saying([]), 'jsonb[]', finding],
      ['wants more than its form', saying([{ name: 'payload', content: 'JSON' }]), 'jsonb', finding],
      ['wants more than an identifier within it', aMap([{ ...described, subjectKeys: [{ field: 'payload', path: '$.id', identity: 'visitor' }] }]), 'jsonb', finding],
      ['wants them where it is called free text', saying([{ name: 'payload', content: 'FreeText' }]), 'text', finding],
      ['is described by them', saying([{ name: 'payload', content: 'JSON', categories: ['user.content'] }]), 'jsonb', undefined],
      ['is described by them alone', saying([{ name: 'payload', categories: ['system'] }]), 'jsonb', undefined],
      ['is described by its name where it is plain text', saying([{ name: 'payload' }]), 'text', undefined],
      ['is one by its type, not by a type of like name', saying([]), 'my_json_key', undefined],
    ])('%s', (_, map, type, why) => {
      const { mapped, worst } = cover([map], [withPayload(type)]);
      expect([mapped, worst?.[0]?.why]).toEqual([why ? 0 : 1, why]);
    });
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
