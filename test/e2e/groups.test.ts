import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { DataMap } from '../../src/api/generated/dataMap.ts';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../src/api/generated/retentionPolicy.ts';
import { DATA_MAP, DATA_STORE, OPERATOR_USERNAME, PURGE_RUN, RETENTION_POLICY } from '../../src/api/kinds.ts';
import { planDigest } from '../../src/retention/plan.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { runCli } from '../support/cli.ts';
import type { CommandResult } from '../support/cli.ts';
import { POLICY, STORE } from '../support/sample-manifests.ts';
import { until } from '../support/until.ts';
import { localStage, stolenKubeconfig } from './local-stage.ts';
import type { LocalStage } from './local-stage.ts';
import { approve, FINAL_STATES, person, refOf, requestRun, untilEnded, untilState } from './people.ts';
import type { Person } from './people.ts';
import { auditedRows, certificates } from './scenario.ts';

/**
 * One policy reaches two groups of tables that no foreign key joins: page views with their sessions, and clicks. Each
 * is a run of its own, which its own people approve, which ends and is certified for itself.
 */
const VIEWS = 'shop/sample-web/page-views';
const CLICKS = 'shop/sample-clicks/clicks';
const OLD_CLICKS = 40;
let stage: LocalStage;
let thief: Person;
let views: PurgeRun;
let clicks: PurgeRun;

beforeAll(async () => {
  stage = await localStage({ sessions: 300 });
  thief = stage.cleanup.add(person(OPERATOR_USERNAME, await stolenKubeconfig(stage.operator)), (who) => who.client.close());
  await stage.store.query(`
    CREATE TABLE clicks (id bigserial PRIMARY KEY, client_id text NOT NULL, visitor_id text NOT NULL, clicked_at timestamptz NOT NULL);
    INSERT INTO clicks (client_id, visitor_id, clicked_at) SELECT 'client-b', 'vis-' || n, current_timestamp - interval '1 month' FROM generate_series(1, 25) n;
    ${INSERT_OLD_CLICKS}`);
  // A store that is declared otherwise is read anew; its tables are otherwise known for a quarter of an hour.
  await stage.alice.client.mergePatch<DataStore>(DATA_STORE, STORE, { spec: { observation: { inventorySeconds: 600 } } });
  await stage.alice.client.create<DataMap>(DATA_MAP, CLICKS_MAP);
  await until('the clicks are described', async () => (await stage.alice.client.get<DataMap>(DATA_MAP, { namespace: 'shop', name: 'sample-clicks' }))?.status?.conditions?.some(({ type, status }) => type === 'Resolved' && status === 'True'));
}, 120_000);
afterAll(() => stage?.cleanup.run());

test('each group is planned as a run of its own, with its own rows and digest', async () => {
  await requestRun(stage.alice);
  const runs = await until('two runs wait for an approval', async () => {
    const waiting = (await stage.alice.client.list<PurgeRun>(PURGE_RUN)).filter(({ status }) => status?.state === 'AwaitingApproval');
    return waiting.length === 2 ? waiting : undefined;
  });
  [views, clicks] = [VIEWS, CLICKS].map((collection) => runs.find(({ spec }) => spec.plan.steps.some((step) => step.collection === collection))) as [PurgeRun, PurgeRun];
  const { page_views, sessions } = await stage.store.due();
  expect(dueOf(views)).toEqual({ [VIEWS]: page_views, 'shop/sample-web/sessions': sessions });
  expect(dueOf(clicks)).toEqual({ [CLICKS]: OLD_CLICKS });
  expect(views.spec.planDigest).not.toBe(clicks.spec.planDigest);
});

