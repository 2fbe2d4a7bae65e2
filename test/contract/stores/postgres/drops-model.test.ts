import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { fc, runs } from '../../../support/properties.ts';
import { interruptedAt } from './interruptions.ts';
import type { Interruption } from './interruptions.ts';
import { partitionStores, views } from './partition-support.ts';
import { oneOf, request, rule, runPlan, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';

let server: TestPostgres;
let store: TestStore;
const { storeWith, close } = partitionStores(() => server);
beforeAll(async () => {
  server = await startPostgres({ settings: { wal_level: 'logical' } });
  store = await storeWith('SELECT');
});
afterAll(async () => {
  await close();
  await server.stop();
});

const rules = request([rule('views')]);
/** Where rows of November may be, whatever became of their partition; in a half detached one they are seen by its name only. */
const PLACES = ['views', 'old_views', '"views_2023-11"', 'november', 'archive'];
const HELD = 150;
const NOVEMBER = `FOR VALUES FROM ('2023-11-01Z') TO ('2023-12-01Z')`;
const DEFAULT = 'CREATE TABLE views_rest PARTITION OF views DEFAULT;';

/** Ids of all rows there are. A place is read by itself, since it may be gone a moment later. */
async function rowsNow(): Promise<Set<number>> {
  const found = new Set<number>();
  for (const place of PLACES) {
    const rows = await store.sql<{ id: number }>(`SELECT id::int FROM ${place}`).catch(() => []);
    for (const { id } of rows) found.add(id);
  }
  return found;
}

async function fresh(beside: 'nothing' | 'a default partition'): Promise<void> {
  await store.sql(`SELECT dataward.thaw(); DROP PUBLICATION IF EXISTS late; DROP TABLE IF EXISTS views, old_views, "views_2023-11", november, archive;
    DELETE FROM dataward.hold_item; DELETE FROM dataward.hold; DELETE FROM dataward.journal; DELETE FROM dataward.claim;
    SET ROLE dataward_enforce; ${views} ${beside === 'nothing' ? '' : DEFAULT} CREATE TABLE archive (LIKE views) PARTITION BY RANGE (created_at); RESET ROLE`);
}

/** What came of something others did. */
interface Happening {
  /** Rows nobody may delete from then on. */
  staying?: readonly number[];
  /** Rows that came, and rows somebody else took away. */
  came?: readonly number[];
  taken?: readonly number[];
}

const november = Array.from({ length: 100 }, (_, index) => 101 + index);
const did = (sql: string, came: Happening = {}) => async (): Promise<Happening> => {
  await store.sql(sql);
  return came;
};

/** What others do meanwhile. */
const EVENTS: Record<string, () => Promise<Happening>> = {
  nothing: async () => ({}),
  'a hold on the table': () => hold('views'),
  'a hold on the partition': () => hold('views_2023-11'),
  'a move to an archive': did(`ALTER TABLE archive ATTACH PARTITION "views_2023-11" ${NOVEMBER}`, { staying: november }),
  'a move to an archive by two statements': did(`ALTER TABLE views DETACH PARTITION "views_2023-11"; ALTER TABLE archive ATTACH PARTITION "views_2023-11" ${NOVEMBER}`, { staying: november }),
  'an attach by hand': did(`ALTER TABLE views ATTACH PARTITION "views_2023-11" ${NOVEMBER}`),
  'a detach by hand': did('ALTER TABLE views DETACH PARTITION "views_2023-11"'),
  'a drop by hand': did('DROP TABLE "views_2023-11"', { taken: november }),
  'another name': did('ALTER TABLE "views_2023-11" RENAME TO november'),
  'another name of the table': did('ALTER TABLE views RENAME TO old_views'),
  'another table in its place': did('ALTER TABLE views RENAME TO old_views; CREATE TABLE views (LIKE old_views) PARTITION BY RANGE (created_at); ALTER TABLE views OWNER TO dataward_enforce'),
  'a default partition': did(DEFAULT),
  'a row by the name of the partition': did(`INSERT INTO "views_2023-11" VALUES (701, 'client-1', '2023-11-20Z')`, { came: [701] }),
  'a row of the partition that is not due': did(`ALTER TABLE "views_2023-11" DROP CONSTRAINT IF EXISTS "views_2023-11_created_at_check"; INSERT INTO "views_2023-11" VALUES (702, 'client-1', '2024-03-20Z')`, { came: [702], staying: [702] }),
  'a publication': did(`CREATE PUBLICATION late FOR TABLE "views_2023-11" WITH (publish = 'insert')`),
  'a freeze': async () => {
    await store.writer.freeze('somebody', 'stop');
    return { staying: [...(await rowsNow())] };
  },
  'a takeover': async () => {
    await store.writer.claim('run-1');
    return {};
  },
};

/** What undoes it afterwards, where no run could go on with it. */
const REPAIRS: Record<string, string> = {
  'another name of the table': 'ALTER TABLE old_views RENAME TO views',
  'another table in its place': 'DROP TABLE views; ALTER TABLE old_views RENAME TO views',
  'a freeze': 'SELECT dataward.thaw()',
  'a row of the partition that is not due': 'WITH moved AS (DELETE FROM "views_2023-11" WHERE id = 702 RETURNING *) INSERT INTO views SELECT * FROM moved',
};

async function hold(name: string): Promise<Happening> {
  await store.writer.putHold({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: table(name), predicate: oneOf('id', String(HELD)) }] });
  return { staying: (await rowsNow()).has(HELD) ? [HELD] : [] };
}

