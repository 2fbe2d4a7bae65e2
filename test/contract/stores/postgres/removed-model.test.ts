import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { StoreError } from '../../../../src/stores/errors.ts';
import type { PurgeRequest } from '../../../../src/stores/purging.ts';
import { createReader } from '../../../../src/stores/postgres/reader.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { fc, runs } from '../../../support/properties.ts';
import { partitionStores, views } from './partition-support.ts';
import { request, rule } from './purge-support.ts';
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
/** What a DBA does, each statement by itself. No row is added or removed by it: the 300 that were due at first are there afterwards. */
const EVENTS: Record<string, string[]> = {
  nothing: [],
  'a detach': ['ALTER TABLE views DETACH PARTITION "views_2023-11"'],
  'a concurrent detach': ['ALTER TABLE views DETACH PARTITION "views_2023-11" CONCURRENTLY'],
  'a detach that is taken back': ['ALTER TABLE views DETACH PARTITION "views_2023-11"', `ALTER TABLE views ATTACH PARTITION "views_2023-11" ${NOVEMBER}`],
  'a move to an archive': ['ALTER TABLE views DETACH PARTITION "views_2023-11"', `ALTER TABLE archive ATTACH PARTITION "views_2023-11" ${NOVEMBER}`],
  'a detach, and an empty part under its name': ['ALTER TABLE views DETACH PARTITION "views_2023-11"', 'ALTER TABLE "views_2023-11" RENAME TO november', `CREATE TABLE "views_2023-11" PARTITION OF views ${NOVEMBER}`],
  'another name of a part': ['ALTER TABLE "views_2023-11" RENAME TO november'],
  'a rewrite of a part': ['ALTER TABLE "views_2023-11" SET (fillfactor = 50)', 'VACUUM FULL "views_2023-11"'],
  'a rewrite of the table': ['ALTER TABLE views ALTER id TYPE int'],
  'another table in its place': ['BEGIN; ALTER TABLE views RENAME TO old_views; CREATE TABLE views (LIKE old_views); COMMIT'],
};

async function fresh(): Promise<PurgeRequest> {
  await store.sql(`DROP TABLE IF EXISTS views, old_views, "views_2023-11", november, archive; ${views} CREATE TABLE archive (LIKE views) PARTITION BY RANGE (created_at)`);
  const plan = await store.writer.planPurge(asked);
  return { ...asked, pinned: plan.steps.flatMap(({ tables }) => tables), parts: plan.forecast.map(({ collection, partOids = [] }) => ({ collection, oids: partOids })) };
}

/** Counts, with something that happens before a statement of it; then once more, when it is over. */
async function counted(event: string, at: number): Promise<{ meanwhile: number | string; afterwards: number | string }> {
  const to = await fresh();
  let statements = 0;
  let happened: Promise<void> | undefined;
  const happen = async (): Promise<void> => {
    for (const statement of EVENTS[event] ?? []) await store.sql(statement);
  };
  const connection = await login(server, { database: store.database });
  const reader = createReader({
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
  });
  const look = async (): Promise<number | string> => {
    const [forecast] = await reader.planPurge(to).then((plan) => plan.forecast, (error: unknown) => [error instanceof StoreError ? error.reason : 'unforeseen']);
    if (typeof forecast !== 'object') return forecast ?? 'nothing';
    const seen = [forecast, ...(forecast.removed ?? [])];
    return seen.every(({ exact }) => exact) ? seen.reduce((sum, { due }) => sum + due, 0) : 'not exact';
  };
  const meanwhile = await look();
  await (happened ??= happen());
  const afterwards = await look();
  await connection.close();
  return { meanwhile, afterwards };
}

test('whatever becomes of a table and its parts while their rows are counted, every due row is counted once, or nothing is said of them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...Object.keys(EVENTS)), fc.integer({ min: 1, max: 60 }), async (event, at) => {
      const { meanwhile, afterwards } = await counted(event, at);
      expect([300, 'not exact', 'Conflict', 'Replaced', 'NotFound', 'LimitReached']).toContain(meanwhile);
      expect(afterwards).toBe(event === 'another table in its place' ? 'Replaced' : 300);
    }),
    { numRuns: runs(12) },
  );
}, 240_000);
