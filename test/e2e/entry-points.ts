import { expect } from '@jest/globals';
import { once } from 'node:events';
import { createServer as createPlain, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ComplianceProfile } from '../../src/api/generated/complianceProfile.ts';
import { COMPLIANCE_PROFILE, GATEWAY, HTTP_ROUTE, INGRESS } from '../../src/api/kinds.ts';
import type { KindRef, KubeObject } from '../../src/api/object.ts';
import { createTestCa } from '../support/certificates.ts';
import { until } from '../support/until.ts';
import type { Person } from './people.ts';

/** What stands at the door: one server with TLS, one that leads there, and one that serves in the clear. */
export interface Door {
  readonly https: number;
  readonly redirecting: number;
  readonly open: number;
  /** Every request that came. */
  readonly seen: readonly IncomingMessage[];
  close(): Promise<void>;
}

const HOST = 'shop.example.com';

export async function openDoor(): Promise<Door> {
  const seen: IncomingMessage[] = [];
  const servers: Server[] = [];
  const { certPem, keyPem } = await (await createTestCa()).issue({ commonName: HOST, sans: [HOST] });
  const listen = async (create: (answer: RequestListener) => Server, answer: RequestListener): Promise<number> => {
    const server = create((request, response) => {
      seen.push(request);
      answer(request, response);
    });
    servers.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  };
  return {
    https: await listen((answer) => createSecure({ cert: certPem, key: keyPem }, answer), (_, response) => response.setHeader('strict-transport-security', 'max-age=31536000').end('in')),
    redirecting: await listen(createPlain, (request, response) => response.writeHead(308, { location: `https://${HOST}${request.url}` }).end()),
    open: await listen(createPlain, (_, response) => response.end('in')),
    seen,
    close: async () => void (await Promise.all(servers.map((server) => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve)))))),
  };
}

const apiVersion = (kind: KindRef): string => `${kind.group}/${kind.version}`;
const web = { namespace: 'shop', name: 'web' };
const backend = { service: { name: 'web', port: { number: 80 } } };

/** An Ingress beside the data map of the team: judged as it is made, given TLS, reached, opened in the clear, and taken away. */
export async function judgesIngress(controller: Person, door: Door): Promise<void> {
  const { client } = controller;
  const reachedAt = (...ports: number[]): Promise<unknown> => client.mergePatch(INGRESS, web, { status: { loadBalancer: { ingress: [{ ip: '127.0.0.1', ports: ports.map((port) => ({ port, protocol: 'TCP' })) }] } } }, { subresource: 'status' });
  await promises(controller, 'Kept', 'no entry point is there');
  await client.create<KubeObject>(INGRESS, { apiVersion: apiVersion(INGRESS), kind: 'Ingress', metadata: web, spec: { rules: [{ host: HOST, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }] } } as KubeObject);
  await promises(controller, 'Broken', 'an Ingress has no TLS');
  await client.mergePatch(INGRESS, web, { spec: { tls: [{ hosts: [HOST], secretName: 'web' }] } });
  await promises(controller, 'Unknown', 'an Ingress asks for TLS and nobody can be asked whether it has it');
  await reachedAt(door.redirecting, door.https);
  await promises(controller, 'Kept', 'an Ingress has TLS and leads there');
  await reachedAt(door.open, door.https);
  await promises(controller, 'Broken', 'an Ingress serves in the clear beside TLS');
  await client.delete(INGRESS, web);
  await promises(controller, 'Kept', 'the Ingress is gone');
  expect(new Set(door.seen.map(({ method, headers }) => `${method} ${headers.host} by ${headers['user-agent']?.split('/')[0]}, ${headers.cookie ?? headers.authorization ?? 'nobody'}`))).toEqual(new Set([`GET ${HOST} by dataward, nobody`]));
}

/** A route of the team at a Gateway of another: with a listener for plain HTTP alone, then with both. */
export async function judgesGateway(controller: Person, door: Door): Promise<void> {
  const { client } = controller;
  const ref = { namespace: 'default', name: 'public' };
  const plain = { name: 'http', port: door.redirecting, protocol: 'HTTP' };
  const secure = { name: 'https', port: door.https, protocol: 'HTTPS', hostname: '*.example.com' };
  await client.create<KubeObject>(GATEWAY, { apiVersion: apiVersion(GATEWAY), kind: 'Gateway', metadata: ref, spec: { listeners: [plain] } } as KubeObject);
  await client.create<KubeObject>(HTTP_ROUTE, { apiVersion: apiVersion(HTTP_ROUTE), kind: 'HTTPRoute', metadata: web, spec: { hostnames: [HOST], parentRefs: [ref] } } as KubeObject);
  await promises(controller, 'Broken', 'a Gateway listens for plain HTTP alone');
  await client.mergePatch(GATEWAY, ref, { spec: { listeners: [plain, secure] }, status: { addresses: [{ type: 'IPAddress', value: '127.0.0.1' }] } });
  await promises(controller, 'Kept', 'a Gateway has TLS and leads there');
  await client.delete(HTTP_ROUTE, web);
  await client.delete(GATEWAY, ref);
}

/** The clause that all communication is encrypted hangs on the TLS of the store, which is in order here, and on its entry points. */
async function promises({ client }: Person, state: 'Kept' | 'Broken' | 'Unknown', why: string): Promise<void> {
  const seen = async (): Promise<string | undefined> => (await client.get<ComplianceProfile>(COMPLIANCE_PROFILE, { namespace: 'dataward-system', name: 'default' }))?.status?.clauses?.find(({ id }) => id === 'S04')?.state;
  let last: string | undefined;
  await until(`S04 is ${state}: ${why}`, async () => (last = await seen()) === state, { timeoutMs: 90_000, or: () => last });
}
