import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createCache } from '../../../src/runtime/cache.ts';
import type { Cache, Change } from '../../../src/runtime/cache.ts';
import { createClient } from '../../../src/runtime/client.ts';
import type { Client } from '../../../src/runtime/client.ts';
import type { ReflectorTiming } from '../../../src/runtime/reflector.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { eventually, matching, startFakeApiServer, widget, WIDGET } from '../../support/fake-apiserver.ts';
import type { FakeApiServer, Widget } from '../../support/fake-apiserver.ts';

const FAST: Partial<ReflectorTiming> = { baseMs: 5, maxMs: 40 };

let server: FakeApiServer;
let client: Client;
let abort: AbortController;
let running: Promise<void> | undefined;

beforeEach(async () => {
  server = await startFakeApiServer();
  client = createClient(server.kubeConfig(), { userAgent: 'test/1', random: () => 0.5, qps: 0 });
  abort = new AbortController();
  running = undefined;
});
afterEach(async () => {
  abort.abort();
  await running;
  client.close();
  await server.stop();
});

interface Followed {
  cache: Cache<Widget>;
  /** `added a`, `deleted b`: every change so far. */
  heard: string[];
}

async function follow(timing: Partial<ReflectorTiming> = FAST, options: Parameters<typeof createCache<Widget>>[2] = {}): Promise<Followed> {
  const cache = createCache<Widget>(client, WIDGET, { timing, random: () => 0.5, ...options });
  const heard: string[] = [];
  cache.onChange((change: Change<Widget>) => heard.push(`${change.type} ${change.object.metadata.name}`));
  running = cache.start(abort.signal);
  await cache.synced();
  return { cache, heard };
}

/** The cache has just what the server has. */
function same(cache: Cache<Widget>): boolean {
  const versions = (objects: Widget[]): string => objects.map((object) => `${object.metadata.uid} ${object.metadata.resourceVersion}`).toSorted().join();
  return versions(cache.list()) === versions(server.stored<Widget>(WIDGET));
}
const equal = (cache: Cache<Widget>, timeoutMs?: number): Promise<void> => eventually('the cache equals the server', () => same(cache), timeoutMs);

