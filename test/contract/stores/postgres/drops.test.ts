import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createReader } from '../../../../src/stores/postgres/reader.ts';
import type { StoreReader, StoreWriter } from '../../../../src/stores/port.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { kept, leaveIntent, methodsOf, months, partitionsOf, partitionStores, views } from './partition-support.ts';
import { countRows, deletedBy, guard, NOW, oneOf, pace, request, rule, runPlan, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';
import { login } from './support.ts';

let server: TestPostgres;
const { storeWith, close } = partitionStores(() => server);
beforeAll(async () => {
  server = await startPostgres({ settings: { wal_level: 'logical' } });
});
afterAll(async () => {
  await close();
  await server.stop();
});

const rules = request([rule('views')]);
const all = months.map((month) => `views_${month}`);
const november = table('views_2023-11');
const holdOf = (held = november, predicate = oneOf('id', '150')): Parameters<StoreWriter['putHold']>[0] => ({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: held, predicate }] });
const stages = async (store: TestStore, run: string): Promise<unknown[]> =>
  (await store.sql<{ stage: string }>(`SELECT concat_ws(' ', kind, table_name, position->>'lost') AS stage FROM dataward.journal WHERE run = '${run}' AND kind <> 'Batch' ORDER BY seq`)).map(({ stage }) => stage);
const halfDetached = (store: TestStore): Promise<unknown[]> => store.sql('SELECT FROM pg_inherits WHERE inhdetachpending');

/** A store in which the drop of November's partition was begun, and its process killed after the detach. */
async function interrupted(extra = ''): Promise<TestStore> {
  const store = await storeWith(views);
  await leaveIntent(store, 'views_2023-11');
  await store.sql('ALTER TABLE views DETACH PARTITION "views_2023-11" CONCURRENTLY');
  if (extra !== '') await store.sql(extra);
  return store;
}

/** A writer of which a purge stops once, before or after it detaches a partition, until something was done. */
async function stoppedAt(store: TestStore, when: 'before' | 'after', then: () => Promise<unknown>): Promise<StoreWriter> {
  let done = false;
  const once = async (text: string, now: typeof when): Promise<void> => {
    if (done || now !== when || !/DETACH PARTITION.* CONCURRENTLY/.test(text)) return;
    done = true;
    await then();
  };
  return store.another(undefined, (connection) => ({
    ...connection,
    query: async (text, ...rest) => {
      await once(text, 'before');
      const result = await connection.query(text, ...rest);
      await once(text, 'after');
      return result as never;
    },
  }));
}

describe('a hold on a partition by its own name is honoured while the partition is dropped', () => {
  test('when it was put between the detach and the drop', async () => {
    const store = await storeWith(views);
    const writer = await stoppedAt(store, 'after', () => store.writer.putHold(holdOf(table('views_2023-10'), oneOf('id', '50'))));
    expect(deletedBy(await runPlan(writer, await writer.planPurge(rules), rules))).toEqual({ views: 299 });
    expect(await partitionsOf(store)).toEqual(expect.arrayContaining(['views_2023-10', ...kept]));
    expect(await countRows(store, 'views WHERE id = 50')).toBe(1);
    expect(await stages(store, 'run-1')).toEqual(expect.arrayContaining(['DropIntent views_2023-10', 'Reattach views_2023-10']));
  });

  test('when it was put after a crash', async () => {
    const store = await interrupted();
    await store.writer.putHold(holdOf());
    expect((await store.writer.holdsOn([table('views')]))[0]).toHaveLength(1);
    const plan = await store.writer.planPurge(rules);
    expect(plan.forecast).toMatchObject([{ due: 299, held: 1, exact: true }]);
    expect(deletedBy(await runPlan(store.writer, plan, rules))).toEqual({ views: 299 });
    expect(await store.sql(`SELECT id::int FROM views WHERE created_at < '2024-01-01Z'`)).toEqual([{ id: 150 }]);
  });
});

