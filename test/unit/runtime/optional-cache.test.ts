import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Cache } from '../../../src/runtime/cache.ts';
import { createClient } from '../../../src/runtime/client.ts';
import type { Client } from '../../../src/runtime/client.ts';
import { createOptionalCache } from '../../../src/runtime/optional-cache.ts';
import { eventually, startFakeApiServer, widget, WIDGET } from '../../support/fake-apiserver.ts';
import type { FakeApiServer, SeenRequest, Widget } from '../../support/fake-apiserver.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { until } from '../../support/until.ts';

const discovers = (request: SeenRequest): boolean => request.path === '/apis/example.com/v1';

let server: FakeApiServer;
let client: Client;
let clock: FakeClock;
let abort: AbortController;
let running: Promise<void> | undefined;
let cache: Cache<Widget>;
let heard: string[];
let warned: string[];

beforeEach(async () => {
  server = await startFakeApiServer();
  client = createClient(server.kubeConfig(), { userAgent: 'test/1', random: () => 0, qps: 0 });
  clock = createFakeClock();
  abort = new AbortController();
  heard = [];
  warned = [];
  const note = (message: string): void => void warned.push(message);
  const logger = { error: note, warn: note, info: note, debug: () => {}, child: () => logger };
  cache = createOptionalCache<Widget>(client, WIDGET, { clock, random: () => 0, logger });
  cache.onChange(({ type, object }) => heard.push(`${type} ${object.metadata.name}`));
});
afterEach(async () => {
  abort.abort();
  await running;
  client.close();
  await server.stop();
});

const start = (): void => void (running = cache.start(abort.signal));
const asked = (): number => server.requests.filter(discovers).length;

test('gives everybody who waits for it one promise: another each time would stay in memory for as long as the process lives', async () => {
  start();
  const waiting = cache.synced();
  await waiting;
  expect(cache.synced()).toBe(waiting);
});

test('of a kind that is installed: it is a cache like any other', async () => {
  server.put(WIDGET, widget('a'));
  start();
  await cache.synced();
  server.put(WIDGET, widget('b'));
  await eventually('the change', () => heard.length === 2);
  expect([heard, cache.list('shop').length, cache.hasSynced]).toEqual([['added a', 'added b'], 2, true]);
});

test('of a kind that is not installed: it is complete and empty, nothing is watched, and the log is quiet', async () => {
  server.inject({ status: 404 }, discovers, 1_000);
  start();
  await cache.synced();
  await until('another look', async () => {
    await clock.advance(60_000);
    return asked() >= 5;
  });
  expect([cache.hasSynced, cache.list(), heard, warned]).toEqual([true, [], [], []]);
  expect(server.requests.filter((request) => !discovers(request))).toEqual([]);
});

test('of a kind that is installed later: what was there before we looked is heard as well', async () => {
  server.inject({ status: 404 }, discovers, 1);
  start();
  await cache.synced();
  server.put(WIDGET, widget('a'));
  await until('the kind', async () => {
    await clock.advance(60_000);
    return heard.length === 1;
  });
  expect(cache.list().map(({ metadata }) => metadata.name)).toEqual(['a']);
});

test('of a server that cannot be asked: it is not complete until the server answers, and people are told', async () => {
  server.inject({ status: 403 }, discovers, 3);
  let synced = false;
  void cache.synced().then(() => (synced = true));
  start();
  await eventually('the first refusal', () => warned.length > 0);
  expect([synced, cache.hasSynced]).toEqual([false, false]);
  await until('the answer', async () => {
    await clock.advance(1_000);
    return synced;
  });
  expect([cache.hasSynced, new Set(warned)]).toEqual([true, new Set(['cannot ask whether a kind is installed; will try again'])]);
});

test('it ends when it is told to, while it waits for the kind', async () => {
  server.inject({ status: 404 }, discovers, 1_000);
  start();
  await cache.synced();
  abort.abort();
  await running;
  expect(clock.timers).toBe(0);
});
