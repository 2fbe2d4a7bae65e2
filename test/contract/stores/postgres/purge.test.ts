import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { until } from '../../../support/until.ts';
import { StoreError } from '../../../../src/stores/errors.ts';
import type { StoreHold } from '../../../../src/stores/fence.ts';
import type { Predicate } from '../../../../src/stores/predicate.ts';
import type { BatchResult, PurgeContext } from '../../../../src/stores/purging.ts';
import { connect } from '../../../../src/stores/postgres/connection.ts';
import { purge } from '../../../../src/stores/postgres/purge.ts';
import { targetOf } from './support.ts';
import { committed, countRows, CUTOFF, deletedBy, guard, oneOf, openStore, pace, purgeAll, request, rule, runPlan, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';

let server: TestPostgres;
const open: TestStore[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await Promise.all(open.map((store) => store.close()));
  await server.stop();
});

let databases = 0;
async function storeWith(schema: string): Promise<TestStore> {
  databases += 1;
  const store = await openStore(server, `purge_${databases}`, schema);
  open.push(store);
  return store;
}

/** 10,000 rows over about 150 pages, half of them due, in four clients. */
const events = `
  CREATE TABLE events (id bigint PRIMARY KEY, client_id text, created_at timestamptz, note text);
  INSERT INTO events SELECT i, 'client-' || (i % 4), timestamptz '2023-12-31 12:00Z' + (i % 2) * interval '1 day', repeat('x', 60) FROM generate_series(1, 10000) i;
  ANALYZE events`;
/** Orders with items (indexed foreign key, `action` on delete); everything due. */
const orders = (action: string): string => `
  CREATE TABLE orders (id bigint PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT '2020-01-01Z');
  CREATE TABLE items (id bigint PRIMARY KEY, order_id bigint REFERENCES orders ON DELETE ${action}, created_at timestamptz DEFAULT '2020-01-01Z', kept boolean DEFAULT false);
  CREATE INDEX ON items (order_id);
  INSERT INTO orders SELECT i FROM generate_series(1, 100) i;
  INSERT INTO items (id, order_id) SELECT i, i FROM generate_series(1, 100) i;
  ANALYZE orders; ANALYZE items`;
const hold = (tableName: string, client: string): StoreHold => ({ uid: `hold-${client}`, name: `legal/${client}`, revision: 1, items: [{ table: table(tableName), predicate: oneOf('client_id', client) }] });

const left = async (store: TestStore, name: string, where = 'true'): Promise<number> => countRows(store, `${name} WHERE ${where}`);

