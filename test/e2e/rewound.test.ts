import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../src/api/generated/retentionPolicy.ts';
import { DATA_STORE, PURGE_RUN, RETENTION_POLICY } from '../../src/api/kinds.ts';
import { dataward } from '../support/dataward-process.ts';
import { POLICY, STORE } from '../support/sample-manifests.ts';
import { until } from '../support/until.ts';
import { localStage, rowsOf } from './local-stage.ts';
import type { LocalStage } from './local-stage.ts';
import { approve, requestRun, untilState } from './people.ts';

const run = promisify(execFile);
let stage: LocalStage;
let copy: string;
beforeAll(async () => {
  stage = await localStage({ sessions: 300 });
  copy = `${stage.store.postgres.dataFolder}.copy`;
}, 60_000);
afterAll(async () => {
  await stage?.cleanup.run();
  if (copy) await rm(copy, { recursive: true, force: true });
});

const seen = async (): Promise<DataStore> => (await stage.alice.client.get<DataStore>(DATA_STORE, STORE)) as DataStore;
const conditionOf = (store: DataStore, type: string): { status: string; message: string } | undefined => store.status?.conditions?.find((condition) => condition.type === type);

/** Puts the server down as a machine that loses power, and changes its files meanwhile. */
async function whileDown(work: (folder: string) => Promise<unknown>): Promise<void> {
  const { postgres } = stage.store;
  await postgres.kill9();
  await rm(`${postgres.dataFolder}/postmaster.pid`, { force: true });
  await work(postgres.dataFolder);
  await postgres.restart();
}

test('a store put back to before a purge, on the same timeline, is recognised and left alone until a person confirms it', async () => {
  const { store, alice, bob } = stage;
  const all = await rowsOf(store);
  const purge = await requestRun(alice);
  await whileDown((folder) => run('cp', ['-Rp', folder, copy]));
  await approve(bob, purge);
  await untilState(alice, purge, ['Succeeded']);
  const gone = all - (await rowsOf(store));
  expect(gone).toBeGreaterThan(0);
  const before = await until('what was written is remembered', async () => (await seen()).status?.identity?.watermark);

  await whileDown(async (folder) => {
    await rm(folder, { recursive: true });
    await run('cp', ['-Rp', copy, folder]);
  });
  // Otherwise the next look comes half a minute after the one that found the server down.
  await alice.client.mergePatch<DataStore>(DATA_STORE, STORE, { metadata: { annotations: { 'example.com/restored': 'true' } } });
  const rewound = await until('the store is known to have gone back', async () => [await seen()].find((each) => conditionOf(each, 'Rewound')?.status === 'True'), { timeoutMs: 60_000 });
  expect(conditionOf(rewound, 'Ready')?.status).toBe('False');
  expect(conditionOf(rewound, 'Compliant')?.status).not.toBe('True');
  // What was remembered stays: otherwise the next look would take the copy for the store it knows.
  expect(rewound.status?.identity?.watermark).toBe(before);
  expect(await dataward(['status', '-A', '--kubeconfig', alice.kubeconfig])).toMatchObject({ code: 1, stdout: expect.stringContaining('went back in time') });

  await alice.client.mergePatch<RetentionPolicy>(RETENTION_POLICY, POLICY, { metadata: { annotations: { 'dataward.io/requested-at': new Date().toISOString() } } });
  await delay(3_000);
  const [again] = (await alice.client.list<PurgeRun>(PURGE_RUN, { namespace: STORE.namespace })).filter(({ metadata }) => metadata.uid !== purge.metadata.uid);
  expect(again?.status).toMatchObject({ state: 'Waiting', conditions: expect.arrayContaining([expect.objectContaining({ type: 'Ready', message: expect.stringContaining('went back in time') })]) });
  expect(await rowsOf(store)).toBe(all);

  const word = /confirm-target=(\S+)$/.exec(conditionOf(rewound, 'Rewound')?.message ?? '')?.[1];
  await alice.client.mergePatch<DataStore>(DATA_STORE, STORE, { metadata: { annotations: { 'dataward.io/confirm-target': word } } });
  await until('the store is taken as it is', async () => conditionOf(await seen(), 'Rewound') === undefined);
  expect(conditionOf(await seen(), 'Restored')?.status).toBe('True');
  const next = await requestRun(alice);
  await approve(bob, next);
  const ended = await untilState(alice, next, ['Succeeded'], 90_000);
  expect(ended.status).toMatchObject({ progress: { deleted: gone }, verification: { level: 'VerifiedLive', residual: 0 } });
}, 180_000);
