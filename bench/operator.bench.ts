/**
 * Memory of the whole operator, with its API server in the same process (`dataward local`): at rest, and during a
 * purge of the demo's store.
 *
 *     npx tsx bench/operator.bench.ts [seconds at rest]
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import type { DataStore } from '../src/api/generated/dataStore.ts';
import type { PurgeRun } from '../src/api/generated/purgeRun.ts';
import { DATA_STORE, PURGE_RUN, RETENTION_POLICY } from '../src/api/kinds.ts';
import { createClient } from '../src/runtime/client.ts';
import { dataward, startLocal, until } from '../scripts/demo/operator.ts';
import { startDemoStore } from '../test/support/demo-store.ts';
import { quantile, report } from './support/report.ts';

const REST_SECONDS = Number(process.argv[2] ?? 20);
const SAMPLE_MS = 50;
const STORE = { namespace: 'platform-db', name: 'analytics' };
const POLICY = { namespace: 'platform-db', name: 'behaviour-25-months' };

/** Resident megabytes of a process, sampled until `stop`. */
function watchMemory(pid: number): { stop(): Promise<number[]> } {
  const stopping = new AbortController();
  const samples: number[] = [];
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      const kilobytes = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
      samples.push(Number(kilobytes) / 1024);
      await delay(SAMPLE_MS);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await watching;
      return samples;
    },
  };
}

const cleanups: (() => Promise<void>)[] = [];
try {
  const store = await startDemoStore(new Date());
  cleanups.push(() => store.stop());
  const operator = await startLocal(store.manifests, ['alice', 'bob']);
  cleanups.push(() => operator.stop());
  const config = new KubeConfig();
  config.loadFromFile(operator.kubeconfig('alice'));
  const alice = createClient(config, { userAgent: 'dataward-bench', qps: 0 });
  cleanups.push(async () => alice.close());
  const pid = operator.process.pid;
  if (pid === undefined) throw new Error('the operator has no process');

  await until('the store was observed', 60_000, async () => (await alice.get<DataStore>(DATA_STORE, STORE))?.status?.retention !== undefined);
  await delay(2_000);
  const resting = watchMemory(pid);
  await delay(REST_SECONDS * 1_000);
  const rest = await resting.stop();

  const working = watchMemory(pid);
  await alice.mergePatch(RETENTION_POLICY, POLICY, { metadata: { annotations: { 'dataward.io/requested-at': new Date().toISOString() } } });
  let run: PurgeRun | undefined;
  await until('a run waits for approval', 60_000, async () => {
    run = (await alice.list<PurgeRun>(PURGE_RUN, { namespace: POLICY.namespace })).find((candidate) => candidate.status?.state === 'AwaitingApproval');
    return run !== undefined;
  });
  const name = run?.metadata.name ?? '';
  const approved = await dataward(['approve', `purgerun/${name}`, '-n', POLICY.namespace, '--kubeconfig', operator.kubeconfig('bob')]);
  if (approved.code !== 0) throw new Error(approved.stderr);
  await until('the run has ended', 120_000, async () => {
    run = await alice.get<PurgeRun>(PURGE_RUN, { namespace: POLICY.namespace, name });
    return ['Succeeded', 'Failed', 'Superseded', 'Expired'].includes(run?.status?.state ?? '');
  });
  const work = await working.stop();
  if (run?.status?.state !== 'Succeeded') throw new Error(`the run ended as ${run?.status?.state}: ${run?.status?.why}`);

  await report('operator', [
    { measure: 'resident memory at rest, median', unit: 'MB', samples: [quantile(rest, 0.5)], goal: { most: 180 } },
    { measure: 'resident memory at rest, most', unit: 'MB', samples: [Math.max(...rest)] },
    { measure: 'resident memory from plan to certificate, most', unit: 'MB', samples: [Math.max(...work)], goal: { most: 260 } },
  ], { restSeconds: REST_SECONDS, deleted: run.status.progress?.deleted });
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup();
}