describe('a partition whose drop was begun is left alone', () => {
  const archive = `CREATE TABLE archive (LIKE views) PARTITION BY RANGE (created_at); ALTER TABLE archive OWNER TO dataward_enforce;
    ALTER TABLE archive ATTACH PARTITION "views_2023-11" FOR VALUES FROM ('2023-11-01Z') TO ('2023-12-01Z')`;

  test.each([
    ['when it was attached to another table, which has rules of its own', archive, 'views_2023-11'],
    ['when it has another name', 'ALTER TABLE "views_2023-11" RENAME TO november', 'november'],
    ['when its number belongs to another table, as after a restore', `CREATE TABLE other (LIKE views); ALTER TABLE other OWNER TO dataward_enforce; INSERT INTO other SELECT * FROM "views_2023-11";
      UPDATE dataward.journal SET position = jsonb_set(position, '{leaf}', to_jsonb('other'::regclass::oid::text))`, 'other'],
  ])('%s', async (_why, extra, name) => {
    const store = await interrupted(extra);
    const both = extra === archive ? request([rule('views'), { collection: 'archive', table: table('archive'), guards: [guard('ten-years', { op: 'true' })], times: [], acknowledged: [] }], { targets: ['views'] }) : rules;
    const plan = await store.writer.planPurge(both);
    expect(plan).toMatchObject({ refusals: [], forecast: [{ due: 200, exact: true }] });
    expect(plan.forecast[0]?.unfinished).toBeUndefined();
    const batches = await runPlan(store.writer, plan, both);
    expect(deletedBy(batches)).toEqual({ views: 200 });
    expect(batches[0]?.throttledBy).toBe('PartitionMoved');
    expect(await countRows(store, `"${name}"`)).toBe(100);
    expect(await stages(store, 'run-1')).toContain('Reattach views_2023-11 moved');
    // That it is none of ours any more is said once.
    expect((await runPlan(store.writer, plan, both, { run: 'next' })).map(({ throttledBy }) => throttledBy)).toEqual([]);
  });

  test('when somebody attached it elsewhere while the drop waited for its lock', async () => {
    const store = await storeWith(views);
    const writer = await stoppedAt(store, 'after', () => store.sql(archive.replaceAll('2023-11', '2023-10').replace(`TO ('2023-12`, `TO ('2023-11`)));
    expect(deletedBy(await runPlan(writer, await writer.planPurge(rules), rules))).toEqual({ views: 200 });
    expect(await countRows(store, 'archive')).toBe(100);
    expect(await stages(store, 'run-1')).toContain('Reattach views_2023-10 moved');
  });

  test('when a map describes it as a collection of its own: nobody knows which rule decides', async () => {
    const store = await interrupted();
    const plan = await store.writer.planPurge(rules);
    const both = request([...rules.rules, { ...rule('november'), table: november, due: { op: 'false' } }], { targets: ['views'] });
    expect((await store.writer.planPurge(both)).refusals).toMatchObject([{ reason: 'MapOverlap', collection: 'views' }]);
    await expect(runPlan(store.writer, plan, both)).rejects.toMatchObject({ reason: 'Conflict' });
    expect(await countRows(store, '"views_2023-11"')).toBe(100);
  });
});

