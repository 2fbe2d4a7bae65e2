import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CollectionRule } from '../../../../src/stores/counting.ts';
import type { FieldPath, Predicate } from '../../../../src/stores/predicate.ts';
import type { PurgePlan, PurgeRequest } from '../../../../src/stores/purging.ts';
import { createReader } from '../../../../src/stores/postgres/reader.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { before, countRows, CUTOFF, oneOf, openStore, pace, request, rule, runPlan, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';
import { login } from './support.ts';

let server: TestPostgres;
const open: TestStore[] = [];
let made = 0;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await Promise.all(open.map((store) => store.close()));
  await server.stop();
});

async function storeWith(schema: string): Promise<TestStore> {
  const store = await openStore(server, `replaced_columns_${(made += 1)}`, `${schema}; GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC`);
  open.push(store);
  return store;
}

/** 1,000 rows on many pages, of which the first is due; by the other time all are. */
const COLUMNS = `id bigint, tenant int NOT NULL DEFAULT 1, state text, other_state text, owner_id bigint, other_id bigint, created_at timestamptz NOT NULL, born_at timestamptz NOT NULL, filler text`;
const ROWS = `SELECT i, 1, 'new', 'old', i, i % 10, CASE WHEN i = 1 THEN timestamptz '2020-01-01Z' ELSE '2026-01-01Z' END, timestamptz '1980-01-01Z', repeat('x', 400) FROM generate_series(1, 1000) i`;
const PLAIN = `CREATE TABLE v (${COLUMNS}, PRIMARY KEY (tenant, id)); INSERT INTO v ${ROWS};
  CREATE TABLE owners (id bigint, code bigint, gone_at timestamptz, born_at timestamptz); INSERT INTO owners SELECT i, i, CASE WHEN i = 1 THEN timestamptz '2020-01-01Z' ELSE '2026-01-01Z' END, '1980-01-01Z' FROM generate_series(1, 1000) i;
  CREATE TABLE notes (id bigint, view_id bigint, other_id bigint); INSERT INTO notes SELECT i, i, 0 FROM generate_series(1, 3) i; CREATE INDEX ON notes (view_id); CREATE INDEX ON notes (other_id)`;
const PARTED = `CREATE TABLE v (${COLUMNS}) PARTITION BY RANGE (id); CREATE TABLE v1 PARTITION OF v FOR VALUES FROM (0) TO (501);
  CREATE TABLE v2 (gone int, born_at timestamptz NOT NULL, created_at timestamptz NOT NULL, filler text, tenant int NOT NULL DEFAULT 1, state text, other_state text, owner_id bigint, other_id bigint, id bigint);
  ALTER TABLE v2 DROP gone; ALTER TABLE v ATTACH PARTITION v2 FOR VALUES FROM (501) TO (2000); INSERT INTO v ${ROWS}`;
const CHILD = `CREATE TABLE v (${COLUMNS}); CREATE TABLE w (gone int, born_at timestamptz NOT NULL, created_at timestamptz NOT NULL) INHERITS (v); ALTER TABLE w DROP gone; INSERT INTO w ${ROWS}`;

const swap = (one: string, other: string, of = 'v'): string => `ALTER TABLE ${of} RENAME ${one} TO aside; ALTER TABLE ${of} RENAME ${other} TO ${one}; ALTER TABLE ${of} RENAME aside TO ${other}`;
const OWNED: FieldPath = { via: [{ field: 'owner_id', table: table('owners'), toField: 'id' }], field: 'gone_at' };
const owned: Partial<CollectionRule> = { due: { op: 'before', time: { path: OWNED, type: 'TimestampTZ' }, cutoff: CUTOFF } };
const all: Predicate = before('born_at');
const { due: _none, ...notes } = rule('notes', { references: [{ field: 'view_id', table: table('v'), toField: 'id' }] });

const pinnedBy = (plan: PurgePlan, to: PurgeRequest): PurgeRequest => ({ ...to, pinned: plan.steps.flatMap((step) => step.tables) });

