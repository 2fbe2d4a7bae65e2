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
const runs = (): Promise<PurgeRun[]> => stage.alice.client.list<PurgeRun>(PURGE_RUN, { namespace: STORE.namespace });
const ask = (): Promise<unknown> => stage.alice.client.mergePatch<RetentionPolicy>(RETENTION_POLICY, POLICY, { metadata: { annotations: { 'dataward.io/requested-at': new Date().toISOString() } } });
const conditionOf = (store: DataStore, type: string): { status: string; message: string } | undefined => store.status?.conditions?.find((condition) => condition.type === type);

/** Puts the server down as a machine that loses power, and changes its files meanwhile. */
async function whileDown(work: (folder: string) => Promise<unknown>): Promise<void> {
  const { postgres } = stage.store;
  await postgres.kill9();
  await rm(`${postgres.dataFolder}/postmaster.pid`, { force: true });
  await work(postgres.dataFolder);
  await postgres.restart();
}

const OLD = 9;
const OLD_ROWS = `INSERT INTO page_views SELECT (SELECT max(id) FROM page_views) + n, s.id, s.client_id, s.visitor_id, current_timestamp - interval '40 months', '/old', ''
  FROM (SELECT * FROM sessions ORDER BY started_at DESC LIMIT 1) s, generate_series(1, ${OLD}) n`;

test('a store put back to before a purge, on the same timeline, is left alone until a person confirms it; then what was approved before is asked for again', async () => {
  const { store, alice, bob } = stage;
  const first = await requestRun(alice);
  await approve(bob, first);
  await untilState(alice, first, ['Succeeded']);
  await store.query(OLD_ROWS);
  const all = await rowsOf(store);
  await whileDown((folder) => run('cp', ['-Rp', folder, copy]));
  // The rule has been approved and verified, so it asks nobody: neither here nor, were it not for the restore, below.
  await ask();
  const purge = await until('a second run has ended', async () => (await runs()).find((each) => each.metadata.uid !== first.metadata.uid && each.status?.state === 'Succeeded'));
  expect(purge.spec.approvals ?? []).toEqual([]);
  expect(all - (await rowsOf(store))).toBe(OLD);
  const [written] = await store.query<{ mark: number }>('SELECT sum(epoch + last_seq)::int AS mark FROM dataward.claim');
  const before = written?.mark;
  await until('what was written is remembered', async () => (await seen()).status?.identity?.watermark === before);

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

  await ask();
  await delay(3_000);
  const [waiting] = (await runs()).filter(({ metadata }) => ![first, purge].some((known) => known.metadata.uid === metadata.uid));
  expect(waiting?.status).toMatchObject({ state: 'Waiting', conditions: expect.arrayContaining([expect.objectContaining({ type: 'Ready', message: expect.stringContaining('went back in time') })]) });
  expect(await rowsOf(store)).toBe(all);

  const word = /confirm-target=(\S+)$/.exec(conditionOf(rewound, 'Rewound')?.message ?? '')?.[1];
  await alice.client.mergePatch<DataStore>(DATA_STORE, STORE, { metadata: { annotations: { 'dataward.io/confirm-target': word } } });
  await until('the store is taken as it is', async () => conditionOf(await seen(), 'Rewound') === undefined);
  expect(conditionOf(await seen(), 'Restored')?.status).toBe('True');
  expect((await untilState(alice, waiting as PurgeRun, ['Superseded'], 60_000)).status?.why).toMatch(/put back in time after this plan was made/);
  // A condition has whole seconds, and a plan of the same one counts as older.
  await delay(1_100);
  const next = await requestRun(alice);
  expect(next.status?.why).toMatch(/0 of 1 approvals; needed because/);
  expect(await rowsOf(store)).toBe(all);
  await approve(bob, next);
  const ended = await untilState(alice, next, ['Succeeded'], 90_000);
  expect(ended.status).toMatchObject({ progress: { deleted: OLD }, verification: { level: 'VerifiedLive', residual: 0 } });
}, 180_000);
