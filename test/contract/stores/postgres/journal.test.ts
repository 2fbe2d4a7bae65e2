import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { until } from '../../../support/until.ts';
import { JOURNAL_PAGE_ROWS } from '../../../../src/stores/journal.ts';
import { readOpenDrops } from '../../../../src/stores/postgres/journal.ts';
import { fc, runs } from '../../../support/properties.ts';
import { login } from './support.ts';
import { openStore, purgeAll, request, rule, runPlan, wholeJournal } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';

let server: TestPostgres;
let store: TestStore;
beforeAll(async () => {
  server = await startPostgres();
  store = await openStore(server, 'journal', 'CREATE TABLE events (id int PRIMARY KEY, client_id text, created_at timestamptz)');
});
beforeEach(async () => {
  await store.sql('TRUNCATE dataward.journal, dataward.claim');
  await store.sql('SELECT dataward.thaw()');
});
afterAll(async () => {
  await store.close();
  await server.stop();
});

const OLD = '2026-01-01T00:00:00Z';
const limit = { before: '2026-02-01T00:00:00Z', owner: 'cluster-a' };
const stages = `jsonb_build_object('leaf', '4711', 'name', '{"schema":"public","name":"p"}'::jsonb, 'parent', '{"schema":"public","name":"t"}'::jsonb, 'bounds', '')`;

/** A run of `rows` batches as a purge leaves them, each of 2 rows of client a and 1 of b. */
async function journalled(run: string, rows: number, how: { at?: string; clients?: string; lastSeq?: number } = {}): Promise<void> {
  await store.sql('INSERT INTO dataward.claim (run, epoch, owner, last_seq) VALUES ($1, 1, $2, $3)', [run, 'cluster-a', how.lastSeq ?? rows]);
  await store.sql(
    `INSERT INTO dataward.journal (run, seq, epoch, collection, table_schema, table_name, method, kind, position, deleted, clients, at)
     SELECT $1, i, 1, CASE i % 2 WHEN 0 THEN 'views' ELSE 'clicks' END, 'public', 'events', 'BlockRange', 'Batch', '{}', 3, ${how.clients ?? `'{"a": 2, "b": 1}'`}, $3 FROM generate_series(1, $2::int) i`,
    [run, rows, how.at ?? OLD],
  );
}

const DROP_STAGES = ['DropIntent', 'Drop', 'Reattach'] as const;
type DropStage = (typeof DROP_STAGES)[number];

/** One stage of the drop of a partition, as the last row of a run. */
async function stage(run: string, kind: DropStage, at: string): Promise<void> {
  await store.sql(
    `WITH next AS (INSERT INTO dataward.claim AS c (run, epoch, owner, last_seq) VALUES ($1, 1, 'cluster-a', 1) ON CONFLICT (run) DO UPDATE SET last_seq = c.last_seq + 1 RETURNING last_seq)
     INSERT INTO dataward.journal (run, seq, epoch, collection, table_schema, table_name, method, kind, position, deleted, clients, at)
     SELECT $1, last_seq, 1, 'views', 'public', 'p', 'DropPartition', $2, ${stages}, 0, '{}', $3 FROM next`,
    [run, kind, at],
  );
}

const rowsOf = async (run: string): Promise<number> => Number((await store.sql<{ n: number }>('SELECT count(*)::int AS n FROM dataward.journal WHERE run = $1', [run]))[0]?.n);
const listed = async (): Promise<string[]> => (await store.writer.journalledRuns(limit)).map(({ run, lastSeq }) => `${run} ${lastSeq}`);
const watermark = async (): Promise<number | undefined> => (await store.writer.identity()).watermark;

