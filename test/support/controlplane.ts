import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiRequest } from './api-request.ts';
import type { ApiAnswer } from './api-request.ts';
import { createTestCa } from './certificates.ts';
import { controlPlaneBinaries } from './controlplane-binaries.ts';
import { apiServerArguments, controllerManagerArguments, etcdArguments, launch, waitFor } from './controlplane-parts.ts';
import type { Part } from './controlplane-parts.ts';
import { freePort } from './ports.ts';

export interface TestUser {
  readonly name: string;
  readonly token: string;
  readonly groups: readonly string[];
}

export interface ControlPlaneOptions {
  /** Garbage collection, Jobs, CronJobs, namespace deletion, default service accounts. Default false. */
  readonly controllerManager?: boolean;
  /** People beside the admin; they may do what RBAC grants them, which is nothing at first. */
  readonly users?: readonly TestUser[];
}

/** A real Kubernetes API server (with etcd) on loopback, authorising by RBAC. No nodes: Pods stay Pending. */
export interface ControlPlane {
  readonly url: string;
  readonly caPem: string;
  /** The token of the admin, in group system:masters. */
  readonly adminToken: string;
  /** Path of a kubeconfig file. */
  readonly adminKubeconfig: string;
  /** Path of a kubeconfig file for one of `users`. */
  kubeconfig(userName: string): Promise<string>;
  /** Path of a kubeconfig file for any bearer token, such as a service account's. */
  kubeconfigForToken(name: string, token: string): Promise<string>;
  /** As the TokenRequest API gives it: bound, and expiring (default 1 hour, the least is 10 minutes). */
  serviceAccountToken(namespace: string, name: string, expirationSeconds?: number): Promise<string>;
  /** One request, as admin unless a token is given. Never throws for a status. */
  request(method: string, path: string, body?: unknown, options?: { token?: string; contentType?: string }): Promise<ApiAnswer>;
  /** JSON lines (audit.k8s.io/v1 Event, level Metadata), one per finished request. */
  readonly auditLogPath: string;
  /** What etcd, kube-apiserver and kube-controller-manager print, one file each. */
  readonly logPaths: readonly string[];
  /** Process ids of everything that runs now. */
  readonly pids: readonly number[];
  /** Ends the API server as a crash would; etcd and the controller manager go on. */
  killApiServer(): Promise<void>;
  restartApiServer(): Promise<void>;
  /** Ends everything and removes its files. Safe to call twice. */
  stop(): Promise<void>;
}

/** @throws with the end of the log when a part does not come up, or when there are no binaries to run */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await controlPlaneBinaries();
  if (binaries === undefined) throw new Error('No control plane binaries: ask controlPlaneBinaries() before starting one.');
  if (options.controllerManager === true && binaries.controllerManager === undefined) {
    throw new Error('KUBEBUILDER_ASSETS has no kube-controller-manager, which this test needs.');
  }
  const folder = await mkdtemp(join(tmpdir(), 'dataward-controlplane-'));
  const path = (name: string): string => join(folder, name);
  const ca = await createTestCa('dataward test control plane');
  const serving = await ca.issue({ commonName: 'kube-apiserver', sans: ['localhost', '127.0.0.1', 'kubernetes.default.svc'] });
  const accounts = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const admin: TestUser = { name: 'admin', token: randomBytes(18).toString('base64url'), groups: ['system:masters'] };
  const users = [admin, ...(options.users ?? [])];
  const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
  const url = `https://127.0.0.1:${port}`;
  const files: Record<string, string> = {
    'ca.crt': ca.pem,
    'server.crt': serving.certPem,
    'server.key': serving.keyPem,
    'accounts.key': accounts.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    'accounts.pub': accounts.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    'tokens.csv': users.map((user) => `${user.token},${user.name},${user.name},"${user.groups.join(',')}"\n`).join(''),
    'audit.json': JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'], rules: [{ level: 'Metadata' }] }),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(path(name), text, { mode: 0o600 });

  // A handshake for each of a thousand requests would be most of the time of some suites.
  const agent = new Agent({ keepAlive: true });
  const request: ControlPlane['request'] = (method, target, body, { token = admin.token, contentType = 'application/json' } = {}) =>
    apiRequest({ url: url + target, ca: ca.pem, token, method, contentType, body, agent });
  const kubeconfigForToken = async (name: string, token: string): Promise<string> => {
    const file = path(`${name.replaceAll(/[^a-z0-9-]/gi, '_')}.kubeconfig`);
    await writeFile(file, kubeconfigText(url, ca.pem, token), { mode: 0o600 });
    return file;
  };
  const adminKubeconfig = await kubeconfigForToken('admin', admin.token);

  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const startApiServer = async (): Promise<Part> => {
    const part = await launch(folder, binaries.apiServer, apiServerArguments(folder, port, etcdUrl));
    // /readyz comes before the namespaces that every test writes to.
    await waitFor(part, async () => (await request('GET', '/readyz')).status === 200);
    await waitFor(part, async () => (await request('GET', '/api/v1/namespaces/default')).status === 200);
    return part;
  };

  const running = new Map<string, Part>();
  const endApiServer = async (): Promise<void> => {
    await running.get('kube-apiserver')?.end();
    // What is kept leads to a server that is gone.
    agent.destroy();
  };
  const stop = async (): Promise<void> => {
    // Parts that depend on others first, so that none of them logs about a lost server.
    for (const part of [...running.values()].reverse()) await part.end();
    running.clear();
    agent.destroy();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    running.set('etcd', await launch(folder, binaries.etcd, etcdArguments(folder, etcdUrl, peerPort)));
    running.set('kube-apiserver', await startApiServer());
    if (options.controllerManager === true && binaries.controllerManager !== undefined) {
      const args = controllerManagerArguments(folder, adminKubeconfig);
      running.set('kube-controller-manager', await launch(folder, binaries.controllerManager, args));
    }
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    url,
    caPem: ca.pem,
    adminToken: admin.token,
    adminKubeconfig,
    kubeconfig: async (userName) => {
      const user = users.find((candidate) => candidate.name === userName);
      if (user === undefined) throw new Error(`startControlPlane was given no user ${userName}`);
      return kubeconfigForToken(userName, user.token);
    },
    kubeconfigForToken,
    serviceAccountToken: async (namespace, name, expirationSeconds = 3600) => {
      const answer = await request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds },
      });
      if (answer.status !== 201) throw new Error(`No token for ${namespace}/${name}: ${JSON.stringify(answer.body)}`);
      return (answer.body as { status: { token: string } }).status.token;
    },
    request,
    auditLogPath: path('audit.log'),
    get logPaths() {
      return [...running.values()].map((part) => part.log);
    },
    get pids() {
      return [...running.values()].flatMap((part) => (part.process.pid === undefined || part.process.killed ? [] : [part.process.pid]));
    },
    killApiServer: endApiServer,
    restartApiServer: async () => {
      await endApiServer();
      running.set('kube-apiserver', await startApiServer());
    },
    stop,
  };
}

function kubeconfigText(server: string, caPem: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': Buffer.from(caPem).toString('base64') } }],
    users: [{ name: 'user', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user' } }],
    'current-context': 'test',
  });
}
