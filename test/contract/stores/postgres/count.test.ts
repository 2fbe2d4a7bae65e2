import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { CollectionCount, CollectionRule, CountRequest } from '../../../../src/stores/counting.ts';
import type { StoreHold } from '../../../../src/stores/fence.ts';
import type { Cutoff, Predicate, TimeField } from '../../../../src/stores/predicate.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { countRows } from '../../../../src/stores/postgres/count.ts';
import { putHold } from '../../../../src/stores/postgres/holds.ts';
import { readFingerprint } from '../../../../src/stores/postgres/fingerprint.ts';
import { readHistogram } from '../../../../src/stores/postgres/histogram.ts';
import { install } from '../../../../src/stores/postgres/install.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { Identity, TestPostgres } from '../../../support/postgres.ts';
import { createReader, login } from './support.ts';

const now = '2025-06-01T12:00:00Z';
const cutoff: Cutoff = { instant: '2024-01-01T00:00:00+01:00', localDate: '2024-01-01', timeZone: 'Europe/Berlin' };
const views = { schema: 'public', name: 'views' };
const viewed: TimeField = { path: { via: [], field: 'at' }, type: 'TimestampTZ', plausibleFrom: '2005-01-01' };
const equals = (field: string, value: string): Predicate => ({ op: 'compare', field: { via: [], field }, operator: 'Equals', value });
const dueIf = (time: TimeField, ...more: Predicate[]): Predicate => ({ op: 'and', of: [{ op: 'before', time, cutoff }, { op: 'not', of: { op: 'indeterminate', time, now } }, ...more] });
const rule: CollectionRule = { collection: 'shop/web/views', table: views, due: dueIf(viewed), guards: [], times: [viewed], acknowledged: [] };
const request = (changes: Partial<CollectionRule> = {}, budgetMs = 20_000): CountRequest => ({ rules: [{ ...rule, ...changes }], now, budgetMs });
const countCollection = async (connection: Connection, asked: CountRequest): Promise<CollectionCount | undefined> => (await countRows(connection, asked))[0];

