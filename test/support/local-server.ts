import { Agent, request as httpsRequest } from 'node:https';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createObjectValidator } from '../../src/api/validation/object-validator.ts';
import type { CustomResourceDefinition } from '../../src/api/validation/object-validator.ts';
import { startLocalServer } from '../../src/local/server.ts';
import type { LocalServer, LocalServerOptions } from '../../src/local/server.ts';
import { operatorUser, personUser } from '../../src/local/users.ts';
import type { ApiAnswer } from './api-request.ts';

export const OPERATOR_TOKEN = 'operator-token';
export const PERSON_TOKEN = 'person-token';
export const SECOND_PERSON_TOKEN = 'second-person-token';

export interface TestLocalServer extends LocalServer {
  /** One request, as the person unless a token is given. */
  request(method: string, path: string, body?: unknown, options?: { token?: string; contentType?: string }): Promise<ApiAnswer>;
  /** Path of a kubeconfig file for the person, or for another user. */
  kubeconfigFile(userName?: string): Promise<string>;
}

interface Outgoing {
  method: string;
  path: string;
  body: unknown;
  token: string;
  contentType: string;
}

/** One request on a kept connection: a handshake for each of a thousand requests would be most of the test's time. */
function send(agent: Agent, url: string, { method, path, body, token, contentType }: Outgoing): Promise<ApiAnswer> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${token}`,
    accept: 'application/json',
    ...(text !== undefined && { 'content-type': contentType, 'content-length': String(Buffer.byteLength(text)) }),
  };
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(url + path, { method, headers, agent }, (response) => {
      let received = '';
      response.setEncoding('utf8').on('data', (part: string) => (received += part));
      response.on('error', reject);
      response.on('end', () => {
        const isJson = String(response.headers['content-type']).startsWith('application/json');
        resolve({ status: response.statusCode ?? 0, body: isJson ? JSON.parse(received) : received, warnings: response.headersDistinct['warning'] ?? [] });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}

/** The local API server for a test: an operator and two persons (`local-admin` and `second-person`). */
export async function startTestLocalServer(
  crds: readonly unknown[],
  admissionPolicies: readonly unknown[] = [],
  options: Partial<LocalServerOptions> = {},
): Promise<TestLocalServer> {
  const server = await startLocalServer({
    crds,
    admissionPolicies,
    validator: createObjectValidator(crds as CustomResourceDefinition[], admissionPolicies as unknown[]),
    listen: { host: '127.0.0.1', port: 0 },
    users: [operatorUser(OPERATOR_TOKEN), personUser(PERSON_TOKEN), personUser(SECOND_PERSON_TOKEN, 'second-person')],
    clock: Date,
    ...options,
  });
  const folder = await mkdtemp(join(tmpdir(), 'dataward-local-'));
  const agent = new Agent({ keepAlive: true, ca: server.caPem });
  return {
    ...server,
    request: (method, path, body, { token = PERSON_TOKEN, contentType = 'application/json' } = {}) =>
      send(agent, server.url, { method, path, body, token, contentType }),
    async kubeconfigFile(userName = 'local-admin') {
      const file = join(folder, `${userName.replaceAll(/[^a-z-]/g, '_')}.kubeconfig`);
      await writeFile(file, server.kubeconfig(userName), { mode: 0o600 });
      return file;
    },
    async close() {
      agent.destroy();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
