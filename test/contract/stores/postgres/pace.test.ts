import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { connect } from '../../../../src/stores/postgres/connection.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { samplePace } from '../../../../src/stores/postgres/pace.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
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

const asEnforce = (): Promise<Connection> =>
  connect(targetOf(server, { database: store.database }), { type: 'password', username: store.enforce.user, password: store.enforce.password }, { purpose: 'enforce' }, { readOnly: false });

/** A login of an application with work of its own under way. */
async function during(statement: string, work: () => Promise<void>): Promise<void> {
  const client = new pg.Client(server.connection(server.superuser, store.database));
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
