import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { until } from '../../../support/until.ts';
import type { PurgePlan, PurgeRequest } from '../../../../src/stores/purging.ts';
import type { TimeField } from '../../../../src/stores/predicate.ts';
import { kept, leaveIntent, methodsOf, months, partitionsOf, partitionStores, views } from './partition-support.ts';
import { CUTOFF, NOW, committed, countRows, deletedBy, guard, oneOf, pace, purgeAll, request, rule, runPlan, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';

let server: TestPostgres;
const { storeWith, close } = partitionStores(() => server);
beforeAll(async () => {
  server = await startPostgres({ settings: { wal_level: 'logical' } });
});
afterAll(async () => {
  await close();
  await server.stop();
});

const rules = request([rule('views', { client: { field: 'client_id' } })]);

describe('partitions that are due as a whole', () => {
  test.each([
    ['are detached concurrently and dropped', ''],
    ['are dropped beside a default partition, which forbids to detach concurrently', 'CREATE TABLE views_rest PARTITION OF views DEFAULT'],
  ])('%s', async (_how, extra) => {
    const store = await storeWith(`${views} ${extra}`);
    const { plan, batches } = await purgeAll(store, rules);
    expect(plan.steps[0]?.method).toBe('DropPartition');
    expect(deletedBy(batches)).toEqual({ views: 300 });
    expect(committed(batches).map(({ clients }) => clients)).toEqual([0, 1, 2].map(() => ({ 'client-0': 50, 'client-1': 50 })));
    expect(await partitionsOf(store)).toEqual(extra === '' ? kept : [...kept, 'views_rest']);
    expect(await methodsOf(store, 'run-1')).toEqual(months.slice(0, 3).map((month) => `DropPartition views_${month} 100`));
    expect(await store.sql(`SELECT FROM pg_class WHERE relname LIKE 'views_2023%'`)).toEqual([]);
  });

  test('leave those whose bounds lie after the cutoff unread', async () => {
    const store = await storeWith(views);
    const planner = await store.another();
    const plan = await planner.planPurge(rules);
    await planner.close();
    const logins = async (): Promise<number> => (await store.sql(`SELECT FROM pg_stat_activity WHERE datname = '${store.database}' AND application_name LIKE 'dataward/%'`)).length;
    // A login hands in what it read when it ends; only the store's own writer is left then.
    await until('the login is over', async () => (await logins()) === 1);
    await store.sql('SELECT pg_stat_reset()');
    await runPlan(store.writer, plan, rules);
    await until('the login is over', async () => (await logins()) === 1);
    expect(await store.sql(`SELECT relname AS name, (seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS rows FROM pg_stat_user_tables WHERE relname LIKE 'views_2024%' ORDER BY 1`)).toEqual(kept.map((name) => ({ name, rows: 0 })));
    expect(await countRows(store, 'views')).toBe(300);
  });

  test('with children go after the children’s partitions', async () => {
    const store = await storeWith(`
      CREATE TABLE sessions (id int, created_at timestamptz NOT NULL, PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at);
      CREATE TABLE sessions_old PARTITION OF sessions FOR VALUES FROM ('2023-01-01Z') TO ('2024-01-01Z');
      CREATE TABLE sessions_new PARTITION OF sessions FOR VALUES FROM ('2024-01-01Z') TO ('2025-01-01Z');
      CREATE TABLE clicks (session_id int, created_at timestamptz NOT NULL, FOREIGN KEY (session_id, created_at) REFERENCES sessions (id, created_at)) PARTITION BY RANGE (created_at);
      CREATE TABLE clicks_old PARTITION OF clicks FOR VALUES FROM ('2023-01-01Z') TO ('2024-01-01Z');
      CREATE TABLE clicks_new PARTITION OF clicks FOR VALUES FROM ('2024-01-01Z') TO ('2025-01-01Z');
      CREATE INDEX ON clicks (session_id, created_at);
      INSERT INTO sessions SELECT i, timestamptz '2023-06-01Z' + (i % 2) * interval '1 year' FROM generate_series(1, 20) i;
      INSERT INTO clicks SELECT id, created_at FROM sessions`);
    const { batches } = await purgeAll(store, request([rule('sessions'), rule('clicks')], { targets: ['sessions'] }));
    expect(committed(batches).map(({ collection, deleted }) => [collection, deleted])).toEqual([['clicks', 10], ['sessions', 10]]);
    expect(await methodsOf(store, 'run-1')).toEqual(['DropPartition clicks_old 10', 'DropPartition sessions_old 10']);
    expect(await countRows(store, 'clicks')).toBe(10);
  });
});

describe('rows of a partition are looked at before it is detached', () => {
  interface Watched {
    /** How often all rows of a partition were counted, and how often it was looked only whether one must stay. */
    counts: number;
    looks: number;
    detached: number;
    deleted: number;
  }
  async function watched(store: TestStore, asked: PurgeRequest, maxRows?: number): Promise<Watched> {
    const seen: Watched = { counts: 0, looks: 0, detached: 0, deleted: 0 };
    const writer = await store.another(undefined, (connection) => ({
      ...connection,
      query: (text, ...rest) => {
        if (text.includes('AS kept FROM ONLY')) seen.counts += 1;
        if (/^SELECT EXISTS .* WHERE .* AS kept$/.test(text)) seen.looks += 1;
        if (/DETACH PARTITION.* CONCURRENTLY/.test(text)) seen.detached += 1;
        return connection.query(text, ...rest);
      },
    }));
    const [step] = (await writer.planPurge(asked)).steps;
    const claim = await writer.claim('watched');
    try {
      for await (const { deleted } of writer.purge(step!, { request: asked, claim, pace, ...(maxRows === undefined ? {} : { maxRows }), signal: AbortSignal.timeout(20_000) })) seen.deleted += deleted;
    } catch (error) {
      expect(error).toMatchObject({ reason: 'RunLimitReached' });
    }
    return seen;
  }
  const due = (type: TimeField['type'], field: string): PurgeRequest => {
    const time: TimeField = { path: { via: [], field }, type, ...(type === 'Timestamp' ? { timeZone: 'Europe/Paris' } : {}), plausibleFrom: '2000-01-01' };
    return request([rule('views', { times: [time], due: { op: 'and', of: [{ op: 'before', time, cutoff: CUTOFF }, { op: 'not', of: { op: 'indeterminate', time, now: NOW } }] } })]);
  };

  test('not where its bounds prove that all of them are due: they are counted once, under the lock', async () => {
    expect(await watched(await storeWith(views), rules)).toEqual({ counts: 3, looks: 0, detached: 3, deleted: 300 });
  });

  test.each<[TimeField['type'], string, string, string, string, string]>([
    ['TimestampTZ', 'timestamptz', '2023-11-01Z', '2024-01-01Z', '2024-02-01Z', `'2023-12-31 23:59:59.999999Z'`],
    ['Timestamp', 'timestamp', '2023-11-01', '2023-12-31', '2024-02-01', `'2023-12-30 23:59:59.999999'`],
    ['Date', 'date', '2023-11-01', '2024-01-01', '2024-02-01', `'2023-12-31'`],
    ['EpochSeconds', 'bigint', '1698796800', '1704067200', '1706745600', `'1704067199'`],
    ['EpochSeconds', 'integer', '1698796800', '1704067200', '1706745600', `'1704067199'`],
    ['EpochMillis', 'numeric', '1698796800000', '1704067200000', '1706745600000', `'1704067199999.9'`],
  ])('not where they are bounds of %s as %s', async (type, column, from, to, beyond, last) => {
    const store = await storeWith(`
      CREATE TABLE views (at ${column}) PARTITION BY RANGE (at);
      CREATE TABLE views_old PARTITION OF views FOR VALUES FROM ('${from}') TO ('${to}');
      CREATE TABLE views_new PARTITION OF views FOR VALUES FROM ('${to}') TO ('${beyond}');
      CREATE TABLE views_other PARTITION OF views DEFAULT;
      INSERT INTO views VALUES ('${from}'), (${last}), ('${beyond}'), (NULL)`);
    expect(await watched(store, due(type, 'at'))).toEqual({ counts: 1, looks: 0, detached: 0, deleted: 2 });
    expect(await partitionsOf(store)).toEqual(['views_new', 'views_other']);
    expect(await countRows(store, 'views')).toBe(2);
  });

  test.each<[string, string]>([
    ['where it holds minus infinity', `FROM (MINVALUE) TO ('2024-01-01Z')`],
    ['where it begins before times are believed', `FROM ('1999-01-01Z') TO ('2024-01-01Z')`],
  ])('%s, and then it stays, attached', async (_why, bounds) => {
    const store = await storeWith(`
      CREATE TABLE views (at timestamptz) PARTITION BY RANGE (at);
      CREATE TABLE views_old PARTITION OF views FOR VALUES ${bounds};
      INSERT INTO views VALUES ('2023-06-01Z'), ('${bounds.includes('MINVALUE') ? '-infinity' : '1999-06-01Z'}')`);
    expect(await watched(store, due('TimestampTZ', 'at'))).toEqual({ counts: 0, looks: 1, detached: 0, deleted: 1 });
    expect(await partitionsOf(store)).toEqual(['views_old']);
  });

  test('where a hold may keep one, or what is left of a limit may not be enough', async () => {
    const [held, limited] = [await storeWith(views), await storeWith(`${views} ANALYZE views`)];
    await held.writer.putHold({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: table('views'), predicate: oneOf('id', '150') }] });
    expect(await watched(held, rules)).toEqual({ counts: 2, looks: 3, detached: 2, deleted: 299 });
    // 100 rows each: the first is well within the limit, the second by a count only, and the third need not be detached to find out.
    expect(await watched(limited, rules, 240)).toMatchObject({ counts: 4, looks: 0, detached: 2 });
    expect(await methodsOf(limited, 'watched')).toContain('DropPartition views_2023-11 100');
  });
});

