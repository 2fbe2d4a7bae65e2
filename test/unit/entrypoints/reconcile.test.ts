import { expect, test } from '@jest/globals';
import { createEntryPointRegister } from '../../../src/connect/entry-points.ts';
import type { KindRef, ObjectRef } from '../../../src/api/object.ts';
import type { PortAnswer } from '../../../src/entrypoints/answer.ts';
import type { EntryPointContext } from '../../../src/entrypoints/observe.ts';
import type { Question } from '../../../src/entrypoints/probe.ts';
import { createEntryPointsReconcile } from '../../../src/entrypoints/reconcile.ts';
import { aMap, aStore } from '../../support/declared.ts';
import { apiError } from '../../support/memory-client.ts';

const NOW = Date.parse('2026-03-02T12:00:00Z');
const tls: PortAnswer = { port: 'tls', named: true, hstsMaxAge: 100 };
const redirect: PortAnswer = { port: 'plain', redirects: true };
const ingress = (hosts: string[], addresses: string[], name = 'web') => ({ kind: 'Ingress', metadata: { namespace: 'shop', name }, spec: { rules: hosts.map((host) => ({ host })), tls: [{}] }, status: { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } } });

function world(objects: { kind: string; metadata: { namespace: string; name: string } }[], changes: Partial<EntryPointContext> & { served?: boolean; refused?: boolean; declares?: boolean } = {}) {
  const questions: Question[] = [];
  const { served = false, refused = false, declares = true, ...context } = changes;
  const register = createEntryPointRegister();
  const client = {
    async list(kind: KindRef, { namespace }: { namespace?: string }) {
      if (refused) throw apiError(403, 'Forbidden');
      return objects.filter((object) => object.kind === kind.kind && object.metadata.namespace === namespace);
    },
    get: async (kind: KindRef, ref: ObjectRef) => objects.find((object) => object.kind === kind.kind && object.metadata.name === ref.name && object.metadata.namespace === ref.namespace),
    serves: async () => served,
  } as unknown as EntryPointContext['client'];
  const reconcile = createEntryPointsReconcile({
    client,
    register,
    caches: { stores: { list: () => [] }, maps: { list: () => (declares ? [aMap([])] : []) } },
    ask: async (question) => (questions.push(question), question.port === 443 ? tls : redirect),
    lookup: async () => ['192.0.2.7'],
    loopback: false,
    userAgent: 'dataward/test',
    now: () => NOW,
    ...context,
  });
  return { register, questions, look: () => reconcile({ name: 'shop' }, { signal: new AbortController().signal }) };
}

test('each host is asked at each port of its address, and the answers are kept for whoever judges', async () => {
  const { register, questions, look } = world([ingress(['a.example'], ['192.0.2.1'])]);
  expect(await look()).toEqual({ kind: 'requeueAfter', ms: 600_000 });
  expect(questions.map(({ address, port, host }) => [address, port, host])).toEqual([['192.0.2.1', 80, 'a.example'], ['192.0.2.1', 443, 'a.example']]);
  expect(register.get('shop')).toEqual({ at: NOW, complete: true, points: [{ name: 'Ingress shop/web a.example', tls: true, https: 'Served', http: 'Redirects', hstsMaxAge: 100 }] });
});

test('a route is asked at the Gateway of another namespace, once that API is there', async () => {
  const objects = [
    { kind: 'HTTPRoute', metadata: { namespace: 'shop', name: 'r' }, spec: { hostnames: ['a.example'], parentRefs: [{ namespace: 'infra', name: 'public' }] } },
    { kind: 'Gateway', metadata: { namespace: 'infra', name: 'public' }, spec: { listeners: [{ name: 'tls', port: 443, protocol: 'HTTPS' }] }, status: { addresses: [{ value: '192.0.2.9' }] } },
  ];
  const absent = world(objects);
  await absent.look();
  expect(absent.register.get('shop')?.points).toEqual([]);
  const served = world(objects, { served: true });
  await served.look();
  expect(served.register.get('shop')?.points).toEqual([{ name: 'Gateway infra/public a.example', tls: true, https: 'Served', http: 'Closed', hstsMaxAge: 100 }]);
});

