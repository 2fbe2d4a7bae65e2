import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { StoreReader, StoreWriter } from '../../../../src/stores/port.ts';
import type { BatchResult, PurgePlan, PurgeRequest } from '../../../../src/stores/purging.ts';
import { createReader } from '../../../../src/stores/postgres/reader.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { countRows, oneOf, openStore, pace, request, rule, runPlan, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';
import { login } from './support.ts';

let server: TestPostgres;
const open: TestStore[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await Promise.all(open.map((store) => store.close()));
  await server.stop();
});

/** 3,000 rows, all of them due, on many pages; and a table that is asked for the time of a view. */
const VIEWS = `
  CREATE TABLE owners (id int PRIMARY KEY, created_at timestamptz);
  INSERT INTO owners SELECT i, '2020-01-01Z' FROM generate_series(1, 10) i;
  CREATE TABLE views (id int PRIMARY KEY, owner_id int, created_at timestamptz, filler text DEFAULT repeat('x', 400));
  INSERT INTO views (id, owner_id, created_at) SELECT i, i % 10 + 1, '2020-01-01Z' FROM generate_series(1, 3000) i;`;
/** What a table that was built anew leaves: the old one beside it, under another name. */
const SWAP = 'ALTER TABLE views RENAME TO views_before; CREATE TABLE views (LIKE views_before INCLUDING ALL)';
const FILLED = `${SWAP}; INSERT INTO views SELECT i, 1, '2020-01-01Z', repeat('x', 400) FROM generate_series(1, 3000) i`;
const asked = request([rule('views')]);

async function storeWith(schema = VIEWS): Promise<TestStore> {
  const store = await openStore(server, `replaced_${open.length + 1}`, schema);
  open.push(store);
  return store;
}

const pinnedBy = (plan: PurgePlan, to: PurgeRequest = asked): PurgeRequest => ({ ...to, pinned: plan.steps.flatMap((step) => step.tables) });

/** Purges by a plan that was made before; `between` is done once, after the first batch. */
async function purge(store: TestStore, plan: PurgePlan, between?: string, writer: StoreWriter = store.writer): Promise<number> {
  const claim = await writer.claim('run-1');
  let deleted = 0;
  for (const step of plan.steps) {
    const batches: AsyncIterable<BatchResult> = writer.purge(step, { request: pinnedBy(plan), claim, pace, signal: AbortSignal.timeout(30_000) });
    for await (const batch of batches) {
      if (deleted === 0 && between !== undefined) await store.sql(between);
      deleted += batch.deleted;
    }
  }
  return deleted;
}

describe('a plan', () => {
  test('names the tables it was made on: those rows go from, and those they are judged by', async () => {
    const store = await storeWith(`${VIEWS} CREATE INDEX ON views (owner_id); CREATE TABLE notes (id int, view_id int); CREATE INDEX ON notes (view_id)`);
    const through = request([
      rule('views', { due: { op: 'before', time: { path: { via: [{ field: 'owner_id', table: table('owners'), toField: 'id' }], field: 'created_at' }, type: 'TimestampTZ' }, cutoff: { instant: '2024-01-01T00:00:00Z', localDate: '2024-01-01', timeZone: 'UTC' } } }),
      { ...rule('notes', { references: [{ field: 'view_id', table: table('views'), toField: 'id' }] }), due: undefined as never },
    ].map(({ due, ...rest }) => (due === undefined ? rest : { ...rest, due })), { targets: ['views'] });
    const [step] = (await store.writer.planPurge(through)).steps;
    expect(step?.tables.map(({ schema, name }) => `${schema}.${name}`)).toEqual(['public.views', 'public.notes', 'public.owners']);
    expect(step?.tables.map(({ oid }) => oid)).toEqual((await store.sql<{ oid: string }>(`SELECT unnest(ARRAY['views'::regclass, 'notes'::regclass, 'owners'::regclass])::oid::text AS oid`)).map(({ oid }) => oid));
    await store.sql('ALTER TABLE owners RENAME TO owners_before; CREATE TABLE owners (LIKE owners_before INCLUDING ALL)');
    await expect(store.writer.planPurge(pinnedBy({ steps: [step!], refusals: [], forecast: [], walMegabytes: 0 }, through))).rejects.toMatchObject({ reason: 'Replaced', message: expect.stringContaining('public.owners is another table than the one the plan was made on') });
  });
});

