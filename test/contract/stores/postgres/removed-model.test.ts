import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { StoreError } from '../../../../src/stores/errors.ts';
import type { StoreReader } from '../../../../src/stores/port.ts';
import type { PurgeRequest } from '../../../../src/stores/purging.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { createReader } from '../../../../src/stores/postgres/reader.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { fc, runs } from '../../../support/properties.ts';
import { partitionStores, views } from './partition-support.ts';
import { pace, request, rule, runPlan } from './purge-support.ts';
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
const NOVEMBER = `FOR VALUES FROM ('2023-11-01Z') TO ('2023-12-01Z')`;
const REPLACED = 'another table in its place';
const ATTACHED = 'a part with due rows that is attached';
const NAMESAKE = `BEGIN; ALTER TABLE "views_2023-11" RENAME TO november; CREATE TABLE "views_2023-11" (LIKE november); INSERT INTO "views_2023-11" SELECT id, 'client-1', '2023-11-02Z' FROM generate_series(10001, 10100) id; GRANT ALL ON "views_2023-11" TO PUBLIC; COMMIT`;
/** What a DBA does, each statement by itself. None of the 300 rows that were due at first is removed; those above 10,000 are in no table that was planned. */
const EVENTS: Record<string, string[]> = {
  nothing: [],
  'a detach': ['ALTER TABLE views DETACH PARTITION "views_2023-11"'],
  'a concurrent detach': ['ALTER TABLE views DETACH PARTITION "views_2023-11" CONCURRENTLY'],
  'a detach that is taken back': ['ALTER TABLE views DETACH PARTITION "views_2023-11"', `ALTER TABLE views ATTACH PARTITION "views_2023-11" ${NOVEMBER}`],
  'a move to an archive': ['ALTER TABLE views DETACH PARTITION "views_2023-11"', `ALTER TABLE archive ATTACH PARTITION "views_2023-11" ${NOVEMBER}`],
  'a detach, and an empty part under its name': ['ALTER TABLE views DETACH PARTITION "views_2023-11"', 'ALTER TABLE "views_2023-11" RENAME TO november', `CREATE TABLE "views_2023-11" PARTITION OF views ${NOVEMBER}`],
  'another name of a part': ['ALTER TABLE "views_2023-11" RENAME TO november'],
  [ATTACHED]: [`BEGIN; CREATE TABLE late (LIKE views); INSERT INTO late SELECT id, 'client-1', '2023-05-02Z' FROM generate_series(20001, 20009) id; ALTER TABLE views ATTACH PARTITION late FOR VALUES FROM ('2023-05-01Z') TO ('2023-06-01Z'); GRANT ALL ON late TO PUBLIC; COMMIT`],
  'a rewrite of a part': ['ALTER TABLE "views_2023-11" SET (fillfactor = 50)', 'VACUUM FULL "views_2023-11"'],
  'a rewrite of the table': ['ALTER TABLE views ALTER id TYPE int'],
  'a detach, and a table under its name': ['ALTER TABLE views DETACH PARTITION "views_2023-11"', NAMESAKE],
  'another name of a part, and a table under its own': [NAMESAKE],
  [REPLACED]: [`BEGIN; ALTER TABLE views RENAME TO old_views; CREATE TABLE views (LIKE old_views); INSERT INTO views SELECT id, 'client-1', '2023-10-02Z' FROM generate_series(10001, 10100) id; GRANT ALL ON views TO PUBLIC; COMMIT`],
};

async function fresh(): Promise<PurgeRequest> {
  await store.sql(`DROP TABLE IF EXISTS views, old_views, late, "views_2023-11", november, archive; DELETE FROM dataward.journal; DELETE FROM dataward.claim; ${views} CREATE TABLE archive (LIKE views) PARTITION BY RANGE (created_at)`);
  const plan = await store.writer.planPurge(asked);
  return { ...asked, pinned: plan.steps.flatMap(({ tables }) => tables), parts: plan.forecast.map(({ collection, partOids = [] }) => ({ collection, oids: partOids })) };
}

/** Something that happens once, before a statement of a login of ours. */
function interruption(event: string, at: number): { wrap: (connection: Connection) => Connection; over(): Promise<void> } {
  let statements = 0;
  let happened: Promise<void> | undefined;
  const happen = async (): Promise<void> => {
    for (const statement of EVENTS[event] ?? []) await store.sql(statement);
  };
  return {
    wrap: (connection) => ({
      ...connection,
      query: async (text, ...rest) => {
        statements += 1;
        if (statements === at && happened === undefined) {
          happened = happen();
          // It may wait for a lock of the transaction that is open here.
          await (connection.inTransaction() ? Promise.race([happened, delay(150)]) : happened);
        }
        return connection.query(text, ...rest);
      },
    }),
    over: () => (happened ??= happen()),
  };
}