describe('a purge', () => {
  test('deletes exactly the due rows, in small batches, and counts them per client', async () => {
    const store = await storeWith(events);
    const { plan, batches } = await purgeAll(store, request([rule('events', { client: { field: 'client_id' } })]), { pace: { maxBatchMillis: 2 } });
    expect(plan.steps.map(({ collection, method }) => [collection, method])).toEqual([['events', 'BlockRange']]);
    expect(plan.forecast).toEqual([{ collection: 'events', due: 5000, held: 0, floored: 0, indeterminate: 0, blocked: 0, exact: true }]);
    expect(deletedBy(batches)).toEqual({ events: 5000 });
    expect(clientTotals(batches)).toEqual({ 'client-0': 2500, 'client-2': 2500 });
    expect([await left(store, 'events'), await left(store, 'events', 'id % 2 = 0')]).toEqual([5000, 0]);
    const journal = await store.writer.journal('run-1', 0);
    expect(journal.map(({ seq, deleted, clients }) => ({ seq, deleted, clients }))).toEqual(committed(batches).map(({ seq, deleted, clients }) => ({ seq, deleted, clients })));
  });

  test('with several workers does the same', async () => {
    const store = await storeWith(events);
    const { batches } = await purgeAll(store, request([rule('events', { client: { value: 'client-x' } })]), { pace: { maxBatchMillis: 2, workers: 3 } });
    expect(deletedBy(batches)).toEqual({ events: 5000 });
    expect(clientTotals(batches)).toEqual({ 'client-x': 5000 });
    expect(await left(store, 'events')).toBe(5000);
    const seqs = committed(batches).map(({ seq }) => seq);
    expect(seqs.toSorted((a, b) => a - b)).toEqual(seqs.map((_seq, index) => index + 1));
  });

  test('by index takes few due rows out of many, past those that must stay', async () => {
    const store = await storeWith(`
      CREATE TABLE events (id bigint PRIMARY KEY, client_id text, created_at timestamptz);
      INSERT INTO events SELECT i, 'client-' || (i % 2), CASE WHEN i <= 300 THEN timestamptz '2020-01-01Z' ELSE '2025-01-01Z' END FROM generate_series(1, 20000) i;
      CREATE INDEX ON events (created_at); ANALYZE events`);
    await store.writer.putHold(hold('events', 'client-1'));
    const { plan, batches } = await purgeAll(store, request([rule('events')]));
    expect(plan.steps[0]?.method).toBe('Keyset');
    expect(deletedBy(batches)).toEqual({ events: 150 });
    expect(await left(store, 'events', `created_at < '2024-01-01Z'`)).toBe(150);
  });

  test('keeps what a minimum or a hold covers, and rows for which that is unknown', async () => {
    const store = await storeWith(events);
    await store.sql('UPDATE events SET client_id = NULL WHERE id <= 100');
    await store.writer.putHold(hold('events', 'client-0'));
    const { plan, batches } = await purgeAll(store, request([rule('events', { guards: [guard('minimum', { op: 'compare', field: { via: [], field: 'id' }, operator: 'GreaterThan', value: '9000' })] })]));
    // client-2 up to 9,000, without the 25 whose client is unknown.
    expect(deletedBy(batches)).toEqual({ events: 2225 });
    expect(plan.forecast[0]).toMatchObject({ due: 2225, held: 2525, floored: 250 });
    expect(await left(store, 'events', `id % 2 = 0 AND (client_id = 'client-0' OR client_id IS NULL OR id > 9000)`)).toBe(2775);
  });

  test('deletes children before parents and leaves to the forecast what a kept child blocks', async () => {
    const store = await storeWith(orders('CASCADE'));
    await store.sql('UPDATE items SET kept = true WHERE id <= 10');
    const keptItems = guard('kept', { op: 'compare', field: { via: [], field: 'kept' }, operator: 'Equals', value: 'true' });
    const { plan, batches } = await purgeAll(store, request([rule('orders'), rule('items', { guards: [keptItems] })], { targets: ['orders'] }));
    expect(plan.steps.map(({ collection }) => collection)).toEqual(['items', 'orders']);
    expect(plan.forecast.map(({ collection, due, floored, blocked }) => ({ collection, due, floored, blocked }))).toEqual([
      { collection: 'items', due: 90, floored: 10, blocked: 0 },
      { collection: 'orders', due: 90, floored: 0, blocked: 10 },
    ]);
    expect(deletedBy(batches)).toEqual({ items: 90, orders: 90 });
    expect([await left(store, 'items'), await left(store, 'orders')]).toEqual([10, 10]);
  });

  test('leaves rows that come, or move, behind its back to a sweep, which finds them wherever they are', async () => {
    const store = await storeWith(events);
    const rules = request([rule('events')]);
    const plan = await store.writer.planPurge(rules);
    const claim = await store.writer.claim('late');
    const context: PurgeContext = { request: rules, claim, pace: { ...pace, maxBatchMillis: 1 }, signal: AbortSignal.timeout(20_000) };
    const batches: BatchResult[] = [];
    for await (const batch of store.writer.purge(plan.steps[0]!, context)) {
      batches.push(batch);
      if (batches.length !== 3) continue;
      // The vacuum frees the first pages, so that the new rows land where the walk has been.
      await store.sql('VACUUM events');
      await store.sql(`INSERT INTO events SELECT i, 'client-9', '2020-01-01Z', '' FROM generate_series(20001, 20050) i`);
    }
    expect(deletedBy(batches)).toEqual({ events: 5000 });
    expect(await left(store, 'events', `created_at < '2024-01-01Z'`)).toBe(50);
    const swept: BatchResult[] = [];
    for await (const batch of store.writer.purge(plan.steps[0]!, { ...context, sweep: true })) swept.push(batch);
    expect(deletedBy(swept)).toEqual({ events: 50 });
    expect(await left(store, 'events', `created_at < '2024-01-01Z'`)).toBe(0);
    // The pages it has visited are no reason to pass over them, nor are rows that are gone a reason to look for ever.
    for await (const batch of store.writer.purge(plan.steps[0]!, { ...context, sweep: true })) expect(batch).toBeUndefined();
  });

  test('does not run a rule that is not the planned one', async () => {
    const store = await storeWith(events);
    const plan = await store.writer.planPurge(request([rule('events')]));
    const wider = request([rule('events', { due: { op: 'true' } })]);
    await expect(runPlan(store.writer, plan, wider)).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringMatching(/not the one that was planned/) });
    expect(await left(store, 'events')).toBe(10_000);
  });

  test('does not run when the store has become one that a plan would refuse', async () => {
    const store = await storeWith(events);
    const rules = request([rule('events')]);
    const plan = await store.writer.planPurge(rules);
    await store.sql('CREATE TABLE stranger (event_id bigint REFERENCES events ON DELETE CASCADE)');
    await expect(runPlan(store.writer, plan, rules)).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringMatching(/UnmappedReference: public.stranger/) });
    expect(await left(store, 'events')).toBe(10_000);
  });

  test('stops when a foreign key that nobody planned for is added between two batches', async () => {
    const store = await storeWith(events);
    const rules = request([rule('events')]);
    const [step] = (await store.writer.planPurge(rules)).steps;
    const claim = await store.writer.claim('ddl');
    const batches = store.writer.purge(step!, { request: rules, claim, pace: { ...pace, maxBatchMillis: 1 }, signal: AbortSignal.timeout(20_000) })[Symbol.asyncIterator]();
    await batches.next();
    await store.sql('CREATE TABLE stranger (event_id bigint REFERENCES events ON DELETE CASCADE); INSERT INTO stranger SELECT id FROM events');
    const atChange = await left(store, 'events');
    await expect(batches.next()).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringMatching(/UnmappedReference: public.stranger/) });
    expect([await left(store, 'events'), await left(store, 'stranger')]).toEqual([atChange, atChange]);
  });

  describe('whose tables change between two batches', () => {
    // The server has room for so many logins only.
    afterEach(async () => {
      await Promise.all(open.splice(0).map((store) => store.close()));
    });

    async function changed(how: string, schema = '', rules = request([rule('events')])): Promise<{ store: TestStore; run: Promise<BatchResult[]> }> {
      const store = await storeWith(`${events}; ALTER TABLE events ADD changed_at timestamptz DEFAULT '2020-01-01Z', ADD local_at timestamp DEFAULT '2020-01-01'; ${schema}`);
      const plan = await store.writer.planPurge(rules);
      let batches = 0;
      const writer = await store.another(undefined, (connection) => ({
        ...connection,
        query: async (text, ...rest) => {
          if (text.startsWith('DELETE FROM ONLY')) batches += 1;
          if (batches === 2 && text.startsWith('DELETE FROM ONLY')) await store.sql(how);
          return connection.query(text, ...rest);
        },
      }));
      return { store, run: runPlan(writer, plan, rules, { pace: { maxBatchMillis: 10 } }) };
    }

    const renamed = (other: string): string => `ALTER TABLE events RENAME created_at TO before; ALTER TABLE events RENAME ${other} TO created_at`;
    test.each<[string, string, string, RegExp]>([
      ['stops where the time of the rule is of another type now', `SET TIME ZONE 'UTC'; ALTER TABLE events ALTER created_at TYPE timestamp`, 'created_at', /created_at is of type timestamp without time zone/],
      ['stops where its name is that of another column', renamed('changed_at'), 'before', /The column created_at of public\.events is another column/],
      ['stops where its name is that of another column of another type', renamed('local_at'), 'before', /The column created_at of public\.events is another column/],
    ])('%s', async (_what, how, time, message) => {
      const { store, run } = await changed(how);
      await expect(run).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringMatching(message) });
      expect(await countRows(store, `events WHERE ${time} >= '2024-01-01'`)).toBe(5_000);
      expect(await countRows(store, 'events')).toBeGreaterThan(5_000);
    });

    test('stops where a time is read from another table, in which its name is that of another column', async () => {
      const ended: Predicate = { op: 'before', time: { path: { via: [{ field: 'client_id', table: table('clients'), toField: 'id' }], field: 'ended_at' }, type: 'TimestampTZ' }, cutoff: CUTOFF };
      const clients = `CREATE TABLE clients (id text PRIMARY KEY, ended_at timestamptz, other timestamptz DEFAULT '2020-01-01Z'); INSERT INTO clients VALUES ('client-0', '2020-01-01Z'), ('client-1', '2025-01-01Z'), ('client-2', '2020-01-01Z'), ('client-3', NULL)`;
      const { store, run } = await changed('ALTER TABLE clients RENAME ended_at TO before; ALTER TABLE clients RENAME other TO ended_at', clients, request([rule('events', { due: ended })]));
      await expect(run).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringMatching(/The column ended_at of public\.clients is another column/) });
      expect(await countRows(store, `events WHERE client_id IN ('client-1', 'client-3')`)).toBe(5_000);
    });

    test('stops where rows refer to it as a map declares, by a name that is that of another column', async () => {
      const notes = 'CREATE TABLE notes (event_id bigint, other bigint); CREATE INDEX ON notes (event_id); CREATE INDEX ON notes (other); INSERT INTO notes (event_id) SELECT id FROM events';
      const { due: _none, ...kept } = rule('notes', { references: [{ field: 'event_id', table: table('events'), toField: 'id' }] });
      const some = 'DELETE FROM notes WHERE event_id < 5000';
      const { store, run } = await changed('ALTER TABLE notes RENAME event_id TO before; ALTER TABLE notes RENAME other TO event_id', `${notes}; ${some}`, request([rule('events'), kept], { targets: ['events'] }));
      await expect(run).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringMatching(/The column event_id of public\.notes is another column/) });
      expect(await countRows(store, 'events WHERE id >= 5000')).toBe(5_001);
    });

    test.each<[string, string, string]>([
      ['an inheritance child that was taken out', 'CREATE TABLE part () INHERITS (events)', 'ALTER TABLE part NO INHERIT events'],
      ['what is below a partition that was detached', `CREATE TABLE whole (LIKE events) PARTITION BY RANGE (id); CREATE TABLE half PARTITION OF whole FOR VALUES FROM (0) TO (20000) PARTITION BY RANGE (id);
        CREATE TABLE part PARTITION OF half FOR VALUES FROM (10001) TO (20000); CREATE TABLE a_part PARTITION OF half FOR VALUES FROM (0) TO (10001); INSERT INTO whole SELECT * FROM events; DROP TABLE events; ALTER TABLE whole RENAME TO events`, 'ALTER TABLE events DETACH PARTITION half'],
    ])('leaves alone %s', async (_what, schema, how) => {
      const rows = `INSERT INTO part (id, client_id, created_at) SELECT 10000 + i, 'client-9', '2020-01-01Z' FROM generate_series(1, 100) i`;
      const { store, run } = await changed(how, `${schema}; ${rows}`);
      await expect(run).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringMatching(/is no longer a part of public\.events/) });
      expect(await countRows(store, 'part')).toBe(100);
    });

    test.each<[string, string]>([
      ['goes on where one was added', 'ALTER TABLE events ADD more text'],
      ['goes on where one it does not speak of got another name', 'ALTER TABLE events RENAME note TO remark'],
    ])('%s', async (_what, how) => {
      const { store, run } = await changed(how);
      expect(deletedBy(await run)).toEqual({ events: 5_000 });
      expect(await countRows(store, 'events')).toBe(5_000);
    });
  });

  test('does not run without the fence', async () => {
    databases += 1;
    const store = await openStore(server, `purge_${databases}`, events, { install: false });
    open.push(store);
    const rules = request([rule('events')]);
    const [step] = (await store.writer.planPurge(rules)).steps;
    const batches = store.writer.purge(step!, { request: rules, claim: { run: 'r', epoch: 1, owner: 'cluster-a' }, pace, signal: AbortSignal.timeout(5_000) });
    await expect(batches[Symbol.asyncIterator]().next()).rejects.toMatchObject({ reason: 'Fenced', message: expect.stringMatching(/not installed/) });
    expect(await left(store, 'events')).toBe(10_000);
  });

  test('stops at its WAL limit and goes on in the next run', async () => {
    const store = await storeWith(events);
    const rules = request([rule('events')]);
    const plan = await store.writer.planPurge(rules);
    // 1 MB is less than 10,000 deletions write, so the second look at the limit stops it.
    const slow = await store.another({ monotonicMs: slowClock(), random: Math.random, sleep: () => Promise.resolve() });
    await expect(runPlan(slow, plan, rules, { pace: { maxBatchMillis: 1, maxWalMegabytesPerRun: 0.1 } })).rejects.toMatchObject({ reason: 'RunLimitReached' });
    expect(await left(store, 'events')).toBeGreaterThan(5_000);
    expect(deletedBy(await runPlan(store.writer, plan, rules, { run: 'run-2' })).events).toBe((await left(store, 'events')) - 5_000 + (deletedBy(await journalOf(store, 'run-2')).events ?? 0));
    expect(await left(store, 'events')).toBe(5_000);
  });
});

