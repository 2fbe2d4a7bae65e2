import { describe, expect, test } from '@jest/globals';
import type { Collection, DataMap, DataMapSpec } from '../../../src/api/generated/dataMap.ts';
import type { MappedCollection } from '../../../src/rules/collections.ts';
import { resolveMaps, type ResolvedMaps } from '../../../src/rules/resolve-maps.ts';
import type { TableFact } from '../../../src/stores/facts.ts';
import type { TimeType } from '../../../src/stores/predicate.ts';
import { TIME_COLUMN_TYPES } from '../../../src/stores/time-types.ts';
import { aMap, anInventory, aTable, refersTo } from '../../support/declared.ts';

const views = aTable('views', ['id', 'viewed_at', 'session_id', 'visitor_id'], { foreignKeys: [refersTo('sessions', 'session_id')] });
const sessions = aTable('sessions', ['id', 'client_id', 'ended_at'], { foreignKeys: [refersTo('clients', 'client_id')] });
const clients = aTable('clients', ['id', 'key', 'contract_end timestamp with time zone']);

const viewsOf: Partial<Collection> = { name: 'views', table: { schema: 'public', name: 'views' } };
const sessionsOf: Partial<Collection> = { name: 'sessions', table: { schema: 'public', name: 'sessions' } };
const clientsOf: Partial<Collection> = { name: 'clients', table: { schema: 'public', name: 'clients' } };

function resolve(collections: Partial<Collection>[], tables: TableFact[], spec: Partial<DataMapSpec> = {}): ResolvedMaps {
  return resolveMaps([aMap(collections, spec)], anInventory(tables));
}

function first(resolved: ResolvedMaps): MappedCollection {
  const [collection] = resolved.collections;
  if (!collection) throw new Error('nothing was resolved');
  return collection;
}

const problems = (resolved: ResolvedMaps): string[] => resolved.problems.map((problem) => `${problem.reason} ${problem.message}`);
const at = (schema: string, name: string): { schema: string; name: string } => ({ schema, name });

describe('a table', () => {
  test('that exists becomes a collection with its columns, in the words of its map', () => {
    const resolved = resolve([{ ...viewsOf, subjects: ['visitor'], fields: [{ name: 'visitor_id', categories: ['user.unique_id'] }], acknowledge: [{ trigger: 'audit', reason: 'counts' }] }], [views]);
    expect(problems(resolved)).toEqual([]);
    expect(first(resolved)).toMatchObject({ id: 'platform-db/web/views', table: at('public', 'views'), columns: ['id', 'viewed_at', 'session_id', 'visitor_id'], categories: ['user.behavior'], fieldCategories: ['user.unique_id'], subjects: ['visitor'], acknowledged: ['audit'] });
  });

  test('that is missing is a problem that says what to do, and no collection', () => {
    const resolved = resolve([viewsOf], [sessions]);
    expect(resolved.collections).toEqual([]);
    expect(problems(resolved)).toEqual(['MissingTable collection views: the store has no table public.views; correct spec.collections[].table or grant the observing account access to it']);
  });

  test('that is a view is told to be one, with what to name instead', () => {
    const resolved = resolveMaps([aMap([viewsOf])], anInventory([sessions], { views: [at('public', 'views')] }));
    expect(resolved.collections).toEqual([]);
    expect(problems(resolved)).toEqual(['MissingTable collection views: public.views is a view, which has no rows of its own; name the table its rows come from in spec.collections[].table']);
  });

  test('of a pattern each becomes a collection of its own; partitions are implied', () => {
    const tables = [aTable('views', ['id'], { schema: 'tenant_a' }), aTable('views', ['id'], { schema: 'tenant_b' }), aTable('views_2026', ['id'], { schema: 'tenant_b', kind: 'Partition' }), aTable('views', ['id'])];
    const resolved = resolve([{ name: 'views', table: at('tenant_*', 'views*') }], tables);
    expect(resolved.collections.map((collection) => collection.id)).toEqual(['platform-db/web/views#tenant_a.views', 'platform-db/web/views#tenant_b.views']);
  });

  test('takes its subjects from the map where it names none', () => {
    expect(first(resolve([viewsOf], [views], { defaults: { otherColumns: 'NonPersonal', subjects: ['visitor'] } })).subjects).toEqual(['visitor']);
  });

  test('called non-personal is listed with its pattern resolved', () => {
    const resolved = resolve([], [aTable('tool_a', []), aTable('tool_b', []), views], { nonPersonal: [{ table: at('public', 'tool_*'), reason: 'x', by: 'y', reviewAt: '2027-01-01' }] });
    expect(resolved.nonPersonal).toEqual([at('public', 'tool_a'), at('public', 'tool_b')]);
  });
});

