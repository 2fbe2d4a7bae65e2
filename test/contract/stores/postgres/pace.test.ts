import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { connect } from '../../../../src/stores/postgres/connection.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { samplePace } from '../../../../src/stores/postgres/pace.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { until } from '../../../support/until.ts';
import { openStore } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';
import { targetOf } from './support.ts';

let server: TestPostgres;
let store: TestStore;
let leaf: string;
beforeAll(async () => {
  server = await startPostgres();
  store = await openStore(server, 'pace', 'CREATE TABLE events (id int PRIMARY KEY)');
  leaf = String((await store.sql<{ oid: number }>(`SELECT 'events'::regclass::oid AS oid`))[0]?.oid);
});
afterAll(async () => {
  await store.close();
  await server.stop();
});

const asEnforce = (database = store.database): Promise<Connection> =>
  connect(targetOf(server, { database }), { type: 'password', username: store.enforce.user, password: store.enforce.password }, { purpose: 'enforce' }, { readOnly: false });

/** A login of an application with work of its own under way. */
async function during(statement: string, work: () => Promise<void>, database = store.database): Promise<void> {
  const client = new pg.Client(server.connection(server.superuser, database));
  await client.connect();
  try {
    await client.query(statement);
    await work();
  } finally {
    await client.end();
  }
}

test('an old snapshot is seen with its age by a login that may read the server’s statistics', async () => {
  await store.sql(`GRANT pg_read_all_stats TO ${store.enforce.user}`);
  const connection = await asEnforce();
  expect((await samplePace(connection, leaf)).oldestSnapshotSeconds).toBeUndefined();
  await during('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM events; SELECT pg_sleep(1.2)', async () => {
    const { oldestSnapshotSeconds } = await samplePace(connection, leaf);
    expect(oldestSnapshotSeconds).toBeGreaterThan(1.1);
  });
  await connection.close();
});

test('without that right it is left out', async () => {
  await store.sql(`REVOKE pg_read_all_stats FROM ${store.enforce.user}`);
  const connection = await asEnforce();
  await during('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM events', async () => {
    expect(await samplePace(connection, leaf)).not.toHaveProperty('oldestSnapshotSeconds');
  });
  await connection.close();
});

test('whoever waits for a lock on the table is seen', async () => {
  const connection = await asEnforce();
  let waiting: Promise<unknown> | undefined;
  await during('BEGIN; LOCK TABLE events IN ACCESS SHARE MODE', async () => {
    waiting = store.sql('SET lock_timeout = 3000; LOCK TABLE events IN ACCESS EXCLUSIVE MODE').catch(() => undefined);
    let lockWaiters = 0;
    while (lockWaiters === 0) ({ lockWaiters } = await samplePace(connection, leaf));
    expect(lockWaiters).toBe(1);
  });
  await waiting;
  await connection.close();
});

describe('a database made from the same template', () => {
  const twin = 'pace_twin';
  let events: string;
  let ours: Connection;
  beforeAll(async () => {
    await server.createDatabase('pace_mould');
    await server.ask(`CREATE TABLE events AS SELECT n, repeat('x', 1000) AS pad FROM generate_series(1, 3000) n`, [], 'pace_mould');
    for (const name of ['pace_ours', twin]) await server.createDatabase(name, { template: 'pace_mould' });
    const numbers = await Promise.all(['pace_ours', twin].map((name) => server.ask<{ oid: number }>(`SELECT 'events'::regclass::oid AS oid`, [], name)));
    expect(numbers[0]).toEqual(numbers[1]);
    events = String(numbers[0]?.[0]?.oid);
    await store.sql(`GRANT pg_read_all_stats TO ${store.enforce.user}`);
    ours = await asEnforce('pace_ours');
  });
  afterAll(() => ours.close());

  test.each([[twin, 0], ['pace_ours', 1]])('has locks of its own: whoever waits for the table in %s is seen %i times', async (database, seen) => {
    let waiting: Promise<unknown> | undefined;
    await during('BEGIN; LOCK TABLE events IN ACCESS SHARE MODE', async () => {
      waiting = server.ask('SET lock_timeout = 3000; LOCK TABLE events IN ACCESS EXCLUSIVE MODE', [], database).catch(() => undefined);
      await until('somebody waits', async () => (await store.sql(`SELECT FROM pg_locks WHERE relation = ${events} AND NOT granted`)).length > 0);
      expect((await samplePace(ours, events)).lockWaiters).toBe(seen);
    }, database);
    await waiting;
  });

  test.each([[twin, false], ['pace_ours', true]])('is vacuumed by itself: the vacuum in %s is ours: %s', async (database, seen) => {
    const client = new pg.Client(server.connection(server.superuser, database));
    client.on('error', () => undefined);
    await client.connect();
    await client.query('SET vacuum_cost_delay = 20; SET vacuum_cost_limit = 1');
    const vacuum = client.query('VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) events').catch(() => undefined);
    await until('it is under way', async () => (await store.sql(`SELECT FROM pg_stat_progress_vacuum WHERE relid = ${events}`)).length > 0);
    expect((await samplePace(ours, events)).vacuuming).toBe(seen);
    await store.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_progress_vacuum WHERE relid = ${events}`);
    await vacuum;
    await client.end().catch(() => undefined);
  });
});
