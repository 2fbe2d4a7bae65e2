import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { getCondition } from '../../src/api/conditions.ts';
import type { LegalHold } from '../../src/api/generated/legalHold.ts';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../src/api/generated/retentionPolicy.ts';
import { LEGAL_HOLD, PURGE_RUN, RETENTION_POLICY } from '../../src/api/kinds.ts';
import type { Condition } from '../../src/api/object.ts';
import type { Certificate } from '../../src/evidence/certificate.ts';
import { runCli } from '../support/cli.ts';
import type { OperatorProcess } from '../support/dataward-process.ts';
import { overhear } from '../support/overhear.ts';
import { holdOf, minimumOf, POLICY } from '../support/sample-manifests.ts';
import { holdDates, sum } from '../support/sample-store.ts';
import { leaks } from '../support/scan.ts';
import type { Readable } from '../support/scan.ts';
import { until } from '../support/until.ts';
import { dividedStage } from './divided-stage.ts';
import type { DividedStage } from './divided-stage.ts';
import { localStage, midway, rowsOf } from './local-stage.ts';
import type { LocalStage } from './local-stage.ts';
import { approve, refOf, requestRun, untilEnded, untilHeld, untilSettled, untilState } from './people.ts';
import { quiet, readablesOf } from './quiet.ts';
import { nudge, untilStanding } from './standing.ts';

const HELD = { namespace: 'platform-db', name: 'late' };
const STATUTE = { namespace: 'platform-db', name: 'statute' };
const dates = holdDates(new Date());
const COVERED = `SELECT count(*)::int AS rows, md5(string_agg(t::text, chr(10) ORDER BY id)) AS sum FROM page_views t WHERE client_id = 'client-a' AND viewed_at >= '${dates.from}' AND viewed_at < '${dates.to}'`;
let stage: LocalStage | undefined;
const certificateOf = async ({ metadata }: PurgeRun): Promise<Certificate> => JSON.parse(await readFile(path.join(stage?.operator.evidence ?? '', 'certificates', `${metadata.namespace}.${metadata.name}-certificate.json`), 'utf8')) as Certificate;
afterEach(() => stage?.cleanup.run());

test('a hold applied while batches run: once it is in force, no row it covers goes', async () => {
  stage = await localStage({ sessions: 2_000, slowBatchMillis: 60, hold: false });
  const { store, alice } = stage;
  const run = await midway(stage);
  await alice.client.create<LegalHold>(LEGAL_HOLD, holdOf(HELD, dates) as unknown as LegalHold);
  await untilHeld(alice.client, HELD);
  const atReady = await store.query<{ rows: number }>(COVERED);
  await store.hurry();
  await untilEnded(alice, run, 90_000);
  expect(await store.query(COVERED)).toEqual(atReady);
  expect(atReady[0]?.rows).toBeGreaterThan(0);
}, 150_000);

test('a hold and a minimum that outlasts the maximum, declared between the plan and its approval: the approved run goes without a single row of them, and both policies say that they conflict', async () => {
  stage = await localStage({ sessions: 600, hold: false });
  const { store, alice, bob } = stage;
  /** Rows of client-b by age in months; none a day from the end of the minimum, so that no zone plays a part. */
  const between = (table: string, column: string, most: number, least: number): string =>
    `SELECT count(*)::int AS rows, md5(string_agg(t::text, chr(10) ORDER BY id)) AS sum FROM ${table} t WHERE client_id = 'client-b' AND ${column} > current_date - interval '${most} months' + interval '2 days' AND ${column} < current_date - interval '${least} months' - interval '2 days'`;
  const kept = [COVERED, between('page_views', 'viewed_at', 30, 25), between('sessions', 'started_at', 30, 25)];
  const read = async (): Promise<{ rows: number }[]> => (await Promise.all(kept.map((sql) => store.query<{ rows: number }>(sql)))).flat();
  const run = await requestRun(alice);
  const planned = await read();
  expect(Math.min(...planned.map(({ rows }) => rows))).toBeGreaterThan(0);
  await alice.client.create<RetentionPolicy>(RETENTION_POLICY, minimumOf(STATUTE, 'P30M', ['client-b']) as unknown as RetentionPolicy);
  await alice.client.create<LegalHold>(LEGAL_HOLD, holdOf(HELD, dates) as unknown as LegalHold);
  const before = await rowsOf(store);
  await approve(bob, run);
  const ended = await untilEnded(alice, run, 60_000);
  expect(ended.status).toMatchObject({ state: 'Succeeded', verification: { level: 'VerifiedLive', residual: 0 } });
  expect(await read()).toEqual(planned);
  expect(await store.query(between('page_views', 'viewed_at', 600, 30))).toMatchObject([{ rows: 0 }]);
  expect(await rowsOf(store)).toBeLessThan(before);
  const { collections, notCovered } = await certificateOf(ended);
  // The minimum is part of the condition that is certified, and not of the one that was approved.
  expect(new Set(collections.map(({ name, predicateDigest }) => [predicateDigest === run.spec.plan.steps.find(({ collection }) => collection === name)?.predicateDigest, notCovered.some((text) => text.startsWith(`${name}: what only the plan reached`))].join()))).toEqual(new Set(['false,true']));
  for (const policy of [STATUTE, POLICY]) {
    let condition: Condition | undefined;
    await until(`RetentionPolicy ${policy.name} says that it conflicts`, async () => {
      condition = getCondition((await alice.client.get<RetentionPolicy>(RETENTION_POLICY, policy))?.status?.conditions, 'Conflicted');
      return condition?.status === 'True';
    }, { or: () => condition });
    expect(condition).toMatchObject({ reason: 'Conflicted', message: expect.stringMatching(/minimum P30M of platform-db\/statute \(a legal obligation\) ends after maximum P25M of platform-db\/behaviour; the rows in between are kept until one of the two is changed/) });
  }
}, 120_000);

