import { describe, expect, test } from '@jest/globals';
import type { EntryPointsReading } from '../../../src/connect/entry-points.ts';
import { createRegister } from '../../../src/connect/register.ts';
import type { PortAnswer } from '../../../src/entrypoints/answer.ts';
import type { Gateway } from '../../../src/entrypoints/objects.ts';
import type { EntryPointContext } from '../../../src/entrypoints/observe.ts';
import type { Question } from '../../../src/entrypoints/probe.ts';
import { createEntryPointsReconcile } from '../../../src/entrypoints/reconcile.ts';
import { aMap, aStore } from '../../support/declared.ts';

const NOW = Date.parse('2026-03-02T12:00:00Z');
const tls: PortAnswer = { port: 'tls', named: true, hstsMaxAge: 100 };
const redirect: PortAnswer = { port: 'plain', redirects: true };
const ingress = (hosts: string[], addresses: string[], name = 'web') => ({ kind: 'Ingress', metadata: { namespace: 'shop', name }, spec: { rules: hosts.map((host) => ({ host })), tls: [{}] }, status: { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } } });

interface AnObject {
  kind: string;
  metadata: { namespace: string; name: string };
}

function world(objects: AnObject[], changes: Partial<EntryPointContext> & { declares?: boolean } = {}) {
  const questions: Question[] = [];
  const said = { changes: 0 };
  const { declares = true, ...context } = changes;
  const register = createRegister<EntryPointsReading>();
  const of = <T>(kind: string, namespace: string): T[] => objects.filter((object) => object.kind === kind && object.metadata.namespace === namespace) as T[];
  const reconcile = createEntryPointsReconcile({
    objects: {
      ingresses: (namespace) => of('Ingress', namespace),
      routes: (namespace) => of('HTTPRoute', namespace),
      gateway: ({ namespace = '', name }) => of<Gateway>('Gateway', namespace).find(({ metadata }) => metadata.name === name),
    },
    register,
    changed: () => void (said.changes += 1),
    caches: { stores: { list: () => [] }, maps: { list: () => (declares ? [aMap([])] : []) } },
    ask: async (question) => (questions.push(question), question.port === 443 ? tls : redirect),
    lookup: async () => ['192.0.2.7'],
    loopback: false,
    userAgent: 'dataward/test',
    now: () => NOW,
    ...context,
  });
  return { objects, register, questions, said, points: () => pointsOf(register.get('shop')), look: () => reconcile({ name: 'shop' }, { signal: new AbortController().signal }) };
}

/** Without what was asked and when. */
const pointsOf = (reading: EntryPointsReading | undefined) => reading?.points.map(({ question: _question, at: _at, ...point }) => point);

test('each host is asked at each port of its address, and the answers are kept for whoever judges', async () => {
  const { register, questions, points, look } = world([ingress(['a.example'], ['192.0.2.1'])]);
  expect(await look()).toEqual({ kind: 'requeueAfter', ms: 600_000 });
  expect(questions.map(({ address, port, host }) => [address, port, host])).toEqual([['192.0.2.1', 80, 'a.example'], ['192.0.2.1', 443, 'a.example']]);
  expect(register.get('shop')).toMatchObject({ at: NOW, complete: true });
  expect(points()).toEqual([{ name: 'Ingress shop/web a.example', tls: true, https: 'Served', http: 'Redirects', hstsMaxAge: 100 }]);
});

test('a route is asked at its Gateway of another namespace, once that is there', async () => {
  const { objects, points, look } = world([{ kind: 'HTTPRoute', metadata: { namespace: 'shop', name: 'r' }, spec: { hostnames: ['a.example'], parentRefs: [{ namespace: 'infra', name: 'public' }] } } as AnObject]);
  await look();
  expect(points()).toEqual([]);
  objects.push({ kind: 'Gateway', metadata: { namespace: 'infra', name: 'public' }, spec: { listeners: [{ name: 'tls', port: 443, protocol: 'HTTPS' }] }, status: { addresses: [{ value: '192.0.2.9' }] } } as AnObject);
  await look();
  expect(points()).toEqual([{ name: 'Gateway infra/public a.example', tls: true, https: 'Served', http: 'Closed', hstsMaxAge: 100 }]);
});

