import { KubeConfig } from '@kubernetes/client-node';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import type { LegalHold } from '../../src/api/generated/legalHold.ts';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../src/api/generated/retentionPolicy.ts';
import { DATA_STORE, LEGAL_HOLD, PURGE_RUN, RETENTION_POLICY } from '../../src/api/kinds.ts';
import type { ObjectRef } from '../../src/api/object.ts';
import { createClient } from '../../src/runtime/client.ts';
import type { Client } from '../../src/runtime/client.ts';
import { runCli } from '../support/cli.ts';
import { HOLD, POLICY, STORE } from '../support/sample-manifests.ts';
import type { ApiAccess } from '../support/scan.ts';
import { until } from '../support/until.ts';

/** Somebody with a name and a kubeconfig. */
export interface Person {
  readonly name: string;
  readonly kubeconfig: string;
  readonly client: Client;
}

export const FINAL_STATES = ['Succeeded', 'Failed', 'Superseded', 'Expired'];

export function person(name: string, kubeconfig: string): Person {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  return { name, kubeconfig, client: createClient(config, { userAgent: `test-${name}`, qps: 0 }) };
}

/** For requests without a client of ours in between. */
export function accessOf(kubeconfig: string): ApiAccess {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const cluster = config.getCurrentCluster();
  const token = config.getCurrentUser()?.token;
  if (!cluster?.caData || token === undefined) throw new Error(`${kubeconfig}: the tests expect an authority and a token in it`);
  return { url: cluster.server, caPem: Buffer.from(cluster.caData, 'base64').toString('utf8'), token };
}

export const refOf = (run: PurgeRun): Required<ObjectRef> => ({ namespace: run.metadata.namespace ?? '', name: run.metadata.name });

/** The store was looked at with what is declared about it, and the hold, where there is one, stands in it. */
export async function untilSettled({ client }: Person, options: { hold: boolean }): Promise<DataStore> {
  const store = await until('the store is observed', async () => {
    const seen = await client.get<DataStore>(DATA_STORE, STORE);
    return seen?.status?.retention !== undefined && seen.status.coverage?.mapped === 3 ? seen : undefined;
  });
  if (options.hold) await untilHeld(client, HOLD);
  return store;
}

/** A hold stands in every store it reaches. */
export async function untilHeld(client: Client, ref: ObjectRef): Promise<LegalHold> {
  return until(`LegalHold ${ref.name} is in force`, async () => {
    const hold = await client.get<LegalHold>(LEGAL_HOLD, ref);
    return hold?.status?.state === 'Active' ? hold : undefined;
  });
}

/** Asks for a run now and waits until it is written down and waits for an approval. A plan that met a lock is tried again after a minute. */
export async function requestRun({ client }: Person): Promise<PurgeRun> {
  await client.mergePatch<RetentionPolicy>(RETENTION_POLICY, POLICY, { metadata: { annotations: { 'dataward.io/requested-at': new Date().toISOString() } } });
  return until('a run waits for an approval', async () => (await client.list<PurgeRun>(PURGE_RUN, { namespace: STORE.namespace })).find((run) => run.status?.state === 'AwaitingApproval'), { timeoutMs: 100_000 });
}

/** Approves with the command of that name, in this process: starting another would take longer than many a run. */
export async function approve(by: Person, run: PurgeRun): Promise<void> {
  const result = await runCli(['approve', `purgerun/${run.metadata.name}`, '-n', STORE.namespace, '--kubeconfig', by.kubeconfig]);
  if (result.code !== 0) throw new Error(`the approval failed: ${result.stderr}`);
}

/** The run in one of the states, or another that ends it. */
export async function untilState({ client }: Person, run: PurgeRun, states: readonly string[], timeoutMs = 60_000): Promise<PurgeRun> {
  let seen: PurgeRun | undefined;
  return until(
    `PurgeRun ${run.metadata.name} is ${states.join(' or ')}`,
    async () => {
      seen = await client.get<PurgeRun>(PURGE_RUN, refOf(run));
      return states.includes(seen?.status?.state ?? '') ? seen : undefined;
    },
    { timeoutMs, or: () => seen?.status },
  );
}

/** The run when it has ended, however it did. */
export function untilEnded(person: Person, run: PurgeRun, timeoutMs?: number): Promise<PurgeRun> {
  return untilState(person, run, FINAL_STATES, timeoutMs);
}
