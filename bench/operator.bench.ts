/**
 * Resident memory of the operator: as in a pod, against a real control plane, at rest, through a purge of the demo's
 * store, and with many DataStores declared; and of `dataward local`, which has an API server in its own process.
 *
 *     npx tsx bench/operator.bench.ts [seconds at rest] [stores]
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import type { DataStore } from '../src/api/generated/dataStore.ts';
import type { PurgeRun } from '../src/api/generated/purgeRun.ts';
import { DATA_STORE, PURGE_RUN, RETENTION_POLICY } from '../src/api/kinds.ts';
import { createClient } from '../src/runtime/client.ts';
import type { Client } from '../src/runtime/client.ts';
import { dataward, startLocal, until } from '../scripts/demo/operator.ts';
import { controlPlaneBinaries } from '../test/support/controlplane-binaries.ts';
import { startControlPlane } from '../test/support/controlplane.ts';
import type { ControlPlane } from '../test/support/controlplane.ts';
import { startPodOperator } from '../test/support/dataward-process.ts';
import { startDemoStore } from '../test/support/demo-store.ts';
import { installDataward } from '../test/support/install-dataward.ts';
import { kubectl } from '../test/support/kubectl.ts';
import { residentMegabytes, watchMemory } from './support/memory.ts';
import { createStores } from './support/many-stores.ts';
import { quantile, report } from './support/report.ts';
import type { Measurement } from './support/report.ts';

const REST_SECONDS = Number(process.argv[2] ?? 20);
const STORES = Number(process.argv[3] ?? 10_000);
const STORE = { namespace: 'platform-db', name: 'analytics' };
const POLICY = { namespace: 'platform-db', name: 'behaviour-25-months' };
/** Those of the demo's manifests; `dataward local` makes them by itself. */
const NAMESPACES = ['platform-db', 'shop'];
const USERS = [
  { name: 'alice', token: 'alice-token', groups: ['platform'] },
  { name: 'bob', token: 'bob-token', groups: ['data-protection'] },
];

type Cleanups = (() => Promise<void>)[];