test('one that is approved for fewer rows than are due fails at that number; the other still waits for its people', async () => {
  expect(await approval(clicks, ['--max-rows', '10'])).toMatchObject({ code: 0 });
  const ended = await untilEnded(stage.alice, clicks);
  expect(ended.status).toMatchObject({ state: 'Failed', why: expect.stringContaining('limit of 10 rows') });
  expect(await oldClicks()).toBeGreaterThanOrEqual(OLD_CLICKS - 10);
  const other = await stage.alice.client.get<PurgeRun>(PURGE_RUN, refOf(views));
  expect({ state: other?.status?.state, approvals: other?.spec.approvals ?? [] }).toEqual({ state: 'AwaitingApproval', approvals: [] });
  expect(await certificates(stage.operator)).toEqual([]);
}, 60_000);

test('the failure of one stops the other in nothing: approved, it deletes what is due, and is certified by itself', async () => {
  const { store, alice, bob, operator } = stage;
  const [before, due, left] = [await store.counts(), await store.due(), await oldClicks()];
  await approve(bob, views);
  const ended = await untilEnded(alice, views);
  expect(ended.status).toMatchObject({ state: 'Succeeded', verification: { residual: 0 }, progress: { deleted: due.page_views + due.sessions } });
  expect(await store.counts()).toEqual({ ...before, page_views: (before['page_views'] ?? 0) - due.page_views, sessions: (before['sessions'] ?? 0) - due.sessions });
  expect(await oldClicks()).toBe(left);
  expect(await certified()).toEqual([{ planDigest: views.spec.planDigest, collections: [VIEWS, 'shop/sample-web/sessions'] }]);
  // Of two groups the worse one is what the store is judged by.
  await until('the gauge tells of the one that failed', async () => /^dataward_purge_last_attempt_ok\{.*\} 0$/m.test(await operator.metrics()));
}, 60_000);

test('asked again, only what is left is planned; the run of it gets a certificate of its own', async () => {
  const { alice, bob, operator, store } = stage;
  const left = await oldClicks();
  const next = await requestRun(alice);
  expect(dueOf(next)).toEqual({ [CLICKS]: left });
  await approve(bob, next);
  const ended = await untilEnded(alice, next);
  expect(ended.status).toMatchObject({ state: 'Succeeded', verification: { residual: 0 }, progress: { deleted: left } });
  expect(await oldClicks()).toBe(0);
  expect(await certified()).toEqual([VIEWS, CLICKS].map((collection) => expect.objectContaining({ collections: expect.arrayContaining([collection]) })));
  expect(await auditedRows(operator)).toEqual(await store.journalled());
  await until('the gauge tells that both are well', async () => /^dataward_purge_last_attempt_ok\{.*\} 1$/m.test(await operator.metrics()));
}, 60_000);

test('a plan that nobody approves in time expires: an approval that comes late is refused, and one that is written all the same deletes nothing', async () => {
  const { store, alice, bob, operator } = stage;
  await alice.client.mergePatch<RetentionPolicy>(RETENTION_POLICY, POLICY, { spec: { purge: { approval: { required: 'Always' } } } });
  await store.query(INSERT_OLD_CLICKS);
  const [journalled, documents] = [await store.journalled(), await certificates(operator)];
  const run = await inItsLastSeconds(await requestRun(alice), 6);
  const { validUntil } = run.spec.plan;

  const afterwards = { ...systemClock, now: () => Date.parse(validUntil) + 1 };
  expect(await approval(run, [], afterwards)).toMatchObject({ code: 2, stderr: expect.stringContaining(`spec.plan.validUntil ${validUntil} is over; annotate its policy with dataward.io/requested-at for a new plan`) });
  await delay(Math.max(0, Date.parse(validUntil) - Date.now()) + 100);
  // Past the command, which would refuse it: the API server takes it, and the operator looks.
  await bob.client.mergePatch<PurgeRun>(PURGE_RUN, refOf(run), { spec: { approvals: [{ by: bob.name, planDigest: run.spec.planDigest }] } });
  const ended = await untilEnded(alice, run);
  expect(ended.status).toMatchObject({ state: 'Expired', why: `the plan was good until ${validUntil} and nothing was begun by then; the next slot plans anew` });
  expect(await approval(run)).toMatchObject({ code: 2, stderr: expect.stringContaining(`PurgeRun ${STORE.namespace}/${run.metadata.name} is Expired; there is nothing left to approve`) });

  const next = await requestRun(alice);
  expect(next.metadata.uid).not.toBe(run.metadata.uid);
  expect(await oldClicks()).toBe(OLD_CLICKS);
  expect(await store.journalled()).toEqual(journalled);
  expect(await certificates(operator)).toEqual(documents);
}, 60_000);

