import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { fc, runs } from '../../../support/properties.ts';
import { partitionStores, views } from './partition-support.ts';
import { oneOf, request, rule, runPlan, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';

let server: TestPostgres;
let store: TestStore;
const { storeWith, close } = partitionStores(() => server);
beforeAll(async () => {
  server = await startPostgres({ settings: { wal_level: 'logical' } });
  store = await storeWith('CREATE TABLE archive (id bigint, client_id text, created_at timestamptz NOT NULL) PARTITION BY RANGE (created_at)');
});
afterAll(async () => {
  await close();
  await server.stop();
});

const rules = request([rule('views')]);
/** Where rows of November may be, whatever became of their partition; in a half detached one they are seen by its name only. */
const PLACES = ['views', '"views_2023-11"', 'november', 'archive'];
const HELD = 150;

/** Ids of all rows there are. A place is read by itself, since it may be gone a moment later. */
async function rowsNow(): Promise<Set<number>> {
  const found = new Set<number>();
  for (const place of PLACES) {
    const rows = await store.sql<{ id: number }>(`SELECT id::int FROM ${place}`).catch(() => []);
    for (const { id } of rows) found.add(id);
  }
  return found;
}

async function fresh(): Promise<void> {
  await store.sql(`SELECT dataward.thaw(); DROP PUBLICATION IF EXISTS late; DROP TABLE IF EXISTS views, "views_2023-11", november, archive;
    DELETE FROM dataward.hold_item; DELETE FROM dataward.hold; DELETE FROM dataward.journal; DELETE FROM dataward.claim;
    SET ROLE dataward_enforce; ${views} CREATE TABLE archive (LIKE views) PARTITION BY RANGE (created_at); RESET ROLE`);
}

/** What others do meanwhile. Each answers with rows that nobody may delete from then on. */
const EVENTS: Record<string, () => Promise<readonly number[]>> = {
  nothing: async () => [],
  'a hold on the table': () => hold('views'),
  'a hold on the partition': () => hold('views_2023-11'),
  'a move to an archive': async () => {
    await store.sql(`ALTER TABLE archive ATTACH PARTITION "views_2023-11" FOR VALUES FROM ('2023-11-01Z') TO ('2023-12-01Z')`);
    return Array.from({ length: 100 }, (_, index) => 101 + index);
  },
  'another name': async () => {
    await store.sql('ALTER TABLE "views_2023-11" RENAME TO november');
    return [];
  },
  'a publication': async () => {
    await store.sql(`CREATE PUBLICATION late FOR TABLE "views_2023-11" WITH (publish = 'insert')`);
    return [];
  },
  'a freeze': async () => {
    await store.writer.freeze('somebody', 'stop');
    return [...(await rowsNow())];
  },
  'a takeover': async () => {
    await store.writer.claim('run-1');
    return [];
  },
};

async function hold(name: string): Promise<readonly number[]> {
  await store.writer.putHold({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: table(name), predicate: oneOf('id', String(HELD)) }] });
  return (await rowsNow()).has(HELD) ? [HELD] : [];
}

interface Interruption {
  /** Number of the statement before which something happens, of the whole purge or from the detach of November on. */
  at: number;
  from: 'the beginning' | 'the detach';
  event: string;
  /** The login of the purge is lost right after. */
  killed: boolean;
}

/** Purges, with an interruption. @returns rows that had to stay from then on, and whether the store was frozen by then */
async function interruptedRun({ at, from, event, killed }: Interruption): Promise<readonly number[]> {
  let statements = 0;
  let happened: Promise<readonly number[]> = Promise.resolve([]);
  const wrap = (connection: Connection): Connection => ({
    ...connection,
    query: async (text, ...rest) => {
      if (statements > 0 || from === 'the beginning' || /DETACH PARTITION "public"\."views_2023-11"/.test(text)) statements += 1;
      if (statements === at) {
        happened = (EVENTS[event] as () => Promise<readonly number[]>)().catch(() => []);
        // It may wait for a lock of the transaction that is open here.
        await (connection.inTransaction() ? Promise.race([happened, delay(200)]) : happened);
        if (killed) await store.sql('SELECT pg_terminate_backend($1)', [await pidOf(connection)]);
      }
      return connection.query(text, ...rest);
    },
  });
  const writer = await store.another(undefined, wrap);
  await runPlan(writer, await writer.planPurge(rules), rules).catch(() => undefined);
  await writer.close();
  return happened;
}

async function pidOf(connection: Connection): Promise<number> {
  return Number((await connection.query<{ pid: string }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid);
}

const happening = { event: fc.constantFrom(...Object.keys(EVENTS)), killed: fc.boolean() };
const interruption: fc.Arbitrary<Interruption> = fc.oneof(
  fc.record({ at: fc.integer({ min: 1, max: 120 }), from: fc.constant('the beginning' as const), ...happening }),
  // Half of all within the few statements while the partition is out of sight.
  fc.record({ at: fc.integer({ min: 1, max: 14 }), from: fc.constant('the detach' as const), ...happening }),
);

test('whatever happens at whatever statement of a purge that drops partitions, what has to stay stays, the journal tells what went, and the next runs leave nothing half done', async () => {
  await fc.assert(
    fc.asyncProperty(interruption, async (given) => {
      await fresh();
      const staying = await interruptedRun(given);
      const after = await rowsNow();
      expect(staying.filter((id) => !after.has(id))).toEqual([]);
      await store.sql('SELECT dataward.thaw()');
      for (const run of ['run-1', 'run-2']) await runPlan(store.writer, await store.writer.planPurge(rules), rules, { run });
      const left = await rowsNow();
      expect((given.event === 'a freeze' ? [] : staying).filter((id) => !left.has(id))).toEqual([]);
      expect([...left].filter((id) => id > 300)).toHaveLength(300);
      const { forecast } = await store.writer.planPurge(rules);
      expect(forecast).toEqual([{ collection: 'views', due: 0, held: staying.length === 1 ? 1 : 0, floored: 0, indeterminate: 0, blocked: 0, exact: true }]);
      expect(await store.sql('SELECT FROM pg_inherits WHERE inhdetachpending')).toEqual([]);
      const [journal] = await store.sql<{ deleted: string }>('SELECT sum(deleted) AS deleted FROM dataward.journal');
      expect(Number(journal?.deleted)).toBe(600 - left.size);
    }),
    {
      numRuns: runs(14),
      // The moments that were found by thinking.
      examples: [
        [{ at: 2, from: 'the detach', event: 'a hold on the partition', killed: true }],
        [{ at: 2, from: 'the detach', event: 'a hold on the partition', killed: false }],
        [{ at: 2, from: 'the detach', event: 'a move to an archive', killed: true }],
        [{ at: 2, from: 'the detach', event: 'a publication', killed: false }],
        [{ at: 2, from: 'the detach', event: 'a takeover', killed: false }],
      ],
    },
  );
}, 120_000);
