import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createCache } from '../../../src/runtime/cache.ts';
import { createClient } from '../../../src/runtime/client.ts';
import type { Client } from '../../../src/runtime/client.ts';
import { ensureFinalizer, removeFinalizer } from '../../../src/runtime/finalizers.ts';
import { sameStatus, updateStatus } from '../../../src/runtime/status.ts';
import { createWriteBarrier } from '../../../src/runtime/write-barrier.ts';
import { matching, startFakeApiServer, widget, WIDGET } from '../../support/fake-apiserver.ts';
import type { FakeApiServer, Widget } from '../../support/fake-apiserver.ts';

let server: FakeApiServer;
let client: Client;
const ref = { namespace: 'shop', name: 'a' };

beforeEach(async () => {
  server = await startFakeApiServer();
  client = createClient(server.kubeConfig(), { userAgent: 'test/1', random: () => 0 });
});
afterEach(async () => {
  client.close();
  await server.stop();
});
const writes = (): number => server.requests.filter(matching.write).length;

describe('updateStatus', () => {
  test('writes what the function makes of the stored object, to the status only', async () => {
    server.put(WIDGET, { ...widget('a'), status: { count: 1 } });
    const stored = await updateStatus<Widget>(client, WIDGET, ref, (current) => ({ count: Number(current.status?.['count']) + 1 }));
    expect(stored?.status).toEqual({ count: 2 });
    expect(server.requests.at(-1)?.path).toMatch(/\/a\/status$/);
  });

  test('after a conflict begins again from the object as it is then', async () => {
    server.put(WIDGET, { ...widget('a'), status: { count: 1 } });
    let calls = 0;
    const stored = await updateStatus<Widget>(client, WIDGET, ref, (current) => {
      calls += 1;
      if (calls <= 2) server.put(WIDGET, { ...widget('a'), status: { count: 10 * calls } });
      return { count: Number(current.status?.['count']) + 1 };
    });
    expect([calls, stored?.status]).toEqual([3, { count: 21 }]);
  });

  test('asks the server nothing when the object as known is as it should be', async () => {
    const known = server.put(WIDGET, { ...widget('a'), status: { count: 1 } });
    const before = server.requests.length;
    expect(await updateStatus<Widget>(client, WIDGET, ref, () => ({ count: 1 }), { known })).toBe(known);
    expect(server.requests.length).toBe(before);
  });

  test('writes from the object as known, and reads when that was behind', async () => {
    const known = server.put(WIDGET, { ...widget('a'), status: { count: 1 } });
    const increase = (current: Widget): Record<string, unknown> => ({ count: Number(current.status?.['count']) + 1 });
    expect((await updateStatus<Widget>(client, WIDGET, ref, increase, { known }))?.status).toEqual({ count: 2 });
    expect(server.requests.filter(({ method }) => method === 'GET')).toEqual([]);
    expect((await updateStatus<Widget>(client, WIDGET, ref, increase, { known }))?.status).toEqual({ count: 3 });
  });

  test('gives up after ten conflicts with the conflict as its error', async () => {
    server.put(WIDGET, widget('a'));
    server.inject({ status: 409 }, matching.write, 100);
    await expect(updateStatus<Widget>(client, WIDGET, ref, () => ({ n: 1 }))).rejects.toMatchObject({ status: 409 });
    expect(writes()).toBe(10);
  });

  test.each([
    ['the object is not there', 'other', undefined],
    ['an object of that name with another uid is there', 'a', 'the one before'],
  ])('writes nothing when %s', async (_name, name, uid) => {
    server.put(WIDGET, widget('a'));
    expect(await updateStatus<Widget>(client, WIDGET, { ...ref, name }, () => ({ n: 1 }), { uid })).toBeUndefined();
    expect(writes()).toBe(0);
  });

  test('writes nothing when the function leaves it, or only times moved a little', async () => {
    server.put(WIDGET, { ...widget('a'), status: { n: 1, checkedAt: '2026-01-01T00:00:00Z' } });
    await updateStatus<Widget>(client, WIDGET, ref, () => undefined);
    await updateStatus<Widget>(client, WIDGET, ref, () => ({ checkedAt: '2026-01-01T00:04:59Z', n: 1 }));
    expect(writes()).toBe(0);
    await updateStatus<Widget>(client, WIDGET, ref, () => ({ n: 1, checkedAt: '2026-01-01T00:05:00Z' }));
    expect(writes()).toBe(1);
  });

  test('an object deleted between read and write is gone, not an error', async () => {
    server.put(WIDGET, widget('a'));
    const result = await updateStatus<Widget>(client, WIDGET, ref, () => {
      server.remove(WIDGET, 'shop', 'a');
      return { n: 1 };
    });
    expect(result).toBeUndefined();
  });

  test('with a barrier, the next step waits until the cache shows the write', async () => {
    server.put(WIDGET, widget('a'));
    const abort = new AbortController();
    const cache = createCache<Widget>(client, WIDGET);
    const running = cache.start(abort.signal);
    await cache.synced();
    const barrier = createWriteBarrier(cache, { timeoutMs: 2_000 });
    expect(await barrier.passed(ref)).toBe(true);
    await updateStatus<Widget>(client, WIDGET, ref, () => ({ n: 1 }), { barrier });
    expect(await barrier.passed(ref)).toBe(true);
    expect(cache.get(ref)?.status).toEqual({ n: 1 });
    abort.abort();
    await running;
  });

  test('a barrier keeps which state was written, not the object', async () => {
    const waited: unknown[] = [];
    const barrier = createWriteBarrier({ waitFor: async (written) => waited.push(written) > 0 });
    barrier.wrote({ ...widget('a'), status: { large: true }, metadata: { ...ref, uid: 'u', resourceVersion: '7', managedFields: [{}] } } as Widget);
    await barrier.passed(ref);
    expect(waited).toEqual([{ metadata: { ...ref, uid: 'u', resourceVersion: '7' } }]);
  });

  test('a write the cache never shows holds the object up once, for the time limit', async () => {
    const cache = createCache<Widget>(client, WIDGET);
    const barrier = createWriteBarrier(cache, { timeoutMs: 20 });
    barrier.wrote({ ...widget('a'), metadata: { ...ref, uid: 'u', resourceVersion: '7' } });
    expect(await barrier.passed(ref)).toBe(false);
    expect(await barrier.passed(ref)).toBe(true);
  });
});