describe('a partition is attached again', () => {
  test('when a publication came after the detach, and its rows go one by one', async () => {
    const store = await storeWith(views);
    const writer = await stoppedAt(store, 'after', () => store.sql(`ALTER TABLE "views_2023-10" REPLICA IDENTITY FULL; CREATE PUBLICATION late FOR TABLE "views_2023-10"`));
    expect(deletedBy(await runPlan(writer, await writer.planPurge(rules), rules))).toEqual({ views: 300 });
    expect(await partitionsOf(store)).toEqual(['views_2023-10', ...kept]);
    expect(await methodsOf(store, 'run-1')).toContain('BlockRange views_2023-10 100');
  });

  test('when a trigger came after the detach, of which nobody has said what it does', async () => {
    const store = await storeWith(views);
    const writer = await stoppedAt(store, 'after', () => store.sql(`CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$; CREATE TRIGGER tell BEFORE DELETE ON "views_2023-10" FOR EACH ROW EXECUTE FUNCTION tell()`));
    await expect(runPlan(writer, await writer.planPurge(rules), rules)).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringContaining('tell') });
    expect(await countRows(store, `views WHERE created_at < '2023-11-01Z'`)).toBe(100);
  });

  test('when its columns changed names after the detach: what a minimum said of one would be asked of another', async () => {
    const store = await storeWith(`${views.replace('client_id text,', 'client_id text, status text,').replace(`'client-' || i % 2,`, `'client-' || i % 2, 'open',`)}`);
    const swap = (name: string): string => `ALTER TABLE "${name}" RENAME client_id TO c; ALTER TABLE "${name}" RENAME status TO client_id; ALTER TABLE "${name}" RENAME c TO status`;
    const asked = request([rule('views', { guards: [guard('m', oneOf('status', 'disputed'))] })]);
    const writer = await stoppedAt(store, 'after', () => store.sql(`UPDATE "views_2023-10" SET status = 'disputed' WHERE id = 50; ${swap('views_2023-10')}; ${swap('views')}`));
    await expect(runPlan(writer, await writer.planPurge(asked), asked)).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringContaining('another column') });
    expect(await countRows(store, 'views')).toBe(600);
  });

  const partsOfOld = async (store: TestStore): Promise<unknown[]> => (await store.sql<{ name: string }>(`SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'old_views'::regclass ORDER BY 1`)).map(({ name }) => name.replaceAll('"', ''));

  test('to the very table it came from, when that has another name and its name another table, by the process that detached it', async () => {
    const store = await storeWith(views);
    const writer = await stoppedAt(store, 'after', async () => {
      await store.writer.putHold(holdOf(table('views_2023-10'), oneOf('id', '50')));
      await store.sql('ALTER TABLE views RENAME TO old_views; CREATE TABLE views (LIKE old_views) PARTITION BY RANGE (created_at); ALTER TABLE views OWNER TO dataward_enforce');
    });
    await runPlan(writer, await writer.planPurge(rules), rules);
    expect(await partsOfOld(store)).toEqual(all);
    expect(await countRows(store, 'old_views')).toBe(600);
  });

  test('to the very table it came from, when that got another name after a crash', async () => {
    const store = await interrupted('ALTER TABLE views RENAME TO old_views');
    await store.writer.putHold(holdOf());
    const asked = request([{ ...rule('old_views'), collection: 'views' }]);
    const plan = await store.writer.planPurge(asked);
    expect(plan.forecast).toMatchObject([{ due: 299, held: 1, exact: true, unfinished: [november] }]);
    await runPlan(store.writer, plan, asked);
    expect(await partsOfOld(store)).toEqual(['views_2023-11', ...kept]);
    expect(await countRows(store, 'old_views WHERE id = 150')).toBe(1);
  });

  test('never to another table that got the name of its own', async () => {
    const store = await interrupted('ALTER TABLE views RENAME TO old_views; CREATE TABLE views (LIKE old_views) PARTITION BY RANGE (created_at); ALTER TABLE views OWNER TO dataward_enforce');
    const plan = await store.writer.planPurge(rules);
    expect(plan).toMatchObject({ forecast: [{ due: 0, exact: true }] });
    await runPlan(store.writer, plan, rules);
    expect(await countRows(store, '"views_2023-11"')).toBe(100);
    expect(await countRows(store, 'views')).toBe(0);
  });

  test('or a person is told, when a row came that lies outside its bounds: it may neither be dropped nor be attached', async () => {
    const store = await interrupted(`ALTER TABLE "views_2023-11" DROP CONSTRAINT "views_2023-11_created_at_check"; INSERT INTO "views_2023-11" VALUES (702, 'client-1', '2024-03-20Z')`);
    const plan = await store.writer.planPurge(rules);
    await expect(runPlan(store.writer, plan, rules)).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringMatching(/views_2023-11 was detached from public\.views .* \(SQLSTATE 23514\).* attach it/) });
    expect(await countRows(store, '"views_2023-11"')).toBe(101);
    await store.sql(`WITH moved AS (DELETE FROM "views_2023-11" WHERE id = 702 RETURNING *) INSERT INTO views SELECT * FROM moved`);
    expect(deletedBy(await runPlan(store.writer, plan, rules, { run: 'next' }))).toEqual({ views: 300 });
  });

  test('not at all, and its rows go one by one, when a default partition came and it cannot be detached', async () => {
    const store = await storeWith(views);
    const writer = await stoppedAt(store, 'before', () => store.sql('CREATE TABLE views_rest PARTITION OF views DEFAULT'));
    expect(deletedBy(await runPlan(writer, await writer.planPurge(rules), rules))).toEqual({ views: 300 });
    expect(await stages(store, 'run-1')).toEqual(expect.arrayContaining(['DropIntent views_2023-10', 'Reattach views_2023-10']));
    expect(await methodsOf(store, 'run-1')).toContain('BlockRange views_2023-10 100');
  });

  test('when columns of another table, by which its rows are judged, changed names after the detach', async () => {
    const store = await storeWith(`${views.replace('client_id text,', 'client_id text, session_id int DEFAULT 1,').replace('INSERT INTO views SELECT', 'INSERT INTO views (id, client_id, created_at) SELECT')}
      CREATE TABLE sessions (id int PRIMARY KEY, owner text, status text); INSERT INTO sessions VALUES (1, 'open', 'disputed')`);
    const status = { via: [{ field: 'session_id', table: table('sessions'), toField: 'id' }], field: 'status' };
    const asked = request([rule('views', { guards: [guard('m', { op: 'oneOf', field: status, values: ['disputed'] })] })], { nonPersonal: [table('sessions')] });
    await store.sql(`UPDATE sessions SET status = 'open', owner = 'disputed'`);
    const writer = await stoppedAt(store, 'after', () => store.sql('ALTER TABLE sessions RENAME owner TO o; ALTER TABLE sessions RENAME status TO owner; ALTER TABLE sessions RENAME o TO status; UPDATE sessions SET status = \'open\''));
    await expect(runPlan(writer, await writer.planPurge(asked), asked)).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringContaining('another column') });
    expect(await countRows(store, 'views')).toBe(600);
  });

  test('when rows came after the detach that a limit does not allow for', async () => {
    const store = await storeWith(`${views} ANALYZE views`);
    const writer = await stoppedAt(store, 'after', () => store.sql(`INSERT INTO "views_2023-10" SELECT 1000 + i, 'client-1', '2023-10-20Z' FROM generate_series(1, 100) i`));
    const [step] = (await writer.planPurge(rules)).steps;
    const claim = await writer.claim('limited');
    const run = async (): Promise<void> => {
      for await (const _batch of writer.purge(step!, { request: rules, claim, pace, maxRows: 180, signal: AbortSignal.timeout(20_000) }));
    };
    await expect(run()).rejects.toMatchObject({ reason: 'RunLimitReached' });
    expect(await partitionsOf(store)).toContain('views_2023-10');
    expect(await countRows(store, 'views')).toBeGreaterThanOrEqual(700 - 180);
    expect(await methodsOf(store, 'limited')).not.toContain('DropPartition views_2023-10 200');
  });

  test.each<[string, string, (store: TestStore) => Promise<unknown>]>([
    ['when the run was taken over meanwhile, by the process that lost it', 'Fenced', (store) => store.writer.claim('run-1')],
    ['when the store was frozen meanwhile', 'Frozen', (store) => store.writer.freeze('somebody', 'stop')],
  ])('%s', async (_why, reason, happens) => {
    const store = await storeWith(views);
    const writer = await stoppedAt(store, 'after', () => happens(store));
    await expect(runPlan(writer, await writer.planPurge(rules), rules)).rejects.toMatchObject({ reason });
    expect(await partitionsOf(store)).toEqual(all);
    expect(await countRows(store, 'views')).toBe(600);
  });
});

