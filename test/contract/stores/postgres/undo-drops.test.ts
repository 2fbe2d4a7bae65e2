import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { until } from '../../../support/until.ts';
import { leaveIntent, months, partitionsOf, partitionStores, views } from './partition-support.ts';
import { countRows, deletedBy, oneOf, request, rule, runPlan, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';
import { spawnedPurges } from './spawned-purge.ts';

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

const rules = request([rule('views')]);
const all = months.map((month) => `views_${month}`);
const OWN = { owner: 'cluster-a', of: (run: string) => run === 'killed' };
const november = { partition: table('views_2023-11'), table: table('views') };
const detached = 'ALTER TABLE views DETACH PARTITION "views_2023-11" CONCURRENTLY';
const stagesOf = async (store: TestStore): Promise<unknown[]> =>
  (await store.sql<{ stage: string }>(`SELECT concat_ws(' ', run, kind, position->>'lost') AS stage FROM dataward.journal WHERE kind <> 'Batch' ORDER BY ordinal`)).map(({ stage }) => stage);

/** A store in which the drop of November's partition was begun and its process killed; `extra` happened after that. */
async function interrupted(extra = detached): Promise<TestStore> {
  const store = await storeWith(views);
  await leaveIntent(store, 'views_2023-11');
  if (extra !== '') await store.sql(extra);
  return store;
}

/** Half detached: a reader was in the way, and the server ended the detach. */
async function halfDetach(store: TestStore): Promise<void> {
  const [reader, detaching] = [new pg.Client(server.connection(server.superuser, store.database)), new pg.Client(server.connection(server.superuser, store.database))];
  await Promise.all([reader.connect(), detaching.connect()]);
  await reader.query('BEGIN; SELECT FROM views LIMIT 1');
  await detaching.query('SET lock_timeout = 50');
  await expect(detaching.query(detached)).rejects.toMatchObject({ code: '55P03' });
  await Promise.all([reader.end(), detaching.end()]);
  expect(await store.sql('SELECT FROM pg_inherits WHERE inhdetachpending')).toHaveLength(1);
}

describe('a partition whose drop came to no end is attached again', () => {
  test.each<[string, (store: TestStore) => Promise<unknown>]>([
    ['when the process died before the detach', async () => undefined],
    ['when it died in the midst of it', halfDetach],
    ['when it died after it', (store) => store.sql(detached)],
    ['when the store was frozen after it', async (store) => { await store.sql(detached); await store.writer.freeze('operator', 'stop'); }],
    ['when a DBA froze the store after it', async (store) => { await store.sql(detached); await store.sql(`SELECT dataward.freeze('an audit')`); }],
    ['when a hold came on its rows', async (store) => { await store.sql(detached); await store.writer.putHold({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: table('views_2023-11'), predicate: oneOf('id', '150') }] }); }],
    ['when its table got another name', async (store) => { await store.sql(detached); await store.sql('ALTER TABLE views RENAME TO seen; CREATE VIEW views AS SELECT * FROM seen'); }],
  ])('%s', async (_when, happens) => {
    const store = await interrupted('');
    await happens(store);
    expect(await store.writer.undoDrops(OWN)).toMatchObject([{ partition: november.partition, end: 'Attached' }]);
    expect(await countRows(store, 'views')).toBe(600);
    expect(await store.sql(`SELECT FROM pg_inherits WHERE inhrelid = '"views_2023-11"'::regclass AND NOT inhdetachpending`)).toHaveLength(1);
    expect(await stagesOf(store)).toEqual(['killed DropIntent', 'undone drops Reattach']);
    // It is over, and no claim is made for nothing.
    expect(await store.writer.undoDrops(OWN)).toEqual([]);
    expect(await store.sql(`SELECT epoch::int FROM dataward.claim WHERE run = 'undone drops'`)).toEqual([{ epoch: 1 }]);
  });

  test('and is purged like all others by the next run', async () => {
    const store = await interrupted();
    await store.writer.undoDrops(OWN);
    expect(await partitionsOf(store)).toEqual(all);
    const plan = await store.writer.planPurge(rules);
    expect(plan.forecast).toMatchObject([{ due: 300, exact: true }]);
    expect(plan.forecast[0]?.unfinished).toBeUndefined();
    expect(deletedBy(await runPlan(store.writer, plan, rules))).toEqual({ views: 300 });
  });

  test('without ending a process that works in the name of the run', async () => {
    const store = await interrupted();
    const claim = await store.writer.claim('killed');
    await store.writer.undoDrops(OWN);
    expect(await store.sql(`SELECT epoch::int FROM dataward.claim WHERE run = 'killed'`)).toEqual([{ epoch: claim.epoch }]);
  });
});

