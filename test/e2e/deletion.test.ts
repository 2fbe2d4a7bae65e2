import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { LegalHold } from '../../src/api/generated/legalHold.ts';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import { COMPLIANCE_PROFILE, DATA_MAP, DATA_STORE, LEGAL_HOLD, NAMESPACE, PURGE_RUN, RETENTION_POLICY } from '../../src/api/kinds.ts';
import type { KindRef, ObjectRef } from '../../src/api/object.ts';
import { kubectl } from '../support/kubectl.ts';
import { HOLD, POLICY, STORE } from '../support/sample-manifests.ts';
import { sum } from '../support/sample-store.ts';
import { until } from '../support/until.ts';
import { dividedStage } from './divided-stage.ts';
import type { DividedStage } from './divided-stage.ts';
import { midway } from './local-stage.ts';
import { approve, refOf, requestRun, untilEnded, untilSettled } from './people.ts';
import { auditedRows, certificates } from './scenario.ts';
import { nudge } from './standing.ts';

/** Deleting what people declared deletes no row, lifts no protection, and ends what was to be deleted under it. */
const MAP = { namespace: 'shop', name: 'sample-web' };
const PROFILE = { namespace: 'dataward-system', name: 'default' };
let stage: DividedStage;
let kept: Record<string, unknown>;

beforeAll(async () => {
  stage = await dividedStage({ sessions: 2_500, slowBatchMillis: 60 });
  await stage.start();
  await untilSettled(stage.alice, { hold: true });
  kept = await stage.store.kept();
}, 120_000);
afterAll(() => stage?.cleanup.run());

test('before a run: everything that was declared is deleted, and rows and holds in the store are as they were', async () => {
  const before = await stage.store.counts();
  await Promise.all([remove(DATA_STORE, STORE), remove(DATA_MAP, MAP), remove(RETENTION_POLICY, POLICY), remove(LEGAL_HOLD, HOLD), remove(COMPLIANCE_PROFILE, PROFILE)]);
  await standsStill(before);
  expect(await holdItems()).toBeGreaterThan(0);
  await declareAgain();
}, 60_000);

test('while a run waits for people: what it rests on is deleted, and an approval has nothing to approve', async () => {
  const before = await stage.store.counts();
  const run = await requestRun(stage.alice);
  await Promise.all([remove(DATA_STORE, STORE), remove(DATA_MAP, MAP), remove(RETENTION_POLICY, POLICY), remove(COMPLIANCE_PROFILE, PROFILE)]);
  expect((await untilEnded(stage.alice, run)).status).toMatchObject({ state: 'Superseded', why: expect.stringMatching(/policy or the DataStore of this run is gone|no data map/) });
  await expect(approve(stage.bob, run)).rejects.toThrow(/is Superseded; there is nothing left to approve/);
  await standsStill(before);
  await declareAgain();
}, 60_000);

/** `why`: how the run ends; undefined where it goes with what was deleted. */
const AT_WORK: { what: string; kind: KindRef; ref(run: PurgeRun): ObjectRef; why?: RegExp }[] = [
  { what: 'the PurgeRun', kind: PURGE_RUN, ref: refOf },
  { what: 'its DataMap', kind: DATA_MAP, ref: () => MAP, why: /no data map of the store declares shop\/sample-web\/page-views any more; what is left/ },
  { what: 'its RetentionPolicy', kind: RETENTION_POLICY, ref: () => POLICY, why: /is gone; what it has not deleted stays/ },
  { what: 'its DataStore', kind: DATA_STORE, ref: () => STORE, why: /is gone; what it has not deleted stays/ },
  { what: 'the namespace of store, policy and hold', kind: NAMESPACE, ref: () => ({ name: STORE.namespace }) },
];

test.each(AT_WORK)('while batches run: deleting $what ends them, and what is left stays', async ({ kind, ref, why }) => {
  const run = await midway(stage);
  await remove(kind, ref(run));
  if (why) expect((await untilEnded(stage.alice, run)).status).toMatchObject({ state: 'Superseded', why: expect.stringMatching(why) });
  else expect(await stage.alice.client.get(PURGE_RUN, refOf(run))).toBeUndefined();
  await standsStill(await stage.store.counts());
  expect(sum(await stage.store.due())).toBeGreaterThan(0);
  expect(await stage.store.kept()).toEqual(kept);
  expect(await certificates(stage)).toEqual([]);
  if (kind !== PURGE_RUN) await declareAgain();
}, 60_000);

