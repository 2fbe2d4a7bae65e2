import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { KubeObject } from '../../src/api/object.ts';
import type { KindRef } from '../../src/api/object.ts';
import { controlPlaneBinaries } from '../support/controlplane-binaries.ts';
import { startPodOperator } from '../support/dataward-process.ts';
import type { PodOperator } from '../support/dataward-process.ts';
import { hang } from '../support/hung.ts';
import { allFiles, allObjects, leaks } from '../support/scan.ts';
import { until } from '../support/until.ts';
import { clusterStage } from './cluster-stage.ts';
import type { ClusterStage } from './cluster-stage.ts';
import { midway } from './local-stage.ts';
import { accessOf, untilEnded, untilSettled } from './people.ts';
import { quiet } from './quiet.ts';

const LEASE: KindRef = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true };
/** Kubernetes kills a pod after this long. */
const POD_GRACE_MS = 30_000;
const binaries = await controlPlaneBinaries();

async function probe(operator: PodOperator, which: 'healthz' | 'readyz'): Promise<{ status: number; body: string }> {
  const answer = await fetch(`http://${operator.listen}/${which}?verbose`);
  return { status: answer.status, body: await answer.text() };
}

/** Sends SIGTERM; how it ended and after how many milliseconds. */
async function terminate(operator: PodOperator): Promise<{ code: number | null | undefined; millis: number }> {
  const begun = Date.now();
  await operator.signal('SIGTERM');
  return { code: operator.code(), millis: Date.now() - begun };
}

const crashes = (operator: PodOperator): string[] => operator.log().split('\n').filter((line) => /unhandled|UnhandledPromise|uncaught|^\s+at |Node\.js v/i.test(line));

/** Nothing refuses, nothing closes: connections stay open and nobody answers. */
(binaries === undefined ? describe.skip : describe)('when what the operator works with hangs', () => {
  let stage: ClusterStage;
  let account: string;
  let evidence: string;
  const operators: PodOperator[] = [];

  const start = async (options: Parameters<typeof startPodOperator>[2] = {}): Promise<PodOperator> => {
    const operator = stage.cleanup.add(await startPodOperator(new URL(stage.cluster.url), account, { evidence, ...options }), (begun) => begun.close());
    operators.push(operator);
    return operator;
  };
  const hangApiServer = (): Promise<() => void> => hang(stage.cluster.pids[1] as number);

  beforeAll(async () => {
    stage = await clusterStage({ sessions: 2_000, slowBatchMillis: 100, hold: false });
    const folder = async (name: string): Promise<string> => stage.cleanup.add(await mkdtemp(path.join(tmpdir(), `dataward-${name}-`)), (made) => rm(made, { recursive: true }));
    [account, evidence] = [await folder('account'), await folder('evidence')];
    await writeFile(path.join(account, 'token'), stage.token);
    await writeFile(path.join(account, 'ca.crt'), stage.cluster.caPem);
  }, 180_000);
  afterAll(() => stage?.cleanup.run());

  test('a store that hangs in mid-purge leaves the operator alive and ready; it ends in time, and the next one goes on exactly', async () => {
    const { store, alice } = stage;
    const operator = await start();
    await untilSettled(alice, { hold: false });
    const due = await store.due();
    const before = await store.counts();
    const run = await midway(stage);
    const goOn = stage.cleanup.add(await hang(store.postgres.pid as number), (wake) => wake());
    expect([(await probe(operator, 'healthz')).status, (await probe(operator, 'readyz')).body]).toEqual([200, '[+]stopping ok\n[+]work ok\n[+]audit ok\n[+]apiserver ok\nok\n']);
    const end = await terminate(operator);
    expect(end.code).toBe(0);
    expect(end.millis).toBeLessThan(POD_GRACE_MS);
    expect(crashes(operator)).toEqual([]);
    const lease = await alice.client.get<KubeObject & { spec: { holderIdentity?: string } }>(LEASE, { namespace: 'dataward-system', name: 'dataward-leader' }).catch(() => undefined);
    expect(lease?.spec.holderIdentity ?? '').toBe('');
    goOn();
    expect((await store.due()).sessions).toBeGreaterThan(0);
    await store.hurry();
    const next = await start();
    const ended = await untilEnded(alice, run, 90_000);
    expect(ended.status).toMatchObject({ state: 'Succeeded' });
    const after = await store.counts();
    for (const [table, count] of Object.entries(due)) expect(after[table]).toBe((before[table] ?? 0) - count);
    await terminate(next);
  }, 180_000);

  test('an API server that hangs makes it unready, in words; it stays alive, and ends in time: when asked, or by itself when its lease runs out', async () => {
    const [alone, leader] = [await start({ leaderElection: false }), await start({ evidence: await mkdtemp(path.join(evidence, 'leader-')) })];
    const both = [alone, leader];
    for (const operator of both) await until('it is ready', async () => (await probe(operator, 'readyz')).status === 200);
    const goOn = stage.cleanup.add(await hangApiServer(), (wake) => wake());
    for (const operator of both) {
      // An answer of a moment ago still counts for the probe.
      const ready = await until('it is unready', async () => [await probe(operator, 'readyz')].find(({ status }) => status === 503));
      expect(ready.body).toContain('[-]apiserver the API server does not answer; nothing is planned or deleted until it does');
      expect((await probe(operator, 'healthz')).status).toBe(200);
    }
    const end = await terminate(alone);
    expect(end.code).toBe(0);
    expect(end.millis).toBeLessThan(POD_GRACE_MS);
    await until('the leader ended', async () => leader.code() !== undefined, { timeoutMs: 60_000 });
    goOn();
    expect(leader.code()).toBe(3);
    expect(leader.log()).toContain('lost the lease');
    expect(both.flatMap(crashes)).toEqual([]);
  }, 120_000);

  test('an API server that hangs at the start is said to be what is waited for, and the end does not wait for it', async () => {
    const goOn = stage.cleanup.add(await hangApiServer(), (wake) => wake());
    const operator = await start({ leaderElection: false, works: false });
    const ready = await until('the probes answer', () => probe(operator, 'readyz').catch(() => undefined));
    expect(ready.status).toBe(503);
    expect(ready.body).toContain('[-]work the API server is being asked who this is');
    const end = await terminate(operator);
    goOn();
    expect(end.millis).toBeLessThan(POD_GRACE_MS);
    expect(crashes(operator)).toEqual([]);
  }, 60_000);

  test('whatever hung, nobody was told anything personal', async () => {
    const logs = operators.map((operator, index) => ({ where: `log ${index}`, text: operator.log() }));
    const objects = await until('the API server answers', () => allObjects(accessOf(stage.cluster.adminKubeconfig)).catch(() => undefined));
    const readables = [...logs, ...objects, ...(await allFiles(evidence)), { where: 'file audit.log', text: await readFile(stage.cluster.auditLogPath, 'utf8') }];
    expect(leaks(readables, ['lost the lease']).map((leak) => leak.split(':')[0])).toContain('log 3');
    expect(leaks(readables, ['purge.intent']).map((leak) => leak.split(':')[0])).toContain('file audit/audit-0000000000000001.jsonl');
    await quiet(readables, stage.store);
  }, 60_000);
});