describe('a partition is purged row by row', () => {
  test('when one row of it is held', async () => {
    const store = await storeWith(views);
    await store.sql(`UPDATE views SET client_id = 'client-9' WHERE id = 150`);
    await store.writer.putHold({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: table('views'), predicate: oneOf('client_id', 'client-9') }] });
    const { batches } = await purgeAll(store, rules);
    expect(deletedBy(batches)).toEqual({ views: 299 });
    expect(await partitionsOf(store)).toEqual(['views_2023-11', ...kept]);
    expect(await store.sql(`SELECT id::int FROM views WHERE created_at < '2024-01-01Z'`)).toEqual([{ id: 150 }]);
    expect(await methodsOf(store, 'run-1')).toEqual(['DropPartition views_2023-10 100', 'DropPartition views_2023-12 100', 'BlockRange views_2023-11 99']);
  });

  test.each<[string, string, Partial<PurgeRequest>]>([
    ['when a minimum keeps a row of each', '', request([rule('views', { guards: [guard('m', { op: 'compare', field: { via: [], field: 'id' }, operator: 'LessOrEqual', value: '0' }), guard('n', oneOf('id', '1', '101', '201'))] })])],
    ['when a publication would not tell its subscribers', 'CREATE PUBLICATION out FOR TABLE views WITH (publish = \'insert\', publish_via_partition_root = true)', rules],
    ['when a subscriber takes all tables', 'ALTER TABLE views REPLICA IDENTITY FULL; DO $$ DECLARE t text; BEGIN FOR t IN SELECT relid::regclass FROM pg_partition_tree(\'views\') LOOP EXECUTE \'ALTER TABLE \' || t || \' REPLICA IDENTITY FULL\'; END LOOP; END $$; CREATE PUBLICATION everything FOR ALL TABLES', rules],
  ])('%s', async (_why, extra, asked) => {
    const store = await storeWith(views);
    if (extra !== '') await store.sql(extra);
    await purgeAll(store, asked as PurgeRequest);
    expect(await partitionsOf(store)).toEqual(months.map((month) => `views_${month}`));
    expect((await methodsOf(store, 'run-1')).every((line) => line.startsWith('BlockRange'))).toBe(true);
    expect(await countRows(store, `views WHERE created_at < '2024-01-01Z'`)).toBe(extra === '' ? 3 : 0);
  });

  test('when it was attached after the conditions were compiled: a hold on its own name is none of them', async () => {
    const store = await storeWith(`${views} ALTER TABLE views DETACH PARTITION "views_2023-11"`);
    await store.writer.putHold({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: table('views_2023-11'), predicate: oneOf('id', '150') }] });
    let attached = false;
    const writer = await store.another(undefined, (connection) => ({
      ...connection,
      query: async (text, ...rest) => {
        // The last that is asked before the partitions are listed.
        if (!attached && text.includes('puballtables') && text.includes('AS watched')) {
          attached = true;
          await store.sql(`ALTER TABLE views ATTACH PARTITION "views_2023-11" FOR VALUES FROM ('2023-11-01Z') TO ('2023-12-01Z')`);
        }
        return connection.query(text, ...rest);
      },
    }));
    await runPlan(writer, await writer.planPurge(rules), rules);
    expect(attached).toBe(true);
    expect(await countRows(store, 'views WHERE id = 150')).toBe(1);
    expect(await methodsOf(store, 'run-1')).not.toContain('DropPartition views_2023-11 100');
  });

  test('when it is gone, or has another name, by the time it is its turn', async () => {
    const store = await storeWith(views);
    let renamed = false;
    const writer = await store.another(undefined, (connection) => ({
      ...connection,
      query: async (text, ...rest) => {
        if (!renamed && /DETACH PARTITION.* CONCURRENTLY/.test(text)) {
          renamed = true;
          await store.sql('DROP TABLE "views_2023-11"; ALTER TABLE "views_2023-12" RENAME TO december');
        }
        return connection.query(text, ...rest);
      },
    }));
    expect(deletedBy(await runPlan(writer, await writer.planPurge(rules), rules))).toEqual({ views: 200 });
    expect(await methodsOf(store, 'run-1')).toEqual(['DropPartition views_2023-10 100', 'BlockRange december 100']);
  });

  test('when this login does not own it', async () => {
    const store = await storeWith(views, { enforceOwnsTables: false });
    expect(deletedBy((await purgeAll(store, rules)).batches)).toEqual({ views: 300 });
    expect(await partitionsOf(store)).toHaveLength(6);
  });

  test('when the run may not delete as many rows as it has', async () => {
    const store = await storeWith(views);
    const [step] = (await store.writer.planPurge(rules)).steps;
    const claim = await store.writer.claim('limited');
    const run = async (): Promise<void> => {
      for await (const _batch of store.writer.purge(step!, { request: rules, claim, pace, maxRows: 150, signal: AbortSignal.timeout(20_000) }));
    };
    await expect(run()).rejects.toMatchObject({ reason: 'RunLimitReached' });
    expect(await methodsOf(store, 'limited')).toEqual(['DropPartition views_2023-10 100']);
    expect(await countRows(store, 'views')).toBe(500);
  });

  test('when its key is not the time: new rows of that client would have no place', async () => {
    const store = await storeWith(`
      CREATE TABLE views (id int, client_id text, created_at timestamptz) PARTITION BY LIST (client_id);
      CREATE TABLE views_a PARTITION OF views FOR VALUES IN ('a'); CREATE TABLE views_b PARTITION OF views FOR VALUES IN ('b');
      INSERT INTO views SELECT i, 'a', '2020-01-01Z' FROM generate_series(1, 10) i`);
    expect(deletedBy((await purgeAll(store, rules)).batches)).toEqual({ views: 10 });
    expect(await partitionsOf(store)).toEqual(['views_a', 'views_b']);
  });

  test('and put back when a view depends on it, since only CASCADE would drop that', async () => {
    const store = await storeWith(`${views} CREATE VIEW november AS SELECT * FROM "views_2023-11"`);
    expect(deletedBy((await purgeAll(store, rules)).batches)).toEqual({ views: 300 });
    expect(await partitionsOf(store)).toEqual(['views_2023-11', ...kept]);
    expect(await store.sql('SELECT * FROM november')).toEqual([]);
  });

  test('when somebody uses it all the time', async () => {
    const store = await storeWith(views);
    const reader = new pg.Client(server.connection(server.superuser, store.database));
    await reader.connect();
    await reader.query('BEGIN; SELECT * FROM "views_2023-11"');
    const batches = await runPlan(store.writer, await store.writer.planPurge(rules), rules, { pace: { lockTimeoutMillis: 20 } });
    expect(deletedBy(batches)).toEqual({ views: 300 });
    // Half detached or not: its rows are counted, and there are none left.
    expect((await store.writer.planPurge(rules)).forecast).toMatchObject([{ due: 0, exact: true }]);
    await reader.query('COMMIT');
    await reader.end();
    // Whatever stage the detach reached, the next run leaves nothing half done.
    await purgeAll(store, rules, { run: 'next' });
    expect(await countRows(store, `views WHERE created_at < '2024-01-01Z'`)).toBe(0);
    expect(await store.sql('SELECT FROM pg_inherits WHERE inhdetachpending')).toEqual([]);
  });
});