describe('a cache', () => {
  test('holds what is there, then follows every change once and in order', async () => {
    server.put(WIDGET, widget('a'));
    const { cache, heard } = await follow();
    server.put(WIDGET, widget('b'));
    server.put(WIDGET, widget('a', 2));
    server.remove(WIDGET, 'shop', 'b');
    await eventually('the deletion', () => heard.length === 4);
    expect(heard).toEqual(['added a', 'added b', 'modified a', 'deleted b']);
    expect(cache.get({ namespace: 'shop', name: 'a' })?.spec).toEqual({ size: 2 });
    expect(cache.list('elsewhere')).toEqual([]);
  });

  test('asks for bookmarks and a bounded watch, and resumes from a bookmark', async () => {
    const { cache } = await follow();
    await eventually('a watch', () => server.openWatches === 1);
    const query = server.requests.find(matching.watch)?.query;
    expect(query?.get('allowWatchBookmarks')).toBe('true');
    expect(Number(query?.get('timeoutSeconds'))).toBe(300);
    server.bookmark();
    const before = cache.lastSyncedResourceVersion;
    await eventually('the bookmark', () => cache.lastSyncedResourceVersion !== before);
    server.disturbWatches('end');
    await eventually('a second watch', () => server.requests.filter(matching.watch).length === 2);
    expect(server.requests.findLast(matching.watch)?.query.get('resourceVersion')).toBe(cache.lastSyncedResourceVersion);
  });

  test('drops managedFields and the last-applied annotation, and hands out frozen objects', async () => {
    const metadata = { name: 'a', namespace: 'shop', managedFields: [{ manager: 'x' }], annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', keep: 'me' } };
    server.put(WIDGET, { ...widget('a'), metadata });
    const { cache } = await follow();
    const held = cache.get({ namespace: 'shop', name: 'a' });
    expect(held?.metadata).not.toHaveProperty('managedFields');
    expect(held?.metadata.annotations).toEqual({ keep: 'me' });
    expect(() => Object.assign(held?.spec ?? {}, { size: 9 })).toThrow(TypeError);
  });

  test('finds objects by index, also after the value changed and after a deletion', async () => {
    server.put(WIDGET, widget('a', 1));
    server.put(WIDGET, widget('b', 1));
    const { cache } = await follow(FAST, { indexers: { size: (object) => [String(object.spec?.size)] } });
    const names = (size: string): string[] => cache.byIndex('size', size).map((object) => object.metadata.name);
    expect(names('1').toSorted()).toEqual(['a', 'b']);
    server.put(WIDGET, widget('a', 2));
    server.remove(WIDGET, 'shop', 'b');
    await eventually('both changes', () => names('1').length === 0);
    expect(names('2')).toEqual(['a']);
    expect(() => cache.byIndex('colour', 'red')).toThrow('there is no index "colour"');
  });

  test('an indexer that fails for one object finds the others', async () => {
    server.put(WIDGET, widget('odd', -1));
    server.put(WIDGET, widget('even', 2));
    const half = (object: Widget): string[] => {
      if ((object.spec?.size ?? 0) < 0) throw new RangeError('negative');
      return ['any'];
    };
    const { cache } = await follow(FAST, { indexers: { half } });
    expect(cache.byIndex('half', 'any').map((object) => object.metadata.name)).toEqual(['even']);
    expect(cache.list()).toHaveLength(2);
  });

  test('tells a late listener of what is already there, and goes on after a listener threw', async () => {
    server.put(WIDGET, widget('a'));
    const { cache, heard } = await follow();
    const late: string[] = [];
    const end = cache.onChange((change) => {
      late.push(change.object.metadata.name);
      throw new Error('a faulty listener');
    });
    server.put(WIDGET, widget('b'));
    await eventually('b', () => late.length === 2);
    end();
    server.put(WIDGET, widget('c'));
    await eventually('c', () => heard.length === 3);
    expect(late).toEqual(['a', 'b']);
  });

  test('tells a listener that asks for what is to come of nothing before', async () => {
    server.put(WIDGET, widget('a'));
    const { cache } = await follow();
    const late: string[] = [];
    cache.onChange((change) => late.push(change.object.metadata.name), { fromNow: true });
    server.put(WIDGET, widget('b'));
    await eventually('b', () => late.length > 0);
    expect(late).toEqual(['b']);
  });

  test('lists one namespace as it lists all, whatever came and went', async () => {
    const { cache } = await follow();
    const inNamespace = (name: string, namespace: string): Widget => ({ ...widget(name), metadata: { namespace, name } });
    for (const [name, namespace] of [['a', 'shop'], ['b', 'shop'], ['a', 'bank']] as const) server.put(WIDGET, inNamespace(name, namespace));
    await eventually('three', () => cache.list().length === 3);
    const namesIn = (namespace: string): string[] => cache.list(namespace).map((object) => object.metadata.name).toSorted();
    expect([namesIn('shop'), namesIn('bank'), namesIn('nowhere')]).toEqual([['a', 'b'], ['a'], []]);
    server.remove(WIDGET, 'bank', 'a');
    server.remove(WIDGET, 'shop', 'b');
    await eventually('one', () => cache.list().length === 1);
    expect([namesIn('shop'), namesIn('bank')]).toEqual([['a'], []]);
  });
});

describe('when the server misbehaves', () => {
  test.each([
    ['500 to the first lists', () => server.inject({ status: 500 }, matching.list, 3)],
    ['429 with Retry-After to the first lists', () => server.inject({ status: 429, headers: { 'retry-after': '0' } }, matching.list, 3)],
    ['torn connections at the first lists', () => server.inject('reset', matching.list, 3)],
    ['500 to the first watches', () => server.inject({ status: 500 }, matching.watch, 3)],
    ['429 to the first watches', () => server.inject({ status: 429 }, matching.watch, 3)],
    ['410 to the first watch', () => server.inject({ status: 410 }, matching.watch, 1)],
    ['410 to the first five watches', () => server.inject({ status: 410 }, matching.watch, 5)],
    ['a web page instead of a list', () => server.inject({ status: 200, body: '<html>' }, matching.list, 2)],
  ])('%s: the cache comes to equal the server', async (_name, inject) => {
    server.put(WIDGET, widget('a'));
    inject();
    const { cache } = await follow();
    server.put(WIDGET, widget('b'));
    await equal(cache);
  });

  test.each([
    ['ends', 'end' as const],
    ['is reset', 'reset' as const],
    ['breaks in the middle of a line', { write: '{"type":"ADDED","obj' }],
  ])('a watch that %s goes on from where it was, without a new list', async (_name, how) => {
    const { cache, heard } = await follow();
    server.put(WIDGET, widget('a'));
    await eventually('a', () => heard.length === 1);
    server.disturbWatches(how);
    server.disturbWatches('end');
    server.put(WIDGET, widget('b'));
    await equal(cache);
    expect(heard).toEqual(['added a', 'added b']);
    expect(server.requests.filter(matching.list)).toHaveLength(1);
  });

  test.each([
    ['is not JSON', 'not json\n'],
    ['has no object', '{"type":"ADDED"}\n'],
    ['has an unknown type', '{"type":"SIDEWAYS","object":{"metadata":{"name":"x","resourceVersion":"1"}}}\n'],
    ['has no resourceVersion', '{"type":"ADDED","object":{"metadata":{"name":"x"}}}\n'],
  ])('an event that %s leads to a new list and is counted, since a change may be lost', async (_name, text) => {
    const metrics = createMetrics({ version: '1', commit: 'c' });
    const { cache } = await follow(FAST, { metrics: metrics.runtime });
    await eventually('a watch', () => server.openWatches === 1);
    server.disturbWatches({ write: text });
    await eventually('a new list', () => server.requests.filter(matching.list).length === 2);
    server.put(WIDGET, widget('a'));
    await equal(cache);
    expect(await metrics.registry.metrics()).toContain('reflector_failures_total{name="widgets",reason="BadEvent"} 1');
  });

  test('an event of 3 MB in slow pieces arrives whole', async () => {
    const { cache } = await follow();
    await eventually('a watch', () => server.openWatches === 1);
    const big = { ...widget('big'), metadata: { name: 'big', namespace: 'shop', uid: 'u', resourceVersion: '101', labels: { text: 'x'.repeat(3_000_000) } } };
    const line = `${JSON.stringify({ type: 'ADDED', object: big })}\n`;
    for (let at = 0; at < line.length; at += 200_000) {
      server.disturbWatches({ write: line.slice(at, at + 200_000) });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await eventually('the big one', () => cache.get({ namespace: 'shop', name: 'big' }) !== undefined);
    expect(server.requests.filter(matching.watch)).toHaveLength(1);
  });

  test.each([
    [410, 'Gone'],
    [403, 'Forbidden'],
    [500, 'InternalError'],
  ])('a watch refused with %i is counted as %s', async (status, reason) => {
    const metrics = createMetrics({ version: '1', commit: 'c' });
    server.inject({ status }, matching.watch, 1);
    await follow(FAST, { metrics: metrics.runtime });
    await eventually('a watch', () => server.openWatches === 1);
    expect(await metrics.registry.metrics()).toContain(`reflector_failures_total{name="widgets",reason="${reason}"} 1`);
  });

  test('a truncated line is counted as such', async () => {
    const metrics = createMetrics({ version: '1', commit: 'c' });
    await follow(FAST, { metrics: metrics.runtime });
    await eventually('a watch', () => server.openWatches === 1);
    server.disturbWatches({ write: '{"type":"ADDED","obj' });
    server.disturbWatches('end');
    await eventually('a second watch', () => server.requests.filter(matching.watch).length === 2);
    expect(await metrics.registry.metrics()).toContain('reflector_failures_total{name="widgets",reason="Truncated"} 1');
  });

  test('the deletion of an earlier object does not take away the present one of that name', async () => {
    const present = server.put(WIDGET, widget('a'));
    const { cache, heard } = await follow();
    await eventually('a watch', () => server.openWatches === 1);
    server.disturbWatches({ write: `${JSON.stringify({ type: 'DELETED', object: { ...present, metadata: { ...present.metadata, uid: 'earlier', resourceVersion: '101' } } })}\n` });
    server.put(WIDGET, widget('b'));
    await equal(cache);
    expect(heard).toEqual(['added a', 'added b']);
  });

  test('a place in the stream that the server never takes up again is given up for a new list', async () => {
    const { cache } = await follow();
    server.inject({ status: 504, body: JSON.stringify({ kind: 'Status', reason: 'Timeout', message: 'Too large resource version' }) }, (request) => matching.watch(request) && server.requests.filter(matching.list).length < 2, 1_000);
    server.disturbWatches('end');
    server.put(WIDGET, widget('a'));
    await equal(cache);
    expect(server.requests.filter(matching.list)).toHaveLength(2);
  });

  test('a server that expires every watch at once is not listed in a tight loop', async () => {
    server.inject({ status: 410 }, matching.watch, 1_000);
    await follow({ baseMs: 20, maxMs: 100 });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(server.requests.filter(matching.list).length).toBeLessThan(20);
  });

  test('history compacted while disconnected: one new list, and each deletion is heard once', async () => {
    for (const name of ['a', 'b', 'c']) server.put(WIDGET, widget(name));
    const { cache, heard } = await follow({ ...FAST, baseMs: 50, maxMs: 50 });
    await eventually('a watch', () => server.openWatches === 1);
    server.inject({ status: 500 }, matching.watch, 1);
    server.disturbWatches('end');
    await eventually('the watch is gone', () => server.openWatches === 0);
    server.remove(WIDGET, 'shop', 'a');
    server.put(WIDGET, widget('d'));
    server.put(WIDGET, widget('b', 2));
    server.compact();
    await equal(cache);
    expect(heard.toSorted()).toEqual(['added a', 'added b', 'added c', 'added d', 'deleted a', 'modified b']);
    expect(server.requests.filter(matching.list)).toHaveLength(2);
  });

  test('deleted and created again under the same name while disconnected: heard as deleted, then added', async () => {
    server.put(WIDGET, widget('a'));
    const { cache, heard } = await follow({ ...FAST, baseMs: 50, maxMs: 50 });
    const first = cache.get({ namespace: 'shop', name: 'a' })?.metadata.uid;
    await eventually('a watch', () => server.openWatches === 1);
    server.inject({ status: 500 }, matching.watch, 1);
    server.disturbWatches('end');
    server.remove(WIDGET, 'shop', 'a');
    server.put(WIDGET, widget('a'));
    server.compact();
    await eventually('the new one', () => cache.get({ namespace: 'shop', name: 'a' })?.metadata.uid !== first && cache.list().length === 1);
    expect(heard).toEqual(['added a', 'deleted a', 'added a']);
  });

  test('a connection gone silent is noticed by its silence', async () => {
    const { cache } = await follow({ ...FAST, idleMs: 100 });
    await eventually('a watch', () => server.openWatches === 1);
    server.disturbWatches('freeze');
    server.put(WIDGET, widget('a'));
    await equal(cache, 2_000);
    expect(server.requests.filter(matching.list)).toHaveLength(1);
  });

  test('a server that is away for a while is followed again without a missed change', async () => {
    server.put(WIDGET, widget('a'));
    server.put(WIDGET, widget('b'));
    const { cache, heard } = await follow();
    await server.stop();
    await new Promise((resolve) => setTimeout(resolve, 200));
    server.remove(WIDGET, 'shop', 'a');
    server.put(WIDGET, widget('c'));
    server.compact();
    await server.restart();
    await equal(cache, 2_000);
    expect(heard.toSorted()).toEqual(['added a', 'added b', 'added c', 'deleted a']);
  });

  test('a watch that always ends at once is not opened in a tight loop', async () => {
    server.inject({ status: 200, body: '' }, matching.watch, 1_000);
    await follow({ baseMs: 20, maxMs: 100 });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(server.requests.filter(matching.watch).length).toBeLessThan(15);
  });

  test.each([
    ['list', matching.list],
    ['watch', matching.watch],
  ])('an overloaded server is left alone for as long as it asks: %s', async (_name, match) => {
    server.inject({ status: 429, headers: { 'retry-after': '1' } }, match, 1);
    const startedAt = performance.now();
    await follow();
    await eventually('a watch', () => server.openWatches === 1);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(990);
    expect(server.requests.filter(match)).toHaveLength(2);
  });
});

describe('reading what we wrote', () => {
  test('a wait ends when the event of the write comes', async () => {
    const { cache } = await follow();
    const written = await client.create(WIDGET, widget('a'));
    expect(await cache.waitFor(written, { timeoutMs: 2_000 })).toBe(true);
    expect(cache.get({ namespace: 'shop', name: 'a' })).toBeDefined();
  });

  test('a write already overtaken by others is recognised', async () => {
    const { cache } = await follow();
    const written = await client.create(WIDGET, widget('a'));
    server.put(WIDGET, widget('a', 2));
    await equal(cache);
    expect(await cache.waitFor(written, { timeoutMs: 2_000 })).toBe(true);
    server.remove(WIDGET, 'shop', 'a');
    await equal(cache);
    expect(await cache.waitFor({ ...written, metadata: { ...written.metadata, resourceVersion: 'lost' } }, { timeoutMs: 2_000 })).toBe(true);
  });

  test('a write whose event was lost is covered by a list begun after it', async () => {
    const { cache } = await follow({ ...FAST, baseMs: 50, maxMs: 50 });
    await eventually('a watch', () => server.openWatches === 1);
    server.inject({ status: 500 }, matching.watch, 1);
    server.disturbWatches('end');
    const written = server.put(WIDGET, widget('a'));
    server.put(WIDGET, widget('a', 2));
    server.compact();
    expect(await cache.waitFor(written, { timeoutMs: 2_000 })).toBe(true);
  });

  test('a state that never comes ends the wait at its limit', async () => {
    const { cache } = await follow();
    const never = { ...widget('a'), metadata: { name: 'a', namespace: 'shop', uid: 'u', resourceVersion: 'never' } };
    expect(await cache.waitFor(never, { timeoutMs: 30 })).toBe(false);
  });
});

describe('size and ends', () => {
  test('a list of 10,000 objects is taken over in slices, with other work in between', async () => {
    for (let index = 0; index < 10_000; index += 1) server.put(WIDGET, widget(`w${index}`));
    const cache = createCache<Widget>(client, WIDGET, { timing: FAST });
    let [heard, inTurn, most] = [0, 0, 0];
    cache.onChange(() => {
      if (inTurn === 0) setImmediate(() => (inTurn = 0));
      inTurn += 1;
      heard += 1;
      most = Math.max(most, inTurn);
    });
    running = cache.start(abort.signal);
    await cache.synced();
    expect([cache.list().length, heard]).toEqual([10_000, 10_000]);
    expect(most).toBeLessThanOrEqual(500);
  });

  test('a hundred starts and stops leave no watch, no socket and no listener behind', async () => {
    server.put(WIDGET, widget('a'));
    for (let round = 0; round < 100; round += 1) {
      const stop = new AbortController();
      const cache = createCache<Widget>(client, WIDGET, { timing: FAST });
      const ended = cache.start(stop.signal);
      if (round % 2 === 0) await cache.synced();
      stop.abort();
      await ended;
    }
    await eventually('all watches closed', () => server.openWatches === 0);
    client.close();
    await eventually('all sockets closed', () => server.openSockets === 0);
    expect(server.openSockets).toBe(0);
  });

  test('thirty caches may share one signal without a warning of a leak', async () => {
    const warnings: string[] = [];
    const listen = (warning: Error): void => void warnings.push(warning.message);
    process.on('warning', listen);
    const many = Array.from({ length: 30 }, () => createCache<Widget>(client, WIDGET, { timing: FAST }));
    const ended = many.map((cache) => cache.start(abort.signal));
    await Promise.all(many.map((cache) => cache.synced()));
    await eventually('all watches', () => server.openWatches === 30);
    abort.abort();
    await Promise.all(ended);
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });

  test('it cannot be started twice', async () => {
    const { cache } = await follow();
    await expect(cache.start(abort.signal)).rejects.toThrow('the cache of widgets was started before');
  });
});
