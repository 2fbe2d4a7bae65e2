import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Collection } from '../../../src/api/generated/dataMap.ts';
import type { LegalHold } from '../../../src/api/generated/legalHold.ts';
import type { StoreFacts } from '../../../src/connect/facts.ts';
import type { StoreConnections } from '../../../src/connect/stores.ts';
import { enforce, type StoreOutcome } from '../../../src/holds/apply.ts';
import { countHeld } from '../../../src/holds/count.ts';
import type { HoldSubjects } from '../../../src/holds/observe.ts';
import { aHold, aMap, aStore } from '../../support/declared.ts';
import { startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { openStore, purgeAll, request, rule, type TestStore } from '../stores/postgres/purge-support.ts';

/** Ten rows of each of two visitors, ten of nobody knows whom; a client that is a number; the identifier also as JSON, and as text that is none. */
const schema = `CREATE TABLE views (id bigint PRIMARY KEY, tenant int NOT NULL, payload jsonb, note text, created_at timestamptz);
  INSERT INTO views SELECT i, i % 3, CASE WHEN i % 3 < 2 THEN jsonb_build_object('user', jsonb_build_object('id', 'v' || i % 3)) ELSE '{"user": {}}' END, 'no JSON', '2020-01-01Z' FROM generate_series(1, 30) i`;
const people: HoldSubjects = { bySecret: new Map([['people', { visitor: ['v1'] }]]), pins: [], unreadable: [] };
const onPeople = [{ subjects: { secretName: 'people' } }];
const keyed = (field: string): Partial<Collection> => ({ subjectKeys: [{ field, path: '$.user.id', identity: 'visitor' }] });

describe('a hold says what it keeps', () => {
  let server: TestPostgres;
  let opened: TestStore[];

  beforeAll(async () => {
    server = await startPostgres();
    opened = [];
  });
  afterAll(async () => {
    await Promise.all(opened.map((store) => store.close()));
    await server.stop();
  });

  async function put(store: TestStore, hold: LegalHold, collection: Partial<Collection>): Promise<StoreOutcome> {
    const connections = { writer: async () => store.another() } as unknown as StoreConnections;
    const declared = { maps: [aMap([collection])], policies: [], holds: [hold], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' };
    return enforce(hold, aStore(), declared, people, { connections, facts: { remember: () => {} } as unknown as StoreFacts, owner: 'cluster-a', now: () => Date.now(), signal: new AbortController().signal });
  }

  async function fresh(): Promise<TestStore> {
    const store = await openStore(server, `said_${opened.length}`, schema);
    opened.push(store);
    return store;
  }

  test.each<[string, LegalHold[], Partial<Collection>, number, RegExp[]]>([
    ['of persons within jsonb: theirs, and those of nobody knows whom', [aHold(onPeople)], keyed('payload'), 20, []],
    ['of persons within a column that may be no JSON: all, and it is said', [aHold(onPeople)], keyed('note'), 30, [/path within column note, which is of type text/]],
    ['of a client: theirs', [aHold([{ clients: { keys: ['1'] } }])], { client: { field: 'tenant' } }, 10, []],
    ['of a client whose key is none of its column: all, and it is said', [aHold([{ clients: { keys: ['1', 'no number'] } }])], { client: { field: 'tenant' } }, 30, [/views: 1 of its values cannot be read in the column's type, so all of its rows are held/]],
    ['that meant all before: all, and it is said', [aHold([{}]), aHold([{ clients: { keys: ['1'] } }])], { client: { field: 'tenant' } }, 30, [/views: what it meant there at another time stands too/]],
  ])('%s', async (_, words, collection, left, widened) => {
    const store = await fresh();
    const outcomes: StoreOutcome[] = [];
    for (const hold of words) outcomes.push(await put(store, hold, collection));
    const last = outcomes.at(-1) as StoreOutcome;
    expect(last.widened).toHaveLength(widened.length);
    widened.forEach((expected, index) => expect(last.widened[index]).toMatch(expected));
    const reader = { reader: async () => store.another() } as unknown as StoreConnections;
    expect(await countHeld(aStore(), last, { connections: reader, signal: new AbortController().signal })).toEqual({ items: left, countExact: true });
    await purgeAll(store, request([rule('views')]), { run: 'run-1' });
    expect(await store.sql('SELECT count(*)::int AS rows FROM views')).toEqual([{ rows: left }]);
  });

  test('names the blocks of which the store has no row, and no other', async () => {
    const store = await fresh();
    const outcome = await put(store, aHold([{ clients: { keys: ['1'] } }, { clients: { keys: ['404'] } }, { clients: { keys: ['2'] } }]), { client: { field: 'tenant' } });
    const reader = { reader: async () => store.another() } as unknown as StoreConnections;
    expect(await countHeld(aStore(), outcome, { connections: reader, signal: new AbortController().signal })).toMatchObject({ countExact: true, emptyBlocks: [1] });
    const mistyped = await put(await fresh(), aHold([{ clients: { keys: ['404'] } }]), { client: { field: 'tenant' } });
    const other = { reader: async () => opened.at(-1)!.another() } as unknown as StoreConnections;
    expect(await countHeld(aStore(), mistyped, { connections: other, signal: new AbortController().signal })).toEqual({ items: 0, countExact: true, emptyBlocks: [0] });
  });
});