describe('counting', () => {
  let server: TestPostgres;
  let connection: Connection;
  let reader: Identity;

  beforeAll(async () => {
    server = await startPostgres({ settings: { timezone: "'Pacific/Chatham'" } });
    reader = await createReader(server, 'observer');
    await server.query(`
      CREATE TABLE views (id int PRIMARY KEY, at timestamptz, client text, status text);
      INSERT INTO views SELECT n, '2020-01-01 10:00+00'::timestamptz + n * interval '1 day', 'client-' || n % 3, CASE WHEN n % 2 = 0 THEN 'closed' END FROM generate_series(0, 1899) n;
      INSERT INTO views VALUES (5001, NULL, 'client-1', 'closed'), (5002, 'infinity', 'client-1', NULL), (5003, '-infinity', 'client-1', 'open'), (5004, '2031-01-01', 'client-1', 'closed'), (5005, '1999-01-01', 'client-2', 'closed');
      CREATE TABLE logs (id int, at timestamp) PARTITION BY RANGE (at);
      CREATE TABLE logs_2022 PARTITION OF logs FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
      CREATE TABLE logs_rest PARTITION OF logs DEFAULT;
      INSERT INTO logs SELECT n, '2022-01-01'::timestamp + n * interval '1 day' FROM generate_series(0, 999) n`);
    connection = await login(server, { identity: reader });
  });
  afterAll(async () => {
    await connection?.close();
    await server?.stop();
  });

  // 1 January 2024 in Berlin is 1,460 days and 13 hours after the first row.
  const due = 1461;

  test('puts every row into one class, and tells the oldest that is due', async () => {
    expect(await countCollection(connection, request())).toEqual({
      collection: 'shop/web/views',
      due,
      held: 0,
      floored: 0,
      blocked: 0,
      blockedForever: 0,
      indeterminate: 5,
      oldestDue: '2020-01-01T10:00:00.000000Z',
      exact: true,
    });
  });

  test('a minimum or a client keeps rows that are due, and unknown keeps them too', async () => {
    const counted = await countCollection(connection, request({ guards: [{ kind: 'Minimum', name: 'closed-8-years', predicate: equals('status', 'closed') }] }));
    expect(counted).toMatchObject({ due: 0, floored: due }); // half of them are closed, of the others nobody knows
    const known = await countCollection(connection, request({ guards: [{ kind: 'Client', name: 'client-a', predicate: equals('client', 'client-1') }] }));
    expect(known).toMatchObject({ due: (due / 3) * 2, floored: due / 3 });
  });

  test('indeterminate are only the rows the rule is about', async () => {
    const closed = dueIf(viewed, { op: 'oneOf', field: { via: [], field: 'status' }, values: ['closed'] });
    expect(await countCollection(connection, request({ due: closed }))).toMatchObject({ due: 731, indeterminate: 4 });
  });

  test('a guard that cannot be understood keeps every row, as it does for a purge', async () => {
    const renamed = { kind: 'Hold' as const, name: 'legal/matter', predicate: equals('renamed_column', '1') };
    expect(await countCollection(connection, request({ guards: [renamed] }))).toMatchObject({ due: 0, held: due });
    const mistyped = { kind: 'Hold' as const, name: 'legal/matter', predicate: equals('id', 'jane@example.com') };
    expect(await countCollection(connection, request({ guards: [mistyped] }))).toMatchObject({ due: 0, held: due, unreadable: 1 });
  });

  test('without a rule nothing is due', async () => {
    const { due: _due, ...without } = rule;
    expect(await countCollection(connection, { rules: [without], now, budgetMs: 20_000 })).toEqual({ collection: rule.collection, due: 0, held: 0, floored: 0, blocked: 0, blockedForever: 0, indeterminate: 5, exact: true });
  });

  test('counts partitions through the table they belong to', async () => {
    const time: TimeField = { path: { via: [], field: 'at' }, type: 'Timestamp', timeZone: 'Europe/Berlin' };
    const counted = await countCollection(connection, request({ table: { schema: 'public', name: 'logs' }, due: dueIf(time), times: [time] }));
    expect(counted).toMatchObject({ due: 730, indeterminate: 0, oldestDue: '2021-12-31T23:00:00.000000Z', exact: true });
  });

  test('counts where every name needs quoting, over a reference into another schema', async () => {
    await server.query(`CREATE SCHEMA "Shop; DROP"; CREATE SCHEMA "select";
      CREATE TABLE "select"."Group" ("from" int PRIMARY KEY, "End At" timestamptz);
      CREATE TABLE "Shop; DROP"."Or""der" ("where" int, "it's" text);
      INSERT INTO "select"."Group" VALUES (1, '2020-01-01+00'), (2, '2024-06-01+00'), (3, NULL);
      INSERT INTO "Shop; DROP"."Or""der" VALUES (1, 'a'), (1, 'b'), (2, 'a'), (3, 'a'), (9, 'a'), (NULL, 'a')`);
    const time: TimeField = { path: { via: [{ field: 'where', table: { schema: 'select', name: 'Group' }, toField: 'from' }], field: 'End At' }, type: 'TimestampTZ' };
    const order = request({ table: { schema: 'Shop; DROP', name: 'Or"der' }, due: dueIf(time), times: [time], guards: [{ kind: 'Minimum', name: 'b', predicate: equals("it's", 'b') }] });
    expect(await countCollection(connection, order)).toEqual({ collection: rule.collection, due: 1, held: 0, floored: 1, blocked: 0, blockedForever: 0, indeterminate: 3, oldestDue: '2020-01-01T00:00:00.000000Z', exact: true });
  });

  test('needs no privilege on partitions and counts inherited rows once', async () => {
    await server.query(`CREATE TABLE animals (id int, at timestamptz); CREATE TABLE cats (lives int) INHERITS (animals);
      INSERT INTO animals VALUES (1, '2020-01-01'); INSERT INTO cats VALUES (2, '2020-01-01', 9), (3, '2025-01-01', 9)`);
    const narrow = await login(server, { identity: await server.createRole('narrow') });
    await server.query('GRANT SELECT ON logs, animals TO narrow');
    const time: TimeField = { path: { via: [], field: 'at' }, type: 'Timestamp', timeZone: 'UTC' };
    const logs = await countCollection(narrow, request({ table: { schema: 'public', name: 'logs' }, due: dueIf(time), times: [time] }));
    const animals = await countCollection(narrow, request({ table: { schema: 'public', name: 'animals' } }));
    await narrow.close();
    expect(logs).toMatchObject({ due: 730, exact: true });
    expect(animals).toMatchObject({ due: 2, exact: true });
  });

  test('counts a partition that lies in another server with the rest', async () => {
    const { user, password } = server.superuser;
    await server.query(`CREATE EXTENSION postgres_fdw;
      CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '${server.host}', port '${server.port}', dbname 'postgres', sslmode 'require');
      CREATE USER MAPPING FOR postgres SERVER elsewhere OPTIONS (user '${user}', password '${password}');
      CREATE TABLE remote_2021 (id int, at timestamptz); INSERT INTO remote_2021 SELECT n, '2021-06-01+00' FROM generate_series(1, 7) n;
      CREATE TABLE mixed (id int, at timestamptz) PARTITION BY RANGE (at);
      CREATE TABLE mixed_2020 PARTITION OF mixed FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
      CREATE FOREIGN TABLE mixed_2021 PARTITION OF mixed FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') SERVER elsewhere OPTIONS (table_name 'remote_2021');
      INSERT INTO mixed SELECT n, '2020-06-01+00' FROM generate_series(1, 5) n`);
    const superuser = await login(server);
    const counted = await countCollection(superuser, request({ table: { schema: 'public', name: 'mixed' } }));
    await superuser.close();
    expect(counted).toMatchObject({ due: 12, exact: true });
  });

  test('counts a materialized view, which keeps rows that are gone elsewhere', async () => {
    await server.query('CREATE MATERIALIZED VIEW copies AS SELECT id, at FROM views WHERE id < 10');
    expect(await countCollection(connection, request({ table: { schema: 'public', name: 'copies' } }))).toMatchObject({ due: 10, exact: true });
  });

  test('out of time it says less and never claims to be exact', async () => {
    await server.query(`CREATE TABLE big (id int, at timestamptz, filler text); INSERT INTO big SELECT n, '2020-01-01', repeat('x', 200) FROM generate_series(1, 300000) n`);
    const big = request({ table: { schema: 'public', name: 'big' } }, 20);
    // However fast the machine is: a server that takes its time to answer.
    const slow = new Proxy(connection, {
      get: (target, name) => {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== 'function') return member;
        return async (...args: unknown[]) => {
          if (name === 'query') await delay(80);
          return (await Reflect.apply(member, target, args)) as unknown;
        };
      },
    });
    const short = await countCollection(slow, big);
    expect(short?.exact).toBe(false);
    expect(short?.due).toBeLessThan(300_000);
    expect(await countCollection(connection, { ...big, budgetMs: 60_000 })).toMatchObject({ due: 300_000, exact: true });
  });

  test('the time is for all collections, but a large one leaves a moment for the others', async () => {
    await server.query(`CREATE TABLE few (id int PRIMARY KEY, at timestamptz); INSERT INTO few SELECT n, '2020-01-01' FROM generate_series(1, 10) n;
      CREATE TABLE lots (id int, few_id int REFERENCES few, at timestamptz, filler text); INSERT INTO lots SELECT n, CASE WHEN n <= 10 THEN n END, '2020-01-01', repeat('x', 200) FROM generate_series(1, 300000) n;
      CREATE INDEX ON lots (few_id)`);
    const named = (name: string): CollectionRule => ({ ...rule, collection: name, table: { schema: 'public', name } });
    const counts = await countRows(connection, { rules: [named('lots'), named('few')], now, budgetMs: 1 });
    expect(counts.map(({ collection }) => collection)).toEqual(['lots', 'few']);
    expect(counts[1]).toMatchObject({ due: 10, exact: true });
    const [lots, few] = await countRows(connection, { rules: [named('lots'), named('few')], now, budgetMs: 60_000 });
    expect([lots, few]).toMatchObject([{ due: 300_000, exact: true }, { due: 10, blocked: 0, exact: true }]);
    await server.query(`UPDATE lots SET at = '2025-01-01' WHERE id = 7`);
    // Only what was asked for is counted, but what refers to it is looked at all the same.
    expect(await countRows(connection, { rules: [named('lots'), named('few')], collections: ['few'], now, budgetMs: 60_000 })).toMatchObject([{ collection: 'few', due: 9, blocked: 1 }]);
  });

  test('a row that moves while it is counted is counted once', async () => {
    const writer = await login(server, { settings: { readOnly: false } });
    const counting = countCollection(connection, request({ table: { schema: 'public', name: 'big' } }, 60_000));
    await writer.query('UPDATE public.big SET id = -id WHERE id % 2 = 0');
    expect(await counting).toMatchObject({ due: 300_000, exact: true });
    await writer.close();
  });

  test('hidden rows are not counted, and never a smaller number', async () => {
    await server.query(`CREATE TABLE secret (id int, at timestamptz); INSERT INTO secret VALUES (1, '2020-01-01'), (2, '2020-01-01');
      ALTER TABLE secret ENABLE ROW LEVEL SECURITY; CREATE POLICY one ON secret USING (id = 1)`);
    const secret = request({ table: { schema: 'public', name: 'secret' } });
    expect(await countCollection(connection, secret)).toMatchObject({ due: 0, exact: false, uncounted: { reason: 'RowsHidden', message: expect.stringContaining('BYPASSRLS') } });
    await server.query('ALTER ROLE observer BYPASSRLS');
    expect(await countCollection(connection, secret)).toMatchObject({ due: 2 });
    await server.query('ALTER ROLE observer NOBYPASSRLS');
  });

  test('a dropped privilege or table is told by name', async () => {
    await server.query('CREATE TABLE private (id int, at timestamptz); REVOKE pg_read_all_data FROM observer');
    expect(await countCollection(connection, request({ table: { schema: 'public', name: 'private' } }))).toMatchObject({ exact: false, uncounted: { reason: 'PermissionDenied', message: expect.stringContaining('private') } });
    await server.query('GRANT pg_read_all_data TO observer');
    expect(await countCollection(connection, request({ table: { schema: 'public', name: 'gone' } }))).toMatchObject({ exact: false, uncounted: { reason: 'NotFound', message: expect.stringContaining('public.gone') } });
    const wrongType: TimeField = { ...viewed, type: 'Date' };
    expect(await countCollection(connection, request({ due: dueIf(wrongType) }))).toMatchObject({ exact: false, uncounted: { reason: 'Conflict', message: expect.stringContaining('public.views.at is of type timestamp with time zone') } });
    expect(await countCollection(connection, request())).toMatchObject({ exact: true }); // the connection is as good as before
  });

  test('a histogram gives rows by month in UTC and the unbelievable apart', async () => {
    const histogram = await readHistogram(connection, views, viewed, { budgetMs: 20_000, now });
    expect(histogram.months.slice(0, 3)).toEqual([{ month: '2020-01', rows: 31 }, { month: '2020-02', rows: 29 }, { month: '2020-03', rows: 31 }]);
    expect(histogram.months.reduce((sum, { rows }) => sum + rows, 0) + histogram.indeterminate).toBe(1905);
    expect(histogram).toMatchObject({ exact: true });
    await server.query(`CREATE TABLE days (id int, d date); INSERT INTO days SELECT n, ('1900-01-01'::date + n * interval '1 month')::date FROM generate_series(0, 1499) n`);
    const dates = await readHistogram(connection, { schema: 'public', name: 'days' }, { path: { via: [], field: 'd' }, type: 'Date', timeZone: 'Pacific/Auckland' }, { budgetMs: 20_000, now });
    expect(dates.months).toHaveLength(600);
    expect(dates.months.at(-1)).toEqual({ month: '2024-12', rows: 1 });
    expect(dates.months[0]).toEqual({ month: '1975-01', rows: 901 });
  });

  test('a fingerprint follows the rows and not their order', async () => {
    const client: Predicate = equals('client', 'client-1');
    const before = await readFingerprint(connection, views, client);
    expect(before.rows).toBe(637);
    await server.query(`UPDATE views SET status = status; CREATE INDEX ON views (client); CLUSTER views USING views_client_idx`);
    expect(await readFingerprint(connection, views, client)).toEqual(before);
    await server.query(`UPDATE views SET status = 'changed' WHERE id = 1`);
    const after = await readFingerprint(connection, views, client);
    expect(after.rows).toBe(before.rows);
    expect(after.sum).not.toBe(before.sum);
  });

  describe('with holds in the store', () => {
    const hold = (uid: string, items: StoreHold['items']): StoreHold => ({ uid, name: `legal/${uid}`, revision: 1, items });
    let writer: Connection;

    beforeAll(async () => {
      writer = await login(server, { purpose: 'enforce', settings: { readOnly: false } });
      await install(writer, { owner: 'cluster-a', readers: [] });
    });
    afterAll(() => writer.close());

    test('a schema that is there but may not be read is no count at all', async () => {
      const blind = await login(server, { identity: await server.createRole('blind') });
      await server.query('GRANT SELECT ON views TO blind');
      await expect(countCollection(blind, request())).rejects.toMatchObject({ reason: 'PermissionDenied' });
      await blind.close();
    });

    test('held rows are those of the store\'s own holds', async () => {
      await putHold(writer, hold('one', [{ table: views, predicate: equals('client', 'client-2') }]));
      expect(await countCollection(connection, request())).toMatchObject({ due: (due / 3) * 2, held: due / 3 });
    });

    test('a hold on one partition is seen from the whole table, and one on the table from a partition', async () => {
      const time: TimeField = { path: { via: [], field: 'at' }, type: 'Timestamp', timeZone: 'UTC' };
      const logs = request({ table: { schema: 'public', name: 'logs' }, due: dueIf(time), times: [time] });
      await putHold(writer, hold('two', [{ table: { schema: 'public', name: 'logs_2022' }, predicate: equals('id', '7') }]));
      expect(await countCollection(connection, logs)).toMatchObject({ held: 1 });
      await putHold(writer, hold('three', [{ table: { schema: 'public', name: 'logs' }, predicate: equals('id', '8') }]));
      expect(await countCollection(connection, { ...logs, rules: logs.rules.map((each) => ({ ...each, table: { schema: 'public', name: 'logs_2022' } })) })).toMatchObject({ held: 2 });
    });
  });
});