describe('a limit of rows', () => {
  const limited = async (store: TestStore, maxRows: number, workers = 1, asked = request([rule('events')])): Promise<number> => {
    const [step] = (await store.writer.planPurge(asked)).steps;
    const claim = await store.writer.claim('limited');
    let deleted = 0;
    const run = async (): Promise<void> => {
      for await (const batch of store.writer.purge(step!, { request: asked, claim, pace: { ...pace, workers }, maxRows, signal: AbortSignal.timeout(20_000) })) deleted += batch.deleted;
    };
    await expect(run()).rejects.toMatchObject({ reason: 'RunLimitReached' });
    return deleted;
  };

  test.each([1, 2])('is never passed, not by one row, with %d workers', async (workers) => {
    const store = await storeWith(events);
    const deleted = await limited(store, 1_000, workers);
    expect(deleted).toBeLessThanOrEqual(1_000);
    // Up to one page of rows is left of the allowance.
    expect(deleted).toBeGreaterThan(900);
    expect(await left(store, 'events')).toBe(10_000 - deleted);
  });

  test('is no hindrance when it is just enough', async () => {
    const store = await storeWith(events);
    const rules = request([rule('events')]);
    const [step] = (await store.writer.planPurge(rules)).steps;
    const claim = await store.writer.claim('enough');
    for await (const _batch of store.writer.purge(step!, { request: rules, claim, pace, maxRows: 5_000, signal: AbortSignal.timeout(20_000) }));
    expect(await left(store, 'events')).toBe(5_000);
  });
});