describe('sameStatus', () => {
  const minute = (n: number): string => `2026-01-01T00:${String(n).padStart(2, '0')}:00Z`;
  test.each<[string, unknown, unknown, boolean]>([
    ['equal values', { a: [1, { b: null }] }, { a: [1, { b: null }] }, true],
    ['members in another order', { a: 1, b: 2 }, { b: 2, a: 1 }, true],
    ['a member that is undefined', { a: 1, b: undefined }, { a: 1 }, true],
    ['times four minutes apart', { at: [minute(0)] }, { at: [minute(4)] }, true],
    ['a time moved by a quarter of an hour', { nextRunAt: minute(0) }, { nextRunAt: minute(15) }, false],
    ['a time that appeared', {}, { at: minute(0) }, false],
    ['a time that became a word', { at: minute(0) }, { at: 'never' }, false],
    ['another number', { n: 1 }, { n: 2 }, false],
    ['one entry more', { list: [1] }, { list: [1, 2] }, false],
    ['nothing and an empty object', undefined, {}, false],
    ['a list and an object', { a: [] }, { a: {} }, false],
  ])('%s', (_name, before, after, same) => {
    expect(sameStatus(before, after, 300_000)).toBe(same);
    expect(sameStatus(after, before, 300_000)).toBe(same);
  });
});

describe('finalizers', () => {
  const FINALIZER = 'example.com/protect';

  test('are put on once and taken off once, beside those of others', async () => {
    const object = server.put(WIDGET, { ...widget('a'), metadata: { ...ref, finalizers: ['other'] } });
    const held = await ensureFinalizer(client, WIDGET, object, FINALIZER);
    expect(held?.metadata.finalizers).toEqual(['other', FINALIZER]);
    expect(await ensureFinalizer(client, WIDGET, held ?? object, FINALIZER)).toBe(held);
    const freed = await removeFinalizer(client, WIDGET, held ?? object, FINALIZER);
    expect(freed?.metadata.finalizers).toEqual(['other']);
    expect(writes()).toBe(2);
  });

  test('another controller\'s finalizer, added since the object was read, is kept', async () => {
    const read = server.put(WIDGET, widget('a'));
    server.put(WIDGET, { ...read, metadata: { ...read.metadata, finalizers: ['theirs'] } });
    const held = await ensureFinalizer(client, WIDGET, read, FINALIZER);
    expect(held?.metadata.finalizers).toEqual(['theirs', FINALIZER]);
  });

  test('are not put on an object that is being deleted, nor on a later one of the same name', async () => {
    const dying = server.put<Widget>(WIDGET, { ...widget('a'), metadata: { ...ref, deletionTimestamp: '2026-01-01T00:00:00Z' } });
    expect(await ensureFinalizer(client, WIDGET, dying, FINALIZER)).toBeUndefined();
    server.remove(WIDGET, 'shop', 'a');
    server.put(WIDGET, widget('a'));
    const stale = { ...dying, metadata: { ...ref, uid: dying.metadata.uid ?? '', resourceVersion: dying.metadata.resourceVersion ?? '' } };
    expect(await ensureFinalizer(client, WIDGET, stale, FINALIZER)).toBeUndefined();
    expect(server.stored(WIDGET)[0]?.metadata.finalizers).toBeUndefined();
  });

  test('taking one off an object that is gone is fine', async () => {
    const object = server.put(WIDGET, { ...widget('a'), metadata: { ...ref, finalizers: [FINALIZER] } });
    server.remove(WIDGET, 'shop', 'a');
    expect(await removeFinalizer(client, WIDGET, object, FINALIZER)).toBeUndefined();
  });
});
