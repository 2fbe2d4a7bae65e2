import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import type { StoreWriter } from '../../../../src/stores/port.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { fc, runs } from '../../../support/properties.ts';
import { until } from '../../../support/until.ts';
import { guard, oneOf, openStore, pace, request, rule, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';

let server: TestPostgres;
let store: TestStore;
beforeAll(async () => {
  server = await startPostgres();
  store = await openStore(server, 'rings', `
    CREATE TABLE people (id int PRIMARY KEY, next_id int REFERENCES people DEFERRABLE INITIALLY DEFERRED, friend_id int REFERENCES people ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, client text NOT NULL, created_at timestamptz NOT NULL);
    CREATE INDEX ON people (next_id); CREATE INDEX ON people (friend_id);
    CREATE TABLE notes (id int PRIMARY KEY, person_id int REFERENCES people); CREATE INDEX ON notes (person_id)`);
});
afterAll(async () => {
  await store?.close();
  await server.stop();
});

const { due: _none, ...notes } = rule('notes');
const asked = request([rule('people', { guards: [guard('m', oneOf('client', 'kept'))], client: { field: 'client' } }), notes], { targets: ['people'] });
let claims = 0;
async function purge({ maxRows, writer = store.writer, lockTimeoutMillis = 200 }: { maxRows?: number; writer?: StoreWriter; lockTimeoutMillis?: number } = {}): Promise<{ deleted: number; waits: (string | undefined)[] }> {
  claims += 1;
  const claim = await store.writer.claim(`rings-${claims}`);
  const { steps } = await store.writer.planPurge({ ...asked, budgetMs: 0 });
  const seen = { deleted: 0, waits: [] as (string | undefined)[] };
  for await (const batch of writer.purge(steps[0]!, { request: asked, claim, pace: { ...pace, lockTimeoutMillis }, ...(maxRows === undefined ? {} : { maxRows }), sweep: true, signal: AbortSignal.timeout(30_000) })) {
    seen.deleted += batch.deleted;
    if (batch.throttledBy !== undefined) seen.waits.push(batch.throttledBy);
  }
  return seen;
}

interface Person {
  next: number | null;
  friend: number | null;
  client: 'a' | 'kept';
  due: boolean;
  noted: boolean;
}
async function write(people: readonly Person[]): Promise<void> {
  await store.sql('TRUNCATE people, notes');
  const times = people.map(({ due }) => (due ? '2020-01-01Z' : '2025-01-01Z'));
  await store.sql(
    `INSERT INTO people SELECT (ordinality - 1)::int, next, friend, client, at FROM unnest($1::int[], $2::int[], $3::text[], $4::timestamptz[]) WITH ORDINALITY AS p(next, friend, client, at, ordinality)`,
    [people.map(({ next }) => next), people.map(({ friend }) => friend), people.map(({ client }) => client), times],
  );
  await store.sql('INSERT INTO notes SELECT id, id FROM unnest($1::int[]) id', [people.flatMap(({ noted }, id) => (noted ? [id] : []))]);
}
const left = async (): Promise<unknown[]> => store.sql('SELECT id, next_id AS next, friend_id AS friend FROM people ORDER BY id');

/** A row stays when it is not due, kept, noted, or one that stays refers to it. */
function staying(people: readonly Person[]): Set<number> {
  const stays = new Set(people.flatMap(({ due, client, noted }, id) => (!due || client === 'kept' || noted ? [id] : [])));
  for (let before = -1; before < stays.size; ) {
    before = stays.size;
    for (const id of stays) for (const to of [people[id]?.next, people[id]?.friend]) if (to !== null && to !== undefined) stays.add(to);
  }
  return stays;
}

const COUNT = 8;
const to = fc.option(fc.nat({ max: COUNT - 1 }), { freq: 4 });
const mostly = (rare: boolean): fc.Arbitrary<boolean> => fc.nat({ max: 9 }).map((n) => (n === 0 ? rare : !rare));
const person: fc.Arbitrary<Person> = fc.record({ next: to, friend: fc.option(fc.nat({ max: COUNT - 1 }), { freq: 1 }), client: mostly(false).map((a) => (a ? ('a' as const) : ('kept' as const))), due: mostly(false), noted: mostly(true) });

test('of rows that refer to each other in any way exactly those go that are due and that none which stays leans on', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(person, { minLength: COUNT, maxLength: COUNT }), async (people) => {
      await write(people);
      const stays = staying(people);
      const { deleted } = await purge();
      expect(await left()).toEqual(people.flatMap(({ next, friend }, id) => (stays.has(id) ? [{ id, next, friend }] : [])));
      expect(deleted).toBe(people.length - stays.size);
    }),
    { numRuns: runs(25) },
  );
}, runs(25) * 2_500);

