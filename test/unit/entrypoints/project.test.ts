import { expect, test } from '@jest/globals';
import type { KubeObject } from '../../../src/api/object.ts';
import type { Gateway, HttpRoute, Ingress } from '../../../src/entrypoints/objects.ts';
import { entryPoints, parentsOf } from '../../../src/entrypoints/plan.ts';
import { projectGateway, projectIngress, projectRoute } from '../../../src/entrypoints/project.ts';

const metadata = (namespace: string, name: string): object => ({ namespace, name, uid: `u-${name}`, resourceVersion: '7', generation: 3, labels: { app: 'x' }, annotations: { note: 'x'.repeat(500) }, creationTimestamp: '2026-01-01T00:00:00Z' });
const backend = { service: { name: 'web', port: { number: 80 } } };

const ingress = {
  apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: metadata('shop', 'web'),
  spec: { ingressClassName: 'nginx', defaultBackend: backend, tls: [{ hosts: ['a.example'], secretName: 's' }, { secretName: 't' }], rules: [{ host: 'a.example', http: { paths: [{ path: '/app', pathType: 'Prefix', backend }] } }, {}] },
  status: { loadBalancer: { ingress: [{ ip: '192.0.2.1', ports: [{ port: 443, protocol: 'TCP' }] }, { hostname: 'lb.example' }] } },
} as unknown as Ingress;
const gateway = {
  apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', metadata: metadata('infra', 'public'),
  spec: { gatewayClassName: 'x', listeners: [{ name: 'tls', port: 443, protocol: 'HTTPS', hostname: '*.example', tls: { certificateRefs: [{ name: 's' }] } }, { name: 'http', port: 80, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'Same' } } }] },
  status: { addresses: [{ type: 'IPAddress', value: '192.0.2.9' }], conditions: [{ type: 'Programmed' }] },
} as unknown as Gateway;
const route = {
  apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', metadata: metadata('shop', 'r'),
  spec: { hostnames: ['b.example'], parentRefs: [{ namespace: 'infra', name: 'public', sectionName: 'tls' }], rules: [{ matches: [{ path: { type: 'PathPrefix', value: '/b' }, headers: [{ name: 'x', value: 'y' }] }], backendRefs: [{ name: 'web', port: 80 }] }] },
  status: { parents: [] },
} as unknown as HttpRoute;

const small = { ingresses: [projectIngress(ingress)], routes: [projectRoute(route)], gateways: [projectGateway(gateway)] };

test('what is kept says of entry points all that the whole objects say', () => {
  expect(entryPoints(small)).toEqual(entryPoints({ ingresses: [ingress], routes: [route], gateways: [gateway] }));
  expect(entryPoints(small).map(({ name }) => name)).toEqual(['Gateway infra/public b.example', 'Ingress shop/web a.example', 'Ingress shop/web any host']);
  expect(small.routes.map(parentsOf)).toEqual([parentsOf(route)]);
  expect(small.gateways[0]?.spec?.listeners?.map(({ allowedRoutes }) => allowedRoutes)).toEqual([undefined, { namespaces: { from: 'Same' } }]);
});

test.each<[string, KubeObject]>([...small.ingresses, ...small.routes, ...small.gateways].map((object) => [object.kind, object]))('of a %s no label, annotation, backend or certificate is kept', (_, object) => {
  expect(Object.keys(object.metadata)).toEqual(['name', 'namespace', 'uid', 'resourceVersion']);
  expect(JSON.stringify(object)).not.toMatch(/nginx|"backend|service|secret|certificate|conditions|headers|"x"/i);
});

test.each<[string, KubeObject]>([
  ['an Ingress', projectIngress({ apiVersion: 'v1', kind: 'Ingress', metadata: { name: 'a' } })],
  ['a Gateway', projectGateway({ apiVersion: 'v1', kind: 'Gateway', metadata: { name: 'a' } })],
  ['a route', projectRoute({ apiVersion: 'v1', kind: 'HTTPRoute', metadata: { name: 'a' } })],
])('%s that says nothing stays one', (_, object) => expect(object.metadata).toEqual({ name: 'a' }));