test('of four more groups one is refused by its trigger, one cannot be read, one has another time than was said, and the fourth goes its way', async () => {
  const { store, alice, bob } = stage;
  for (const run of await alice.client.list<PurgeRun>(PURGE_RUN)) await alice.client.delete(PURGE_RUN, refOf(run));
  await store.query(`
    ${['taps', 'walls', 'stamps'].map((name) => `CREATE TABLE ${name} (LIKE clicks); INSERT INTO ${name} SELECT * FROM clicks;`).join(' ')}
    ALTER TABLE stamps ALTER clicked_at TYPE timestamp USING clicked_at AT TIME ZONE 'UTC';
    REVOKE SELECT ON walls FROM dataward_observe; GRANT SELECT (id, clicked_at) ON walls TO dataward_observe;
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 FROM audit_trail; RETURN OLD; END $$;
    CREATE TRIGGER refuses BEFORE DELETE ON clicks FOR EACH ROW EXECUTE FUNCTION refuse()`);
  const [described] = CLICKS_MAP.spec.collections ?? [];
  const copies = ['taps', 'walls', 'stamps'].map((name) => ({ ...described, name, table: { schema: 'public', name } }));
  await alice.client.mergePatch<DataStore>(DATA_STORE, STORE, { spec: { observation: { inventorySeconds: 660 } } });
  await alice.client.mergePatch<DataMap>(DATA_MAP, { namespace: 'shop', name: 'sample-clicks' }, { spec: { collections: [{ ...described, acknowledge: [{ trigger: 'refuses', reason: 'writes the audit trail' }] }, ...copies] } });
  const resolved = await until('the map is told of the time', async () => (await alice.client.get<DataMap>(DATA_MAP, { namespace: 'shop', name: 'sample-clicks' }))?.status?.conditions?.find(({ type, reason }) => type === 'Resolved' && reason === 'TypeMismatch'));
  expect(resolved).toMatchObject({ status: 'False', message: expect.stringMatching(/^collection stamps: .*column clicked_at of table public\.stamps as TimestampTZ.*write type: Timestamp/) });

  await requestRun(alice);
  const runs = await until('two runs wait for an approval', async () => {
    const waiting = (await alice.client.list<PurgeRun>(PURGE_RUN)).filter(({ status }) => status?.state === 'AwaitingApproval');
    return waiting.length === 2 ? waiting : undefined;
  });
  const [failing, healthy] = [CLICKS, 'shop/sample-clicks/taps'].map((collection) => runs.find((run) => Object.keys(dueOf(run)).join() === collection)) as [PurgeRun, PurgeRun];
  const policy = await until('the policy says what is refused', async () => (await alice.client.get<RetentionPolicy>(RETENTION_POLICY, POLICY))?.status?.conditions?.find(({ type, status }) => type === 'Ready' && status === 'False'));
  expect(policy.message).toMatch(/shop\/sample-clicks\/walls: Its rows cannot be counted.*dataward_observe lacks a privilege/);
  const seen = await until('the store has counted the others', async () => {
    const { retention } = (await alice.client.get<DataStore>(DATA_STORE, STORE))?.status ?? {};
    return retention?.worst?.some(({ collection }) => collection === 'shop/sample-clicks/taps') ? retention : undefined;
  });
  expect(seen).not.toHaveProperty('due');
  expect(seen.worst).toEqual(expect.arrayContaining([expect.objectContaining({ collection: 'shop/sample-clicks/taps', due: OLD_CLICKS }), { collection: 'shop/sample-clicks/walls', why: expect.stringContaining('not counted: ') }]));

  await approve(bob, failing);
  const paused = await until('the run whose trigger fails stands back', async () => (await alice.client.get<PurgeRun>(PURGE_RUN, refOf(failing)))?.status?.failing);
  expect(paused).toMatchObject({ count: 1, deleted: 0 });
  await approve(bob, healthy);
  expect((await untilEnded(alice, healthy)).status).toMatchObject({ state: 'Succeeded', progress: { deleted: OLD_CLICKS } });
  const stood = await alice.client.get<PurgeRun>(PURGE_RUN, refOf(failing));
  expect([stood?.status?.state, stood?.status?.progress?.deleted]).toEqual(['Paused', 0]);
  expect(await oldClicks()).toBe(OLD_CLICKS);
}, 90_000);

