import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SUPPORTED_MAJORS } from '../../../support/postgres-embedded.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import type { CollectionRule } from '../../../../src/stores/counting.ts';
import { readFingerprint } from '../../../../src/stores/postgres/fingerprint.ts';
import { committed, countRows, deletedBy, guard, oneOf, openStore, purgeAll, request, rule, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';
import { login } from './support.ts';

/** Orders with items, half of each due, and three months of views of which two are due as a whole. */
const schema = `
  CREATE TABLE orders (id bigint PRIMARY KEY, client_id text, created_at timestamptz NOT NULL);
  CREATE TABLE items (id bigint PRIMARY KEY, order_id bigint REFERENCES orders ON DELETE CASCADE, created_at timestamptz);
  CREATE INDEX ON items (order_id);
  INSERT INTO orders SELECT i, 'client-' || i % 4, timestamptz '2023-12-31 12:00Z' + (i % 2) * interval '1 day' FROM generate_series(1, 1000) i;
  INSERT INTO items SELECT i, i, timestamptz '2023-12-31 12:00Z' + (i % 2) * interval '1 day' FROM generate_series(1, 1000) i;
  CREATE TABLE events (id bigint PRIMARY KEY, created_at timestamptz);
  INSERT INTO events SELECT i, CASE WHEN i <= 50 THEN timestamptz '2020-01-01Z' ELSE '2025-01-01Z' END FROM generate_series(1, 5000) i;
  CREATE INDEX ON events (created_at);
  CREATE TABLE views (id bigint, created_at timestamptz NOT NULL) PARTITION BY RANGE (created_at);
  CREATE TABLE views_1 PARTITION OF views FOR VALUES FROM ('2023-11-01Z') TO ('2023-12-01Z');
  CREATE TABLE views_2 PARTITION OF views FOR VALUES FROM ('2023-12-01Z') TO ('2024-01-01Z');
  CREATE TABLE views_3 PARTITION OF views FOR VALUES FROM ('2024-01-01Z') TO ('2024-02-01Z');
  INSERT INTO views SELECT i, timestamptz '2023-11-01Z' + (i % 3) * interval '31 days' FROM generate_series(1, 300) i;
  GRANT USAGE, CREATE ON SCHEMA public TO PUBLIC;
  ANALYZE orders, items, events, views`;

// `make versions` has everything over each; these keep a change from needing more than the oldest has, or meeting the newest unread.
describe.each([SUPPORTED_MAJORS.at(0), SUPPORTED_MAJORS.at(-1)].flatMap((major) => (major === undefined ? [] : [major])))('PostgreSQL %i', (major) => {
  let server: TestPostgres;
  let store: TestStore;
  beforeAll(async () => {
    server = await startPostgres({ major });
    store = await openStore(server, 'app', schema, { enforceOwnsTables: true });
  }, 300_000); // 60 MB may have to be installed first
  afterAll(async () => {
    await store.close();
    await server.stop();
  });

  test('is asked for by its major version', async () => {
    expect(server.version).toMatch(new RegExp(`^${major}\\.`));
  });

  test('purges by block ranges, by index and by partition; children first, past a hold and a minimum', async () => {
    await store.writer.putHold({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: table('orders'), predicate: oneOf('client_id', 'client-0') }] });
    const minimum = guard('minimum', { op: 'compare', field: { via: [], field: 'id' }, operator: 'GreaterThan', value: '800' });
    const { plan, batches } = await purgeAll(store, request([rule('orders', { guards: [minimum], client: { field: 'client_id' } }), rule('items'), rule('events'), rule('views')]));
    expect(Object.fromEntries(plan.steps.map(({ collection, method }) => [collection, method]))).toEqual({ events: 'Keyset', items: 'BlockRange', orders: 'BlockRange', views: 'DropPartition' });
    expect(deletedBy(batches)).toEqual({ events: 50, items: 500, orders: 200, views: 200 });
    const left = await Promise.all(['events', 'items', 'orders', 'views', `orders WHERE client_id = 'client-0'`].map((name) => countRows(store, name)));
    expect(left).toEqual([4950, 500, 800, 100, 250]);
    const journal = await store.writer.journal('run-1', 0);
    expect(journal.reduce((sum, { deleted }) => sum + deleted, 0)).toBe(950);
  });

  test('tells its tables and keys, and compares rows that are held', async () => {
    const { tables } = await store.writer.inventory();
    expect(tables.map(({ name, kind }) => [name, kind])).toEqual([['events', 'Table'], ['items', 'Table'], ['orders', 'Table'], ['views', 'PartitionedTable'], ['views_3', 'Partition']]);
    expect(tables.find(({ name }) => name === 'items')?.foreignKeys).toMatchObject([{ columns: ['order_id'], onDelete: 'Cascade', indexed: true }]);
    const connection = await login(server, { database: 'app' });
    const held = await readFingerprint(connection, table('orders'), oneOf('client_id', 'client-0'));
    await connection.close();
    expect(held.rows).toBe(250);
  });

  if (major < 18) return; // what follows came with it
  const purged = async (name: string, tables: string, rules: CollectionRule[]): Promise<{ due: string[]; deleted: Record<string, number>; clients: Record<string, number>[] }> => {
    const store = await openStore(server, name, tables);
    try {
      const { plan, batches } = await purgeAll(store, request(rules));
      return { due: plan.forecast.map(({ collection, due, blocked }) => `${collection} ${due}, blocked ${blocked}`), deleted: deletedBy(batches), clients: committed(batches).map(({ clients }) => clients) };
    } finally {
      await store.close();
    }
  };

  test('a key over a period refers where the periods overlap, though they are not equal', async () => {
    const result = await purged('periods', `
      CREATE EXTENSION btree_gist;
      CREATE TABLE rooms (id int, valid daterange, created_at timestamptz DEFAULT '2020-01-01Z', PRIMARY KEY (id, valid WITHOUT OVERLAPS));
      CREATE TABLE stays (room int, during daterange, created_at timestamptz DEFAULT '2025-01-01Z', FOREIGN KEY (room, PERIOD during) REFERENCES rooms (id, PERIOD valid));
      CREATE INDEX ON stays USING gist (room, during);
      INSERT INTO rooms SELECT i, daterange('2020-01-01', '2021-01-01') FROM generate_series(1, 10) i;
      INSERT INTO rooms SELECT i, daterange('2021-01-01', '2022-01-01') FROM generate_series(1, 10) i;
      INSERT INTO stays SELECT i, daterange('2020-02-01', '2020-03-01') FROM generate_series(1, 3) i;
      INSERT INTO stays VALUES (4, daterange('2020-12-01', '2021-02-01'));
      ANALYZE rooms, stays`, [rule('rooms'), rule('stays')]);
    // Three rooms are referred to in one of their two periods, the fourth in both.
    expect(result).toEqual({ due: ['stays 0, blocked 0', 'rooms 15, blocked 5'], deleted: { rooms: 15 }, clients: [{}] });
  });

  test('a key that is not enforced orders and protects like any other', async () => {
    const result = await purged('unenforced', `
      CREATE TABLE orders (id bigint PRIMARY KEY, created_at timestamptz DEFAULT '2020-01-01Z');
      CREATE TABLE items (order_id bigint REFERENCES orders ON DELETE CASCADE NOT ENFORCED, created_at timestamptz);
      CREATE INDEX ON items (order_id);
      INSERT INTO orders SELECT i FROM generate_series(1, 100) i;
      INSERT INTO items SELECT i, CASE WHEN i <= 10 THEN timestamptz '2025-01-01Z' ELSE '2020-01-01Z' END FROM generate_series(1, 100) i;
      ANALYZE orders, items`, [rule('orders'), rule('items')]);
    expect(result).toMatchObject({ due: ['items 90, blocked 0', 'orders 90, blocked 10'], deleted: { items: 90, orders: 90 } });
  });

  test('a column that is computed when it is read can be the time and the client', async () => {
    const result = await purged('computed', `
      CREATE TABLE people (id bigint PRIMARY KEY, born int, seen timestamptz, created_at timestamptz GENERATED ALWAYS AS (seen) VIRTUAL, client text GENERATED ALWAYS AS (CASE born WHEN 0 THEN 'c0' ELSE 'c1' END) VIRTUAL);
      INSERT INTO people SELECT i, i % 2, CASE WHEN i <= 50 THEN timestamptz '2020-01-01Z' ELSE '2025-01-01Z' END FROM generate_series(1, 100) i;
      ANALYZE people`, [rule('people', { client: { field: 'client' } })]);
    expect(result).toEqual({ due: ['people 50, blocked 0'], deleted: { people: 50 }, clients: [{ c0: 25, c1: 25 }] });
  });
});