describe('a hold that comes while a batch runs', () => {
  test('waits for it, and from its return on no covered row goes: ten holds against two workers', async () => {
    const store = await storeWith(`
      CREATE TABLE events (id bigint PRIMARY KEY, client_id text, created_at timestamptz, note text);
      INSERT INTO events SELECT i, 'client-' || (i % 20), '2020-01-01Z', repeat('x', 60) FROM generate_series(1, 20000) i;
      ANALYZE events`);
    const rules = request([rule('events')]);
    const plan = await store.writer.planPurge(rules);
    const other = await store.another();
    const claim = await store.writer.claim('race');
    const atReturn = new Map<string, number>();
    const holdAll = async (): Promise<void> => {
      for (let client = 0; client < 10; client += 1) {
        await store.writer.putHold(hold('events', `client-${client}`));
        atReturn.set(`client-${client}`, await left(store, 'events', `client_id = 'client-${client}'`));
      }
    };
    let holding: Promise<void> | undefined;
    let batches = 0;
    for await (const _batch of other.purge(plan.steps[0]!, { request: rules, claim, pace: { ...pace, maxBatchMillis: 1, workers: 2 }, signal: AbortSignal.timeout(30_000) })) {
      batches += 1;
      if (batches === 3) holding = holdAll();
    }
    await holding;
    const final = await store.sql<{ client_id: string; rows: number }>('SELECT client_id, count(*)::int AS rows FROM events GROUP BY 1 ORDER BY 1');
    expect(Object.fromEntries(final.map(({ client_id, rows }) => [client_id, rows]))).toEqual(Object.fromEntries([...atReturn].filter(([, rows]) => rows > 0)));
    expect(final.length).toBeGreaterThan(0);
  });

  test('is not overtaken by a batch that was already deleting', async () => {
    const store = await storeWith(events);
    const blocker = await lockRow(store, 'events', 5_000);
    const running = purgeAll(store, request([rule('events')]), { pace: { lockTimeoutMillis: 5_000 } });
    await untilWaiting(store, 'DELETE');
    const other = await store.another();
    let returned = false;
    const putting = other.putHold(hold('events', 'client-2')).then(async () => {
      returned = true;
      return left(store, 'events', `client_id = 'client-2'`);
    });
    await untilWaiting(store, 'LOCK TABLE dataward.fence');
    expect(returned).toBe(false);
    await blocker.release();
    const atReturn = await putting;
    await running;
    expect(await left(store, 'events', `client_id = 'client-2'`)).toBe(atReturn);
  });

  test('lifts nothing when it is released: the next pass takes the rows', async () => {
    const store = await storeWith(events);
    await store.writer.putHold(hold('events', 'client-2'));
    const rules = request([rule('events')]);
    expect(deletedBy((await purgeAll(store, rules)).batches)).toEqual({ events: 2500 });
    await store.writer.releaseHold('hold-client-2');
    expect(deletedBy((await purgeAll(store, rules, { run: 'after' })).batches)).toEqual({ events: 2500 });
  });
});

