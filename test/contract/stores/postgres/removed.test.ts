import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { StepForecast } from '../../../../src/stores/purging.ts';
import { createReader } from '../../../../src/stores/postgres/reader.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { leaveIntent, partitionsOf, partitionStores, views } from './partition-support.ts';
import { countRows, guard, oneOf, pace, request, rule, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';
import { login } from './support.ts';

let server: TestPostgres;
let store: TestStore;
const { storeWith, close } = partitionStores(() => server);
beforeAll(async () => {
  server = await startPostgres();
  store = await storeWith('SELECT');
});
afterAll(async () => {
  await close();
  await server.stop();
});

const asked = request([rule('views')]);
const NOVEMBER = table('views_2023-11');
const DETACH = 'ALTER TABLE views DETACH PARTITION "views_2023-11"';

/** The tables anew, in the one database of all tests. */
async function fresh(schema: string): Promise<void> {
  await store.sql(`DROP TABLE IF EXISTS views, archive CASCADE; DO $$ DECLARE t text; BEGIN FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP EXECUTE format('DROP TABLE %I', t); END LOOP; END $$;
    DELETE FROM dataward.hold_item; DELETE FROM dataward.hold; DELETE FROM dataward.journal; DELETE FROM dataward.claim; ${schema}`);
}

/** The parts of `views` as a plan of before calls them. */
async function partsOf(): Promise<{ collection: string; oids: string[] }[]> {
  return (await store.writer.planPurge(asked)).forecast.map(({ collection, partOids = [] }) => ({ collection, oids: partOids }));
}

async function countedAgain(parts: { collection: string; oids: string[] }[], to = asked): Promise<StepForecast | undefined> {
  return (await store.writer.planPurge({ ...to, parts })).forecast[0];
}

describe('a part that somebody took out of its table after the plan was made', () => {
  test.each<[string, string, object]>([
    ['is counted by itself: detached', DETACH, { due: 200, removed: [{ table: NOVEMBER, due: 100, exact: true }] }],
    ['under its new name', `${DETACH}; ALTER TABLE "views_2023-11" RENAME TO archive_11`, { due: 200, removed: [{ table: table('archive_11'), due: 100, exact: true }] }],
    ['where another took its place', `${DETACH}; CREATE TABLE "views_2023-11b" PARTITION OF views FOR VALUES FROM ('2023-11-01Z') TO ('2023-12-01Z')`, { due: 200, removed: [{ table: NOVEMBER, due: 100, exact: true }] }],
    ['where it is a part of another table', `${DETACH}; CREATE TABLE archive (LIKE views) PARTITION BY RANGE (created_at); ALTER TABLE archive ATTACH PARTITION "views_2023-11" FOR VALUES FROM ('2023-11-01Z') TO ('2023-12-01Z')`, { due: 200, removed: [{ table: NOVEMBER, due: 100, exact: true }] }],
    ['and has no due row', `DELETE FROM "views_2023-11"; ${DETACH}`, { due: 200, removed: [{ table: NOVEMBER, due: 0, exact: true }] }],
    ['and lacks a column by now: nobody can tell', `${DETACH}; ALTER TABLE "views_2023-11" DROP created_at`, { due: 200, removed: [{ table: NOVEMBER, due: 0, exact: false }] }],
    ['and that the login may not read: nobody can tell', `${DETACH}; ALTER TABLE "views_2023-11" OWNER TO CURRENT_USER; REVOKE ALL ON "views_2023-11" FROM PUBLIC, dataward_enforce`, { due: 200, removed: [{ table: NOVEMBER, due: 0, exact: false }] }],
    ['with all the others', 'ALTER TABLE views DETACH PARTITION "views_2023-12"; ALTER TABLE views DETACH PARTITION "views_2024-01"', { due: 200, removed: [{ table: table('views_2023-12'), due: 100, exact: true }, { table: table('views_2024-01'), due: 0, exact: true }] }],
  ])('%s', async (_how, change, seen) => {
    await fresh(views);
    const parts = await partsOf();
    await store.sql(change);
    expect(await countedAgain(parts)).toMatchObject({ exact: true, ...seen });
  });

  test.each<[string, string]>([
    ['nothing was', 'SELECT 1'],
    ['it was dropped', `${DETACH}; DROP TABLE "views_2023-11"`],
    ['it was attached again', `${DETACH}; ALTER TABLE views ATTACH PARTITION "views_2023-11" FOR VALUES FROM ('2023-11-01Z') TO ('2023-12-01Z')`],
    ['it only got another name', 'ALTER TABLE "views_2023-11" RENAME TO november'],
    ['it was put below another part', `${DETACH}; CREATE TABLE november PARTITION OF views FOR VALUES FROM ('2023-11-01Z') TO ('2023-12-01Z') PARTITION BY LIST (client_id); ALTER TABLE november ATTACH PARTITION "views_2023-11" DEFAULT`],
  ])('is none where %s', async (_what, change) => {
    await fresh(views);
    const parts = await partsOf();
    await store.sql(change);
    expect(await countedAgain(parts)).not.toHaveProperty('removed');
  });

  test('is still judged by what keeps rows of the table: minimums, and holds on it', async () => {
    await fresh(views);
    await store.writer.putHold({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: table('views'), predicate: oneOf('client_id', 'client-0') }] });
    const parts = await partsOf();
    await store.sql(DETACH);
    expect(await countedAgain(parts)).toMatchObject({ due: 100, removed: [{ table: NOVEMBER, due: 50, exact: true }] });
    const kept = request([rule('views', { guards: [guard('statute', oneOf('client_id', 'client-0', 'client-1'))] })]);
    expect(await countedAgain(parts, kept)).toMatchObject({ due: 0, removed: [{ table: NOVEMBER, due: 0, exact: true }] });
  });

  test('is not one that a drop took away and has not finished: its rows are counted with the table', async () => {
    await fresh(views);
    const parts = await partsOf();
    await leaveIntent(store, 'views_2023-11');
    await store.sql(DETACH);
    const seen = await countedAgain(parts);
    expect(seen).toMatchObject({ due: 300, unfinished: [NOVEMBER] });
    expect(seen).not.toHaveProperty('removed');
    // Under another name it is none of the drop's any more, and only a part that went.
    await store.sql('ALTER TABLE "views_2023-11" RENAME TO archive_11');
    expect(await countedAgain(parts)).toMatchObject({ due: 200, removed: [{ table: table('archive_11'), due: 100, exact: true }] });
  });

  test('is an inheritance child too', async () => {
    await fresh(`CREATE TABLE views (id int, created_at timestamptz); CREATE TABLE views_child () INHERITS (views); INSERT INTO views SELECT i, '2020-01-01Z' FROM generate_series(1, 5) i; INSERT INTO views_child SELECT i, '2020-01-01Z' FROM generate_series(1, 7) i`);
    const parts = await partsOf();
    expect(await countedAgain(parts)).toMatchObject({ due: 12 });
    await store.sql('ALTER TABLE views_child NO INHERIT views');
    expect(await countedAgain(parts)).toMatchObject({ due: 5, removed: [{ table: table('views_child'), due: 7, exact: true }] });
  });
});