describe('a column that does not exist', () => {
  const table: [string, Partial<Collection>, string][] = [
    ['as a time', { times: [{ event: 'Created', field: 'made_at' }] }, 'times[Created] names column made_at'],
    ['as a subject key', { subjectKeys: [{ field: 'who', identity: 'visitor' }] }, 'subjectKeys names column who'],
    ['as the client of the collection', { client: { field: 'tenant' } }, 'client names column tenant'],
    ['to go through', { times: [{ event: 'Ended', via: 'order_id' }] }, 'times names column order_id'],
  ];
  test.each(table)('%s is named with its table and what to do', (_, spec, words) => {
    const resolved = resolve([{ ...viewsOf, ...spec }], [views]);
    expect(problems(resolved)[0]).toBe(`MissingColumn collection views: ${words}, which table public.views does not have; correct the map or bring the column back`);
    expect(first(resolved).times).toEqual({});
    expect(first(resolved).subjectKeys.filter((key) => 'path' in key)).toEqual([]);
    expect(first(resolved)).not.toHaveProperty('client');
    expect(first(resolved).problems).toHaveLength(resolved.problems.length);
  });

  test('but was said to identify a person keeps its place among the keys: other keys do not find everybody', () => {
    const keys = [{ field: 'who', identity: 'visitor' }, { field: 'id', identity: 'visitor' }];
    expect(first(resolve([{ ...viewsOf, subjectKeys: keys }], [views])).subjectKeys).toEqual([
      { identity: 'visitor', because: 'its subject key for identity visitor names column who, which the table does not have' },
      { identity: 'visitor', path: { via: [], field: 'id' } },
    ]);
  });

  test("as a map's default client is no fault of a table without it", () => {
    const resolved = resolve([viewsOf], [views], { client: { field: 'tenant' } });
    expect(problems(resolved)).toEqual([]);
    expect(first(resolved)).not.toHaveProperty('client');
  });
});

describe('a time whose column is of another type', () => {
  const declared = (type: TimeType | undefined, column: string, base?: string): { problems: string[]; times: object } => {
    const table = aTable('views', [`made ${column}`]);
    const resolved = resolve([{ ...viewsOf, times: [{ event: 'Created', field: 'made', ...(type ? { type } : {}), ...(type === 'Timestamp' ? { timeZone: 'UTC' } : {}) }] }], [{ ...table, columns: table.columns.map((each) => ({ ...each, ...(base ? { base } : {}) })) }]);
    return { problems: problems(resolved), times: first(resolved).times };
  };

  test.each<[TimeType | undefined, string, string]>([
    ['TimestampTZ', 'timestamp without time zone', 'write type: Timestamp with the timeZone it was written in, or name another column'],
    ['Timestamp', 'timestamp with time zone', 'write type: TimestampTZ, or name another column'],
    [undefined, 'date', 'write type: Date, or name another column'],
    ['EpochMillis', 'integer', 'write type: EpochSeconds, or name another column'],
    ['Date', 'bigint', 'write type: EpochSeconds or EpochMillis, or name another column'],
    ['Date', 'text', 'name a column that holds a time'],
  ])('is told for %s and %s, with what to write, and is no event of the collection', (type, column, next) => {
    const found = declared(type, column);
    expect(found.problems).toEqual([`TypeMismatch collection views: times[Created] declares column made of table public.views as ${type ?? 'TimestampTZ'}, but it is of type ${column}; ${next}`]);
    expect(found.times).toEqual({});
  });

  test('but a domain over the right one is right, by what it is in the end', () => {
    expect(declared('TimestampTZ', 'seen', 'timestamp with time zone')).toMatchObject({ problems: [], times: { Created: { type: 'TimestampTZ' } } });
    expect(declared('TimestampTZ', 'seen', 'date').problems).toEqual([expect.stringContaining('but it is of type date; write type: Date')]);
  });

  test.each(Object.entries(TIME_COLUMN_TYPES).flatMap(([type, columns]) => columns.map((column) => [type as TimeType, column] as const)))('is none for %s and %s', (type, column) => {
    expect(declared(type, column).problems).toEqual([]);
  });

  test('is a problem of whoever reads it through a reference, too', () => {
    const resolved = resolve([{ ...viewsOf, times: [{ event: 'Ended', via: 'session_id' }] }, { ...sessionsOf, times: [{ event: 'Ended', field: 'ended_at', type: 'Date' }] }], [views, sessions]);
    expect(resolved.problems.map(({ reason, collection }) => `${reason} ${collection}`)).toEqual(['TypeMismatch platform-db/web/views', 'TypeMismatch platform-db/web/sessions']);
    expect(resolved.collections.map(({ times }) => times)).toEqual([{}, {}]);
  });
});