test('a drop that another process may still go on with is not taken for undone', async () => {
  const store = await storeWith(views);
  const plan = await store.writer.planPurge(rules);
  let seen: unknown;
  const writer = await stoppedAt(store, 'before', async () => {
    await runPlan(store.writer, plan, rules);
    seen = (await store.writer.planPurge(rules)).forecast;
  });
  await expect(runPlan(writer, plan, rules)).rejects.toMatchObject({ reason: 'Fenced' });
  expect(seen).toMatchObject([{ due: 0, unfinished: [table('views_2023-10')] }]);
  // The login that might have detached it is over: now it is known that nobody will.
  await runPlan(store.writer, plan, rules, { run: 'next' });
  expect(await store.writer.planPurge(rules)).toMatchObject({ forecast: [{ due: 0, exact: true }] });
  expect((await store.writer.planPurge(rules)).forecast[0]?.unfinished).toBeUndefined();
});

test('the statement in the manual attaches by hand what a crash left detached, and the next run understands it', async () => {
  const store = await interrupted();
  const [, statement = ''] = /```sql\n(SELECT format\('ALTER TABLE[^`]*)```/.exec(await readFile('docs/operations.md', 'utf8')) ?? [];
  const found = await store.sql<{ format: string }>(statement);
  expect(found).toHaveLength(1);
  await store.sql(found[0]?.format ?? '');
  expect(await partitionsOf(store)).toEqual(all);
  expect(await store.sql(statement)).toEqual([]);
  const plan = await store.writer.planPurge(rules);
  expect(deletedBy(await runPlan(store.writer, plan, rules))).toEqual({ views: 300 });
  expect(await stages(store, 'run-1')).toEqual(expect.arrayContaining(['Reattach views_2023-11', 'Drop views_2023-11']));
});

describe('rows of a partition that is out of sight are counted', () => {
  const counted = (reader: StoreReader): Promise<unknown> => reader.count({ rules: rules.rules, now: NOW, budgetMs: 10_000 });

  test('while somebody keeps it half detached by a lock on a row, and until a run has finished', async () => {
    const store = await storeWith(views);
    const locker = new pg.Client(server.connection(server.superuser, store.database));
    await locker.connect();
    await locker.query('BEGIN; SELECT FROM "views_2023-11" WHERE id = 150 FOR UPDATE');
    const plan = await store.writer.planPurge(rules);
    await runPlan(store.writer, plan, rules, { pace: { lockTimeoutMillis: 20 } });
    expect(await halfDetached(store)).toHaveLength(1);
    const left = await countRows(store, '"views_2023-11"');
    expect(left).toBeGreaterThan(0);
    expect((await store.writer.planPurge(rules)).forecast).toMatchObject([{ due: left, exact: true, unfinished: [november] }]);
    expect(await counted(store.writer)).toMatchObject([{ due: left, exact: true }]);
    await locker.query('COMMIT');
    await locker.end();
    await runPlan(store.writer, plan, rules, { run: 'next' });
    expect((await store.writer.planPurge(rules)).forecast).toEqual([{ collection: 'views', due: 0, held: 0, floored: 0, indeterminate: 0, blocked: 0, exact: true, partOids: expect.any(Array) }]);
    expect(await halfDetached(store)).toEqual([]);
  });

  test('by a plan, which has a step to finish it also where it has no row', async () => {
    const store = await interrupted('DELETE FROM "views_2023-11"; DELETE FROM views');
    const plan = await store.writer.planPurge(rules);
    expect(plan).toMatchObject({ steps: [{ method: 'DropPartition' }], forecast: [{ due: 0, exact: true, unfinished: [november] }] });
    await runPlan(store.writer, plan, rules);
    expect((await store.writer.planPurge(rules)).forecast[0]?.unfinished).toBeUndefined();
  });

  test('or else the count is not exact: when the login may read the table but not its parts', async () => {
    const store = await interrupted();
    const identity = await server.createRole('reads_tables_only');
    await store.sql(`GRANT CONNECT ON DATABASE ${store.database} TO ${identity.user}; GRANT USAGE ON SCHEMA public, dataward TO ${identity.user}; GRANT SELECT ON views, ${['fence', 'hold', 'hold_item', 'claim', 'journal', 'approved_rule', 'installation'].map((name) => `dataward.${name}`).join(', ')} TO ${identity.user}`);
    const connection = await login(server, { identity, database: store.database });
    expect(await counted(createReader(connection))).toMatchObject([{ due: 200, exact: false }]);
    expect((await createReader(connection).planPurge(rules)).forecast).toMatchObject([{ due: 200, exact: false, unfinished: [november] }]);
    await connection.close();
  });

  test('or else the count is not exact: when it went out of sight during the count', async () => {
    const store = await storeWith(`${views} CREATE TABLE others (created_at timestamptz)`);
    const connection = await login(server, { database: store.database });
    let done = false;
    const reader = createReader({
      ...connection,
      query: async (text, ...rest) => {
        if (!done && text.startsWith('LOCK TABLE')) {
          done = true;
          await leaveIntent(store, 'views_2023-11');
          await store.sql('ALTER TABLE views DETACH PARTITION "views_2023-11"');
        }
        return connection.query(text, ...rest);
      },
    });
    const asked = { rules: [...rules.rules, rule('others')], now: NOW, budgetMs: 10_000 };
    expect(await reader.count(asked)).toMatchObject([{ due: 200, exact: false }, { due: 0, exact: true }]);
    expect(await reader.count(asked)).toMatchObject([{ due: 300, exact: true }, { due: 0, exact: true }]);
    await connection.close();
  });

  test('as rows that keep what they refer to', async () => {
    const store = await storeWith(`
      CREATE TABLE sessions (id int PRIMARY KEY, created_at timestamptz NOT NULL);
      CREATE TABLE views (session_id int REFERENCES sessions, created_at timestamptz NOT NULL) PARTITION BY RANGE (created_at);
      CREATE TABLE "views_2023-11" PARTITION OF views FOR VALUES FROM ('2023-11-01Z') TO ('2023-12-01Z');
      CREATE TABLE "views_2023-12" PARTITION OF views FOR VALUES FROM ('2023-12-01Z') TO ('2024-01-01Z');
      CREATE INDEX ON views (session_id);
      INSERT INTO sessions SELECT i, '2020-01-01Z' FROM generate_series(1, 4) i;
      INSERT INTO views VALUES (1, '2023-11-05Z'), (2, '2023-11-05Z'), (3, '2023-12-05Z')`);
    await leaveIntent(store, 'views_2023-11');
    await store.sql('ALTER TABLE views DETACH PARTITION "views_2023-11" CONCURRENTLY');
    await store.writer.putHold(holdOf(november, oneOf('session_id', '1')));
    expect(await store.writer.count({ rules: [rule('sessions'), rule('views')], now: NOW, budgetMs: 10_000 })).toMatchObject([
      { collection: 'sessions', due: 3, blocked: 1, exact: true },
      { collection: 'views', due: 2, held: 1, exact: true },
    ]);
    const asked = request([rule('sessions'), rule('views')], { targets: ['sessions'] });
    expect(deletedBy(await runPlan(store.writer, await store.writer.planPurge(asked), asked))).toEqual({ sessions: 3, views: 2 });
    expect(await store.sql('SELECT session_id AS id FROM views')).toEqual([{ id: 1 }]);
  });
});