describe('a part that is taken out while rows are counted', () => {
  test.each<[string, RegExp, string, object]>([
    ['before they are', /^LOCK TABLE/, DETACH, { due: 200, removed: [{ table: NOVEMBER, due: 100 }] }],
    ['and put back before anybody looks', /^LOCK TABLE/, `${DETACH}; ALTER TABLE views ATTACH PARTITION "views_2023-11" FOR VALUES FROM ('2023-11-01Z') TO ('2023-12-01Z')`, { due: 300 }],
    ['half, for a scan leaves it out', /^LOCK TABLE/, 'half', { removed: [{ table: NOVEMBER, due: 100 }] }],
  ])('is missed by nobody: %s', async (_when, at, change, seen) => {
    await fresh(views);
    const parts = await partsOf();
    const connection = await login(server, { database: store.database });
    let done = false;
    const reader = createReader({
      ...connection,
      query: async (text, ...rest) => {
        if (at.test(text) && !done) {
          done = true;
          // What a concurrent detach leaves that was cancelled between its two transactions.
          if (change === 'half') await store.sql(`SET allow_system_table_mods = on; UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = '"views_2023-11"'::regclass`);
          else await store.sql(change);
        }
        return connection.query(text, ...rest);
      },
    });
    const [forecast] = (await reader.planPurge({ ...asked, parts })).forecast;
    await connection.close();
    expect(forecast).toMatchObject(seen);
    if (!('removed' in seen)) expect(forecast).not.toHaveProperty('removed');
  });
});