describe('an object that changes', () => {
  const again = async (after: number, change: (objects: AnObject[]) => void) => {
    let now = NOW;
    const begun = world([ingress(['a.example'], ['192.0.2.1'])], { now: () => now });
    await begun.look();
    begun.questions.length = 0;
    now += after;
    change(begun.objects);
    const result = await begun.look();
    return { ...begun, result, asked: begun.questions.map(({ address, host }) => `${host} at ${address}`) };
  };

  test('has its new host asked, and the others not again', async () => {
    const { asked, result, register, said } = await again(1_000, (objects) => void (objects[0] = ingress(['a.example', 'b.example'], ['192.0.2.1'])));
    expect([asked, result, register.get('shop')?.at, said.changes]).toEqual([['b.example at 192.0.2.1', 'b.example at 192.0.2.1'], { kind: 'requeueAfter', ms: 599_000 }, NOW, 2]);
  });

  test('has its host asked at a new address', async () => {
    const { asked } = await again(1_000, (objects) => void (objects[0] = ingress(['a.example'], ['192.0.2.2'])));
    expect(new Set(asked)).toEqual(new Set(['a.example at 192.0.2.2']));
  });

  test('in what nobody asks for has nothing asked, and what it says is known at once', async () => {
    const { asked, points } = await again(1_000, (objects) => void (objects[0] = { ...ingress(['a.example'], ['192.0.2.1']), spec: { rules: [{ host: 'a.example' }], tls: [] } } as AnObject));
    expect([asked, points()?.map((point) => point.tls)]).toEqual([[], [false]]);
  });

  test('not at all is asked again when its time has come, and nobody has to judge again', async () => {
    const { asked, said, register } = await again(600_000, () => {});
    expect([asked.length, said.changes, register.get('shop')?.at]).toEqual([2, 1, NOW + 600_000]);
  });

  test('by going leaves nothing behind', async () => {
    const { points, said, result } = await again(1_000, (objects) => void objects.pop());
    expect([points(), said.changes, result]).toEqual([[], 2, { kind: 'requeueAfter', ms: 600_000 }]);
  });
});

test.each<[string, string, boolean, string[]]>([
  ['the machine\'s own services of a cloud', '169.254.169.254', true, []],
  ['the same in IPv6', 'fd00:ec2::254', true, []],
  ['that of another cloud, which is not link-local', '100.100.100.200', true, []],
  ['that of a third', '168.63.129.16', true, []],
  ['the same, written as IPv6', '::ffff:169.254.169.254', true, []],
  ['the pod itself', '127.0.0.1', false, []],
  ['the pod itself, in IPv6', '::1', false, []],
  ['the loopback of a person\'s machine', '127.0.0.1', true, ['127.0.0.1', '127.0.0.1']],
  ['all addresses at once', '0.0.0.0', true, []],
  ['a group of machines', '224.0.0.1', true, []],
  ['a neighbour on the link', 'fe80::1', true, []],
  ['a private network, where load balancers are', '10.0.0.8', false, ['10.0.0.8', '10.0.0.8']],
])('an address is asked only where entry points are: %s', async (_, address, loopback, asked) => {
  const { questions, points, look } = world([ingress(['a.example'], [address])], { loopback });
  await look();
  expect(questions.map((question) => question.address)).toEqual(asked);
  if (asked.length === 0) expect(points()).toEqual([{ name: 'Ingress shop/web a.example', tls: true }]);
});

test('an address nobody may ask leaves open what the others said', async () => {
  const { points, look } = world([ingress(['a.example'], ['192.0.2.1', '169.254.169.254'])]);
  await look();
  expect(points()).toEqual([{ name: 'Ingress shop/web a.example', tls: true }]);
});

test('of many addresses four are asked', async () => {
  const { questions, look } = world([ingress(['a.example'], [1, 2, 3, 4, 5].map((last) => `192.0.2.${last}`))]);
  await look();
  expect(new Set(questions.map(({ address }) => address))).toEqual(new Set(['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4']));
});

test('a load balancer that has a name only is looked up first, and what that gives is looked at too', async () => {
  const named = { ...ingress(['a.example'], []), status: { loadBalancer: { ingress: [{ hostname: 'lb.example' }] } } };
  const found = world([named]);
  await found.look();
  expect(new Set(found.questions.map(({ address }) => address))).toEqual(new Set(['192.0.2.7']));
  for (const lookup of [async () => ['169.254.169.254'], async () => Promise.reject(new Error('ENOTFOUND'))]) {
    const { questions, points, look } = world([named], { lookup });
    await look();
    expect([questions, points()]).toEqual([[], [{ name: 'Ingress shop/web a.example', tls: true }]]);
  }
});

test('where there is no clear answer it is asked again soon', async () => {
  expect(await world([ingress(['a.example'], [])]).look()).toEqual({ kind: 'requeueAfter', ms: 60_000 });
});

test('where nobody may ask, what the objects say is read all the same', async () => {
  const { points, look } = world([ingress(['a.example'], ['192.0.2.1'])], { ask: undefined as never });
  expect(await look()).toEqual({ kind: 'requeueAfter', ms: 600_000 });
  expect(points()).toEqual([{ name: 'Ingress shop/web a.example', tls: true }]);
});

test('more than two hundred are said to be more', async () => {
  const { register, look } = world([ingress(Array.from({ length: 201 }, (_, index) => `h${index}.example`), ['192.0.2.1'])]);
  await look();
  expect([register.get('shop')?.complete, register.get('shop')?.points.length]).toEqual([false, 200]);
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
  const reconcile = createEntryPointsReconcile({ objects: { ingresses: () => [], routes: () => [], gateway: () => undefined }, changed: () => {}, register, caches: { stores: { list: () => [aStore()] }, maps: { list: () => [] } }, lookup: async () => [], loopback: false, userAgent: 'x', now: () => NOW });
  await reconcile({ name: 'shop' }, { signal: new AbortController().signal });
  expect(register.get('shop')).toEqual({ at: NOW, complete: true, points: [] });
});