describe('a path within a JSON column', () => {
  const keyed = (type: string): MappedCollection['subjectKeys'] => first(resolve([{ ...viewsOf, subjectKeys: [{ field: 'payload', path: '$.user.id', identity: 'visitor' }] }], [{ ...views, columns: [...views.columns, { name: 'payload', type, number: 1, notNull: false }] }])).subjectKeys;

  test('is a list of keys where the column is jsonb', () => {
    expect(keyed('jsonb')).toEqual([{ identity: 'visitor', path: { via: [], field: 'payload' }, keys: ['user', 'id'] }]);
  });

  test.each(['json', 'text'])('cannot be compared where it is %s: one row that is no JSON would fail the statement', (type) => {
    expect(keyed(type)).toEqual([{ identity: 'visitor', because: `its subject key for identity visitor is a path within column payload, which is of type ${type} and not jsonb` }]);
  });
});

describe('an event', () => {
  test('read from a column keeps its type, zone and plausible start', () => {
    const { times } = first(resolve([{ ...viewsOf, times: [{ event: 'Created', field: 'viewed_at', type: 'Timestamp', timeZone: 'Europe/Paris', plausibleFrom: '2005-01-01' }] }], [aTable('views', ['viewed_at timestamp without time zone'])]));
    expect(times).toEqual({ Created: { path: { via: [], field: 'viewed_at' }, type: 'Timestamp', timeZone: 'Europe/Paris', plausibleFrom: '2005-01-01' } });
  });

  test('read through a foreign key becomes a hop to the table the key names', () => {
    const resolved = resolve([{ ...viewsOf, times: [{ event: 'Ended', via: 'session_id' }] }, { ...sessionsOf, times: [{ event: 'Ended', field: 'ended_at', type: 'Date' }] }], [views, { ...sessions, columns: aTable('sessions', ['id', 'client_id', 'ended_at date']).columns }]);
    expect(first(resolved).times).toEqual({ Ended: { path: { via: [{ field: 'session_id', table: at('public', 'sessions'), toField: 'id' }], field: 'ended_at' }, type: 'Date' } });
  });

  test('read through a foreign key is that very event, whatever else is declared there', () => {
    const many = [{ event: 'Created' as const, field: 'id' }, { event: 'LastActivity' as const, field: 'id' }, { event: 'Ended' as const, field: 'ended_at' }];
    for (const times of [many, many.toReversed()]) {
      const resolved = resolve([{ ...viewsOf, times: [{ event: 'Ended', via: 'session_id' }] }, { ...sessionsOf, times }], [views, sessions]);
      expect(first(resolved).times['Ended']?.path.field).toBe('ended_at');
    }
  });

  test('read through a declared reference needs no foreign key', () => {
    const bare = { ...views, foreignKeys: [] };
    const resolved = resolve([{ ...viewsOf, references: [{ field: 'visitor_id', to: 'sessions', toField: 'id' }], times: [{ event: 'Ended', via: 'visitor_id' }] }, { ...sessionsOf, times: [{ event: 'Ended', field: 'ended_at' }] }], [bare, sessions]);
    expect(first(resolved).times['Ended']?.path.via).toEqual([{ field: 'visitor_id', table: at('public', 'sessions'), toField: 'id' }]);
  });

  const unresolved: [string, Partial<Collection>[], string][] = [
    ['no reference says where to', [{ ...viewsOf, times: [{ event: 'Ended', via: 'visitor_id' }] }, sessionsOf], 'neither spec.collections[].references nor a foreign key'],
    ['the foreign key leads to a table the map does not describe', [{ ...viewsOf, times: [{ event: 'Ended', via: 'session_id' }] }], 'neither spec.collections[].references nor a foreign key'],
    ['the collection it leads to does not declare the event', [{ ...viewsOf, times: [{ event: 'Ended', via: 'session_id' }] }, sessionsOf], 'does not declare that event'],
  ];
  test.each(unresolved)('is not there where %s', (_, collections, words) => {
    const resolved = resolve(collections, [views, sessions]);
    expect(first(resolved).times).toEqual({});
    expect(problems(resolved).at(-1)).toContain('UnresolvedReference');
    expect(problems(resolved).join()).toContain(words);
  });
});