describe('a table that another takes the name of', () => {
  test.each([
    ['an empty one', SWAP, 0],
    ['one with rows that are due', FILLED, 3_000],
    ['one that was restored in its place', `CREATE TABLE copy AS SELECT * FROM views; DROP TABLE views; ALTER TABLE copy RENAME TO views`, 3_000],
    ['one whose schema was moved aside', 'ALTER SCHEMA public RENAME TO before; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC; CREATE TABLE views AS TABLE before.views; GRANT ALL ON views TO PUBLIC', 3_000],
  ])('before the first batch is not purged: %s', async (_what, swap, rows) => {
    const store = await storeWith();
    const plan = await store.writer.planPurge(asked);
    await store.sql(swap);
    await expect(purge(store, plan)).rejects.toMatchObject({ reason: 'Replaced' });
    expect(await countRows(store, 'views')).toBe(rows);
  });

  test.each([
    ['an empty one', SWAP],
    ['one with rows that are due', FILLED],
  ])('between two batches ends the purge or is left as it is, and is not counted for it: %s', async (_what, swap) => {
    const store = await storeWith();
    const plan = await store.writer.planPurge(asked);
    const outcome = await purge(store, plan, `${swap}; GRANT ALL ON views TO PUBLIC`).then((deleted) => deleted, (error: { reason: string }) => error.reason);
    const [before] = await store.sql<{ rows: number }>('SELECT count(*)::int AS rows FROM views_before');
    expect(before?.rows).toBeGreaterThan(0);
    // The very first batch of rows in the wrong table shows that it is one. In an empty one there is nothing to notice.
    expect(outcome).toBe(swap === FILLED ? 'Replaced' : 3_000 - (before?.rows ?? 0));
    expect(await countRows(store, 'views')).toBe(swap === FILLED ? 3_000 : 0);
    await expect(store.writer.planPurge(pinnedBy(plan))).rejects.toMatchObject({ reason: 'Replaced', message: expect.stringMatching(/public\.views is another table than the one the plan was made on \(oid \d+, then \d+\)/) });
    expect((await store.sql<{ deleted: number }>(`SELECT coalesce(sum(deleted), 0)::int AS deleted FROM dataward.journal`))[0]?.deleted).toBe(3_000 - (before?.rows ?? 0));
  });

  test('is the very same where it was only rewritten', async () => {
    const store = await storeWith();
    const plan = await store.writer.planPurge(asked);
    const rewrite = 'VACUUM FULL views';
    for (const change of [rewrite, 'CLUSTER views USING views_pkey', 'ALTER TABLE views ALTER id TYPE bigint', 'ALTER TABLE views RENAME TO v; ALTER TABLE v RENAME TO views', 'ALTER TABLE views SET TABLESPACE pg_default']) await store.sql(change);
    const deleted = await purge(store, plan, rewrite);
    // Rows that moved to where it had been are for the count to find.
    expect((await store.writer.planPurge(pinnedBy(plan))).forecast).toMatchObject([{ due: 3_000 - deleted, exact: true }]);
    await store.sql('TRUNCATE views');
    expect((await store.writer.planPurge(pinnedBy(plan))).forecast).toMatchObject([{ due: 0, exact: true }]);
  });
});