test('a mistyped period is stopped before the first row, for its cutoff and for its rule, and an approval of the old plan is none of the new one', async () => {
  stage = await localStage({ sessions: 600 });
  const { store, alice, bob } = stage;
  const first = await requestRun(alice);
  await approve(bob, first);
  await untilState(alice, first, ['Succeeded']);
  const { basis, collections, notCovered } = await certificateOf(first);
  expect(basis.approvals.map(({ by }) => by)).toEqual([bob.name]);
  expect(collections.map(({ name, predicateDigest }) => [name, predicateDigest]).toSorted()).toEqual(first.spec.plan.steps.map(({ collection, predicateDigest }) => [collection, predicateDigest]).toSorted());
  expect(notCovered.filter((text) => text.includes('what only the plan reached'))).toEqual([]);
  const rows = await rowsOf(store);
  await alice.client.mergePatch<RetentionPolicy>(RETENTION_POLICY, POLICY, { spec: { maximum: { period: 'P2M' } } });
  const run = await requestRun(alice);
  expect(run.status?.why).toMatch(/^0 of 1 approvals; needed because /);
  expect(run.status?.why).toMatch(/: the maximum went from P25M to P2M; rows become due earlier than under the rule last approved/);
  expect(run.status?.why).toMatch(/: the cutoff would move (6\d\d|7\d\d) days, from \S+ to \S+; limits\.maxCutoffAdvance is P7D/);
  const old = bob.client.mergePatch<PurgeRun>(PURGE_RUN, refOf(run), { spec: { approvals: [{ by: bob.name, planDigest: first.spec.planDigest }] } });
  await expect(old).rejects.toThrow(/planDigest/);
  await nudge(alice, PURGE_RUN, refOf(run));
  await delay(1_500);
  expect(await rowsOf(store)).toBe(rows);
  const standing = await alice.client.get<PurgeRun>(PURGE_RUN, refOf(run));
  expect({ state: standing?.status?.state, approvals: standing?.spec.approvals ?? [] }).toEqual({ state: 'AwaitingApproval', approvals: [] });
}, 120_000);