const INSERT_OLD_CLICKS = `INSERT INTO clicks (client_id, visitor_id, clicked_at) SELECT 'client-a', 'vis-' || n, current_timestamp - interval '40 months' FROM generate_series(1, ${OLD_CLICKS}) n`;

const CLICKS_MAP = {
  apiVersion: 'dataward.io/v1alpha1',
  kind: 'DataMap',
  metadata: { namespace: 'shop', name: 'sample-clicks' },
  spec: {
    storeRef: STORE,
    defaults: { subjects: ['visitor'], otherColumns: 'NonPersonal' },
    client: { field: 'client_id' },
    collections: [{
      name: 'clicks',
      table: { schema: 'public', name: 'clicks' },
      categories: ['user.behavior'],
      subjectKeys: [{ field: 'visitor_id', identity: 'visitor' }],
      times: [{ event: 'Created', field: 'clicked_at', type: 'TimestampTZ', plausibleFrom: '2005-01-01' }],
    }],
  },
} as DataMap;

function approval(run: PurgeRun, flags: readonly string[] = [], clock = systemClock): Promise<CommandResult> {
  return runCli(['approve', `purgerun/${run.metadata.name}`, '-n', STORE.namespace, '--kubeconfig', stage.bob.kubeconfig, ...flags], { clock });
}

const dueOf = (run: PurgeRun): Record<string, number> => Object.fromEntries(run.spec.forecast.steps.map(({ collection, due }) => [collection, due ?? 0]));

async function oldClicks(): Promise<number> {
  const [row] = await stage.store.query<{ rows: number }>(`SELECT count(*)::int AS rows FROM clicks WHERE clicked_at < current_date - interval '25 months'`);
  return row?.rows ?? 0;
}

/** What certificates there are, the oldest first, and for what. */
async function certified(): Promise<{ planDigest: string; collections: string[] }[]> {
  const names = await certificates(stage.operator);
  const read = await Promise.all(names.map(async (name) => JSON.parse(await readFile(path.join(stage.operator.evidence, 'certificates', name), 'utf8')) as { issuedAt: string; basis: { planDigest: string }; collections: { name: string }[] }));
  return read.toSorted((a, b) => Date.parse(a.issuedAt) - Date.parse(b.issuedAt)).map(({ basis, collections }) => ({ planDigest: basis.planDigest, collections: collections.map(({ name }) => name).toSorted() }));
}

/** The same run as it is when its days are nearly over: a plan is good for a day at least, and a clock that is put forward is noticed. */
async function inItsLastSeconds(run: PurgeRun, seconds: number): Promise<PurgeRun> {
  await stage.alice.client.delete(PURGE_RUN, refOf(run));
  await until('the run is gone', async () => (await stage.alice.client.get(PURGE_RUN, refOf(run))) === undefined);
  const plan = { ...run.spec.plan, validUntil: new Date(Date.now() + seconds * 1_000).toISOString().replace(/\.\d+/, '') };
  const { name, namespace = '', labels = {}, finalizers = [] } = run.metadata;
  const aged = await thief.client.create<PurgeRun>(PURGE_RUN, { ...run, metadata: { name, namespace, labels, finalizers }, spec: { ...run.spec, plan, planDigest: planDigest(plan) } });
  return untilState(stage.alice, aged, ['AwaitingApproval', ...FINAL_STATES]);
}
