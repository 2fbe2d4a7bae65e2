/**
 * A process of its own that follows the DataStores of an API server, as the operator does or as the informer of
 * @kubernetes/client-node does, and tells what that cost. In a process of its own, because code that ran before
 * would be warm and its garbage would count.
 *
 * Arguments: `dataward` or `informer`, path of a kubeconfig, number of objects to expect. Talks by messages: sends
 * `Listed` once all are there, and `Lags` for each `{ ask: 'lags' }`.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig, makeInformer } from '@kubernetes/client-node';
import type { KubernetesListObject, KubernetesObject } from '@kubernetes/client-node';
import { Agent, request } from 'node:https';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import { DATA_STORE } from '../../src/api/kinds.ts';
import type { KubeObject } from '../../src/api/object.ts';
import { createCache } from '../../src/runtime/cache.ts';
import { createClient } from '../../src/runtime/client.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createController, itself, source } from '../../src/runtime/controller.ts';
import { done } from '../../src/runtime/result.ts';
import { createWriteBarrier } from '../../src/runtime/write-barrier.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { SENT } from './follower-messages.ts';
import type { Lags, Listed } from './follower-messages.ts';

const [who, kubeconfig = '', expected = ''] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromFile(kubeconfig);
const lags: number[] = [];
const turns = new Set<string>();

/** The work of both on one object: notes how old the change is. */
function began(object: KubernetesObject | KubeObject | undefined): void {
  const sent = object?.metadata?.annotations?.[SENT];
  if (sent !== undefined) lags.push(Number(process.hrtime.bigint() - BigInt(sent)) / 1e6);
  turns.add(object?.metadata?.name ?? '');
}

async function followByController(): Promise<void> {
  const client = createClient(config, { userAgent: 'dataward-bench', qps: 0 });
  const metrics = createMetrics({ version: '0', commit: 'bench', processMetrics: false }).runtime;
  const cache = createCache<DataStore>(client, DATA_STORE, { metrics });
  const controller = createController({
    name: 'bench',
    sources: [source(cache, itself)],
    barrier: createWriteBarrier(cache),
    logger: silentLogger,
    clock: systemClock,
    metrics,
    concurrency: 4,
    reconcile: async (ref) => {
      began(cache.get(ref));
      return done();
    },
  });
  void cache.start(new AbortController().signal);
  await controller.start(new AbortController().signal);
}

async function followByInformer(): Promise<void> {
  const agent = new Agent({ keepAlive: true, ca: Buffer.from(config.getCurrentCluster()?.caData ?? '', 'base64') });
  const path = '/apis/dataward.io/v1alpha1/datastores';
  const list = (): Promise<KubernetesListObject<KubernetesObject>> =>
    new Promise((resolve, reject) => {
      const url = `${config.getCurrentCluster()?.server}${path}`;
      request(url, { agent, headers: { authorization: `Bearer ${config.getCurrentUser()?.token}` } }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve(JSON.parse(text) as KubernetesListObject<KubernetesObject>)).on('error', reject);
      }).on('error', reject).end();
    });
  const informer = makeInformer(config, path, list);
  informer.on('add', began);
  informer.on('update', began);
  await informer.start();
}

const memory = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

await delay(500); // what loading the modules left to do is not counted
const before = memory();
const stalls = monitorEventLoopDelay({ resolution: 1 });
stalls.enable();
const started = performance.now();
await (who === 'informer' ? followByInformer() : followByController());
while (turns.size < Number(expected)) await delay(5);
const millis = performance.now() - started;
await delay(50); // a stall under way now is noted at its end
stalls.disable();
process.send?.({ millis, stallMillis: stalls.max / 1e6, megabytes: memory() - before } satisfies Listed);
process.on('message', () => process.send?.({ lags: lags.splice(0) } satisfies Lags));
process.on('disconnect', () => process.exit());