describe('a batch that waits for a row somebody else has locked', () => {
  test('gives up soon, tries smaller ones, and leaves only the locked pages for later', async () => {
    const store = await storeWith(events);
    const blocker = await lockRow(store, 'events', 5_000);
    const rules = request([rule('events')]);
    const plan = await store.writer.planPurge(rules);
    const batches = await runPlan(store.writer, plan, rules, { pace: { lockTimeoutMillis: 20 } });
    expect(batches.filter(({ throttledBy }) => throttledBy === 'RowLocked').length).toBeGreaterThan(0);
    expect(await left(store, 'events', `id % 2 = 0 AND id <> 5000`)).toBeLessThan(80); // one page
    await blocker.release();
    await runPlan(store.writer, plan, rules, { run: 'run-2' });
    expect(await left(store, 'events', 'id % 2 = 0')).toBe(0);
  });
});

describe('the count by client of a batch', () => {
  const counted = request([rule('events', { client: { field: 'client_id' } })]);

  test.each<[string, string, number, Record<string, number>]>([
    ['leaves out a row that goes on living, since it was changed meanwhile', `UPDATE events SET created_at = now() WHERE id = 5000`, 4_999, { 'client-0': 2_499, 'client-2': 2_500 }],
    ['leaves out a row that somebody else deletes meanwhile', 'DELETE FROM events WHERE id = 5000', 4_999, { 'client-0': 2_499, 'client-2': 2_500 }],
    ['names the client a row belonged to when the batch began', `UPDATE events SET client_id = 'client-2' WHERE id = 5000`, 5_000, { 'client-0': 2_500, 'client-2': 2_500 }],
  ])('%s', async (_name, change, deleted, clients) => {
    // Room on the page keeps the changed row in the batch's range.
    const store = await storeWith(events.replace('note text)', 'note text) WITH (fillfactor = 70)'));
    const blocker = await lockRow(store, 'events', 5_000, change);
    const running = purgeAll(store, counted, { pace: { lockTimeoutMillis: 5_000 } });
    await untilWaiting(store, 'WITH counted');
    await blocker.release();
    const { batches } = await running;
    const total: Record<string, number> = {};
    for (const batch of batches) for (const [client, rows] of Object.entries(batch.clients)) total[client] = (total[client] ?? 0) + rows;
    expect(total).toEqual(clients);
    expect(deletedBy(batches)).toEqual({ events: deleted });
    const journal = await store.writer.journal('run-1', 0);
    expect(journal.reduce((sum, row) => sum + row.deleted, 0)).toBe(deleted);
    expect(await left(store, 'events')).toBe(5_000 + (change.startsWith('UPDATE events SET created_at') ? 1 : 0));
  });
});

