import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureBuilt } from '../support/build.ts';
import { createCleanup } from '../support/cleanup.ts';
import { controlPlaneBinaries } from '../support/controlplane-binaries.ts';
import { startControlPlane } from '../support/controlplane.ts';
import type { ControlPlane } from '../support/controlplane.ts';
import { startClusterOperator } from '../support/dataward-process.ts';
import { installDataward } from '../support/install-dataward.ts';
import { kubectl } from '../support/kubectl.ts';
import { startSampleStore } from '../support/sample-store.ts';
import type { SampleStore } from '../support/sample-store.ts';
import { until } from '../support/until.ts';
import { rowsOf } from './local-stage.ts';
import { approve, person, requestRun, untilSettled, untilState } from './people.ts';
import type { Person } from './people.ts';

const users = [
  { name: 'alice', token: 'alice-token', groups: ['platform'] },
  { name: 'bob', token: 'bob-token', groups: ['data-protection'] },
];
const binaries = await controlPlaneBinaries();

/** A Lease cannot fence: a leader that sleeps longer than its lease wakes up believing. The store has to refuse it. */
(binaries === undefined ? describe.skip : describe)('two operators, the leader asleep past its lease in the middle of a purge', () => {
  const cleanup = createCleanup();
  let cluster: ControlPlane;
  let store: SampleStore;
  let account: string;
  let alice: Person;
  let bob: Person;

  beforeAll(async () => {
    await ensureBuilt();
    cluster = cleanup.add(await startControlPlane({ users }), (begun) => begun.stop());
    store = cleanup.add(await startSampleStore({ now: new Date(), sessions: 2_000, slowBatchMillis: 150, hold: false }), (begun) => begun.stop());
    await installDataward(cluster);
    account = await cluster.kubeconfigForToken('operator', await cluster.serviceAccountToken('dataward-system', 'dataward'));
    const somebody = (name: string, kubeconfig: string): Person => cleanup.add(person(name, kubeconfig), (who) => who.client.close());
    [alice, bob] = [somebody('alice', await cluster.kubeconfig('alice')), somebody('bob', await cluster.kubeconfig('bob'))];
    expect(await kubectl(alice.kubeconfig, ['apply', '--server-side', '-f', store.manifests])).toMatchObject({ code: 0 });
  }, 180_000);
  afterAll(() => cleanup.run());

  test('the other one goes on, and the old claim deletes nothing when it wakes up', async () => {
    const first = cleanup.add(await startClusterOperator(account), (begun) => begun.close());
    cleanup.add(await startClusterOperator(account, { standby: true }), (begun) => begun.close());
    await untilSettled(alice, { hold: false });
    const run = await requestRun(alice);
    const due = await store.due();
    const before = await store.counts();
    await approve(bob, run);
    const rows = await rowsOf(store);
    await until('rows begin to go', async () => (await rowsOf(store)) < rows);

    await first.signal('SIGSTOP');
    const [asleep] = await store.query<{ epoch: number }>('SELECT max(epoch)::int AS epoch FROM dataward.claim');
    await until('the other one has claimed the run', async () => Number((await store.query<{ epoch: number }>('SELECT max(epoch)::int AS epoch FROM dataward.claim'))[0]?.epoch) > Number(asleep?.epoch), { timeoutMs: 90_000 });
    const oldRows = `SELECT count(*)::int AS n, coalesce(sum(deleted), 0)::int AS deleted FROM dataward.journal WHERE epoch <= ${asleep?.epoch}`;
    const atTakeover = await store.query(oldRows);
    await first.signal('SIGCONT');
    await delay(2_000);
    const ended = await untilState(alice, run, ['Succeeded', 'Failed', 'Superseded', 'Expired'], 90_000);

    expect(ended.status).toMatchObject({ state: 'Succeeded' });
    expect(await store.query(oldRows)).toEqual(atTakeover);
    const after = await store.counts();
    for (const [table, count] of Object.entries(due)) expect(after[table]).toBe((before[table] ?? 0) - count);
    const [journal] = await store.query<{ deleted: number }>('SELECT sum(deleted)::int AS deleted FROM dataward.journal');
    expect(journal?.deleted).toBe(Object.values(due).reduce((sum, count) => sum + count, 0));
  }, 240_000);
});
