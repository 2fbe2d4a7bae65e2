import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { controlPlaneBinaries } from '../support/controlplane-binaries.ts';
import { startClusterOperator } from '../support/dataward-process.ts';
import { sum } from '../support/sample-store.ts';
import { until } from '../support/until.ts';
import { clusterStage } from './cluster-stage.ts';
import type { ClusterStage } from './cluster-stage.ts';
import { midway } from './local-stage.ts';
import { untilEnded, untilSettled } from './people.ts';

const binaries = await controlPlaneBinaries();

/** A Lease cannot fence: a leader that sleeps longer than its lease wakes up believing. The store has to refuse it. */
(binaries === undefined ? describe.skip : describe)('two operators, the leader asleep past its lease in the middle of a purge', () => {
  let stage: ClusterStage | undefined;
  beforeAll(async () => {
    stage = await clusterStage({ sessions: 2_000, slowBatchMillis: 150, hold: false });
  }, 180_000);
  afterAll(() => stage?.cleanup.run());

  test('the other one goes on, and the old claim deletes nothing when it wakes up', async () => {
    const { store, alice, account, cleanup } = stage as ClusterStage;
    const first = cleanup.add(await startClusterOperator(account), (begun) => begun.close());
    cleanup.add(await startClusterOperator(account, { standby: true }), (begun) => begun.close());
    await untilSettled(alice, { hold: false });
    const due = await store.due();
    const before = await store.counts();
    const run = await midway(stage as ClusterStage);

    await first.signal('SIGSTOP');
    const [asleep] = await store.query<{ epoch: number }>('SELECT max(epoch)::int AS epoch FROM dataward.claim');
    await until('the other one has claimed the run', async () => Number((await store.query<{ epoch: number }>('SELECT max(epoch)::int AS epoch FROM dataward.claim'))[0]?.epoch) > Number(asleep?.epoch), { timeoutMs: 90_000, everyMs: 250 });
    const oldRows = `SELECT count(*)::int AS n, coalesce(sum(deleted), 0)::int AS deleted FROM dataward.journal WHERE epoch <= ${asleep?.epoch}`;
    const atTakeover = await store.query(oldRows);
    await first.signal('SIGCONT');
    await delay(2_000);
    await store.hurry();
    const ended = await untilEnded(alice, run, 90_000);

    expect(ended.status).toMatchObject({ state: 'Succeeded' });
    expect(await store.query(oldRows)).toEqual(atTakeover);
    const after = await store.counts();
    for (const [table, count] of Object.entries(due)) expect(after[table]).toBe((before[table] ?? 0) - count);
    const [journal] = await store.query<{ deleted: number }>('SELECT sum(deleted)::int AS deleted FROM dataward.journal');
    expect(journal?.deleted).toBe(sum(due));
  }, 240_000);
});