/** Runs `use`, then whatever it wanted to be done afterwards, last first. */
async function withCleanups<T>(use: (cleanups: Cleanups) => Promise<T>): Promise<T> {
  const cleanups: Cleanups = [];
  try {
    return await use(cleanups);
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

function clientOf(kubeconfig: string, cleanups: Cleanups): Client {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const client = createClient(config, { userAgent: 'dataward-bench', qps: 0 });
  cleanups.push(async () => client.close());
  return client;
}

async function atRest(pid: number, alice: Client): Promise<number[]> {
  await until('the store was observed', 60_000, async () => (await alice.get<DataStore>(DATA_STORE, STORE))?.status?.retention !== undefined);
  await delay(2_000);
  const watching = watchMemory(pid);
  await delay(REST_SECONDS * 1_000);
  return watching.stop();
}

/** Memory from the wish for a plan until the certificate. */
async function throughPurge(pid: number, alice: Client, approver: string): Promise<number[]> {
  const watching = watchMemory(pid);
  const runs = (): Promise<PurgeRun[]> => alice.list<PurgeRun>(PURGE_RUN, { namespace: POLICY.namespace });
  await alice.mergePatch(RETENTION_POLICY, POLICY, { metadata: { annotations: { 'dataward.io/requested-at': new Date().toISOString() } } });
  await until('runs wait for approval', 60_000, async () => (await runs()).some((run) => run.status?.state === 'AwaitingApproval'));
  const ends = ['Succeeded', 'Failed', 'Superseded', 'Expired'];
  const approved = new Set<string>();
  await until('the runs have ended', 180_000, async () => {
    const now = await runs();
    for (const { metadata, status } of now) {
      if (status?.state !== 'AwaitingApproval' || approved.has(metadata.name)) continue;
      const result = await dataward(['approve', `purgerun/${metadata.name}`, '-n', POLICY.namespace, '--kubeconfig', approver]);
      if (result.code !== 0) throw new Error(result.stderr);
      approved.add(metadata.name);
    }
    return now.every((run) => ends.includes(run.status?.state ?? ''));
  });
  const samples = await watching.stop();
  for (const { metadata, status } of await runs()) if (status?.state !== 'Succeeded') throw new Error(`${metadata.name} ended as ${status?.state}: ${status?.why}`);
  return samples;
}

/** The folder Kubernetes would mount into the operator's pod. */
async function serviceAccountOf(cluster: ControlPlane, cleanups: Cleanups): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'dataward-account-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  await writeFile(path.join(folder, 'token'), await cluster.serviceAccountToken('dataward-system', 'dataward', 36_000), { mode: 0o600 });
  await writeFile(path.join(folder, 'ca.crt'), cluster.caPem);
  return folder;
}

/** Reconciliations of DataStores so far, by the operator's own metrics. */
function turns(metrics: string): number {
  const counts = [...metrics.matchAll(/controller_runtime_reconcile_total\{controller="datastore",result="\w+"\} (\d+)/g)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

function inPod(): Promise<Measurement[]> {
  return withCleanups(async (cleanups) => {
    const cluster = await startControlPlane({ users: USERS });
    cleanups.push(() => cluster.stop());
    await installDataward(cluster);
    const store = await startDemoStore(new Date());
    cleanups.push(() => store.stop());
    const operator = await startPodOperator(new URL(cluster.url), await serviceAccountOf(cluster, cleanups));
    cleanups.push(() => operator.close());
    const [alice, bob] = [await cluster.kubeconfig('alice'), await cluster.kubeconfig('bob')];
    for (const name of NAMESPACES) await cluster.request('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    const applied = await kubectl(alice, ['apply', '--server-side', '-f', store.manifests]);
    if (applied.code !== 0) throw new Error(applied.stderr);
    const client = clientOf(alice, cleanups);
    const rest = await atRest(operator.pid, client);
    const work = await throughPurge(operator.pid, client, bob);

    await createStores(clientOf(cluster.adminKubeconfig, cleanups), STORES);
    const watching = watchMemory(operator.pid);
    await until('each store had its turn', 1_800_000, async () => turns(await operator.metrics()) >= STORES, 1_000);
    const filling = await watching.stop();
    await delay(REST_SECONDS * 1_000);
    return [
      { measure: 'operator in a pod, at rest, median', unit: 'MB', samples: [quantile(rest, 0.5)], goal: { most: 180 } },
      { measure: 'operator in a pod, at rest, most', unit: 'MB', samples: [Math.max(...rest)] },
      { measure: 'operator in a pod, from plan to certificate, most', unit: 'MB', samples: [Math.max(...work)], goal: { most: 260 } },
      { measure: `operator in a pod, while ${STORES} DataStores are added, most`, unit: 'MB', samples: [Math.max(...filling)] },
      { measure: `operator in a pod, ${STORES} DataStores, at rest`, unit: 'MB', samples: [await residentMegabytes(operator.pid)] },
    ];
  });
}

function local(): Promise<Measurement[]> {
  return withCleanups(async (cleanups) => {
    const store = await startDemoStore(new Date());
    cleanups.push(() => store.stop());
    const operator = await startLocal(store.manifests, ['alice', 'bob']);
    cleanups.push(() => operator.stop());
    const client = clientOf(operator.kubeconfig('alice'), cleanups);
    const pid = operator.process.pid as number;
    const rest = await atRest(pid, client);
    const work = await throughPurge(pid, client, operator.kubeconfig('bob'));
    return [
      { measure: 'dataward local, at rest, median', unit: 'MB', samples: [quantile(rest, 0.5)] },
      { measure: 'dataward local, from plan to certificate, most', unit: 'MB', samples: [Math.max(...work)] },
    ];
  });
}

const cluster = (await controlPlaneBinaries()) === undefined ? [] : await inPod();
await report('operator', [...cluster, ...(await local())], { restSeconds: REST_SECONDS, stores: STORES });