describe('a reference to a collection that means many tables', () => {
  const tenant = (schema: string, keys: boolean): TableFact[] => [
    aTable('orders', ['id', 'client_id'], { schema, foreignKeys: keys ? [refersTo('clients', 'client_id', schema)] : [] }),
    aTable('clients', ['id', 'contract_end timestamp with time zone'], { schema }),
  ];
  const orders: Partial<Collection> = { name: 'orders', table: at('tenant_*', 'orders'), times: [{ event: 'Ended', via: 'client_id' }] };
  const many: Partial<Collection> = { name: 'clients', table: at('tenant_*', 'clients'), times: [{ event: 'Ended', field: 'contract_end' }] };
  const hops = (resolved: ResolvedMaps): string[] => resolved.collections.filter((collection) => collection.name === 'orders').map((collection) => `${collection.table.schema} -> ${collection.times['Ended']?.path.via[0]?.table.schema}`);

  test('follows the foreign key of each table', () => {
    expect(hops(resolve([orders, many], [...tenant('tenant_a', true), ...tenant('tenant_b', true)]))).toEqual(['tenant_a -> tenant_a', 'tenant_b -> tenant_b']);
  });

  test('without one stays in the schema: the time of another tenant would be the wrong one', () => {
    const soft = { ...orders, references: [{ field: 'client_id', to: 'clients', toField: 'id' }] };
    expect(hops(resolve([soft, many], [...tenant('tenant_a', false), ...tenant('tenant_b', false)]))).toEqual(['tenant_a -> tenant_a', 'tenant_b -> tenant_b']);
  });

  test('that cannot be told apart is unresolved', () => {
    const soft = { ...viewsOf, references: [{ field: 'visitor_id', to: 'clients', toField: 'id' }], times: [{ event: 'Ended', via: 'visitor_id' }] };
    const resolved = resolve([soft, many], [views, ...tenant('tenant_a', false), ...tenant('tenant_b', false)]);
    expect(first(resolved).times).toEqual({});
    expect(problems(resolved)).toEqual([expect.stringContaining('add a reference to a collection that means one table'), expect.stringContaining('does not declare that event')]);
  });
});

describe('the client of a row', () => {
  const chain: Partial<Collection>[] = [{ ...viewsOf, client: { via: 'session_id' } }, { ...sessionsOf, client: { via: 'client_id' } }, { ...clientsOf, client: { field: 'key' } }];

  test('is found hop by hop', () => {
    const { client } = first(resolve(chain, [views, sessions, clients]));
    expect(client).toEqual({ path: { via: [{ field: 'session_id', table: at('public', 'sessions'), toField: 'id' }, { field: 'client_id', table: at('public', 'clients'), toField: 'id' }], field: 'key' } });
  });

  const table: [string, DataMap['spec']['client'], string, unknown][] = [
    ['is a value for the whole table', { value: 'a' }, 'public', { value: 'a' }],
    ['is the schema of the table', { schema: 'tenant_*' }, 'tenant_a', { value: 'tenant_a' }],
    ['is unknown in a schema the pattern does not match', { schema: 'tenant_*' }, 'public', undefined],
    ['is a column', { field: 'visitor_id' }, 'public', { path: { via: [], field: 'visitor_id' } }],
  ];
  test.each(table)('%s', (_, client, schema, expected) => {
    expect(first(resolve([{ ...viewsOf, table: at('*', 'views') }], [{ ...views, schema }], client ? { client } : {})).client).toEqual(expected);
  });

  test('is unknown where the references go in a circle', () => {
    const loop = [aTable('a', ['id', 'b_id'], { foreignKeys: [refersTo('b', 'b_id')] }), aTable('b', ['id', 'a_id'], { foreignKeys: [refersTo('a', 'a_id')] })];
    const resolved = resolve([{ name: 'a', table: at('public', 'a'), client: { via: 'b_id' } }, { name: 'b', table: at('public', 'b'), client: { via: 'a_id' } }], loop);
    expect(first(resolved)).not.toHaveProperty('client');
  });
});

test('a table that two maps claim is a problem of both, and the order of the maps does not matter', () => {
  const maps = [aMap([viewsOf], {}, { name: 'web' }), aMap([{ ...viewsOf, name: 'hits' }], {}, { name: 'ads' })];
  const resolved = resolveMaps(maps, anInventory([views]));
  expect(resolved.collections.map((collection) => [collection.id, collection.problems.map((problem) => problem.reason)])).toEqual([
    ['platform-db/ads/hits', ['MapOverlap']],
    ['platform-db/web/views', ['MapOverlap']],
  ]);
  expect(resolved.problems[0]?.message).toBe('collection hits: table public.views is also claimed by platform-db/web/views; nothing is deleted there until one of them lets go');
  expect(resolveMaps(maps.toReversed(), anInventory([views]))).toEqual(resolved);
});