describe('the workers of a step', () => {
  const workers = async (store: TestStore, run: string): Promise<{ most: number; work: Promise<unknown> }> => {
    const rules = request([rule('events')]);
    const [step] = (await store.writer.planPurge(rules)).steps;
    const claim = await store.writer.claim(run);
    const seen = { most: 0, now: 0 };
    const login = async (): ReturnType<typeof connect> => {
      seen.now += 1;
      seen.most = Math.max(seen.most, seen.now);
      try {
        return await connect(targetOf(server, { database: store.database }), { type: 'password', username: store.enforce.user, password: store.enforce.password }, { purpose: 'enforce' }, { readOnly: false });
      } finally {
        seen.now -= 1;
      }
    };
    const batches = purge(login, { monotonicMs: () => performance.now(), random: Math.random, sleep: () => Promise.resolve() }, step!, { request: rules, claim, pace: { ...pace, workers: 4 }, signal: AbortSignal.timeout(30_000) });
    const work = (async () => {
      for await (const _batch of batches);
    })();
    await work.catch(() => undefined);
    return { most: seen.most, work };
  };
  const logins = async (store: TestStore): Promise<number> => (await store.sql(`SELECT FROM pg_stat_activity WHERE datname = '${store.database}' AND application_name LIKE 'dataward/%'`)).length;

  test('log in side by side, and out when the step is over', async () => {
    const store = await storeWith(events);
    const { most, work } = await workers(store, 'together');
    await work;
    expect(most).toBe(4);
    expect(await left(store, 'events')).toBe(5_000);
    await until('the workers are gone', async () => (await logins(store)) === 1);
  });

  test('are all gone when the server has no place for one of them', async () => {
    const store = await storeWith(events);
    await store.sql(`ALTER DATABASE ${store.database} CONNECTION LIMIT 3`);
    const { work } = await workers(store, 'crowded');
    await expect(work).rejects.toMatchObject({ reason: 'Unreachable', message: expect.stringContaining('53300') });
    await until('the workers are gone', async () => (await logins(store)) === 1);
    expect(await left(store, 'events')).toBe(10_000);
  });
});

