/**
 * The runtime against a real API server: how long from the change of an object until its reconciliation begins, and
 * what the first list of many objects costs; beside it the informer of @kubernetes/client-node.
 *
 *     npx tsx bench/runtime.bench.ts [objects] [changes] [rounds]
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { DATA_STORE } from '../src/api/kinds.ts';
import { createClient } from '../src/runtime/client.ts';
import type { Client } from '../src/runtime/client.ts';
import { controlPlaneBinaries } from '../test/support/controlplane-binaries.ts';
import { startControlPlane } from '../test/support/controlplane.ts';
import { installCrds } from '../test/support/install-crds.ts';
import { SENT } from './support/follower-messages.ts';
import type { Lags, Listed } from './support/follower-messages.ts';
import { createStores, NAMESPACE, nameOf } from './support/many-stores.ts';
import { quantile, report } from './support/report.ts';

const OBJECTS = Number(process.argv[2] ?? 10_000);
const CHANGES = Number(process.argv[3] ?? 500);
const ROUNDS = Number(process.argv[4] ?? 3);
/** Between two changes: they are to find a quiet process, not a queue. */
const PAUSE_MS = 20;

interface Follower {
  readonly process: ChildProcess;
  readonly listed: Listed;
}

async function follow(who: 'dataward' | 'informer', kubeconfig: string): Promise<Follower> {
  const child = fork(fileURLToPath(new URL('support/follower.ts', import.meta.url)), [who, kubeconfig, String(OBJECTS)], { execArgv: [...process.execArgv, '--expose-gc'] });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the follower ended with ${code}`);
  });
  const [listed] = (await Promise.race([once(child, 'message'), ended])) as [Listed];
  ended.catch(() => undefined);
  return { process: child, listed };
}

/** Milliseconds of each write as its writer sees it; the lags are with the followers. */
async function change(client: Client): Promise<number[]> {
  const writes: number[] = [];
  for (let index = 0; index < CHANGES; index += 1) {
    const started = performance.now();
    await client.mergePatch(DATA_STORE, { namespace: NAMESPACE, name: nameOf((index * 7919) % OBJECTS) }, { metadata: { annotations: { [SENT]: String(process.hrtime.bigint()) } } });
    writes.push(performance.now() - started);
    await delay(PAUSE_MS);
  }
  await delay(500);
  return writes;
}

async function lagsOf({ process: child }: Follower): Promise<readonly number[]> {
  child.send({ ask: 'lags' });
  const [{ lags }] = (await once(child, 'message')) as [Lags];
  return lags;
}

if ((await controlPlaneBinaries()) === undefined) process.exit();
const plane = await startControlPlane();
const config = new KubeConfig();
config.loadFromFile(plane.adminKubeconfig);
const client = createClient(config, { userAgent: 'dataward-bench-writer', qps: 0 });
try {
  await installCrds(plane, fileURLToPath(new URL('../crds/', import.meta.url)));
  const started = performance.now();
  await createStores(client, OBJECTS);
  console.log(`${OBJECTS} objects made in ${((performance.now() - started) / 1000).toFixed(1)} s`);

  const listed: Record<'dataward' | 'informer', Listed[]> = { dataward: [], informer: [] };
  const quantiles: Record<'dataward' | 'informer' | 'write', { p50: number[]; p99: number[] }> = { dataward: { p50: [], p99: [] }, informer: { p50: [], p99: [] }, write: { p50: [], p99: [] } };
  const note = (who: keyof typeof quantiles, lags: readonly number[]): void => {
    if (lags.length < CHANGES) throw new Error(`${who} saw ${lags.length} of ${CHANGES} changes`);
    quantiles[who].p50.push(quantile(lags, 0.5));
    quantiles[who].p99.push(quantile(lags, 0.99));
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    // One after the other: two processes that follow would take the processors from each other.
    for (const who of ['dataward', 'informer'] as const) {
      const follower = await follow(who, plane.adminKubeconfig);
      listed[who].push(follower.listed);
      await lagsOf(follower);
      const writes = await change(client);
      note(who, await lagsOf(follower));
      if (who === 'dataward') note('write', writes);
      follower.process.disconnect();
      await once(follower.process, 'exit');
    }
  }
  const of = (who: 'dataward' | 'informer', what: keyof Listed): number[] => listed[who].map((each) => each[what]);
  await report('runtime', [
    { measure: 'change sent -> reconcile starts, p99', unit: 'ms', samples: quantiles.dataward.p99, goal: { most: 20 } },
    { measure: 'the same beside client-node, p99', unit: 'ms', samples: quantiles.dataward.p99, beside: { what: 'informer', samples: quantiles.informer.p99 } },
    { measure: 'change sent -> reconcile starts, p50', unit: 'ms', samples: quantiles.dataward.p50, beside: { what: 'write alone', samples: quantiles.write.p50 } },
    { measure: `longest stall, list of ${OBJECTS} stores`, unit: 'ms', samples: of('dataward', 'stallMillis'), goal: { most: 50 } },
    { measure: 'the same beside client-node', unit: 'ms', samples: of('dataward', 'stallMillis'), beside: { what: 'informer', samples: of('informer', 'stallMillis') } },
    { measure: 'until each had its turn', unit: 'ms', samples: of('dataward', 'millis'), beside: { what: 'informer', samples: of('informer', 'millis') } },
    { measure: 'heap kept by the list', unit: 'MB', samples: of('dataward', 'megabytes'), beside: { what: 'informer', samples: of('informer', 'megabytes') } },
  ], { objects: OBJECTS, changes: CHANGES, rounds: ROUNDS });
} finally {
  client.close();
  await plane.stop();
}
