import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import type { BatchResult, PurgeMethod, PurgeRequest } from '../../../../src/stores/purging.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { months, partitionsOf, views } from './partition-support.ts';
import { countRows, guard, oneOf, openStore, pace, request, rule, runPlan } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';

let server: TestPostgres;
const stores: TestStore[] = [];

beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await server.stop('immediate');
});

async function storeWith(schema: string): Promise<TestStore> {
  const store = await openStore(server, `consent_${stores.length + 1}`, `${schema}; GRANT USAGE, CREATE ON SCHEMA public TO PUBLIC`, { enforceOwnsTables: true });
  stores.push(store);
  return store;
}

/** Due rows, some that are not up to number 20,300, 300 due rows; about 250 bytes each. */
const eventsAfter = (due: number): string => `CREATE TABLE events (id int, pad text DEFAULT repeat('x', 200), created_at timestamptz NOT NULL);
  INSERT INTO events SELECT n, repeat('x', 200), CASE WHEN n BETWEEN ${due + 1} AND 20300 THEN timestamptz '2025-01-01Z' ELSE '2020-01-01Z' END FROM generate_series(1, 20600) n`;
const events = eventsAfter(300);

interface Moment {
  /** Statement of a purge that takes a minute. */
  long: RegExp;
  workers?: number;
  sweep?: boolean;
  maxBatchMillis?: number;
}