describe('a count', () => {
  /** A reader before whose first look at the rows something is done. */
  async function interrupted(store: TestStore, act: () => Promise<unknown>): Promise<StoreReader> {
    const connection = await login(server, { database: store.database });
    let done = false;
    return createReader({
      ...connection,
      query: async (text, ...rest) => {
        if (/^LOCK TABLE|^WITH RECURSIVE family/.test(text) && !done) {
          done = true;
          await act();
        }
        return connection.query(text, ...rest);
      },
    });
  }

  test('is of the table that was resolved, or fails: it is not of one that took its name in between', async () => {
    const store = await storeWith();
    const plan = await store.writer.planPurge(asked);
    const reader = await interrupted(store, () => store.sql(SWAP));
    // Without a plan to compare with, what was resolved is all there is to hold to.
    expect(['Conflict', false]).toContain(await reader.planPurge(asked).then(({ forecast, refusals }) => refusals[0]?.cause ?? forecast[0]?.exact, (error: { reason: string }) => error.reason));
    await expect(store.writer.planPurge(pinnedBy(plan))).rejects.toMatchObject({ reason: 'Replaced' });
    await reader.close();
  });

  test('is of the table of the plan, though another had its name while names were resolved, and only then', async () => {
    const store = await storeWith();
    const plan = await store.writer.planPurge(asked);
    const connection = await login(server, { database: store.database });
    const reader = createReader({
      ...connection,
      query: async (text, ...rest) => {
        const resolving = text.includes('AS wanted(schema, name)') && text.includes('AS hash');
        if (resolving) await store.sql(SWAP);
        const result = await connection.query(text, ...rest);
        if (resolving) await store.sql('DROP TABLE views; ALTER TABLE views_before RENAME TO views');
        return result as never;
      },
    });
    await expect(reader.planPurge(pinnedBy(plan))).rejects.toMatchObject({ reason: 'Replaced' });
    await connection.close();
  });

  test('sees every row although the table was being rewritten when it began', async () => {
    const store = await storeWith();
    let rewritten: Promise<unknown> = Promise.resolve();
    const reader = await interrupted(store, async () => {
      // Holds the table for a moment after this returns, so that the count has to wait for the rewrite.
      rewritten = store.sql(`BEGIN; ALTER TABLE views ALTER id TYPE bigint; SELECT pg_sleep(0.7); COMMIT`);
      await new Promise((resolve) => setTimeout(resolve, 300));
    });
    expect((await reader.planPurge(asked)).forecast).toMatchObject([{ due: 3_000, exact: true }]);
    await rewritten;
    await reader.close();
  });
});

describe('the schema dataward, put back while a purge is at work,', () => {
  /** What a restore of the schema leaves: other tables of the same names, as they were at another time. */
  const restored = (then: string): string => `
    ALTER SCHEMA dataward RENAME TO dataward_before; CREATE SCHEMA dataward AUTHORIZATION dataward_enforce;
    ${['installation', 'fence', 'hold', 'hold_item', 'claim', 'journal', 'approved_rule'].map((name) => `CREATE TABLE dataward.${name} (LIKE dataward_before.${name} INCLUDING ALL); INSERT INTO dataward.${name} SELECT * FROM dataward_before.${name}; ALTER TABLE dataward.${name} OWNER TO dataward_enforce;`).join('\n')}
    ${then}`;

  test.each([
    ['to a time before a hold: nothing is deleted by the holds of then', 'Conflict', 'DELETE FROM dataward.hold_item; DELETE FROM dataward.hold; UPDATE dataward.fence SET holds_revision = holds_revision - 1'],
    ['frozen', 'Frozen', `UPDATE dataward.fence SET frozen_by = 'dba', frozen_reason = 'restore', frozen_at = now()`],
    ['to a time before the run began', 'Fenced', 'DELETE FROM dataward.claim'],
  ])('%s', async (_how, reason, then) => {
    const store = await storeWith();
    await store.writer.putHold({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: table('views'), predicate: oneOf('id', '2999', '3000') }] });
    const plan = await store.writer.planPurge(asked);
    await expect(purge(store, plan, restored(then))).rejects.toMatchObject({ reason });
    expect(await countRows(store, 'views WHERE id > 2998')).toBe(2);
  });
});

test('a plan without tables to compare purges what has the name', async () => {
  const store = await storeWith();
  const plan = await store.writer.planPurge(asked);
  expect((await runPlan(store.writer, plan, asked)).reduce((sum, { deleted }) => sum + deleted, 0)).toBe(3_000);
});
