import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { describeRequest } from '../../../src/runtime/api-error.ts';
import { ApiError, createClient, isAlreadyExists, isConflict, isForbidden, isInvalid, isNotFound } from '../../../src/runtime/client.ts';
import type { Client } from '../../../src/runtime/client.ts';
import { readRetryAfter } from '../../../src/runtime/requester.ts';
import { apiVersionOf, queryString, resourcePath } from '../../../src/runtime/paths.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { matching, startFakeApiServer, widget, WIDGET } from '../../support/fake-apiserver.ts';
import type { FakeApiServer, Widget } from '../../support/fake-apiserver.ts';

let server: FakeApiServer;
let client: Client;

beforeEach(async () => {
  server = await startFakeApiServer();
  client = createClient(server.kubeConfig(), { userAgent: 'test/1', random: () => 0 });
});
afterEach(async () => {
  client.close();
  await server.stop();
});

const errorOf = async (promise: Promise<unknown>): Promise<ApiError> => {
  const error: unknown = await promise.then(
    () => new Error('it did not reject'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApiError)) throw error;
  return error;
};

describe('the client', () => {
  test('creates, reads, replaces, patches and deletes an object, and names itself to the server', async () => {
    const created = await client.create(WIDGET, widget('a'));
    expect(await client.get<Widget>(WIDGET, { namespace: 'shop', name: 'a' })).toEqual(created);
    const replaced = await client.replace(WIDGET, { ...created, spec: { size: 2 } });
    const withStatus = await client.replaceStatus<Widget>(WIDGET, { ...replaced, spec: { size: 99 }, status: { seen: true } });
    expect(withStatus).toMatchObject({ spec: { size: 2 }, status: { seen: true } });
    const patched = await client.mergePatch<Widget>(WIDGET, { namespace: 'shop', name: 'a' }, { spec: { size: 3 } });
    expect(patched.spec).toEqual({ size: 3 });
    await client.delete(WIDGET, { namespace: 'shop', name: 'a' }, { uid: created.metadata.uid ?? '' });
    expect(await client.get(WIDGET, { namespace: 'shop', name: 'a' })).toBeUndefined();
    expect(server.requests.every((request) => request.headers['user-agent'] === 'test/1' && request.headers.authorization === 'Bearer fake-token')).toBe(true);
  });

  test('deleting what is not there is fine, deleting another object of that name is a conflict', async () => {
    await client.delete(WIDGET, { namespace: 'shop', name: 'gone' });
    await client.create(WIDGET, widget('a'));
    expect(isConflict(await errorOf(client.delete(WIDGET, { namespace: 'shop', name: 'a' }, { uid: 'the one before' })))).toBe(true);
    expect(server.stored(WIDGET)).toHaveLength(1);
  });

  test('a dry run stores nothing', async () => {
    await client.create(WIDGET, widget('a'), { dryRun: true });
    expect(server.stored(WIDGET)).toEqual([]);
  });

  test('a list of 1,201 objects comes in pages of 500 and is complete', async () => {
    for (let index = 0; index < 1_201; index += 1) server.put(WIDGET, widget(`w${index}`));
    const names = new Set((await client.list(WIDGET)).map((item) => item.metadata.name));
    expect(names.size).toBe(1_201);
    expect(server.requests.map((request) => request.query.get('limit'))).toEqual(['500', '500', '500']);
    expect(server.requests.every((request) => !request.query.has('resourceVersion'))).toBe(true);
  });

  test('a list takes an object that is held already, and no managedFields of the others', async () => {
    server.put(WIDGET, widget('a'));
    server.put(WIDGET, { ...widget('b'), metadata: { ...widget('b').metadata, managedFields: [{ manager: 'kubectl' }] } } as Widget);
    const mine = widget('a');
    const listed = await client.list<Widget>(WIDGET, { held: (object) => (object.metadata.name === 'a' ? mine : undefined) });
    expect(listed.find(({ metadata }) => metadata.name === 'a')).toBe(mine);
    expect(listed.find(({ metadata }) => metadata.name === 'b')?.metadata).not.toHaveProperty('managedFields');
  });

  test('a list whose continue token expired is read again from the start', async () => {
    for (let index = 0; index < 700; index += 1) server.put(WIDGET, widget(`w${index}`));
    server.inject({ status: 410, body: JSON.stringify({ kind: 'Status', reason: 'Expired' }) }, (request) => request.query.has('continue'));
    const names = (await client.list(WIDGET)).map((item) => item.metadata.name);
    expect([names.length, new Set(names).size]).toEqual([700, 700]);
  });

  test('thirty requests in a row go over one connection', async () => {
    for (let index = 0; index < 30; index += 1) await client.get(WIDGET, { namespace: 'shop', name: 'x' });
    expect(server.openSockets).toBe(1);
  });

  test.each([
    ['the second create of a name', 409, 'AlreadyExists', isAlreadyExists],
    ['a stale replace', 409, 'Conflict', isConflict],
    ['a refusal by RBAC', 403, 'Forbidden', isForbidden],
    ['an object the schema refuses', 422, 'Invalid', isInvalid],
    ['a missing kind', 404, 'NotFound', isNotFound],
  ] as const)('%s is recognised and its message names the object', async (_name, status, reason, recognises) => {
    server.inject({ status, body: JSON.stringify({ kind: 'Status', reason, message: 'because so' }) });
    const error = await errorOf(client.create(WIDGET, widget('a')));
    expect(recognises(error)).toBe(true);
    expect(error.message).toBe(`create Widget shop/a: because so (HTTP ${status})`);
  });

  test.each([
    { what: 'a proxy that knows no such page', answer: { headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<h1>Not Found</h1>' }, says: 'what answers is not a Kubernetes API' },
    { what: 'an API server without the kind', answer: { headers: { 'content-type': 'text/plain' }, body: '404 page not found\n' }, says: 'the API server does not have this kind' },
  ])('a 404 of $what does not mean that the object is not there: no freeze, no hold would follow from it', async ({ answer, says }) => {
    const requests: [string, () => Promise<unknown>][] = [
      ['get Widget shop/a', () => client.get(WIDGET, { namespace: 'shop', name: 'a' })],
      ['delete Widget shop/a', () => client.delete(WIDGET, { namespace: 'shop', name: 'a' })],
      ['list widgets', () => client.list(WIDGET)],
    ];
    for (const [description, send] of requests) {
      server.inject({ status: 404, ...answer });
      expect((await errorOf(send())).message).toBe(`${description}: ${says} (HTTP 404)`);
    }
  });

  test('AlreadyExists is not taken for a conflict of versions', async () => {
    await client.create(WIDGET, widget('a'));
    expect(isConflict(await errorOf(client.create(WIDGET, widget('a'))))).toBe(false);
  });

  test.each([
    ['a torn connection', 'reset' as const],
    ['an internal error', { status: 500 }],
    ['an overloaded server', { status: 429, headers: { 'retry-after': '0' } }],
  ])('a read gets over %s, and counts it', async (_name, fault) => {
    const metrics = createMetrics({ version: '1', commit: 'c' });
    const counted = createClient(server.kubeConfig(), { userAgent: 'test/1', random: () => 0, metrics: metrics.runtime });
    server.put(WIDGET, widget('a'));
    server.inject(fault, () => true, 2);
    expect(await counted.get(WIDGET, { namespace: 'shop', name: 'a' })).toBeDefined();
    counted.close();
    expect(server.requests).toHaveLength(3);
    const text = await metrics.registry.metrics();
    expect(text).toMatch(/rest_client_request_retries_total\{.*\} 2/);
    expect(text).toMatch(/rest_client_requests_total\{code="200",method="GET",host="127\.0\.0\.1:\d+"\} 1/);
  });

  test.each([
    ['a torn connection', 'reset' as const],
    ['an internal error', { status: 500 }],
  ])('a write is not repeated after %s, since it may have happened', async (_name, fault) => {
    server.inject(fault, matching.write);
    await errorOf(client.create(WIDGET, widget('a')));
    expect(server.requests).toHaveLength(1);
  });

  test('a write is repeated when the server said it did not begin', async () => {
    server.inject({ status: 429, headers: { 'retry-after': '0' } }, matching.write);
    await client.create(WIDGET, widget('a'));
    expect(server.stored(WIDGET)).toHaveLength(1);
  });

  test('a token the server does not take is tried once more, in case it was rotated', async () => {
    server.inject({ status: 401 }, () => true, 100);
    expect((await errorOf(client.get(WIDGET, { namespace: 'shop', name: 'a' }))).reason).toBe('Unauthorized');
    expect(server.requests).toHaveLength(2);
  });

  test('a page read without retry shows its caller the first failure', async () => {
    server.inject({ status: 429, headers: { 'retry-after': '0' } });
    expect((await errorOf(client.listPage(WIDGET, { retry: false }))).status).toBe(429);
    expect(server.requests).toHaveLength(1);
  });

  test('Retry-After is waited for', async () => {
    server.put(WIDGET, widget('a'));
    server.inject({ status: 429, headers: { 'retry-after': '1' } });
    const startedAt = performance.now();
    await client.get(WIDGET, { namespace: 'shop', name: 'a' });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(990);
  });

  test('a Retry-After of an hour is the caller\'s to wait for, not a worker\'s', async () => {
    server.inject({ status: 429, headers: { 'retry-after': '3600' } });
    expect((await errorOf(client.get(WIDGET, { namespace: 'shop', name: 'a' }))).retryAfterMs).toBe(3_600_000);
  });

  test('a server that never answers ends in a Timeout', async () => {
    server.inject('hang');
    const error = await errorOf(client.get(WIDGET, { namespace: 'shop', name: 'a' }, { timeoutMs: 50 }));
    expect([error.status, error.reason]).toEqual([0, 'Timeout']);
  });

  test('an abort ends a request at once', async () => {
    server.inject('hang');
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 20);
    expect((await errorOf(client.get(WIDGET, { namespace: 'shop', name: 'a' }, { signal: abort.signal }))).reason).toBe('Aborted');
  });

  test('an error never quotes what was sent or received', async () => {
    server.inject({ status: 200, body: 'jane@example.com not json' });
    const read = await errorOf(client.get(WIDGET, { namespace: 'shop', name: 'a' }));
    server.inject({ status: 500, body: 'jane@example.com' });
    const written = await errorOf(client.create(WIDGET, { ...widget('a'), spec: { size: 12345 } }));
    expect(JSON.stringify([read, read.message, read.stack, written.message, written.stack])).not.toMatch(/jane|12345|fake-token/);
  });

  test('tells whether a kind is served', async () => {
    expect(await client.serves(WIDGET)).toBe(true);
    expect(await client.serves({ ...WIDGET, plural: 'gadgets' })).toBe(false);
    server.inject({ status: 404 });
    expect(await client.serves(WIDGET)).toBe(false);
  });

  test('the rate limit lets the burst through at once and the rest at its pace', async () => {
    const slow = createClient(server.kubeConfig(), { userAgent: 'test/1', qps: 50, burst: 5 });
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 15 }, () => slow.get(WIDGET, { namespace: 'shop', name: 'x' })));
    slow.close();
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(190);
  });
});