test('while batches run: deleting hold and profile lifts no protection, and the run deletes what was approved and no more', async () => {
  const due = await stage.store.due();
  const before = await stage.store.counts();
  const run = await midway(stage);
  await Promise.all([remove(LEGAL_HOLD, HOLD), remove(COMPLIANCE_PROFILE, PROFILE)]);
  await stage.store.hurry();
  const ended = await untilEnded(stage.alice, run);
  expect(ended.status).toMatchObject({ state: 'Succeeded', verification: { residual: 0 } });
  expect(await stage.store.kept()).toEqual(kept);
  expect(sum(before) - sum(await stage.store.counts())).toBe(sum(due));
  const successors = await stage.alice.client.list<LegalHold>(LEGAL_HOLD, { namespace: 'dataward-system' });
  expect(successors.filter(({ status }) => status?.state === 'Active').length).toBeGreaterThan(0);
  // Whatever went with a namespace or a store: of all that stands there is an object two people can release it by.
  let orphans: string[] = [];
  await until('what stands in the store has an object', async () => {
    for (const { metadata } of successors) await nudge(stage.alice, LEGAL_HOLD, { namespace: 'dataward-system', name: metadata.name });
    const uids = new Set((await stage.alice.client.list<LegalHold>(LEGAL_HOLD)).map(({ metadata }) => metadata.uid));
    orphans = (await stage.store.query<{ uid: string; name: string }>('SELECT uid, name FROM dataward.hold')).filter(({ uid }) => !uids.has(uid)).map(({ name }) => name);
    return orphans.length === 0;
  }, { everyMs: 300, or: () => orphans });
  // Also what runs had deleted that were cut off is on record, each row once.
  expect(await auditedRows(stage)).toEqual(await stage.store.journalled());
}, 60_000);

test('after a run: a partition that it left detached is attached again though run and policy are gone, in a store that a DBA froze', async () => {
  const { query } = stage.store;
  await query(`CREATE TABLE apart (at timestamptz NOT NULL) PARTITION BY RANGE (at); CREATE TABLE apart_1 PARTITION OF apart FOR VALUES FROM ('2020-01-01Z') TO ('2021-01-01Z');
    INSERT INTO apart VALUES ('2020-06-01Z'); ALTER TABLE apart OWNER TO dataward_enforce; ALTER TABLE apart_1 OWNER TO dataward_enforce;
    GRANT CREATE ON SCHEMA public TO dataward_enforce; GRANT SELECT ON apart, apart_1 TO PUBLIC`);
  await query(`INSERT INTO dataward.claim (run, epoch, owner, last_seq) SELECT 'gone', 1, owner, 1 FROM dataward.fence`);
  await query(`INSERT INTO dataward.journal (run, seq, epoch, collection, table_schema, table_name, method, kind, position, deleted, clients)
    SELECT 'gone', 1, 1, 'apart', 'public', 'apart_1', 'DropPartition', 'DropIntent', jsonb_build_object('leaf', c.oid::text, 'name', jsonb_build_object('schema', 'public', 'name', 'apart_1'),
      'parent', jsonb_build_object('schema', 'public', 'name', 'apart'), 'parentOid', 'apart'::regclass::oid::text, 'bounds', pg_get_expr(c.relpartbound, c.oid)), 0, '{}' FROM pg_class c WHERE c.relname = 'apart_1'`);
  await query(`SELECT dataward.freeze('somebody looks')`);
  await query('ALTER TABLE apart DETACH PARTITION apart_1 CONCURRENTLY');
  await nudge(stage.alice, DATA_STORE, STORE);
  await until('its rows are seen again', async () => (await query('SELECT FROM apart')).length === 1, { timeoutMs: 20_000 });
  expect(await query(`SELECT run, kind FROM dataward.journal WHERE table_name = 'apart_1' ORDER BY ordinal`)).toEqual([{ run: 'gone', kind: 'DropIntent' }, { run: 'undone drops', kind: 'Reattach' }]);
  await until('an event says so', async () => (await kubectl(stage.alice.kubeconfig, ['get', 'events', '-n', STORE.namespace, '-o', 'yaml'])).stdout.includes('PartitionReturned'));
}, 60_000);

async function remove(kind: KindRef, ref: ObjectRef): Promise<void> {
  const uid = (await stage.alice.client.get(kind, ref))?.metadata.uid;
  await stage.alice.client.delete(kind, ref);
  await until(`${kind.kind} ${ref.name} is gone`, async () => (await stage.alice.client.get(kind, ref))?.metadata.uid !== uid);
}

async function standsStill(counts: Record<string, number>): Promise<void> {
  await delay(1_000);
  expect(await stage.store.counts()).toEqual(counts);
}

async function declareAgain(): Promise<void> {
  expect(await kubectl(stage.alice.kubeconfig, ['apply', '-f', stage.store.manifests])).toMatchObject({ code: 0 });
  await untilSettled(stage.alice, { hold: true });
}

async function holdItems(): Promise<number> {
  const [row] = await stage.store.query<{ items: number }>('SELECT count(*)::int AS items FROM dataward.hold_item');
  return row?.items ?? 0;
}