/** Due rows by a count, or why there is none. */
async function look(reader: Pick<StoreReader, 'planPurge'>, to: PurgeRequest): Promise<number | string> {
  const [forecast] = await reader.planPurge(to).then((plan) => plan.forecast, (error: unknown) => [error instanceof StoreError ? error.reason : 'unforeseen']);
  if (typeof forecast !== 'object') return forecast ?? 'nothing';
  const seen = [forecast, ...(forecast.removed ?? [])];
  return seen.every(({ exact }) => exact) ? seen.reduce((sum, { due }) => sum + due, 0) : 'not exact';
}

/** Rows there are with an id in a range, wherever they are by now. */
async function rowsBetween(from: number, to: number): Promise<number> {
  const tables = await store.sql<{ name: string }>(`SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`);
  const counts = await Promise.all(tables.map(({ name }) => store.sql<{ n: number }>(`SELECT count(*)::int AS n FROM ONLY ${name} WHERE id BETWEEN ${from} AND ${to}`)));
  return counts.reduce((sum, [row]) => sum + (row?.n ?? 0), 0);
}

/** Due rows in the table that were in none when it was planned, and may go like all others. */
const late = (event: string): number => (event === ATTACHED ? 9 : 0);
const events = fc.constantFrom(...Object.keys(EVENTS));

test('whatever becomes of a table and its parts while their rows are counted, every due row is counted once, or nothing is said of them', async () => {
  await fc.assert(
    fc.asyncProperty(events, fc.integer({ min: 1, max: 60 }), async (event, at) => {
      const to = await fresh();
      const { wrap, over } = interruption(event, at);
      const connection = await login(server, { database: store.database });
      const reader = createReader(wrap(connection));
      expect([300, 300 + late(event), 'not exact', 'Conflict', 'Replaced', 'NotFound', 'LimitReached']).toContain(await look(reader, to));
      await over();
      expect(await look(reader, to)).toBe(event === REPLACED ? 'Replaced' : 300 + late(event));
      await connection.close();
    }),
    { numRuns: runs(6) },
  );
}, 600_000);

test('whatever becomes of them while their rows are deleted, no row of another table goes and none that is not due, and the count afterwards finds all that are left', async () => {
  await fc.assert(
    fc.asyncProperty(events, fc.integer({ min: 20, max: 90 }), async (event, at) => {
      const to = await fresh();
      const { wrap, over } = interruption(event, at);
      const writer = await store.another(undefined, wrap);
      const plan = await store.writer.planPurge(to);
      const rowWise = { ...plan, steps: plan.steps.map((step) => ({ ...step, method: 'BlockRange' as const })) };
      const ended = await runPlan(writer, rowWise, to).then(() => 'Finished', (error: unknown) => (error instanceof StoreError ? error.reason : String(error)));
      expect(['Finished', 'Conflict', 'Replaced', 'NotFound', 'PermissionDenied']).toContain(ended);
      await over();
      const others = await rowsBetween(10_001, 20_000);
      const [left, came] = [await rowsBetween(1, 300), await rowsBetween(20_001, 30_000)];
      const journalled = await store.sql<{ deleted: number }>('SELECT coalesce(sum(deleted), 0)::int AS deleted FROM dataward.journal');
      expect({ others, notDue: await rowsBetween(301, 600), gone: 300 - left + late(event) - came }).toEqual({ others: EVENTS[event]?.some((statement) => statement.includes('10001')) === true ? 100 : 0, notDue: 300, gone: journalled[0]?.deleted });
      await writer.close();
      if (event === REPLACED) return expect(await look(store.writer, to)).toBe('Replaced');
      expect(await look(store.writer, to)).toBe(left + came);
      // What is left in the table goes with a sweep, and what was taken out of it stays.
      const next = await store.writer.claim('run-1');
      for (const step of rowWise.steps) for await (const batch of store.writer.purge(step, { request: to, claim: next, pace, sweep: true, signal: AbortSignal.timeout(30_000) })) expect(batch.collection).toBe('views');
      expect(await store.sql('SELECT FROM views WHERE id NOT BETWEEN 301 AND 600')).toEqual([]);
      expect(await look(store.writer, to)).toBe(await rowsBetween(1, 300));
      expect(await rowsBetween(20_001, 30_000)).toBe(0);
    }),
    { numRuns: runs(6) },
  );
}, 600_000);