test.each([
  { ref: { namespace: 'shop', name: 'a' }, says: 'get Widget shop/a' },
  { ref: { name: 'a' }, says: 'get Widget a' },
  { ref: { namespace: '', name: 'a' }, says: 'get Widget a' },
  { ref: { namespace: 'shop' }, says: 'get widgets in shop' },
  { ref: {}, says: 'get widgets' },
])('a request is called $says', ({ ref, says }) => {
  expect(describeRequest('get', WIDGET, ref)).toBe(says);
});

describe('paths', () => {
  const core = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
  const cluster = { ...WIDGET, namespaced: false };
  test.each([
    ['an object of a group', WIDGET, { namespace: 'shop', name: 'a' }, '/apis/example.com/v1/namespaces/shop/widgets/a'],
    ['its status', WIDGET, { namespace: 'shop', name: 'a', subresource: 'status' }, '/apis/example.com/v1/namespaces/shop/widgets/a/status'],
    ['a core object', core, { namespace: 'shop', name: 'a' }, '/api/v1/namespaces/shop/secrets/a'],
    ['all namespaces', WIDGET, {}, '/apis/example.com/v1/widgets'],
    ['a cluster-scoped object, its namespace ignored', cluster, { namespace: 'shop', name: 'a' }, '/apis/example.com/v1/widgets/a'],
  ])('the path of %s', (_name, kind, where, path) => {
    expect(resourcePath(kind, where)).toBe(path);
  });

  test.each(['..', '.', '', 'a/b', 'a%2fb'])('the name "%s" is refused, because it would lead elsewhere', (name) => {
    expect(() => resourcePath(WIDGET, { namespace: 'shop', name })).toThrow(RangeError);
  });

  test('an object of a namespaced kind needs its namespace', () => {
    expect(() => resourcePath(WIDGET, { name: 'a' })).toThrow('Widget a needs a namespace');
  });

  test('queries leave out what is not set', () => {
    expect(queryString({ a: undefined, b: '', c: false })).toBe('');
    expect(queryString({ labelSelector: 'a=b,c', limit: 5 })).toBe('?labelSelector=a%3Db%2Cc&limit=5');
    expect([apiVersionOf(core), apiVersionOf(WIDGET)]).toEqual(['v1', 'example.com/v1']);
  });

  test('Retry-After is read in seconds, as a date, or not at all', () => {
    const now = Date.UTC(2026, 0, 1);
    expect(readRetryAfter('7', now)).toBe(7_000);
    expect(readRetryAfter('Thu, 01 Jan 2026 00:00:30 GMT', now)).toBe(30_000);
    expect(readRetryAfter('soon', now)).toBeUndefined();
  });
});