test('no part is known to be missing where the time was over before anything was read', async () => {
  await fresh(views);
  const parts = await partsOf();
  const connection = await login(server, { database: store.database });
  let locked: Promise<unknown> | undefined;
  const reader = createReader({
    ...connection,
    query: async (text, ...rest) => {
      if (text.startsWith('LOCK TABLE') && locked === undefined) {
        locked = store.sql('BEGIN; LOCK TABLE views IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1); COMMIT');
        await delay(200);
      }
      return connection.query(text, ...rest);
    },
  });
  const [forecast] = (await reader.planPurge({ ...asked, parts, budgetMs: 300 })).forecast;
  expect(forecast).toMatchObject({ due: 0, exact: false });
  expect(forecast).not.toHaveProperty('removed');
  await locked;
  await connection.close();
});

describe('a part that is taken out, or put in, while a purge is at work', () => {
  /** Purges row by row; `act` is done after the first batch. */
  async function purge(act: string): Promise<string | number> {
    const [step] = (await store.writer.planPurge(asked)).steps;
    const claim = await store.writer.claim('run-1');
    let deleted = 0;
    try {
      for await (const batch of store.writer.purge({ ...step!, method: 'BlockRange' }, { request: asked, claim, pace, signal: AbortSignal.timeout(30_000) })) {
        if (deleted === 0) await store.sql(act);
        deleted += batch.deleted;
      }
    } catch (error) {
      return (error as Error).message;
    }
    return deleted;
  }

  test.each<[string, string, string | number | RegExp, Record<string, number>]>([
    ['detached, its rows stay', 'ALTER TABLE views DETACH PARTITION "views_2023-12"', /views_2023-12 is no longer a part of public\.views/, { '"views_2023-12"': 100 }],
    ['detached, and another is in its place, the rows of both stay', `ALTER TABLE views DETACH PARTITION "views_2023-12"; ALTER TABLE "views_2023-12" RENAME TO old; CREATE TABLE "views_2023-12" AS TABLE old; GRANT ALL ON "views_2023-12" TO PUBLIC`, /is no longer a part of public\.views/, { old: 100, '"views_2023-12"': 100 }],
    ['renamed, with a table beside it that took the name, the rows of that stay', `ALTER TABLE "views_2023-12" RENAME TO december; CREATE TABLE "views_2023-12" AS TABLE december; GRANT ALL ON "views_2023-12" TO PUBLIC`, 300, { '"views_2023-12"': 100, december: 0 }],
    ['attached with due rows, they are left for the count to find', `CREATE TABLE late (LIKE views); INSERT INTO late SELECT i, 'client-9', '2023-05-01Z' FROM generate_series(1, 9) i; ALTER TABLE views ATTACH PARTITION late FOR VALUES FROM ('2023-05-01Z') TO ('2023-06-01Z'); GRANT ALL ON late TO PUBLIC`, 300, { late: 9 }],
  ])('%s', async (_how, act, ends, left) => {
    await fresh(views);
    const outcome = await purge(act);
    if (ends instanceof RegExp) expect(outcome).toMatch(ends);
    else expect(outcome).toBe(ends);
    for (const [name, rows] of Object.entries(left)) expect([name, await countRows(store, name)]).toEqual([name, rows]);
    expect((await partitionsOf(store)).length).toBeGreaterThan(0);
  });
});
