import { createServer, request as httpsRequest, Agent } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createTestCa } from './certificates.ts';

/** How a request ends that meets a fault: refused as by RBAC, failed as by a server that is broken, or without any answer. */
export type Fault = 'Forbidden' | 'InternalError' | 'NoAnswer';

/** A way to an API server on which single requests can be made to fail, as they do in a cluster that is not well. */
export interface FaultProxy {
  readonly url: string;
  readonly caPem: string;
  /** From now on requests for that resource fail, and the watches of it that are open are cut. Gives the way back. */
  spoil(plural: string, fault: Fault): () => void;
  close(): Promise<void>;
}

const ANSWERS: Record<Exclude<Fault, 'NoAnswer'>, { code: number; message(plural: string): string }> = {
  Forbidden: { code: 403, message: (plural) => `${plural} is forbidden: the user cannot list resource "${plural}" at the cluster scope` },
  InternalError: { code: 500, message: () => 'etcdserver: request timed out' },
};

/** @param target the API server, and the certificate it is known by */
export async function startFaultProxy(target: { url: string; caPem: string }): Promise<FaultProxy> {
  const authority = await createTestCa('dataward test proxy');
  const { certPem, keyPem } = await authority.issue({ commonName: 'proxy', sans: ['127.0.0.1'] });
  const agent = new Agent({ keepAlive: true, ca: target.caPem });
  const faults = new Map<string, Fault>();
  const open = new Map<ServerResponse, string>();
  const sockets = new Set<Socket>();

  const server = createServer({ cert: certPem, key: keyPem }, (incoming, answer) => {
    const plural = pluralOf(incoming.url ?? '');
    const fault = faults.get(plural);
    if (fault) return fail(incoming, answer, plural, fault);
    open.set(answer, plural);
    const onward = httpsRequest(target.url + incoming.url, { method: incoming.method, headers: incoming.headers, agent }, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      // A watch says at once that it is open, not with its first event.
      answer.flushHeaders();
      reply.on('error', () => answer.destroy());
      reply.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => {
      open.delete(answer);
      onward.destroy();
    });
    incoming.pipe(onward);
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caPem: authority.pem,
    spoil(plural, fault) {
      faults.set(plural, fault);
      for (const [answer, of] of open) if (of === plural) answer.destroy();
      return () => void faults.delete(plural);
    },
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
      agent.destroy();
    },
  };
}

/** `/apis/dataward.io/v1alpha1/legalholds?limit=500` and the like: the resource asked for. */
function pluralOf(url: string): string {
  const [, plural = ''] = /^\/api(?:s\/[^/]+)?\/v[^/]+\/(?:namespaces\/[^/?]+\/)?([^/?]+)/.exec(url) ?? [];
  return plural;
}

function fail(incoming: IncomingMessage, answer: ServerResponse, plural: string, fault: Fault): void {
  incoming.resume();
  if (fault === 'NoAnswer') return void answer.destroy();
  const { code, message } = ANSWERS[fault];
  answer.writeHead(code, { 'content-type': 'application/json' });
  answer.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: fault, message: message(plural), code }));
}