describe('a run at work', () => {
  let world: DividedStage;
  let operator: OperatorProcess;
  let run: PurgeRun;
  let before: Record<string, number>;
  let due: number;
  let kept: Record<string, unknown>;

  beforeAll(async () => {
    world = await dividedStage({ sessions: 2_500, slowBatchMillis: 60 });
    operator = await world.start();
    await untilSettled(world.alice, { hold: true });
    [before, due, kept] = [await world.store.counts(), sum(await world.store.due()), await world.store.kept()];
    run = await midway(world);
  }, 120_000);
  afterAll(() => world?.cleanup.run());

  const said: Readable[] = [];
  const cli = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await overhear(runCli, said)([...args, '--kubeconfig', world.alice.kubeconfig]);
    if (code !== 0) throw new Error(stderr);
  };
  const suspend = async (suspended: boolean): Promise<void> => void (await world.alice.client.mergePatch<RetentionPolicy>(RETENTION_POLICY, POLICY, { spec: { purge: { suspend: suspended } } }));
  /** A flag is set by ending the operator and starting it anew, as a changed Deployment does. */
  const startWith = async (options: { frozen: boolean }): Promise<void> => {
    await operator.signal('SIGTERM');
    said.push({ where: 'log of the operator before', text: operator.log() });
    operator = await world.start(options);
  };

  const STOPS: { what: string; stop(): Promise<void>; goOn(): Promise<void>; says: RegExp }[] = [
    { what: 'its policy is suspended', stop: () => suspend(true), goOn: () => suspend(false), says: /^spec\.purge\.suspend of the policy (was|is) set/ },
    { what: 'everything is frozen by a ConfigMap', stop: () => cli('freeze', '--reason', 'case 12'), goOn: () => cli('thaw'), says: /^frozen by alice in ConfigMap dataward-system\/dataward-freeze: case 12/ },
    { what: 'the namespace of its store is frozen by a ConfigMap', stop: () => cli('freeze', '-n', 'platform-db', '--reason', 'case 13'), goOn: () => cli('thaw', '-n', 'platform-db'), says: /^frozen by alice in ConfigMap platform-db\/dataward-freeze: case 13/ },
    { what: 'the store is frozen by its DBA', stop: async () => void (await world.store.query(`SELECT dataward.freeze('case 14')`)), goOn: async () => void (await world.store.query('SELECT dataward.thaw()')), says: /frozen .*by database role \w+: case 14/ },
    // Whoever writes a trigger chooses its words and its code, here that of a missing privilege, whose words are passed on.
    { what: 'a trigger of the store fails and quotes a row', stop: () => onDelete(`RAISE EXCEPTION 'not %', (SELECT email FROM visitors LIMIT 1) USING ERRCODE = '42501', CONSTRAINT = (SELECT id FROM visitors LIMIT 1)`), goOn: () => onDelete('PERFORM pg_sleep(0.06)'), says: /SQLSTATE 42501/ },
    { what: 'the operator is started with --frozen', stop: () => startWith({ frozen: true }), goOn: () => startWith({ frozen: false }), says: /^the operator was started with --frozen/ },
  ];

  test.each(STOPS)('stops before its next batch when $what, and goes on afterwards', async ({ stop, goOn, says }) => {
    await stop();
    const batches = await batchesOf();
    await until(`the run says ${says.source}`, async () => (await untilStanding(world.alice, run, says))?.state === 'Paused');
    // One was under way when the stop was there.
    expect(await batchesOf()).toBeLessThanOrEqual(batches + 1);
    const standing = await world.store.counts();
    await delay(1_000);
    expect(await world.store.counts()).toEqual(standing);
    expect(sum(await world.store.due())).toBeGreaterThan(0);
    await goOn();
    await until('rows go again', async () => {
      await nudge(world.alice, PURGE_RUN, refOf(run));
      return (await rowsOf(world.store)) < sum(standing);
    }, { everyMs: 300 });
  }, 180_000);

  test('ends with exactly the rows that were due, after all its stops', async () => {
    await world.store.hurry();
    const ended = await untilEnded(world.alice, run, 90_000);
    expect(ended.status).toMatchObject({ state: 'Succeeded', progress: { deleted: due }, verification: { residual: 0 } });
    expect(sum(before) - (await rowsOf(world.store))).toBe(due);
    expect(await world.store.kept()).toEqual(kept);
  }, 120_000);

  test('has told nobody anything personal, however it was stopped', async () => {
    for (const args of [['status', '-A'], ['plan', `retentionpolicy/${POLICY.name}`, '-n', POLICY.namespace, '--sql']]) await overhear(runCli, said)([...args, '--kubeconfig', world.alice.kubeconfig]);
    const readables = [...(await readablesOf(operator, world.alice.kubeconfig)), ...said];
    await quiet(readables, world.store);
    // The places are there in which a leak would be seen.
    const has = (text: string): string[] => leaks(readables, [text]).map((leak) => leak.split(':')[0] ?? '');
    expect(has('SQLSTATE 42501')).toContain('object /api/v1/events');
    expect(has('the operator works')).toEqual(['log', 'log of the operator before', 'log of the operator before']);
    expect(has('shop/sample-web/page-views').filter((where) => where.startsWith('output of plan '))).toHaveLength(1);
  }, 60_000);

  /** What the store does after each statement of a batch. */
  async function onDelete(statement: string): Promise<void> {
    await world.store.query(`CREATE OR REPLACE FUNCTION slow_down() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$ BEGIN ${statement}; RETURN NULL; END $$`);
  }

  async function batchesOf(): Promise<number> {
    const [row] = await world.store.query<{ n: number }>('SELECT count(*)::int AS n FROM dataward.journal');
    return row?.n ?? 0;
  }
});
