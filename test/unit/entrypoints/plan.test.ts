import { describe, expect, test } from '@jest/globals';
import type { Gateway, HttpRoute, Ingress } from '../../../src/entrypoints/objects.ts';
import type { EntryPointReading } from '../../../src/connect/entry-points.ts';
import { askAgainAt, entryPoints, parentsOf, questionOf } from '../../../src/entrypoints/plan.ts';
import { fc, runs } from '../../support/properties.ts';

const ingress = (spec: Ingress['spec'], addresses: NonNullable<NonNullable<Ingress['status']>['loadBalancer']>['ingress'] = [{ ip: '192.0.2.1' }], name = 'web'): Ingress =>
  ({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { namespace: 'shop', name }, spec, status: { loadBalancer: { ingress: addresses } } }) as Ingress;
const gateway = (listeners: NonNullable<Gateway['spec']>['listeners'], addresses = ['192.0.2.9']): Gateway =>
  ({ metadata: { namespace: 'infra', name: 'public' }, spec: { listeners }, status: { addresses: addresses.map((value) => ({ value })) } }) as Gateway;
const route = (hostnames: string[], parent: object = {}, name = 'r'): HttpRoute =>
  ({ metadata: { namespace: 'shop', name }, spec: { hostnames, parentRefs: [{ namespace: 'infra', name: 'public', ...parent }] } }) as HttpRoute;
const http = { name: 'http', port: 80, protocol: 'HTTP' };
const https = { name: 'https', port: 443, protocol: 'HTTPS' };
const short = (given: Partial<Parameters<typeof entryPoints>[0]>): unknown[] =>
  entryPoints({ ingresses: [], routes: [], gateways: [], ...given }).map(({ name, host, tls, path, places }) => [name, host, tls, path, places.map(({ address, ports }) => `${address}:${ports.join('+')}`).join(' ')]);

describe('of an Ingress', () => {
  test.each<[string, Ingress, unknown[]]>([
    ['nothing it says is nothing to ask', ingress(undefined), []],
    ['each host once, whatever number of rules it has', ingress({ rules: [{ host: 'a.example' }, { host: 'a.example' }, { host: 'b.example' }], tls: [{ hosts: ['a.example'] }] }), [
      ['Ingress shop/web a.example', 'a.example', true, '/', '192.0.2.1:80+443'],
      ['Ingress shop/web b.example', 'b.example', false, '/', '192.0.2.1:80+443'],
    ]],
    ['a rule without a host is for any', ingress({ rules: [{}] }), [['Ingress shop/web any host', undefined, false, '/', '192.0.2.1:80+443']]],
    ['a default backend is for any host too', ingress({ defaultBackend: {} }), [['Ingress shop/web any host', undefined, false, '/', '192.0.2.1:80+443']]],
    ['TLS without hosts is for all of them', ingress({ rules: [{ host: 'a.example' }], tls: [{}] }), [['Ingress shop/web a.example', 'a.example', true, '/', '192.0.2.1:80+443']]],
    ['TLS for some hosts is none for any host', ingress({ rules: [{}], tls: [{ hosts: ['a.example'] }] }), [['Ingress shop/web any host', undefined, false, '/', '192.0.2.1:80+443']]],
    ['TLS for a wildcard covers what is below it, and not the name itself', ingress({ rules: [{ host: 'a.x.example' }, { host: 'x.example' }], tls: [{ hosts: ['*.x.example'] }] }), [
      ['Ingress shop/web a.x.example', 'a.x.example', true, '/', '192.0.2.1:80+443'],
      ['Ingress shop/web x.example', 'x.example', false, '/', '192.0.2.1:80+443'],
    ]],
    ['TLS for one of several hosts, in whatever place, is TLS for it', ingress({ rules: [{ host: 'a.example' }], tls: [{ hosts: ['b.example', 'a.example'] }] }), [['Ingress shop/web a.example', 'a.example', true, '/', '192.0.2.1:80+443']]],
    ['each host has a path of its own', ingress({ rules: [{ host: 'b.example', http: { paths: [{ path: '/b' }] } }, { host: 'a.example', http: { paths: [{ path: '/a' }] } }, { http: { paths: [{ path: '/any' }] } }] }), [
      ['Ingress shop/web a.example', 'a.example', false, '/a', '192.0.2.1:80+443'],
      ['Ingress shop/web any host', undefined, false, '/any', '192.0.2.1:80+443'],
      ['Ingress shop/web b.example', 'b.example', false, '/b', '192.0.2.1:80+443'],
    ]],
    ['an address without a name is none', ingress({ rules: [{ host: 'a.example' }] }, [{}, { ip: '192.0.2.1' }]), [['Ingress shop/web a.example', 'a.example', false, '/', '192.0.2.1:80+443']]],
    ['a wildcard host is asked for a name below it', ingress({ rules: [{ host: '*.x.example' }] }), [['Ingress shop/web *.x.example', 'dataward.x.example', false, '/', '192.0.2.1:80+443']]],
    ['a path is asked for as it is declared, but no pattern', ingress({ rules: [{ host: 'a.example', http: { paths: [{ path: '/x(/|$)(.*)', pathType: 'ImplementationSpecific' }, { path: '/app', pathType: 'Prefix' }] } }] }), [['Ingress shop/web a.example', 'a.example', false, '/app', '192.0.2.1:80+443']]],
    ['ports are those of the status where it has any', ingress({ rules: [{ host: 'a.example' }] }, [{ ip: '192.0.2.1', ports: [{ port: 8443 }] }, { hostname: 'lb.example' }]), [['Ingress shop/web a.example', 'a.example', false, '/', '192.0.2.1:8443 lb.example:80+443']]],
    ['ports of another transport are not asked', ingress({ rules: [{ host: 'a.example' }] }, [{ ip: '192.0.2.1', ports: [{ port: 8443, protocol: 'TCP' }, { port: 8444, protocol: 'UDP' }] }, { ip: '192.0.2.2', ports: [] }]), [['Ingress shop/web a.example', 'a.example', false, '/', '192.0.2.1:8443 192.0.2.2:80+443']]],
    ['without an address there is nowhere to ask, and it is an entry point all the same', ingress({ rules: [{ host: 'a.example' }] }, []), [['Ingress shop/web a.example', 'a.example', false, '/', '']]],
  ])('%s', (_, given, want) => expect(short({ ingresses: [given] })).toEqual(want));
});