async function purge(store: TestStore, plan: PurgePlan, to: PurgeRequest, between?: string, run = 'run-1'): Promise<number> {
  const claim = await store.writer.claim(run);
  let deleted = 0;
  for (const step of plan.steps) {
    for await (const batch of store.writer.purge(step, { request: pinnedBy(plan, to), claim, pace, signal: AbortSignal.timeout(30_000) })) {
      if (deleted === 0 && batch.deleted > 0 && between !== undefined) await store.sql(between);
      deleted += batch.deleted;
    }
  }
  return deleted;
}

test('a plan names the columns its conditions, times, clients and references ask for, by number and type', async () => {
  const store = await storeWith(PLAIN);
  const asked = request([rule('v', { ...owned, guards: [{ kind: 'Minimum', name: 'm', predicate: oneOf('state', 'kept') }], times: [{ path: { via: [], field: 'born_at' }, type: 'TimestampTZ' }], client: { field: 'tenant' } }), notes], { targets: ['v'] });
  const [step] = (await store.writer.planPurge(asked)).steps;
  expect(step?.tables.map(({ name, columns }) => [name, columns?.map((column) => `${column.name} ${column.number} ${column.type}`)])).toEqual([
    ['v', ['born_at 8 timestamp with time zone', 'id 1 bigint', 'owner_id 5 bigint', 'state 3 text', 'tenant 2 integer']],
    ['notes', ['view_id 2 bigint']],
    ['owners', ['gone_at 3 timestamp with time zone', 'id 1 bigint']],
  ]);
});

describe('a plan ends where another column has the name of one it was made on, and nothing is deleted by that', () => {
  test.each<[string, string, Partial<CollectionRule>, string, RegExp]>([
    ['the time', PLAIN, {}, 'ALTER TABLE v RENAME created_at TO inserted_at; ALTER TABLE v RENAME born_at TO created_at', /^created_at of public\.v is another column by now \(number 8\), which had another name, or none, and number 7 was called so when the plan was made/],
    ['the time of a table with a key of two columns, by another type', PLAIN, {}, `ALTER TABLE v ALTER created_at TYPE timestamp USING '1980-01-01'`, /^created_at of public\.v is of type timestamp without time zone by now, and was of type timestamp with time zone when the plan was made/],
    ['one of several conditions', PLAIN, { due: { op: 'and', of: [before('born_at'), oneOf('state', 'old')] } }, swap('state', 'other_state'), /^state of public\.v is another column/],
    ['one of a minimum', PLAIN, { due: before('born_at'), guards: [{ kind: 'Minimum', name: 'm', predicate: oneOf('state', 'new') }] }, swap('state', 'other_state'), /^state of public\.v is another column/],
    ['one that refers', PLAIN, owned, swap('owner_id', 'other_id'), /^owner_id of public\.v is another column/],
    ['one that is referred to', PLAIN, owned, `UPDATE owners SET code = 1001 - id; ${swap('id', 'code', 'owners')}`, /^id of public\.owners is another column/],
    ['the time of a table it looks into', PLAIN, owned, swap('gone_at', 'born_at', 'owners'), /^gone_at of public\.owners is another column/],
    ['the time of a partitioned table', PARTED, {}, swap('created_at', 'born_at'), /^created_at of public\.v is another column by now \(number 8\)/],
    ['the time of a table with a child', CHILD, {}, swap('created_at', 'born_at'), /^created_at of public\.v is another column by now \(number 8\)/],
  ])('%s', async (_what, schema, changes, change, expected) => {
    const store = await storeWith(schema);
    const asked = request([rule('v', changes)]);
    const plan = await store.writer.planPurge(asked);
    expect(plan.refusals).toEqual([]);
    await store.sql(change);
    await expect(store.writer.planPurge(pinnedBy(plan, asked))).rejects.toMatchObject({ reason: 'Replaced', message: expect.stringMatching(expected) });
    await expect(purge(store, plan, asked)).rejects.toMatchObject({ reason: 'Replaced', message: expect.stringMatching(expected) });
    expect(await countRows(store, 'v')).toBe(1_000);
  });

  test('one by which a map says that rows refer', async () => {
    const store = await storeWith(PLAIN);
    const asked = request([rule('v', { due: all }), notes], { targets: ['v'] });
    const plan = await store.writer.planPurge(asked);
    await store.sql(swap('view_id', 'other_id', 'notes'));
    await expect(purge(store, plan, asked)).rejects.toMatchObject({ reason: 'Replaced', message: expect.stringMatching(/^view_id of public\.notes is another column/) });
    expect(await countRows(store, 'v')).toBe(1_000);
  });

  // So many rows that no first batch takes them all, whatever the statistics say of them by then.
  test('between two batches, and between two stretches', async () => {
    const store = await storeWith(`${PLAIN}; INSERT INTO v SELECT id, 2, 'new', 'new', owner_id, other_id, created_at, born_at, filler FROM v, generate_series(1, 15); UPDATE v SET other_state = 'new'`.replace('PRIMARY KEY (tenant, id)', 'CHECK (true)'));
    const asked = request([rule('v', { due: { op: 'and', of: [all, oneOf('state', 'new')] } })]);
    const plan = await store.writer.planPurge(asked);
    await expect(purge(store, plan, asked, swap('state', 'other_state'))).rejects.toMatchObject({ reason: 'Replaced', message: expect.stringContaining('state of public.v is another column by now') });
    const left = await countRows(store, 'v');
    expect(left).toBeGreaterThan(0);
    await expect(purge(store, plan, asked)).rejects.toMatchObject({ reason: 'Replaced' });
    expect(await countRows(store, 'v')).toBe(left);
    // With its name back it is the one that was approved.
    await store.sql(swap('state', 'other_state'));
    expect([await purge(store, plan, asked), await countRows(store, 'v')]).toEqual([left, 0]);
  });
});

