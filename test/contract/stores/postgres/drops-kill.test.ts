import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { until } from '../../../support/until.ts';
import { methodsOf, partitionsOf, partitionStores, views } from './partition-support.ts';
import { countRows, oneOf, request, rule, runPlan, table, wholeJournal } from './purge-support.ts';
import { grown, spawnedPurges } from './spawned-purge.ts';

let server: TestPostgres;
const { storeWith, close } = partitionStores(() => server);
const { startPurge, killAll } = spawnedPurges(() => server);
beforeAll(async () => {
  server = await startPostgres();
});
afterEach(() => {
  killAll();
});
afterAll(async () => {
  await close();
  await server.stop();
});

const rules = request([rule('views', { client: { field: 'client_id' } })]);
const DAYS = 40;
const dayOf = (day: number): string => new Date(Date.UTC(2023, 0, 1 + day)).toISOString();
/** Twenty rows a day; all days are due. */
const daily = `
  CREATE TABLE views (id int, client_id text NOT NULL, created_at timestamptz NOT NULL) PARTITION BY RANGE (created_at);
  ${Array.from({ length: DAYS }, (_, day) => `CREATE TABLE views_${day} PARTITION OF views FOR VALUES FROM ('${dayOf(day)}') TO ('${dayOf(day + 1)}');`).join('\n')}
  INSERT INTO views SELECT i, 'client-' || i % 3, timestamptz '${dayOf(0)}' + make_interval(days => i / 20, mins => i % 20) FROM generate_series(0, ${DAYS * 20 - 1}) i;
  ANALYZE views`;

test('a process killed at random moments of drops leaves no row of them out of sight, and counts each once', async () => {
  const store = await storeWith(daily);
  // Of the day views_30.
  await store.writer.putHold({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: table('views'), predicate: oneOf('id', '600') }] });
  const plan = await store.writer.planPurge(rules);
  let midway = 0;
  for (let kills = 0; kills < 5; kills += 1) {
    const { child, said } = await startPurge(store, plan, await store.writer.claim('run'), rules);
    await grown(store, child);
    await delay(Math.random() * 60);
    child.kill('SIGKILL');
    if (!(await said).includes('done')) midway += 1;
  }
  // The server ends what a killed process has begun within a second or so.
  await until('the logins are over', async () => (await store.sql(`SELECT FROM pg_stat_activity WHERE datname = '${store.database}' AND application_name LIKE 'dataward/%'`)).length === 1);
  await runPlan(store.writer, plan, rules, { run: 'run' });
  expect(await store.sql('SELECT id FROM views')).toEqual([{ id: 600 }]);
  expect(await store.sql(`SELECT relname FROM pg_class WHERE relname LIKE 'views\\_%' AND relkind = 'r'`)).toEqual([{ relname: 'views_30' }]);
  expect(await partitionsOf(store)).toEqual(['views_30']);
  const journal = (await wholeJournal(store.writer, 'run')).filter(({ deleted }) => deleted > 0);
  expect(journal.reduce((sum, { deleted }) => sum + deleted, 0)).toBe(DAYS * 20 - 1);
  const dropped = journal.filter(({ method }) => method === 'DropPartition').map(({ table: { name } }) => name);
  expect(new Set(dropped).size).toBe(dropped.length);
  for (const row of journal) expect(Object.values(row.clients).reduce((sum, count) => sum + count, 0)).toBe(row.deleted);
  expect(midway).toBeGreaterThan(2);
}, 120_000);

test('a detach that the server goes on with after its process was killed is found and finished', async () => {
  const store = await storeWith(views);
  const reader = new pg.Client(server.connection(server.superuser, store.database));
  await reader.connect();
  await reader.query('BEGIN; SELECT FROM views LIMIT 1');
  const plan = await store.writer.planPurge(rules);
  const { child, said } = await startPurge(store, plan, await store.writer.claim('run'), rules, { lockTimeoutMillis: 20_000 });
  const waiting = `SELECT FROM pg_stat_activity WHERE datname = '${store.database}' AND wait_event_type = 'Lock' AND query LIKE '%DETACH PARTITION%'`;
  await until('the detach waits', async () => (await store.sql(waiting)).length > 0);
  child.kill('SIGKILL');
  await said;
  // Whoever comes next may come while the server has not noticed yet.
  const first = await runPlan(store.writer, plan, rules, { run: 'run', pace: { lockTimeoutMillis: 50 } });
  const [seen] = (await store.writer.planPurge(rules)).forecast;
  expect(first.reduce((sum, { deleted }) => sum + deleted, 0) + (seen?.due ?? 0)).toBe(300);
  await reader.query('COMMIT');
  await reader.end();
  await until('the logins are over', async () => (await store.sql(`SELECT FROM pg_stat_activity WHERE datname = '${store.database}' AND application_name LIKE 'dataward/%'`)).length === 1);
  await runPlan(store.writer, await store.writer.planPurge(rules), rules, { run: 'next' });
  expect((await store.writer.planPurge(rules)).forecast).toMatchObject([{ due: 0, exact: true }]);
  expect((await store.writer.planPurge(rules)).forecast[0]?.unfinished).toBeUndefined();
  expect(await countRows(store, 'views')).toBe(300);
  expect([...(await methodsOf(store, 'run')), ...(await methodsOf(store, 'next'))].map((line) => Number(line.split(' ').at(-1))).reduce((sum, deleted) => sum + deleted, 0)).toBe(300);
}, 60_000);