describe('a table that somebody keeps locked as a whole', () => {
  test('ends the purge soon, instead of being tried page by page', async () => {
    const store = await storeWith(events);
    const rules = request([rule('events')]);
    const plan = await store.writer.planPurge(rules);
    const claim = await store.writer.claim('locked');
    const batches = store.writer.purge(plan.steps[0]!, { request: rules, claim, pace: { ...pace, maxBatchMillis: 1, lockTimeoutMillis: 20 }, signal: AbortSignal.timeout(30_000) })[Symbol.asyncIterator]();
    await batches.next();
    const blocker = await lockRow(store, 'events', 1, 'LOCK TABLE events IN EXCLUSIVE MODE');
    const rest = async (): Promise<void> => {
      for (let next = await batches.next(); next.done !== true; next = await batches.next());
    };
    await expect(rest()).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringMatching(/RowLocked/) });
    await blocker.release();
  });
});

describe('a row that begins to refer to one that is being deleted', () => {
  test.each(['CASCADE', 'SET NULL', 'NO ACTION', 'SET DEFAULT'])('keeps it, and is kept itself, with ON DELETE %s', async (action) => {
    const store = await storeWith(orders(action));
    await store.sql('DELETE FROM items');
    const { due: _due, ...keptItems } = rule('items');
    const rules = request([rule('orders'), keptItems]);
    const plan = await store.writer.planPurge(rules);
    // The new item's transaction has locked order 50 but is not committed: the DELETE's snapshot does not see it.
    const blocker = await lockRow(store, 'orders', 50, 'INSERT INTO items (id, order_id) VALUES (1000, 50)');
    const running = runPlan(store.writer, plan, rules, { pace: { lockTimeoutMillis: 5_000 } });
    await untilWaiting(store, 'DELETE');
    await blocker.release();
    expect(deletedBy(await running)).toEqual({ orders: 99 });
    expect(await store.sql('SELECT id::int, order_id::int FROM items')).toEqual([{ id: 1000, order_id: 50 }]);
    expect(await store.sql('SELECT id::int FROM orders')).toEqual([{ id: 50 }]);
  });
});