test('a column of a table it looks into that changes names while the statements are compiled ends a plan', async () => {
  const store = await storeWith(PLAIN);
  const asked = request([rule('v', owned)]);
  const plan = await store.writer.planPurge(asked);
  let looks = 0;
  // After the tables were compared with the plan, and before they are resolved.
  const writer = await store.another(undefined, (connection) => ({
    ...connection,
    query: async (text, ...rest) => {
      if (/FROM pg_opclass/.test(text) && (looks += 1) === 1) await store.sql(swap('gone_at', 'born_at', 'owners'));
      return connection.query(text, ...rest);
    },
  }));
  await expect(runPlan(writer, plan, pinnedBy(plan, asked))).rejects.toMatchObject({ reason: 'Replaced', message: expect.stringMatching(/^gone_at of public\.owners is another column/) });
  expect([looks, await countRows(store, 'v')]).toEqual([1, 1_000]);
});

test('a plan goes on where only other columns changed, came or went', async () => {
  const store = await storeWith(PARTED);
  const asked = request([rule('v')]);
  const plan = await store.writer.planPurge(asked);
  await store.sql(`${swap('state', 'other_state')}; ALTER TABLE v DROP other_id; ALTER TABLE v ADD note text; ALTER TABLE v ALTER tenant TYPE bigint; CREATE TABLE v3 PARTITION OF v FOR VALUES FROM (2000) TO (3000); ALTER TABLE v RENAME created_at TO at; ALTER TABLE v RENAME at TO created_at`);
  expect([await purge(store, plan, asked), await countRows(store, 'v')]).toEqual([1, 999]);
});

test('a count that ends after a column changed names says nothing of the plan', async () => {
  const store = await storeWith(PLAIN);
  const asked = request([rule('v')]);
  const plan = await store.writer.planPurge(asked);
  const connection = await login(server, { database: store.database });
  let done = false;
  const reader = createReader({
    ...connection,
    query: async (text, ...rest) => {
      if (!done && /FROM pg_trigger/.test(text)) {
        done = true;
        await store.sql(swap('created_at', 'born_at'));
      }
      return connection.query(text, ...rest);
    },
  });
  await expect(reader.planPurge(pinnedBy(plan, asked))).rejects.toMatchObject({ reason: 'Replaced' });
  expect(done).toBe(true);
  await reader.close();
});
