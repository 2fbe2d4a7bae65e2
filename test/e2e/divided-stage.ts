import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadApi } from '../../src/api/validation/load.ts';
import { startLocalServer } from '../../src/local/server.ts';
import { operatorUser, personUser } from '../../src/local/users.ts';
import { ensureBuilt } from '../support/build.ts';
import { createCleanup } from '../support/cleanup.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { startClusterOperator } from '../support/dataward-process.ts';
import type { OperatorProcess } from '../support/dataward-process.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import type { FaultProxy } from '../support/fault-proxy.ts';
import { kubectl } from '../support/kubectl.ts';
import { startSampleStore } from '../support/sample-store.ts';
import type { SampleOptions, SampleStore } from '../support/sample-store.ts';
import { person } from './people.ts';
import type { Person } from './people.ts';

const CRDS = fileURLToPath(new URL('../../crds', import.meta.url));
const TOKENS = { operator: 'operator-token', alice: 'alice-token', bob: 'bob-token' };

/**
 * The API server apart from the operator, which reaches it through a proxy only: what the operator may read, when it
 * starts and what its clock says can be changed while people and declarations stay.
 */
export interface DividedStage {
  readonly store: SampleStore;
  readonly proxy: FaultProxy;
  readonly alice: Person;
  readonly bob: Person;
  /** A kubeconfig of alice that leads through the proxy: she meets what the operator meets. */
  readonly throughProxy: string;
  /** Folder of the evidence, the same for every start. */
  readonly evidence: string;
  readonly cleanup: Cleanup;
  /** Starts the operator; the one before has to be ended. */
  start(options?: { frozen?: boolean; nodeFlags?: readonly string[] }): Promise<OperatorProcess>;
}

/** Everything is declared, and no operator runs yet. */
export async function dividedStage(options: Omit<SampleOptions, 'now'>): Promise<DividedStage> {
  await ensureBuilt();
  const cleanup = createCleanup();
  try {
    const folder = cleanup.add(await mkdtemp(path.join(tmpdir(), 'dataward-divided-')), (made) => rm(made, { recursive: true, force: true }));
    const store = cleanup.add(await startSampleStore({ now: new Date(), ...options }), (begun) => begun.stop());
    const users = [operatorUser(TOKENS.operator), personUser(TOKENS.alice, 'alice'), personUser(TOKENS.bob, 'bob')];
    const server = cleanup.add(await startLocalServer({ ...loadApi(CRDS), listen: { host: '127.0.0.1', port: 0 }, users, clock: Date }), (begun) => begun.close());
    const proxy = cleanup.add(await startFaultProxy(server), (begun) => begun.close());
    const kubeconfig = async (name: string, token: string, way: { url: string; caPem: string }): Promise<string> => {
      const file = path.join(folder, `${name}.kubeconfig`);
      await writeFile(file, kubeconfigOf(token, way), { mode: 0o600 });
      return file;
    };
    const [alice, bob] = [person('alice', await kubeconfig('alice', TOKENS.alice, server)), person('bob', await kubeconfig('bob', TOKENS.bob, server))].map((who) => cleanup.add(who, (begun) => begun.client.close())) as [Person, Person];
    const account = await kubeconfig('operator', TOKENS.operator, proxy);
    const applied = await kubectl(alice.kubeconfig, ['apply', '-f', store.manifests]);
    if (applied.code !== 0) throw new Error(`the declarations are refused: ${applied.stderr}`);
    const evidence = path.join(folder, 'evidence');
    return {
      store, proxy, alice, bob, evidence, cleanup,
      throughProxy: await kubeconfig('alice-through-proxy', TOKENS.alice, proxy),
      start: async (how = {}) => cleanup.add(await startClusterOperator(account, { evidence, leaderElection: false, ...how }), (begun) => begun.close()),
    };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

function kubeconfigOf(token: string, { url, caPem }: { url: string; caPem: string }): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': Buffer.from(caPem).toString('base64') } }],
    users: [{ name: 'user', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user' } }],
    'current-context': 'test',
  });
}