describe('a connection that is lost', () => {
  const exactly = async (store: TestStore, run: string): Promise<void> => {
    expect(await left(store, 'events')).toBe(5_000);
    const journal = await store.writer.journal(run, 0);
    expect(journal.reduce((sum, row) => sum + row.deleted, 0)).toBe(5_000);
  };

  test('because the server ended it: the next claim goes on, and the journal has every row once', async () => {
    const store = await storeWith(events);
    const rules = request([rule('events')]);
    const plan = await store.writer.planPurge(rules);
    const other = await store.another();
    const batches = other.purge(plan.steps[0]!, { request: rules, claim: await store.writer.claim('cut'), pace: { ...pace, maxBatchMillis: 1 }, signal: AbortSignal.timeout(20_000) })[Symbol.asyncIterator]();
    await batches.next();
    await store.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND query LIKE 'COMMIT%' AND application_name LIKE 'dataward/enforce%' AND backend_start = (SELECT max(backend_start) FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'dataward/enforce%')`, [store.database]);
    await expect(batches.next()).rejects.toMatchObject({ reason: 'Unreachable' });
    await runPlan(await store.another(), plan, rules, { run: 'cut' });
    await exactly(store, 'cut');
  });

  test('at COMMIT, when nobody knows whether it took place: the journal knows', async () => {
    const store = await storeWith(events);
    const rules = request([rule('events')]);
    const plan = await store.writer.planPurge(rules);
    const lossy = await store.another(undefined, (connection) => {
      let commits = 0;
      const transaction: typeof connection.transaction = async (work, begin) => {
        const result = await connection.transaction(work, begin);
        // The batch is in force, but its answer gets lost on the way.
        if (begin?.includes('READ WRITE') === true && (commits += 1) === 4) throw new StoreError('Unreachable', 'the connection was lost');
        return result;
      };
      return { ...connection, transaction };
    });
    await expect(runPlan(lossy, plan, rules, { run: 'lost', pace: { maxBatchMillis: 1 } })).rejects.toMatchObject({ reason: 'Unreachable' });
    expect(await left(store, 'events')).toBeLessThan(10_000);
    await runPlan(store.writer, plan, rules, { run: 'lost' });
    await exactly(store, 'lost');
  });
});

describe('a run that was taken over', () => {
  test('commits nothing any more, and says so', async () => {
    const store = await storeWith(events);
    const rules = request([rule('events')]);
    const [step] = (await store.writer.planPurge(rules)).steps;
    const claim = await store.writer.claim('leader');
    const other = await store.another();
    const batches = other.purge(step!, { request: rules, claim, pace: { ...pace, maxBatchMillis: 1 }, signal: AbortSignal.timeout(20_000) })[Symbol.asyncIterator]();
    await batches.next();
    await store.writer.claim('leader');
    const atTakeover = await left(store, 'events');
    await expect(batches.next()).rejects.toMatchObject({ reason: 'Fenced', message: expect.stringMatching(/taken over \(epoch 2, ours 1\)/) });
    expect(await left(store, 'events')).toBe(atTakeover);
  });

  test('goes on where the old one stopped, without counting anything twice', async () => {
    const store = await storeWith(events);
    const rules = request([rule('events')]);
    const plan = await store.writer.planPurge(rules);
    const claim = await store.writer.claim('resumed');
    let seen = 0;
    for await (const _batch of store.writer.purge(plan.steps[0]!, { request: rules, claim, pace: { ...pace, maxBatchMillis: 1 }, signal: AbortSignal.timeout(20_000) })) {
      seen += 1;
      if (seen === 5) break;
    }
    await runPlan(store.writer, plan, rules, { run: 'resumed' });
    const journal = await store.writer.journal('resumed', 0);
    expect(journal.reduce((sum, row) => sum + row.deleted, 0)).toBe(5_000);
    expect(journal.map(({ seq }) => seq)).toEqual(journal.map((_row, index) => index + 1));
    expect(new Set(journal.map(({ epoch }) => epoch))).toEqual(new Set([1, 2]));
  });

  test('stops at once when the store is frozen in SQL', async () => {
    const store = await storeWith(events);
    const rules = request([rule('events')]);
    const [step] = (await store.writer.planPurge(rules)).steps;
    const claim = await store.writer.claim('frozen');
    const batches = store.writer.purge(step!, { request: rules, claim, pace: { ...pace, maxBatchMillis: 1 }, signal: AbortSignal.timeout(20_000) })[Symbol.asyncIterator]();
    await batches.next();
    await store.sql(`SELECT dataward.freeze('stop')`);
    const atFreeze = await left(store, 'events');
    await expect(batches.next()).rejects.toMatchObject({ reason: 'Frozen' });
    expect(await left(store, 'events')).toBe(atFreeze);
  });
});

function clientTotals(batches: readonly BatchResult[]): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const { clients } of batches) for (const [client, rows] of Object.entries(clients)) totals[client] = (totals[client] ?? 0) + rows;
  return totals;
}

async function journalOf(store: TestStore, run: string): Promise<BatchResult[]> {
  return (await store.writer.journal(run, 0)).map((row) => ({ ...row, millis: 0 }));
}

/** A clock on which every look is two seconds after the last, so that the server is asked before each batch. */
function slowClock(): () => number {
  let now = 0;
  return () => (now += 2_000);
}

/** A session that holds a lock on one row, by an update that changes nothing or by another statement. */
async function lockRow(store: TestStore, name: string, id: number, statement = `UPDATE ${name} SET id = id WHERE id = ${id}`): Promise<{ release(): Promise<void> }> {
  const { default: pg } = await import('pg');
  const client = new pg.Client(server.connection(server.superuser, store.database));
  await client.connect();
  await client.query(`BEGIN; ${statement}`);
  return {
    release: async () => {
      await client.query('COMMIT');
      await client.end();
    },
  };
}

/** Until a statement that begins so waits for a lock. */
async function untilWaiting(store: TestStore, statement: string): Promise<void> {
  for (;;) {
    const rows = await store.sql(`SELECT FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock' AND query LIKE $2`, [store.database, `%${statement}%`]);
    if (rows.length > 0) return;
  }
}