describe('the journal of a run', () => {
  test('is read in pages, in order and whole', async () => {
    await journalled('long', 2 * JOURNAL_PAGE_ROWS + 5);
    await journalled('other', 3);
    const lengths: number[] = [];
    for (let after = 0; ; ) {
      const page = await store.writer.journal('long', after);
      lengths.push(page.length);
      expect(page.map(({ seq }) => seq)).toEqual(page.map((_row, index) => after + index + 1));
      if (page.length === 0) break;
      after = page.at(-1)?.seq ?? 0;
    }
    expect(lengths).toEqual([JOURNAL_PAGE_ROWS, JOURNAL_PAGE_ROWS, 5, 0]);
  });

  test('is read in smaller pages where rows are large, one at a time where each is larger than a page', async () => {
    const clients = (count: number): string => `(SELECT jsonb_object_agg(md5(n::text || i), 1) FROM generate_series(1, ${count}) n)`;
    await journalled('large', 100, { clients: clients(1_000) });
    await journalled('huge', 2, { clients: clients(60_000) });
    const page = await store.writer.journal('large', 0);
    expect(page.length).toBeGreaterThan(5);
    expect(page.length).toBeLessThan(100);
    expect((await wholeJournal(store.writer, 'large')).map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect([(await store.writer.journal('huge', 0)).length, (await store.writer.journal('huge', 1)).length]).toEqual([1, 1]);
  });

  test('is added up by the store, as far as it is asked for', async () => {
    await journalled('run', 5);
    expect(await store.writer.journalTotals('run', 4)).toEqual({ lastSeq: 4, rows: 4, deleted: 12, collections: [{ collection: 'clicks', method: 'BlockRange', deleted: 6 }, { collection: 'views', method: 'BlockRange', deleted: 6 }] });
    expect([...(await store.writer.journalClients('run', 4))]).toEqual([['a', 8], ['b', 4]]);
    expect(await store.writer.journalTotals('run', 99)).toMatchObject({ lastSeq: 5, deleted: 15 });
    expect(await store.writer.journalTotals('nobody', 99)).toEqual({ lastSeq: 0, rows: 0, deleted: 0, collections: [] });
  });

  test('adds up to what a purge deleted', async () => {
    await store.sql(`INSERT INTO events SELECT i, 'client-' || i % 3, timestamptz '2023-06-01Z' FROM generate_series(1, 3000) i`);
    await purgeAll(store, request([rule('events', { client: { field: 'client_id' } })]), { run: 'purge', pace: { maxBatchMillis: 1 } });
    const whole = await wholeJournal(store.writer, 'purge');
    expect(await store.writer.journalTotals('purge', whole.length)).toMatchObject({ lastSeq: whole.length, deleted: 3000 });
    expect([...(await store.writer.journalClients('purge', whole.length))]).toEqual([['client-0', 1000], ['client-1', 1000], ['client-2', 1000]]);
  });
});

describe('a run may leave the journal', () => {
  test('when all of it is old: its rows go, its claim stays, and the store is known by the same watermark', async () => {
    await journalled('run', 2_500);
    await journalled('young', 2, { at: '2026-03-01T00:00:00Z' });
    const before = await watermark();
    expect(await listed()).toEqual(['run 2500']);
    expect(await store.writer.trimJournal('run', { ...limit, lastSeq: 2_500 })).toBe(2_500);
    expect([await rowsOf('run'), await rowsOf('young'), await watermark(), await listed()]).toEqual([0, 2, before, []]);
    expect(await store.writer.trimJournal('run', { ...limit, lastSeq: 2_500 })).toBe(0);
  });

  test('oldest first, so that a pass that is bounded gets to the end', async () => {
    await journalled('b', 1, { at: '2026-01-02T00:00:00Z' });
    await journalled('a', 1, { at: '2026-01-03T00:00:00Z' });
    await journalled('c', 1, { at: '2026-01-01T00:00:00Z' });
    expect(await listed()).toEqual(['c 1', 'b 1', 'a 1']);
  });

  test.each<[string, () => Promise<unknown>]>([
    ['one row is not old enough', () => store.sql(`UPDATE dataward.journal SET at = '2026-02-01Z' WHERE seq = 3`)],
    ['the store is frozen', () => store.sql(`SELECT dataward.freeze('somebody looks into it')`)],
    ['a partition it began to drop was left behind', () => stage('run', 'DropIntent', OLD)],
    ['another run finished the drop of a third one and only its row says so', async () => {
      await stage('first', 'DropIntent', '2025-12-01T00:00:00Z');
      await stage('run', 'Drop', OLD);
    }],
  ])('but not when %s', async (_, change) => {
    await journalled('run', 3);
    await change();
    const rows = await rowsOf('run');
    expect((await listed()).filter((line) => line.startsWith('run '))).toEqual([]);
    expect(await store.writer.trimJournal('run', { ...limit, lastSeq: rows })).toBe(0);
    expect(await rowsOf('run')).toBe(rows);
  });

  test.each<[string, { lastSeq?: number; owner?: string }]>([
    ['it has a row more than was looked at', { lastSeq: 2 }],
    ['somebody else owns the store', { owner: 'cluster-b' }],
  ])('but not when %s', async (_, changes) => {
    await journalled('run', 3);
    expect(await store.writer.trimJournal('run', { ...limit, lastSeq: 3, ...changes })).toBe(0);
    expect(await rowsOf('run')).toBe(3);
  });

  test('with a drop that two runs shared, first the one that began it, then the one that ended it', async () => {
    await stage('first', 'DropIntent', '2025-12-01T00:00:00Z');
    await stage('second', 'Drop', OLD);
    expect(await listed()).toEqual(['first 1']);
    expect(await store.writer.trimJournal('first', { ...limit, lastSeq: 1 })).toBe(1);
    expect(await listed()).toEqual(['second 1']);
    expect(await store.writer.trimJournal('second', { ...limit, lastSeq: 1 })).toBe(1);
  });

  test('in any order that drops of several runs went in, and no drop looks finished or unfinished by it', async () => {
    const connection = await login(server, { database: store.database, settings: { readOnly: false } });
    const openDrops = async (): Promise<string[]> => (await readOpenDrops(connection)).map(({ leaf }) => leaf).toSorted();
    const happened = fc.record({ run: fc.constantFrom('a', 'b', 'c'), leaf: fc.constantFrom('1', '2'), kind: fc.constantFrom(...DROP_STAGES), clock: fc.integer({ min: 0, max: 9 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(happened, { maxLength: 8 }), async (events) => {
        await connection.query('DELETE FROM dataward.journal; DELETE FROM dataward.claim');
        await connection.query(
          `WITH rows AS (SELECT e->>'run' AS run, e->>'kind' AS kind, e->>'leaf' AS leaf, (e->>'clock')::int AS clock, n, row_number() OVER (PARTITION BY e->>'run' ORDER BY n) AS seq FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS t (e, n)),
                claims AS (INSERT INTO dataward.claim (run, epoch, owner, last_seq) SELECT run, 1, 'cluster-a', max(seq) FROM rows GROUP BY run)
           INSERT INTO dataward.journal (run, seq, epoch, collection, table_schema, table_name, method, kind, position, deleted, clients, at)
           SELECT run, seq, 1, 'views', 'public', 'p', 'DropPartition', kind, jsonb_build_object('leaf', leaf), 0, '{}', $2::timestamptz + clock * interval '1 s' FROM rows ORDER BY n`,
          [JSON.stringify(events), OLD],
        );
        const before = await openDrops();
        expect(before).toEqual(['1', '2'].filter((leaf) => events.findLast((event) => event.leaf === leaf)?.kind === 'DropIntent'));
        for (let old = await store.writer.journalledRuns(limit); old.length > 0; old = await store.writer.journalledRuns(limit)) {
          const [{ run, lastSeq }] = old as [(typeof old)[number]];
          expect(await store.writer.trimJournal(run, { ...limit, lastSeq })).toBe(lastSeq);
          expect(await openDrops()).toEqual(before);
        }
        // Runs that began no drop which is open, or shared none with another run, are all gone.
        const { rows: kept } = await connection.query<{ run: string }>('SELECT DISTINCT run FROM dataward.journal');
        for (const { run } of kept) expect(events.some((event) => event.run === run && (before.includes(event.leaf) || events.some((other) => other.run !== run && other.leaf === event.leaf)))).toBe(true);
      }),
      { numRuns: runs(25) },
    );
    await connection.close();
  });

  test('whole or not at all: a process that dies in the middle removes nothing', async () => {
    await journalled('run', 500);
    const locker = new pg.Client(server.connection(server.superuser, store.database));
    await locker.connect();
    await locker.query(`BEGIN; SELECT FROM dataward.journal WHERE run = 'run' AND seq = 250 FOR UPDATE`);
    const dying = (await store.another()).trimJournal('run', { ...limit, lastSeq: 500 });
    const waits = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM dataward.journal%'`;
    const { pid } = await until('it waits in the middle', async () => (await store.sql<{ pid: number }>(waits))[0]);
    const ended = dying.then(() => 'done', () => 'died');
    await store.sql('SELECT pg_terminate_backend($1)', [pid]);
    expect(await ended).toBe('died');
    await locker.query('COMMIT');
    await locker.end();
    expect(await rowsOf('run')).toBe(500);
    expect(await store.writer.trimJournal('run', { ...limit, lastSeq: 500 })).toBe(500);
  });

  test('while another run deletes, without one waiting for the other', async () => {
    await journalled('old', 100);
    await store.sql(`TRUNCATE events; INSERT INTO events SELECT i, 'c', timestamptz '2023-06-01Z' FROM generate_series(1, 3000) i`);
    const rules = request([rule('events')]);
    const purging = await store.another();
    const plan = await purging.planPurge(rules);
    const [batches, trimmed] = await Promise.all([runPlan(purging, plan, rules, { run: 'now', pace: { maxBatchMillis: 1 } }), store.writer.trimJournal('old', { ...limit, lastSeq: 100 })]);
    expect([batches.reduce((sum, { deleted }) => sum + deleted, 0), trimmed, await rowsOf('old')]).toEqual([3000, 100, 0]);
    expect(await rowsOf('now')).toBe(batches.filter(({ seq }) => seq > 0).length);
  });
});

describe('the stages of a drop', () => {
  const opened = async (): Promise<string[]> => {
    const connection = await login(server, { database: store.database, settings: { readOnly: true } });
    const drops = await readOpenDrops(connection);
    await connection.close();
    return drops.map(({ leaf }) => leaf);
  };
  const early = '2025-12-01T00:00:00Z';
  afterEach(() => store.writer.install({ owner: 'cluster-a', readers: [] }));

  test('are in the order they were written in, also where the clock of the server went back, or another took over that is behind', async () => {
    await stage('a', 'DropIntent', OLD);
    await stage('a', 'Reattach', OLD);
    await stage('b', 'DropIntent', early);
    expect(await opened()).toEqual(['4711']);
    expect(await listed()).not.toContain('b 1');
    expect(await store.writer.trimJournal('b', { ...limit, lastSeq: 1 })).toBe(0);
    await stage('c', 'Drop', early);
    expect(await opened()).toEqual([]);
  });

  test('are in the order of their times where an older release made the schema, and before all that came after', async () => {
    await store.sql('ALTER TABLE dataward.journal DROP COLUMN ordinal');
    await stage('a', 'Reattach', early);
    await stage('b', 'DropIntent', OLD);
    expect(await opened()).toEqual(['4711']);
    for (const _ of ['upgraded', 'and looked at again']) await store.writer.install({ owner: 'cluster-a', readers: [] });
    expect(await opened()).toEqual(['4711']);
    await stage('c', 'Reattach', early);
    expect(await opened()).toEqual([]);
    expect(await store.sql('SELECT run, ordinal::int AS ordinal FROM dataward.journal ORDER BY run')).toEqual([{ run: 'a', ordinal: null }, { run: 'b', ordinal: null }, { run: 'c', ordinal: 1 }]);
  });
});