test.each([[1, '0'], [3, '2']])('of %i workers all but one may help to count under the lock: %s', async (workers, helpers) => {
  const store = await storeWith(views);
  const seen = new Set<string>();
  const writer = await store.another(undefined, (connection) => ({
    ...connection,
    query: async (text, ...rest) => {
      if (text.includes('AS kept FROM ONLY')) seen.add((await connection.query<{ helpers: string }>(`SELECT current_setting('max_parallel_workers_per_gather') AS helpers`)).rows[0]?.helpers ?? '');
      return connection.query(text, ...rest);
    },
  }));
  await runPlan(writer, await writer.planPurge(rules), rules, { pace: { workers } });
  expect([...seen]).toEqual([helpers]);
});

test('rows of a partition can be read while it is counted beside a default partition, and not be written', async () => {
  const store = await storeWith(`${views} CREATE TABLE views_rest PARTITION OF views DEFAULT`);
  const seen: unknown[] = [];
  const writer = await store.another(undefined, (connection) => ({
    ...connection,
    query: async (text, ...rest) => {
      if (text.includes('AS kept FROM ONLY') && seen.length === 0) {
        seen.push(await countRows(store, 'views'));
        seen.push(await store.sql(`SET lock_timeout = 50; INSERT INTO views VALUES (999, 'c', '2023-10-15Z')`).catch(({ code }: { code?: string }) => code));
        seen.push(await store.sql(`SET lock_timeout = 50; SELECT FROM views WHERE id = 1 FOR KEY SHARE`).catch(({ code }: { code?: string }) => code));
      }
      return connection.query(text, ...rest);
    },
  }));
  expect(deletedBy(await runPlan(writer, await writer.planPurge(rules), rules))).toEqual({ views: 300 });
  expect(seen).toEqual([600, '55P03', '55P03']);
});