interface Given extends Interruption {
  event: string;
  beside: 'nothing' | 'a default partition';
}

/** From the first statement of a purge on, or from the first that names November's partition. */
const BEGINNING = /^/;
const ITS_TURN = /ONLY "public"\."views_2023-11"/;

/** Purges, with an interruption, and checks what has to hold whatever happened. */
async function survives({ event, beside, ...interruption }: Given): Promise<void> {
  await fresh(beside);
  let happened: Happening = {};
  const interrupted = interruptedAt(store, interruption, async () => {
    happened = await (EVENTS[event] as () => Promise<Happening>)().catch(() => ({}));
  });
  const writer = await store.another(undefined, interrupted.wrap);
  await runPlan(writer, await writer.planPurge(rules), rules).catch(() => undefined);
  await writer.close();
  await interrupted.done();
  const { staying = [], came = [], taken = [] } = happened;
  const after = await rowsNow();
  expect(staying.filter((id) => !after.has(id))).toEqual([]);

  await store.sql(REPAIRS[event] ?? 'SELECT').catch(() => undefined);
  for (const run of ['run-1', 'run-2']) await runPlan(store.writer, await store.writer.planPurge(rules), rules, { run });
  const left = await rowsNow();
  expect((event === 'a freeze' ? [] : staying).filter((id) => !left.has(id))).toEqual([]);
  expect([...left].filter((id) => id > 300 && id <= 600)).toHaveLength(300);
  const { forecast } = await store.writer.planPurge(rules);
  expect(forecast).toMatchObject([{ collection: 'views', due: 0, held: staying.length === 1 && staying[0] === HELD ? 1 : 0, exact: true }]);
  expect(forecast[0]?.unfinished).toBeUndefined();
  expect(await store.sql('SELECT FROM pg_inherits WHERE inhdetachpending')).toEqual([]);
  const [journal] = await store.sql<{ deleted: string }>('SELECT sum(deleted) AS deleted FROM dataward.journal');
  expect(Number(journal?.deleted)).toBe(600 + came.length - taken.length - left.size);
}

const how = {
  event: fc.constantFrom(...Object.keys(EVENTS)),
  lost: fc.constantFrom('no' as const, 'before' as const, 'after' as const),
  beside: fc.constantFrom('nothing' as const, 'nothing' as const, 'a default partition' as const),
};
const anywhere: fc.Arbitrary<Given> = fc.oneof(
  fc.record({ at: fc.integer({ min: 1, max: 120 }), from: fc.constant(BEGINNING), ...how }),
  // Most of all within the statements about one partition.
  { weight: 3, arbitrary: fc.record({ at: fc.integer({ min: 1, max: 30 }), from: fc.constant(ITS_TURN), ...how }) },
);

/** The moments of one partition, counted as `ITS_TURN` does; beside a default partition there is no detach at 9, but one at 19. */
const at = (moment: number, lost: Interruption['lost'], event = 'nothing', beside: Given['beside'] = 'nothing'): [Given] => [{ at: moment, from: ITS_TURN, lost, event, beside }];

test('whatever happens at whatever moment of a purge that drops partitions, what has to stay stays, the journal tells what went, and the next runs leave nothing half done', async () => {
  await fc.assert(
    fc.asyncProperty(anywhere, async (given) => {
      await survives(given);
    }),
    {
      numRuns: runs(14),
      // The moments that were found by thinking.
      examples: [
        // The intent is committed, but not known to be; detached, but not known to be; dropped, but not known to be.
        at(8, 'after'),
        at(9, 'after'),
        at(22, 'after'),
        // Lost with the lock, and with everything done but the commit.
        at(15, 'before'),
        at(22, 'before'),
        at(22, 'before', 'nothing', 'a default partition'),
        at(22, 'after', 'nothing', 'a default partition'),
        // While it is out of sight.
        at(10, 'before', 'a hold on the partition'),
        at(10, 'no', 'a hold on the partition'),
        at(10, 'before', 'a move to an archive'),
        at(10, 'no', 'a publication'),
        at(10, 'no', 'a takeover'),
        at(10, 'no', 'another table in its place'),
        at(10, 'before', 'a row of the partition that is not due'),
        at(13, 'no', 'a row of the partition that is not due'),
      ],
    },
  );
}, 600_000);