test.each<[string, string, boolean, string[]]>([
  ['the machine\'s own services of a cloud', '169.254.169.254', true, []],
  ['the same in IPv6', 'fd00:ec2::254', true, []],
  ['the same, written as IPv6', '::ffff:169.254.169.254', true, []],
  ['the pod itself', '127.0.0.1', false, []],
  ['the pod itself, in IPv6', '::1', false, []],
  ['the loopback of a person\'s machine', '127.0.0.1', true, ['127.0.0.1', '127.0.0.1']],
  ['all addresses at once', '0.0.0.0', true, []],
  ['a private network, where load balancers are', '10.0.0.8', false, ['10.0.0.8', '10.0.0.8']],
])('an address is asked only where entry points are: %s', async (_, address, loopback, asked) => {
  const { register, questions, look } = world([ingress(['a.example'], [address])], { loopback });
  await look();
  expect(questions.map((question) => question.address)).toEqual(asked);
  if (asked.length === 0) expect(register.get('shop')?.points).toEqual([{ name: 'Ingress shop/web a.example', tls: true }]);
});

test('a load balancer that has a name only is looked up first, and what that gives is looked at too', async () => {
  const named = { ...ingress(['a.example'], []), status: { loadBalancer: { ingress: [{ hostname: 'lb.example' }] } } };
  const found = world([named]);
  await found.look();
  expect(new Set(found.questions.map(({ address }) => address))).toEqual(new Set(['192.0.2.7']));
  for (const lookup of [async () => ['169.254.169.254'], async () => Promise.reject(new Error('ENOTFOUND'))]) {
    const { register, questions, look } = world([named], { lookup });
    await look();
    expect([questions, register.get('shop')?.points]).toEqual([[], [{ name: 'Ingress shop/web a.example', tls: true }]]);
  }
});

test('where there is no clear answer it is asked again soon', async () => {
  expect(await world([ingress(['a.example'], [])]).look()).toEqual({ kind: 'requeueAfter', ms: 60_000 });
});

test('where nobody may ask, what the objects say is read all the same', async () => {
  const { register, look } = world([ingress(['a.example'], ['192.0.2.1'])], { ask: undefined as never });
  expect(await look()).toEqual({ kind: 'requeueAfter', ms: 600_000 });
  expect(register.get('shop')?.points).toEqual([{ name: 'Ingress shop/web a.example', tls: true }]);
});

test('more than two hundred are said to be more', async () => {
  const { register, look } = world([ingress(Array.from({ length: 201 }, (_, index) => `h${index}.example`), ['192.0.2.1'])]);
  await look();
  expect([register.get('shop')?.complete, register.get('shop')?.points.length]).toEqual([false, 200]);
});

test('a list that could not be read leaves what was known, until its time is over', async () => {
  const { register, look } = world([], { refused: true });
  register.put('shop', { at: 1, complete: true, points: [] });
  await expect(look()).rejects.toThrow('Forbidden');
  expect(register.get('shop')?.at).toBe(1);
});

test('a namespace that declares nothing any more is forgotten', async () => {
  const { register, look } = world([], { declares: false });
  register.put('shop', { at: 1, complete: true, points: [] });
  expect(await look()).toEqual({ kind: 'done' });
  expect(register.get('shop')).toBeUndefined();
});

test('a store in the namespace is as good a reason to ask as a map', async () => {
  const { register, look } = world([], { declares: false });
  await look();
  expect(register.get('shop')).toBeUndefined();
  const reconcile = createEntryPointsReconcile({ client: { list: async () => [], serves: async () => false } as unknown as EntryPointContext['client'], register, caches: { stores: { list: () => [aStore()] }, maps: { list: () => [] } }, lookup: async () => [], loopback: false, userAgent: 'x', now: () => NOW });
  await reconcile({ name: 'shop' }, { signal: new AbortController().signal });
  expect(register.get('shop')).toEqual({ at: NOW, complete: true, points: [] });
});
