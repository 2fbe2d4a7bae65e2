import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PURGE_RUN } from '../../src/api/kinds.ts';
import { ensureBuilt } from '../support/build.ts';
import { createCleanup } from '../support/cleanup.ts';
import { startLocal } from '../support/dataward-process.ts';
import { startSampleStore, sum } from '../support/sample-store.ts';
import type { SampleStore } from '../support/sample-store.ts';
import { until } from '../support/until.ts';
import { approve, person, refOf, requestRun, untilEnded, untilSettled } from './people.ts';
import { auditedRows } from './scenario.ts';

const KILLS = 30;
const cleanup = createCleanup();
let store: SampleStore;
let state: string;

beforeAll(async () => {
  await ensureBuilt();
  store = cleanup.add(await startSampleStore({ now: new Date(), sessions: 4_000, slowBatchMillis: 150 }), (begun) => begun.stop());
  state = cleanup.add(await mkdtemp(path.join(tmpdir(), 'dataward-crash-')), (folder) => rm(folder, { recursive: true, force: true }));
}, 120_000);
afterAll(() => cleanup.run());

test('killed 30 times at random moments, the operator goes on from its state: the due rows go once, and all of them', async () => {
  const start = () => startLocal(store.manifests, ['alice', 'bob'], { state });
  let operator = await start();
  const [before, due, kept] = [await store.counts(), await store.due(), await store.kept()];
  const [alice, bob] = [person('alice', operator.kubeconfig('alice')), person('bob', operator.kubeconfig('bob'))];
  await untilSettled(alice, { hold: true });
  const run = await requestRun(alice);
  await approve(bob, run);
  for (const who of [alice, bob]) who.client.close();

  const left: number[] = [];
  for (let kills = 0; kills < KILLS; kills += 1) {
    // On a busy machine a time alone would only meet beginnings: every other kill waits until rows have gone.
    if (kills % 2 === 1) await rowsGo();
    await delay(Math.random() * (kills % 2 === 1 ? 500 : 1_500));
    await operator.close();
    left.push(sum(await store.due()));
    operator = await start();
  }
  await store.hurry();
  cleanup.add(operator, (last) => last.close());
  const afterwards = cleanup.add(person('alice', operator.kubeconfig('alice')), (who) => who.client.close());
  const ended = await untilEnded(afterwards, run, 120_000);

  expect(ended.status).toMatchObject({ state: 'Succeeded', verification: { residual: 0, heldUnchanged: true } });
  expect((await afterwards.client.get<typeof run>(PURGE_RUN, refOf(run)))?.spec).toEqual({ ...run.spec, approvals: ended.spec.approvals });
  expect(await store.counts()).toEqual({ ...before, page_views: (before['page_views'] ?? 0) - due.page_views, sessions: (before['sessions'] ?? 0) - due.sessions });
  expect(await store.kept()).toEqual(kept);
  expect(await store.journalled()).toEqual(due);
  expect(await auditedRows(operator)).toEqual(due);
  // Otherwise nothing was tested: kills have to meet the run under way.
  expect(new Set(left).size).toBeGreaterThan(KILLS / 3);
}, 600_000);

/** A batch has ended since this was asked, or there is none left to come. */
async function rowsGo(): Promise<void> {
  const rows = sum(await store.due());
  await until('rows go', async () => rows === 0 || sum(await store.due()) < rows, { everyMs: 100, timeoutMs: 60_000 });
}