describe('of a route and its Gateways', () => {
  test.each<[string, HttpRoute[], Gateway[], unknown[]]>([
    ['a host is asked at each listener that takes it', [route(['a.example'])], [gateway([http, https])], [['Gateway infra/public a.example', 'a.example', true, '/', '192.0.2.9:80+443']]],
    ['also at one the route is not attached to: its name must not be served there in the clear', [route(['a.example'], { sectionName: 'https' })], [gateway([http, https])], [['Gateway infra/public a.example', 'a.example', true, '/', '192.0.2.9:80+443']]],
    ['a listener for another host is not asked', [route(['a.example'], { sectionName: 'https' })], [gateway([{ ...http, hostname: 'b.example' }, https])], [['Gateway infra/public a.example', 'a.example', true, '/', '192.0.2.9:443']]],
    ['plain listeners alone are no TLS', [route(['a.example'])], [gateway([http])], [['Gateway infra/public a.example', 'a.example', false, '/', '192.0.2.9:80']]],
    ['without a host of its own a route has that of the listener', [route([])], [gateway([{ ...https, hostname: '*.x.example' }])], [['Gateway infra/public *.x.example', 'dataward.x.example', true, '/', '192.0.2.9:443']]],
    ['of two names that meet the narrower one counts', [route(['*.x.example'])], [gateway([{ ...https, hostname: 'a.x.example' }])], [['Gateway infra/public a.x.example', 'a.x.example', true, '/', '192.0.2.9:443']]],
    ['names that do not meet are no entry point', [route(['a.example'])], [gateway([{ ...https, hostname: 'b.example' }])], []],
    ['a port that is not the listener\'s is none', [route(['a.example'], { port: 8080 })], [gateway([https])], []],
    ['a parent that is a Service is none', [route(['a.example'], { kind: 'Service', group: '' })], [gateway([https])], []],
    ['a parent that is something else of the Gateway API is none', [route(['a.example'], { kind: 'Mesh' })], [gateway([https])], []],
    ['a parent of another API that is called Gateway is none', [route(['a.example'], { group: 'networking.istio.io' })], [gateway([https])], []],
    ['a Gateway of its name in another namespace is none', [route(['a.example'])], [{ ...gateway([https]), metadata: { namespace: 'shop', name: 'public' } }], []],
    ['another Gateway beside it is none', [route(['a.example'])], [{ ...gateway([https]), metadata: { namespace: 'infra', name: 'private' } }], []],
    ['of two listeners that are named the one of the name and port counts', [route(['a.example'], { sectionName: 'alt', port: 8443 })], [gateway([{ ...https, hostname: 'b.example' }, { ...https, name: 'alt', port: 8443 }])], [['Gateway infra/public a.example', 'a.example', true, '/', '192.0.2.9:8443']]],
    ['a listener of the port by another name is none', [route(['a.example'], { sectionName: 'alt', port: 443 })], [gateway([https])], []],
    ['a listener of the port is enough where no name is given', [route(['a.example'], { port: 443 })], [gateway([https])], [['Gateway infra/public a.example', 'a.example', true, '/', '192.0.2.9:443']]],
    ['a listener for its own namespace lets in a route of that', [{ ...route(['a.example']), metadata: { namespace: 'infra', name: 'r' } }], [gateway([{ ...https, allowedRoutes: { namespaces: { from: 'Same' } } }])], [['Gateway infra/public a.example', 'a.example', true, '/', '192.0.2.9:443']]],
    ['a Gateway that is gone is none', [route(['a.example'])], [], []],
    ['listeners that speak something else are none', [route(['a.example'])], [gateway([{ name: 'tcp', port: 5432, protocol: 'TCP' }])], []],
    ['a listener that lets in no route of another namespace is none', [route(['a.example'])], [gateway([{ ...https, allowedRoutes: { namespaces: { from: 'Same' } } }])], []],
    ['a listener that lets in no route at all is none', [route(['a.example'])], [gateway([{ ...https, allowedRoutes: { namespaces: { from: 'None' } } }])], []],
    ['a listener that lets in some is taken to let in this one', [route(['a.example'])], [gateway([{ ...https, allowedRoutes: { namespaces: { from: 'Selector' } } }])], [['Gateway infra/public a.example', 'a.example', true, '/', '192.0.2.9:443']]],
    ['two routes of one host are one entry point', [route(['a.example']), route(['a.example'], {}, 's')], [gateway([https])], [['Gateway infra/public a.example', 'a.example', true, '/', '192.0.2.9:443']]],
  ])('%s', (_, routes, gateways, want) => expect(short({ routes, gateways })).toEqual(want));

  test('of two routes of one host the same path is asked for, whichever comes first', () => {
    const at = (path: string): HttpRoute => ({ ...route(['a.example'], {}, path), spec: { ...route(['a.example']).spec, rules: [{ matches: [{ path: { type: 'PathPrefix', value: path } }] }] } });
    const asked = (...routes: HttpRoute[]): string[] => entryPoints({ ingresses: [], routes, gateways: [gateway([https])] }).map(({ path }) => path);
    expect([asked(at('/b'), at('/a')), asked(at('/a'), at('/b'))]).toEqual([['/a'], ['/a']]);
  });

  test('whether two names meet, and where, is the same whoever of route and listener has which', () => {
    const label = fc.constantFrom('a', 'b');
    const host = fc.tuple(fc.boolean(), fc.array(label, { minLength: 1, maxLength: 3 })).map(([wildcard, labels]) => `${wildcard ? '*.' : ''}${labels.join('.')}.example`);
    const meet = (ofRoute: string, ofListener: string): string[] => entryPoints({ ingresses: [], routes: [route([ofRoute])], gateways: [gateway([{ ...https, hostname: ofListener }])] }).map(({ name }) => name);
    fc.assert(
      fc.property(host, host, (one, other) => {
        const [met] = meet(one, other);
        expect(meet(other, one)).toEqual(met === undefined ? [] : [met]);
        // What both take is what is below both, and it is one of the two.
        if (met !== undefined) expect([one, other].map((name) => `Gateway infra/public ${name}`)).toContain(met);
        else expect(one).not.toBe(other);
      }),
      { numRuns: runs(200) },
    );
  });

  test('a path is asked for as it is declared, but no pattern', () => {
    const given = { ...route(['a.example']), spec: { ...route(['a.example']).spec, rules: [{ matches: [{ path: { type: 'RegularExpression', value: '/x.*' } }, {}, { path: { type: 'PathPrefix', value: '/app' } }] }] } } as HttpRoute;
    expect(short({ routes: [given], gateways: [gateway([https])] })).toEqual([['Gateway infra/public a.example', 'a.example', true, '/app', '192.0.2.9:443']]);
  });

  test('parents that are no Gateways are none, whatever their name', () => {
    expect(parentsOf({ ...route([]), spec: { parentRefs: [{ name: 'public', kind: 'Service', group: '' }, { name: 'public', namespace: 'infra' }] } } as HttpRoute)).toEqual([{ namespace: 'infra', name: 'public' }]);
  });

  test('parents without a namespace are in that of the route', () => {
    expect(parentsOf(route([], { namespace: undefined }))).toEqual([{ namespace: 'shop', name: 'public' }]);
  });
});

test('an entry point is another question by another host, path or place', () => {
  const one = { name: 'x', host: 'a.example', path: '/', tls: true, places: [{ address: '192.0.2.1', ports: [443] }] };
  const others = [{ ...one, host: 'b.example' }, { ...one, path: '/app' }, { ...one, places: [] }];
  expect(new Set([one, ...others].map(questionOf)).size).toBe(4);
  expect(questionOf({ ...one, name: 'y', tls: false })).toBe(questionOf(one));
});

test.each<[string, Partial<EntryPointReading>, number]>([
  ['in ten minutes', { https: 'Served', http: 'Closed' }, 600_000],
  ['in a minute where TLS is not known', { http: 'Closed' }, 60_000],
  ['in a minute where plain HTTP is not known', { https: 'Served' }, 60_000],
])('an entry point is asked again %s', (_, answer, after) => {
  expect(askAgainAt({ name: 'x', tls: true, question: '[]', at: 1_000, ...answer })).toBe(1_000 + after);
});
