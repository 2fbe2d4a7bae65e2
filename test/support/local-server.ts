import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createObjectValidator } from '../../src/api/validation/object-validator.ts';
import type { CustomResourceDefinition } from '../../src/api/validation/object-validator.ts';
import { startLocalServer } from '../../src/local/server.ts';
import type { LocalServer, LocalServerOptions } from '../../src/local/server.ts';
import { operatorUser, personUser } from '../../src/local/users.ts';
import { apiRequest } from './api-request.ts';
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

/** The local API server for a test: an operator and two persons (`local-admin` and `second-person`). */
export async function startTestLocalServer(
  crds: readonly unknown[],
  admissionPolicies: readonly unknown[] = [],
  options: Partial<LocalServerOptions> = {},
): Promise<TestLocalServer> {
  const folder = await mkdtemp(join(tmpdir(), 'dataward-local-'));
  const server = await startLocalServer({
    crds,
    admissionPolicies,
    validator: createObjectValidator(crds as CustomResourceDefinition[], admissionPolicies as unknown[]),
    listen: { host: '127.0.0.1', port: 0 },
    users: [operatorUser(OPERATOR_TOKEN), personUser(PERSON_TOKEN), personUser(SECOND_PERSON_TOKEN, 'second-person')],
    clock: Date,
    ...options,
  });
  return {
    ...server,
    request: (method, path, body, { token = PERSON_TOKEN, contentType = 'application/json' } = {}) =>
      apiRequest({ url: server.url + path, ca: server.caPem, token, method, contentType, body }),
    async kubeconfigFile(userName = 'local-admin') {
      const file = join(folder, `${userName.replaceAll(/[^a-z-]/g, '_')}.kubeconfig`);
      await writeFile(file, server.kubeconfig(userName), { mode: 0o600 });
      return file;
    },
    async close() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
