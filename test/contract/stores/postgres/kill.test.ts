import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import type { PurgePlan } from '../../../../src/stores/purging.ts';
import { guard, oneOf, openStore, request, rule, runPlan, table, wholeJournal } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';
import { grown, spawnedPurges } from './spawned-purge.ts';

let server: TestPostgres;
const { startPurge, killAll } = spawnedPurges(() => server);
const open: TestStore[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterEach(() => {
  killAll();
});
afterAll(async () => {
  await Promise.all(open.map((store) => store.close()));
  await server.stop();
});

/** Sessions with views; one client is held, some views are floored, half of everything is due. */
const schema = `
  CREATE TABLE sessions (id int PRIMARY KEY, client_id text, created_at timestamptz, note text);
  CREATE TABLE views (id int PRIMARY KEY, session_id int REFERENCES sessions ON DELETE CASCADE, client_id text, created_at timestamptz, note text);
  CREATE INDEX ON views (session_id);
  INSERT INTO sessions SELECT i, 'client-' || i % 5, timestamptz '2023-06-01Z' + (i % 2) * interval '1 year', repeat('s', 200) FROM generate_series(1, 15000) i;
  INSERT INTO views SELECT i, i, client_id, created_at, repeat('v', 200) FROM sessions s, LATERAL (SELECT s.id) AS n(i);
  ANALYZE sessions; ANALYZE views`;
const floor = guard('floor', { op: 'compare', field: { via: [], field: 'id' }, operator: 'LessOrEqual', value: '500' });
const rules = request([rule('sessions', { client: { field: 'client_id' } }), rule('views', { guards: [floor], client: { field: 'client_id' } })], { targets: ['sessions'] });

/** What has to be there at the end: client-3 is held, views up to 500 are floored, both keep their sessions. */
const expected = `created_at >= '2024-01-01Z' OR client_id = 'client-3' OR id <= 500`;
const fingerprint = (name: string): string => `SELECT count(*)::int AS rows, md5(string_agg(t::text, ',' ORDER BY id)) AS sum FROM ${name} t WHERE ${expected}`;

async function prepared(database: string): Promise<{ store: TestStore; plan: PurgePlan; rows: Record<string, unknown> }> {
  const store = await openStore(server, database, schema);
  open.push(store);
  const items = ['sessions', 'views'].map((name) => ({ table: table(name), predicate: oneOf('client_id', 'client-3') }));
  await store.writer.putHold({ uid: 'h', name: 'legal/h', revision: 1, items });
  return { store, plan: await store.writer.planPurge(rules), rows: await fingerprints(store) };
}

async function fingerprints(store: TestStore): Promise<Record<string, unknown>> {
  return { sessions: await store.sql(fingerprint('sessions')), views: await store.sql(fingerprint('views')) };
}

test('a purge killed 30 times at random points deletes exactly the due rows and counts each once', async () => {
  const { store, plan, rows } = await prepared('killed');
  const before = await store.sql('SELECT (SELECT count(*)::int FROM sessions) AS sessions, (SELECT count(*)::int FROM views) AS views');
  let kills = 0;
  let midway = 0;
  for (; kills < 30; kills += 1) {
    const claim = await store.writer.claim('run');
    const { child, said } = await startPurge(store, plan, claim, rules);
    // Every other one only once it has committed something: on a busy machine the first moments are all start-up.
    if (kills % 2 === 1) await grown(store, child);
    await delay(Math.random() * 120);
    child.kill('SIGKILL');
    if (!(await said).includes('done')) midway += 1;
  }
  await runPlan(store.writer, plan, rules, { run: 'run' });

  const after = await store.sql<{ sessions: number; views: number; due: number }>(
    `SELECT (SELECT count(*)::int FROM sessions) AS sessions, (SELECT count(*)::int FROM views) AS views,
            (SELECT count(*)::int FROM sessions WHERE NOT (${expected})) + (SELECT count(*)::int FROM views WHERE NOT (${expected})) AS due`,
  );
  expect(after[0]?.due).toBe(0);
  expect(await fingerprints(store)).toEqual(rows);
  const journal = await wholeJournal(store.writer, 'run');
  const journalled = (collection: string): number => journal.filter((row) => row.collection === collection).reduce((sum, row) => sum + row.deleted, 0);
  expect({ sessions: journalled('sessions'), views: journalled('views') }).toEqual({
    sessions: Number(before[0]?.['sessions']) - Number(after[0]?.sessions),
    views: Number(before[0]?.['views']) - Number(after[0]?.views),
  });
  expect(journal.map(({ seq }) => seq)).toEqual(journal.map((_row, index) => index + 1));
  for (const row of journal) expect(Object.values(row.clients).reduce((sum, count) => sum + count, 0)).toBe(row.deleted);
  // Otherwise nothing was tested: the kills have to hit a run that is under way.
  expect(midway).toBeGreaterThan(5);
  expect(new Set(journal.map(({ epoch }) => epoch)).size).toBeGreaterThan(5);
}, 480_000);

test('an old leader stopped in the middle of a transaction commits nothing after the takeover', async () => {
  const { store, plan } = await prepared('stopped');
  const locker = new pg.Client(server.connection(server.superuser, store.database));
  await locker.connect();
  await locker.query('BEGIN; UPDATE views SET id = id WHERE id = 600');
  const { child, said } = await startPurge(store, plan, await store.writer.claim('run'), rules, { maxBatchMillis: 1_000, lockTimeoutMillis: 20_000 });
  const waits = `SELECT FROM pg_stat_activity WHERE datname = 'stopped' AND wait_event_type = 'Lock' AND query LIKE '%DELETE%'`;
  while ((await store.sql(waits)).length === 0) await delay(5);
  child.kill('SIGSTOP');
  await locker.query('COMMIT');
  await locker.end();
  // The server has done the DELETE; its transaction stays open until the server ends it for being idle.
  await store.writer.claim('run');
  const atTakeover = await store.sql('SELECT (SELECT count(*) FROM views) AS views, (SELECT count(*) FROM sessions) AS sessions');
  child.kill('SIGCONT');
  expect(await said).not.toMatch(/done/);
  expect(await store.sql('SELECT (SELECT count(*) FROM views) AS views, (SELECT count(*) FROM sessions) AS sessions')).toEqual(atTakeover);
  await runPlan(store.writer, plan, rules, { run: 'run' });
  expect(await store.sql(`SELECT count(*)::int AS due FROM views WHERE NOT (${expected})`)).toEqual([{ due: 0 }]);
}, 60_000);