describe('a drop that leads nowhere leaves the journal, and what is left of its partition is not touched', () => {
  test.each([
    ['when its table was dropped', `${detached}|DROP TABLE views`, 'moved'],
    ['when its table and the partition were dropped', `${detached}|DROP TABLE views, "views_2023-11"`, 'gone'],
    ['when it has another name', `${detached}|ALTER TABLE "views_2023-11" RENAME TO kept`, 'moved'],
    ['when the partition was dropped', `${detached}|DROP TABLE "views_2023-11"`, 'gone'],
  ])('%s', async (_when, statements, lost) => {
    const store = await interrupted('');
    for (const statement of statements.split('|')) await store.sql(statement);
    expect(await store.writer.undoDrops(OWN)).toMatchObject([{ ...november, end: 'Lost' }]);
    expect(await stagesOf(store)).toEqual(['killed DropIntent', `undone drops Reattach ${lost}`]);
    if (lost === 'moved') expect(await countRows(store, statements.includes('kept') ? 'kept' : '"views_2023-11"')).toBe(100);
    expect(await store.writer.undoDrops(OWN)).toEqual([]);
  });

  test('also by a run that drops partitions of another table', async () => {
    const store = await interrupted('');
    await store.sql(detached);
    await store.sql('DROP TABLE views');
    await store.sql(`${views.replaceAll('views', 'clicks')} ALTER TABLE clicks OWNER TO dataward_enforce; ${months.map((month) => `ALTER TABLE "clicks_${month}" OWNER TO dataward_enforce`).join('; ')}`);
    const others = request([rule('clicks')]);
    const batches = await runPlan(store.writer, await store.writer.planPurge(others), others);
    expect(deletedBy(batches)).toEqual({ clicks: 300 });
    expect(await stagesOf(store)).toEqual(expect.arrayContaining(['run-1 Reattach moved']));
    expect(await store.writer.undoDrops(OWN)).toEqual([]);
    expect(await countRows(store, '"views_2023-11"')).toBe(100);
  });
});

describe('a partition stays as it is, and why is told', () => {
  test('while a row of it lies outside its bounds', async () => {
    const store = await interrupted();
    await store.sql(`ALTER TABLE "views_2023-11" DROP CONSTRAINT IF EXISTS "views_2023-11_created_at_check"; INSERT INTO "views_2023-11" VALUES (7777, 'client-secret', '2026-01-01Z')`);
    const [left] = await store.writer.undoDrops(OWN);
    expect(left).toMatchObject({ ...november, end: 'Left', because: expect.stringContaining('lies outside its bounds') });
    expect(JSON.stringify(left)).not.toMatch(/7777|client-secret/);
    await store.sql('DELETE FROM "views_2023-11" WHERE id = 7777');
    expect(await store.writer.undoDrops(OWN)).toEqual([{ ...november, end: 'Attached' }]);
  });

  test('while another login holds the right to it, since that may be about to drop it', async () => {
    const store = await storeWith(views);
    const reader = new pg.Client(server.connection(server.superuser, store.database));
    await reader.connect();
    await reader.query('BEGIN; SELECT FROM views LIMIT 1');
    const { child, said } = await startPurge(store, await store.writer.planPurge(rules), await store.writer.claim('killed'), rules, { lockTimeoutMillis: 20_000 });
    await until('the detach waits', async () => (await store.sql(`SELECT FROM pg_stat_activity WHERE datname = '${store.database}' AND wait_event_type = 'Lock' AND query LIKE '%DETACH PARTITION%'`)).length > 0);
    expect(await store.writer.undoDrops(OWN)).toMatchObject([{ end: 'Left', because: expect.stringContaining('another login') }]);
    child.kill('SIGKILL');
    await said;
    await reader.end();
    await until('the partition is back', async () => (await store.writer.undoDrops(OWN)).every(({ end }) => end !== 'Left') && (await partitionsOf(store)).length === all.length);
    expect((await store.writer.planPurge(rules)).forecast[0]?.unfinished).toBeUndefined();
  }, 40_000);

  test('in a store of another cluster, where nothing is even claimed', async () => {
    const store = await interrupted();
    await expect(store.writer.undoDrops({ ...OWN, owner: 'cluster-b' })).rejects.toMatchObject({ reason: 'ForeignOwner' });
    expect(await store.sql(`SELECT FROM dataward.claim WHERE run = 'undone drops'`)).toEqual([]);
    expect(await partitionsOf(store)).not.toContain('views_2023-11');
  });

  test('where it is that of a run which goes on', async () => {
    const store = await interrupted();
    expect(await store.writer.undoDrops({ ...OWN, of: (run) => run !== 'killed' })).toEqual([]);
    expect(await partitionsOf(store)).not.toContain('views_2023-11');
  });
});