/** Statements that look, count, or hide what is to be dropped. */
const LOOK = /^SELECT min\("r"\.ctid\)/;
const PRELIMINARY_LOOK = /^SELECT EXISTS \(SELECT FROM ONLY .* AS rows,/;
const DETACH = /DETACH PARTITION .* CONCURRENTLY/;
const COUNT = /^SELECT .* AS client, count\(\*\)::text AS rows/;
const COMPILE = /FROM dataward\.fence/;
/** A partition that is counted in a transaction is locked, and so are its readers. */
const DESTRUCTIVE = /DELETE FROM ONLY|DROP TABLE|count\(\*\)::text AS rows/;

/**
 * Purges until the consumer says stop, which he means from the moment on at which a statement has taken a minute.
 *
 * @returns `begun`: how many transactions deleted or dropped that began after it, and partitions were looked at or detached
 */
async function stoppedIn(store: TestStore, asked: PurgeRequest, method: PurgeMethod, { long, workers = 1, sweep = false, maxBatchMillis = pace.maxBatchMillis }: Moment): Promise<{ begun: number; stopped: boolean }> {
  let skew = 0;
  let frozen = false;
  const slowed = async <T>(text: string, result: Promise<T>): Promise<T> => {
    await result;
    if (long.test(text)) {
      skew += 60_000;
      frozen = true;
    }
    return result;
  };
  const seen = { begun: 0, stopped: false };
  const slow = (connection: Connection): Connection => {
    let late = false;
    return {
      ...connection,
      query: (text, ...rest) => {
        if ((late && DESTRUCTIVE.test(text)) || (frozen && [PRELIMINARY_LOOK, DETACH].some((each) => each.test(text)))) seen.begun += 1;
        return slowed(text, connection.query(text, ...rest));
      },
      transaction: (work, begin) => {
        late = frozen;
        return connection.transaction(work, begin);
      },
    };
  };
  const writer = await store.another({ monotonicMs: () => performance.now() + skew, random: Math.random, sleep: (millis) => delay(millis) }, slow, true);
  const plan = await writer.planPurge(asked);
  expect(plan.refusals).toEqual([]);
  const claim = await writer.claim('r');
  for await (const _result of writer.purge({ ...plan.steps[0]!, method }, { request: asked, claim, pace: { ...pace, workers, maxBatchMillis }, sweep, signal: AbortSignal.timeout(30_000) })) {
    seen.stopped = frozen;
    if (frozen) break;
  }
  return seen;
}

describe('who stops a purge while it', () => {
  test.each<[string, PurgeMethod, Moment]>([
    ['looks for the next due row', 'BlockRange', { long: LOOK }],
    ['looks for the next due row with several workers', 'BlockRange', { long: LOOK, workers: 3 }],
    ['looks for the first due row of a sweep', 'BlockRange', { long: LOOK, sweep: true }],
    ['compiles', 'BlockRange', { long: COMPILE }],
    ['compiles, in the order of an index', 'Keyset', { long: COMPILE }],
  ])('%s sees no batch begin after that', async (_, method, moment) => {
    const store = await storeWith(`${events}; CREATE INDEX ON events (created_at)`);
    expect(await stoppedIn(store, request([rule('events')]), method, moment)).toEqual({ begun: 0, stopped: true });
    expect(await countRows(store, 'events')).toBeGreaterThan(20_000);
  });

  test.each<[string, Moment, string]>([
    ['looks whether a partition may go', { long: PRELIMINARY_LOOK }, ''],
    ['detaches it', { long: DETACH }, ''],
    ['counts it under its lock', { long: COUNT }, ''],
    ['counts it under its lock, beside a default partition', { long: COUNT }, 'CREATE TABLE views_rest PARTITION OF views DEFAULT;'],
  ])('%s sees no row go after that, and finds it attached', async (_, moment, also) => {
    const store = await storeWith(`${views} ${also}`);
    const asked = request([rule('views', { guards: [guard('law', oneOf('client_id', 'nobody'))] })]);
    expect(await stoppedIn(store, asked, 'DropPartition', moment)).toEqual({ begun: 0, stopped: true });
    expect(await countRows(store, 'views')).toBe(600);
    expect((await partitionsOf(store)).filter((name) => name !== 'views_rest')).toEqual(months.map((month) => `views_${month}`));
    // It is as if nothing had been begun: the next run drops them.
    const plan = await store.writer.planPurge(asked);
    expect(plan.forecast).toMatchObject([{ due: 300, exact: true }]);
    expect(plan.forecast[0]?.unfinished).toBeUndefined();
  });

  test('counts partitions that stay is asked before the next one is dropped', async () => {
    const store = await storeWith(`${views} UPDATE views SET client_id = 'kept' WHERE id = 1`);
    const asked = request([rule('views', { guards: [guard('law', oneOf('client_id', 'kept'))] })]);
    expect(await stoppedIn(store, asked, 'DropPartition', { long: PRELIMINARY_LOOK })).toEqual({ begun: 0, stopped: true });
    expect(await countRows(store, 'views')).toBe(600);
  });
});

test('a look that is stopped leaves word how far it came, and whoever goes on begins there', async () => {
  const store = await storeWith(events);
  const asked = request([rule('events')]);
  // Batches of few pages, so that the pages in between take several looks.
  expect(await stoppedIn(store, asked, 'BlockRange', { long: LOOK, maxBatchMillis: 1 })).toEqual({ begun: 0, stopped: true });
  const places = (epoch: number): Promise<{ deleted: number; from: number; next: number }[]> =>
    store.sql(`SELECT deleted::int AS deleted, (position->>'from')::int AS from, (position->>'next')::int AS next FROM dataward.journal WHERE epoch = $1 ORDER BY seq`, [epoch]);
  const first = await places(1);
  const place = first.at(-1);
  expect(place).toMatchObject({ deleted: 0, from: 0 });
  expect(place?.next).toBeGreaterThan(first.at(-2)?.next ?? Number.POSITIVE_INFINITY);
  const plan = await store.writer.planPurge(asked);
  await runPlan(store.writer, { ...plan, steps: plan.steps.map((step) => ({ ...step, method: 'BlockRange' })) }, asked, { run: 'r' });
  const second = await places(2);
  expect(Math.min(...second.map(({ from }) => from))).toBe(place?.next);
  expect([[...first, ...second].reduce((sum, { deleted }) => sum + deleted, 0), await countRows(store, 'events')]).toEqual([600, 20_000]);
});

test('goes on where it is asked and answered', async () => {
  const store = await storeWith(views);
  const asked = request([rule('views')]);
  let now = 0;
  const writer = await store.another({ monotonicMs: () => (now += 1_000), random: Math.random, sleep: (millis) => delay(millis) }, (connection) => connection, true);
  const plan = await writer.planPurge(asked);
  const results: BatchResult[] = [];
  for await (const result of writer.purge({ ...plan.steps[0]!, method: 'DropPartition' }, { request: asked, claim: await writer.claim('r'), pace, signal: AbortSignal.timeout(30_000) })) results.push(result);
  expect(results.reduce((sum, { deleted }) => sum + deleted, 0)).toBe(300);
  expect(results.filter(({ seq, throttledBy }) => seq === 0 && throttledBy === undefined).length).toBeGreaterThanOrEqual(9);
});

test('a worker that looks while another is stopped deletes nothing more, however quick its look was', async () => {
  // The first worker has many batches before it, the second a look and then a batch.
  const store = await storeWith(eventsAfter(8_000));
  const asked = request([rule('events')]);
  const rows = await countRows(store, 'events');
  let release = (): void => undefined;
  let looking = false;
  const holdUp = async <T>(text: string, ask: () => Promise<T>): Promise<T> => {
    if (LOOK.test(text) && !looking) {
      looking = true;
      await Promise.race([new Promise<void>((resolve) => { release = resolve; }), delay(10_000, undefined, { ref: false })]);
    }
    return ask();
  };
  const held = (connection: Connection): Connection => ({ ...connection, query: (text, ...rest) => holdUp(text, () => connection.query(text, ...rest)) });
  // No time passes: the answer of before stays as good as new.
  const writer = await store.another({ monotonicMs: () => 0, random: Math.random, sleep: (millis) => delay(millis) }, held, true);
  const plan = await writer.planPurge(asked);
  let before = 0;
  let stopped = false;
  for await (const batch of writer.purge({ ...plan.steps[0]!, method: 'BlockRange' }, { request: asked, claim: await writer.claim('r'), pace: { ...pace, workers: 2, maxBatchMillis: 1 }, signal: AbortSignal.timeout(30_000) })) {
    before += batch.deleted;
    if (!looking) continue;
    setTimeout(() => release(), 50);
    stopped = true;
    break;
  }
  expect(stopped).toBe(true);
  expect(await countRows(store, 'events')).toBe(rows - before);
});