describe('a drop that was interrupted after the detach', () => {
  /** What a process leaves behind that is killed between the two transactions. */
  async function interrupted(): Promise<{ store: TestStore; plan: PurgePlan }> {
    const store = await storeWith(views);
    await leaveIntent(store, 'views_2023-11');
    await store.sql('ALTER TABLE views DETACH PARTITION "views_2023-11" CONCURRENTLY');
    return { store, plan: await store.writer.planPurge(rules) };
  }

  test('is part of the next plan and is finished by it, under any run', async () => {
    const { store, plan } = await interrupted();
    expect(plan.refusals).toEqual([]);
    expect(plan.steps[0]?.because).toMatch(/finishes the detached views_2023-11/);
    expect(deletedBy(await runPlan(store.writer, plan, rules, { run: 'next' }))).toEqual({ views: 300 });
    expect(await store.sql(`SELECT FROM pg_class WHERE relname LIKE 'views_2023%'`)).toEqual([]);
    expect((await store.writer.planPurge(rules)).steps[0]?.because).not.toMatch(/detached/);
  });

  test('is undone when a hold came meanwhile: the rows are attached again, and seen', async () => {
    const { store, plan } = await interrupted();
    await store.writer.putHold({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: table('views'), predicate: oneOf('id', '150') }] });
    expect(deletedBy(await runPlan(store.writer, plan, rules, { run: 'next' }))).toEqual({ views: 299 });
    expect(await partitionsOf(store)).toEqual(['views_2023-11', ...kept]);
    expect(await countRows(store, 'views WHERE id = 150')).toBe(1);
  });

  test('is undone when the store is frozen: the application has its rows back', async () => {
    const { store, plan } = await interrupted();
    await store.sql(`SELECT dataward.freeze('stop')`);
    await expect(runPlan(store.writer, plan, rules, { run: 'next' })).rejects.toMatchObject({ reason: 'Frozen' });
    expect(await countRows(store, 'views')).toBe(600);
    expect(await partitionsOf(store)).toEqual(months.map((month) => `views_${month}`));
  });

  test('is undone when the count under the lock is cancelled, as when it takes too long: trying again would hide the rows as long', async () => {
    const { store, plan } = await interrupted();
    const reader = new pg.Client(server.connection(server.superuser, store.database));
    await reader.connect();
    await reader.query('BEGIN; SELECT FROM "views_2023-11"');
    const done = runPlan(store.writer, plan, rules, { run: 'next', pace: { lockTimeoutMillis: 20_000 } });
    const cancelled = async (): Promise<boolean> => (await store.sql(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = '${store.database}' AND query LIKE 'LOCK TABLE ONLY%' AND wait_event_type = 'Lock'`)).length > 0;
    await until('the count is cancelled', cancelled);
    await reader.query('COMMIT');
    await reader.end();
    expect(deletedBy(await done)).toEqual({ views: 300 });
    // Attached again it is a partition like the others, and goes with them.
    expect(await store.sql(`SELECT table_name AS name FROM dataward.journal WHERE run = 'next' AND kind = 'Reattach'`)).toEqual([{ name: 'views_2023-11' }]);
    expect(await partitionsOf(store)).toEqual(kept);
  });

  test('is undone when an event trigger forbids it, and the rows go one by one', async () => {
    const { store, plan } = await interrupted();
    await store.sql(`CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no drops here'; END $$; CREATE EVENT TRIGGER forbid ON sql_drop WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION forbid()`);
    expect(deletedBy(await runPlan(store.writer, plan, rules, { run: 'next' }))).toEqual({ views: 300 });
    expect(await partitionsOf(store)).toEqual(months.map((month) => `views_${month}`));
    expect(await countRows(store, 'views')).toBe(300);
  });
});

test('a drop under a claim that was taken over does not happen', async () => {
  const store = await storeWith(views);
  const plan = await store.writer.planPurge(rules);
  const claim = await store.writer.claim('old');
  await store.writer.claim('old');
  const batches = store.writer.purge(plan.steps[0]!, { request: rules, claim, pace, signal: AbortSignal.timeout(10_000) })[Symbol.asyncIterator]();
  await expect(batches.next()).rejects.toMatchObject({ reason: 'Fenced' });
  expect(await countRows(store, 'views')).toBe(600);
});