const somebodyWaits = (): Promise<boolean> =>
  until('the ring is being deleted', async () => (await store.sql(`SELECT FROM pg_stat_activity WHERE datname = '${store.database}' AND wait_event_type = 'Lock'`)).length > 0);

const ring: Person[] = [1, 2, 3, 0].map((next) => ({ next, friend: null, client: 'a', due: true, noted: false }));

test('a ring that has more rows than the run may delete stays whole', async () => {
  await write(ring);
  await expect(purge({ maxRows: 3 })).rejects.toMatchObject({ reason: 'RunLimitReached' });
  expect(await left()).toHaveLength(4);
  expect(await purge({ maxRows: 4 })).toMatchObject({ deleted: 4 });
});

test('a search for rings that takes too long leaves them to the count, and does not end the run as if its limit were reached', async () => {
  await write(ring);
  const hurried = await store.another(undefined, (connection) => ({
    ...connection,
    query: (text, ...rest) => (text.includes('r_below') && !text.includes('DELETE') ? connection.query(text.replace('SELECT', `SELECT pg_sleep(5), `), ...rest) : connection.query(text === 'SET constraint_exclusion = on; SET max_parallel_workers_per_gather = 0' ? `${text}; SET statement_timeout = 200` : text, ...rest)),
  }));
  expect(await purge({ writer: hurried })).toEqual({ deleted: 0, waits: [] });
  expect(await left()).toHaveLength(4);
  expect(await purge()).toMatchObject({ deleted: 4 });
});

test('a ring of which somebody has locked a row stays whole, and the run goes on', async () => {
  await write(ring);
  const other = new pg.Client(server.connection(server.superuser, store.database));
  await other.connect();
  await other.query('BEGIN; SELECT FROM people WHERE id = 2 FOR UPDATE');
  expect(await purge({ lockTimeoutMillis: 50 })).toEqual({ deleted: 0, waits: ['RowLocked'] });
  await other.query('ROLLBACK');
  await other.end();
  expect(await left()).toHaveLength(4);
});

test.each<[string, string, number]>([
  ['is no longer due stays whole', `UPDATE people SET created_at = '2025-01-01Z' WHERE id = 2`, 4],
  ['leaves it by that lets the others go', 'UPDATE people SET next_id = NULL WHERE id = 2', 0],
  ['is kept as another client’s stays whole', `UPDATE people SET client = 'kept' WHERE id = 2`, 4],
])('a ring of which a row changes while the ring is being deleted and %s', async (_how, change, rows) => {
  await write(ring);
  const other = new pg.Client(server.connection(server.superuser, store.database));
  await other.connect();
  await other.query(`BEGIN; ${change}`);
  const done = purge({ lockTimeoutMillis: 10_000 });
  // The DELETE of the ring waits for the row; then the change is committed under it.
  await somebodyWaits();
  await other.query('COMMIT');
  await other.end();
  const { deleted } = await done;
  expect([deleted, (await left()).length]).toEqual([4 - rows, rows]);
});

test('a ring by a reference that only a map declares stays whole too when one of its rows is due no longer', async () => {
  await store.sql(`CREATE TABLE loose (id int PRIMARY KEY, next_id int, created_at timestamptz NOT NULL); CREATE INDEX ON loose (next_id); INSERT INTO loose VALUES (0, 1, '2020-01-01Z'), (1, 2, '2020-01-01Z'), (2, 0, '2020-01-01Z')`);
  const loose = request([rule('loose', { references: [{ field: 'next_id', table: table('loose'), toField: 'id' }] })]);
  const [step] = (await store.writer.planPurge(loose)).steps;
  const other = new pg.Client(server.connection(server.superuser, store.database));
  await other.connect();
  await other.query(`BEGIN; UPDATE loose SET created_at = '2025-01-01Z' WHERE id = 2`);
  const claim = await store.writer.claim('loose');
  const done = (async () => {
    let rows = 0;
    for await (const batch of store.writer.purge(step!, { request: loose, claim, pace: { ...pace, lockTimeoutMillis: 10_000 }, sweep: true, signal: AbortSignal.timeout(30_000) })) rows += batch.deleted;
    return rows;
  })();
  await somebodyWaits();
  await other.query('COMMIT');
  await other.end();
  expect([await done, (await store.sql('SELECT FROM loose')).length]).toEqual([0, 3]);
});

test('a row that begins to refer to a ring while it is being deleted keeps it', async () => {
  await write(ring);
  const other = new pg.Client(server.connection(server.superuser, store.database));
  await other.connect();
  await other.query(`BEGIN; SET CONSTRAINTS ALL IMMEDIATE; INSERT INTO people VALUES (9, 3, NULL, 'a', '2025-01-01Z')`);
  const done = purge({ lockTimeoutMillis: 10_000 });
  await somebodyWaits();
  await other.query('COMMIT');
  await other.end();
  expect(await done).toMatchObject({ deleted: 0 });
  expect(await left()).toHaveLength(5);
});
