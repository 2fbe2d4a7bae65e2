import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findCluster } from '../../../src/cli/cluster.ts';
import type { Cluster } from '../../../src/cli/context.ts';
import { createAuthenticator } from '../../../src/runtime/auth.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

let folder: string;
let pod: NodeJS.ProcessEnv;

const kubeconfig = (server: string): string => JSON.stringify({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster: { server } }],
  users: [{ name: 'u', user: { token: 's3cret' } }],
  contexts: [{ name: 'here', context: { cluster: 'c', user: 'u', namespace: 'team' } }],
  'current-context': 'here',
});

const serverOf = ({ access }: Cluster): string => ('credentials' in access ? access : createAuthenticator(access, createFakeClock())).server.origin;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'dataward-cluster-'));
  for (const name of ['account', 'bare-account', 'home/.kube']) await mkdir(path.join(folder, name), { recursive: true });
  await Promise.all([
    writeFile(path.join(folder, 'account', 'token'), 'mine'),
    writeFile(path.join(folder, 'account', 'ca.crt'), 'authority'),
    writeFile(path.join(folder, 'account', 'namespace'), 'dataward-system'),
    writeFile(path.join(folder, 'bare-account', 'token'), 'mine'),
    writeFile(path.join(folder, 'home', '.kube', 'config'), kubeconfig('https://home.example')),
    writeFile(path.join(folder, 'given'), kubeconfig('https://given.example')),
  ]);
  pod = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '6443', DATAWARD_SERVICE_ACCOUNT_DIR: path.join(folder, 'account') };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the cluster of a pod', () => {
  test('is the one the environment names, with the namespace beside the token', async () => {
    const found = await findCluster({}, pod);
    expect(serverOf(found)).toBe('https://10.96.0.1:6443');
    expect(found.namespace).toBe('dataward-system');
  });

  test('may have an address with colons, and no namespace beside the token', async () => {
    const found = await findCluster({}, { ...pod, KUBERNETES_SERVICE_HOST: 'fd00::1', DATAWARD_SERVICE_ACCOUNT_DIR: path.join(folder, 'bare-account') });
    expect(serverOf(found)).toBe('https://[fd00::1]:6443');
    expect(found).not.toHaveProperty('namespace');
  });

  test('comes after a kubeconfig that was given', async () => {
    const found = await findCluster({ kubeconfig: path.join(folder, 'given') }, pod);
    expect([serverOf(found), found.namespace]).toEqual(['https://given.example', 'team']);
  });

  test.each<[string, () => NodeJS.ProcessEnv]>([
    ['a kubeconfig in the environment', () => ({ ...pod, KUBECONFIG: path.join(folder, 'given') })],
    ['a kubeconfig at home', () => ({ ...pod, HOME: path.join(folder, 'home') })],
    ['no token', () => ({ ...pod, DATAWARD_SERVICE_ACCOUNT_DIR: path.join(folder, 'home') })],
    ['no address', () => ({ DATAWARD_SERVICE_ACCOUNT_DIR: path.join(folder, 'account') })],
  ])('is left to the rules of kubectl where there is %s', async (_what, env) => {
    const found = await findCluster({}, env()).catch((error: Error) => error.message);
    // What those rules find on this machine is not for this test; that the pod's account was not taken is.
    expect(typeof found === 'string' || !('credentials' in found.access)).toBe(true);
  });
});

test.each([
  { what: 'a file that was given', wanted: () => ({ kubeconfig: path.join(folder, 'given') }), env: () => ({}), shown: () => ['https://given.example', `context here of --kubeconfig ${path.join(folder, 'given')}`] },
  { what: 'a pod', wanted: () => ({}), env: () => pod, shown: () => ['https://10.96.0.1:6443', `the service account of this pod, in ${path.join(folder, 'account')}`] },
  { what: 'an address with a password in it, but for the password', wanted: () => ({ kubeconfig: path.join(folder, 'with-password') }), env: () => ({}), shown: () => ['https://api.example:6443/path', `context here of --kubeconfig ${path.join(folder, 'with-password')}`] },
])('messages can say of $what where the server is and who says so', async ({ wanted, env, shown }) => {
  await writeFile(path.join(folder, 'with-password'), kubeconfig('https://alice:s3cret@api.example:6443/path'));
  const { server, from } = await findCluster(wanted(), env());
  expect([server, from]).toEqual(shown());
});