test('tables whose names with their schemas read the same are two, with names that tell them apart', () => {
  const tables = [aTable('b.c', ['id'], { schema: 'a' }), aTable('c', ['id'], { schema: 'a.b' })];
  const resolved = resolve([{ name: 'all', table: at('*', '*') }], tables);
  expect(problems(resolved)).toEqual([]);
  expect(resolved.collections.map(({ id }) => id)).toEqual(['platform-db/web/all#a."b.c"', 'platform-db/web/all#"a.b".c']);
});

describe('an inheritance child', () => {
  const base = aTable('ev', ['id']);
  const child = aTable('ev_tax', ['id'], { parents: [at('public', 'ev')] });
  const grandchild = aTable('ev_tax_old', ['id'], { parents: [at('public', 'ev_tax')] });
  const both = aTable('both', ['id'], { parents: [at('public', 'ev'), at('public', 'views')] });
  const of = (name: string, table = name): Partial<Collection> => ({ name, table: at('public', table) });
  const claimed = (collections: Partial<Collection>[], tables: TableFact[]): string[][] => resolve(collections, tables).collections.map(({ name, problems: found }) => [name, ...found.map(({ reason }) => reason)]);

  test.each<[string, Partial<Collection>[], TableFact[], string[][]]>([
    ['is a part of what it inherits from under one pattern', [of('all', 'ev*')], [base, child, grandchild], [['all']]],
    ['is so across a table the pattern does not mean', [of('all', 'ev*')], [base, aTable('mid', ['id'], { parents: [at('public', 'ev')] }), aTable('ev_2', ['id'], { parents: [at('public', 'mid')] })], [['all']]],
    ['is a table of its own for a map that describes it alone', [of('tax', 'ev_tax')], [base, child], [['tax']]],
    ['overlaps with a collection of its parent', [of('ev'), of('tax', 'ev_tax')], [base, child], [['ev', 'MapOverlap'], ['tax', 'MapOverlap']]],
    ['overlaps with its grandparent, and not with a stranger', [of('ev'), of('old', 'ev_tax_old'), of('views')], [base, child, grandchild, views], [['ev', 'MapOverlap'], ['old', 'MapOverlap'], ['views']]],
    ['of two tables makes them overlap, though nobody describes it', [of('ev'), of('views')], [base, views, both], [['ev', 'MapOverlap'], ['views', 'MapOverlap']]],
    ['does not overlap with its sister', [of('a', 'ev_tax'), of('b', 'ev_b')], [base, child, aTable('ev_b', ['id'], { parents: [at('public', 'ev')] })], [['a'], ['b']]],
  ])('%s', (_, collections, tables, expected) => {
    expect(claimed(collections, tables)).toEqual(expected);
  });

  test('that overlaps is named with what to do, on both sides', () => {
    expect(problems(resolve([of('ev'), of('tax', 'ev_tax')], [base, child]))).toEqual([
      'MapOverlap collection ev: table public.ev has rows in common with public.ev_tax of platform-db/web/tax by inheritance; nothing is deleted in any of them until one collection describes those rows, or the inheritance ends',
      'MapOverlap collection tax: table public.ev_tax has rows in common with public.ev of platform-db/web/ev by inheritance; nothing is deleted in any of them until one collection describes those rows, or the inheritance ends',
    ]);
  });
});

test('a partition with partitions of its own is implied like any other', () => {
  const tables = [aTable('p', ['id'], { kind: 'PartitionedTable' }), aTable('p_2026', ['id'], { kind: 'PartitionedTable', parents: [at('public', 'p')] }), aTable('p_2026_01', ['id'], { kind: 'Partition', parents: [at('public', 'p_2026')] })];
  expect(resolve([{ name: 'p', table: at('public', 'p*') }], tables).collections.map(({ table }) => table.name)).toEqual(['p']);
  const sentence = (name: string, of: string): string => `MissingTable collection p: public.${name} is a partition of public.${of}, and a rule is about the whole table; describe that one, or the table it is a partition of itself`;
  expect(problems(resolve([{ name: 'p', table: at('public', 'p_2026') }], tables))).toEqual([sentence('p_2026', 'p')]);
  expect(problems(resolve([{ name: 'p', table: at('public', 'p_2026_01') }], tables))).toEqual([sentence('p_2026_01', 'p_2026')]);
});
