import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../src/api/generated/retentionPolicy.ts';
import { LEGAL_HOLD, PURGE_RUN, RETENTION_POLICY } from '../../src/api/kinds.ts';
import type { LegalHold } from '../../src/api/generated/legalHold.ts';
import { holdOf, POLICY } from '../support/sample-manifests.ts';
import { holdDates, sum } from '../support/sample-store.ts';
import { localStage, midway, rowsOf } from './local-stage.ts';
import type { LocalStage } from './local-stage.ts';
import { approve, refOf, requestRun, untilEnded, untilHeld, untilState } from './people.ts';
import { certificates } from './scenario.ts';

const SLOW = { sessions: 2_000, slowBatchMillis: 60 };
let stage: LocalStage | undefined;
afterEach(() => stage?.cleanup.run());

test('a hold applied while batches run: once it is in force, no row it covers goes', async () => {
  stage = await localStage({ ...SLOW, hold: false });
  const { store, alice } = stage;
  const dates = holdDates(new Date());
  const covered = `SELECT count(*)::int AS rows, md5(string_agg(t::text, chr(10) ORDER BY id)) AS sum FROM page_views t WHERE client_id = 'client-a' AND viewed_at >= '${dates.from}' AND viewed_at < '${dates.to}'`;
  const run = await midway(stage);
  const hold = { namespace: 'platform-db', name: 'late' };
  await alice.client.create<LegalHold>(LEGAL_HOLD, holdOf(hold, dates) as unknown as LegalHold);
  await untilHeld(alice.client, hold);
  const atReady = await store.query<{ rows: number }>(covered);
  await store.hurry();
  await untilEnded(alice, run, 90_000);
  expect(await store.query(covered)).toEqual(atReady);
  expect(atReady[0]?.rows).toBeGreaterThan(0);
}, 150_000);

test('a hold declared between the plan and its approval: the approved run goes without a single row of it', async () => {
  stage = await localStage({ sessions: 600, hold: false });
  const { store, alice, bob } = stage;
  const dates = holdDates(new Date());
  const covered = `SELECT count(*)::int AS rows, md5(string_agg(t::text, chr(10) ORDER BY id)) AS sum FROM page_views t WHERE client_id = 'client-a' AND viewed_at >= '${dates.from}' AND viewed_at < '${dates.to}'`;
  const run = await requestRun(alice);
  const planned = await store.query<{ rows: number }>(covered);
  await alice.client.create<LegalHold>(LEGAL_HOLD, holdOf({ namespace: 'platform-db', name: 'late' }, dates) as unknown as LegalHold);
  const before = await rowsOf(store);
  await approve(bob, run);
  const ended = await untilEnded(alice, run, 60_000);
  expect(ended.status).toMatchObject({ state: 'Succeeded', verification: { level: 'VerifiedLive', residual: 0 } });
  expect(await store.query(covered)).toEqual(planned);
  expect(planned[0]?.rows).toBeGreaterThan(0);
  expect(await rowsOf(store)).toBeLessThan(before);
}, 120_000);

test('a policy deleted while batches run ends the run, and what it has not deleted stays', async () => {
  stage = await localStage(SLOW);
  const { store, operator, alice } = stage;
  const run = await midway(stage);
  await alice.client.delete(RETENTION_POLICY, POLICY);
  const ended = await untilEnded(alice, run);
  const rows = await rowsOf(store);
  expect(ended.status?.state).toBe('Superseded');
  expect(sum(await store.due())).toBeGreaterThan(0);
  await delay(1_500);
  expect(await rowsOf(store)).toBe(rows);
  expect(await certificates(operator)).toEqual([]);
}, 120_000);

test('a mistyped period is stopped before the first row, and an approval of the old plan is none of the new one', async () => {
  stage = await localStage({ sessions: 600 });
  const { store, alice, bob } = stage;
  const first = await requestRun(alice);
  await approve(bob, first);
  await untilState(alice, first, ['Succeeded']);
  const rows = await rowsOf(store);
  await alice.client.mergePatch<RetentionPolicy>(RETENTION_POLICY, POLICY, { spec: { maximum: { period: 'P2M' } } });
  const run = await requestRun(alice);
  expect(run.status?.why).toMatch(/0 of 1 approvals/);
  await delay(1_500);
  expect(await rowsOf(store)).toBe(rows);
  expect((await alice.client.get<PurgeRun>(PURGE_RUN, refOf(run)))?.status?.state).toBe('AwaitingApproval');
}, 120_000);
