import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { LegalHold } from '../../src/api/generated/legalHold.ts';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../src/api/generated/retentionPolicy.ts';
import { LEGAL_HOLD, PURGE_RUN, RETENTION_POLICY, SECRET } from '../../src/api/kinds.ts';
import type { KubeObject } from '../../src/api/object.ts';
import { runCli as runCommand } from '../support/cli.ts';
import type { OperatorProcess } from '../support/dataward-process.ts';
import type { Fault } from '../support/fault-proxy.ts';
import { overhear } from '../support/overhear.ts';
import { POLICY } from '../support/sample-manifests.ts';
import { sum } from '../support/sample-store.ts';
import { leaks } from '../support/scan.ts';
import type { Readable } from '../support/scan.ts';
import { until } from '../support/until.ts';
import { dividedStage } from './divided-stage.ts';
import type { DividedStage } from './divided-stage.ts';
import { rowsOf } from './local-stage.ts';
import { approve, refOf, requestRun, untilEnded, untilHeld, untilSettled } from './people.ts';
import { quiet, readablesOf } from './quiet.ts';
import { nudge, untilStanding } from './standing.ts';

/**
 * People have approved a run, and what is held cannot be known: not a row may go until it can. The tests are the hours
 * of one bad day; in the end the very same run deletes exactly what may go.
 */
const said: Readable[] = [];
const runCli = overhear(runCommand, said);
let stage: DividedStage;
let operator: OperatorProcess;
let run: PurgeRun;
let before: Record<string, number>;
/** Ends the fault that the test before left in place, so that the run has no moment in which it may begin. */
let lastFault = (): void => {};

const MATTER = { namespace: 'platform-db', name: 'matter-9' };
const SUBJECTS = 'matter-9-subjects';

beforeAll(async () => {
  stage = await dividedStage({ sessions: 5_000, slowBatchMillis: 150, hold: false });
  operator = await stage.start();
  await untilSettled(stage.alice, { hold: false });
  run = await requestRun(stage.alice);
  before = await stage.store.counts();
}, 120_000);
afterAll(() => stage?.cleanup.run());

const LIST_FAULTS: { what: string; fault: Fault; says: RegExp; code: number }[] = [
  { what: 'refuses', fault: 'Forbidden', says: /list legalholds: .*forbidden.*HTTP 403/, code: 2 },
  { what: 'does not answer', fault: 'NoAnswer', says: /list legalholds: no answer from the API server/, code: 3 },
];

test.each(LIST_FAULTS)('the API server $what when asked for the holds: an approved run deletes nothing, and says what to mend', async ({ fault, says, code }) => {
  const mend = stage.proxy.spoil('legalholds', fault);
  try {
    await approveOnce();
    const status = await untilStanding(stage.alice, run, says);
    expect(status).toMatchObject({ state: 'Waiting', conditions: expect.arrayContaining([expect.objectContaining({ type: 'Ready', status: 'Unknown', reason: 'ReadFailed', message: expect.stringMatching(/; (grant this right|look at the API server)/) })]) });
    // Whoever may not read the holds is shown no plan either: it could only be one that is too wide.
    for (const args of [['plan', `retentionpolicy/${POLICY.name}`, '-n', POLICY.namespace], ['status', '-A']]) {
      expect(await runCli([...args, '--kubeconfig', stage.throughProxy])).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(says) });
    }
    expect(await runCli(['status', '-A', '--kubeconfig', stage.alice.kubeconfig])).toMatchObject({ code: 1, stdout: expect.stringMatching(says) });
    expect(await stage.store.counts()).toEqual(before);
  } finally {
    if (fault !== 'NoAnswer') mend();
    else lastFault = mend;
  }
}, 30_000);

test('the schema with the holds cannot be read in the store: nothing goes, and run and plan name store and login', async () => {
  const logins = 'dataward_observe, dataward_enforce, dataward_verify';
  await stage.store.query(`REVOKE USAGE ON SCHEMA dataward FROM ${logins}`);
  lastFault();
  const says = /DataStore platform-db\/sample: dataward_observe may not read the schema dataward, so its holds are unknown and nothing is deleted; let .* grant it USAGE/;
  expect(await untilStanding(stage.alice, run, says)).toMatchObject({ state: 'Waiting' });
  expect(await runCli(['plan', `retentionpolicy/${POLICY.name}`, '-n', POLICY.namespace, '--kubeconfig', stage.alice.kubeconfig])).toMatchObject({ code: 3, stdout: expect.stringMatching(says) });
  expect(await stage.store.counts()).toEqual(before);
  await stage.store.query(`GRANT USAGE ON SCHEMA dataward TO ${logins}`);
}, 30_000);

test('when they can be read again the run goes on', async () => {
  await nudge(stage.alice, PURGE_RUN, refOf(run));
  await until('rows begin to go', async () => (await rowsOf(stage.store)) < sum(before));
});

/** What is asked before a batch. Each is a reason to stop of which nobody knows whether it is there. */
const ASKED: { what: string; plural: string; fault: Fault; says?: RegExp }[] = [
  { what: 'the holds', plural: 'legalholds', fault: 'InternalError', says: /list legalholds: .*HTTP 500.*; look at the API server/ },
  { what: 'the policy of the run', plural: 'retentionpolicies', fault: 'Forbidden', says: /RetentionPolicy platform-db\/behaviour: .*HTTP 403.*; grant this right/ },
  { what: 'the store of the run', plural: 'datastores', fault: 'Forbidden', says: /DataStore platform-db\/sample: .*HTTP 403.*; grant this right/ },
  { what: 'a freeze', plural: 'configmaps', fault: 'Forbidden', says: /ConfigMap (dataward-system\/dataward-freeze cannot be read, which counts as frozen|platform-db\/sample-ca: .*HTTP 403)/ },
  { what: 'the run itself', plural: 'purgeruns', fault: 'NoAnswer' },
];

test.each(ASKED)('while batches run, $what can no longer be read: within seconds nothing goes, and then the run goes on', async ({ plural, fault, says }) => {
  const logged = operator.log().length;
  const mend = stage.proxy.spoil(plural, fault);
  try {
    if (says) await untilStanding(stage.alice, run, says);
    else await until('the operator misses the run', async () => /"controller":"purgerun".*no answer from the API server/.test(operator.log().slice(logged)));
    const standing = await stage.store.counts();
    await delay(1_500);
    expect(await stage.store.counts()).toEqual(standing);
    expect(Object.values(await stage.store.due()).every((rows) => rows > 0)).toBe(true);
    if (says) expect((await seen())?.status?.progress?.deleted).toBe(sum(before) - sum(standing));
  } finally {
    mend();
  }
  const standing = await rowsOf(stage.store);
  await until('rows go again', async () => {
    await nudge(stage.alice, PURGE_RUN, refOf(run));
    return (await rowsOf(stage.store)) < standing;
  }, { everyMs: 300 });
}, 40_000);

test('a hold whose Secret is missing holds its whole block: from then on nothing goes, and the hold says which Secret', async () => {
  await stage.alice.client.create<LegalHold>(LEGAL_HOLD, {
    apiVersion: 'dataward.io/v1alpha1',
    kind: 'LegalHold',
    metadata: MATTER,
    spec: {
      matter: '2026-009',
      basis: { type: 'LegalClaims', jurisdiction: 'DE', reference: '9 O 9/26' },
      custodian: 'legal@company.example',
      reviewAt: new Date(Date.now() + 90 * 86_400_000).toISOString().slice(0, 10),
      scope: [{ stores: { all: {} }, collections: { all: {} }, clients: { all: {} }, subjects: { secretName: SUBJECTS } }],
    },
  } as LegalHold);
  const hold = await untilHeld(stage.alice.client, MATTER);
  const standing = await stage.store.counts();
  expect(hold.status?.conditions).toContainEqual(expect.objectContaining({ type: 'AsWritten', status: 'False', reason: 'SubjectsUnreadable', message: expect.stringMatching(/Secret platform-db\/matter-9-subjects \(spec\.scope\[\]\.subjects\) is missing.*; put it there/) }));
  const ended = await untilEnded(stage.alice, run);
  expect(ended.status).toMatchObject({ state: 'Succeeded', progress: { deleted: sum(before) - sum(standing) } });
  expect(await stage.store.counts()).toEqual(standing);
  const planned = await runCli(['plan', `retentionpolicy/${POLICY.name}`, '-n', POLICY.namespace, '--kubeconfig', stage.alice.kubeconfig, '-o', 'json']);
  expect(planned).toMatchObject({ code: 0 });
  expect(sum(await stage.store.due())).toBeGreaterThan(0);
}, 60_000);

test('a Secret that comes later lifts nothing: what stands under a hold only a release lets go', async () => {
  const standing = await stage.store.counts();
  await stage.alice.client.create<KubeObject>(SECRET, { apiVersion: 'v1', kind: 'Secret', metadata: { namespace: MATTER.namespace, name: SUBJECTS }, stringData: { visitor: 'somebody' } } as KubeObject);
  await until('the operator has read the Secret', async () => {
    await nudge(stage.alice, LEGAL_HOLD, MATTER);
    return (await stage.alice.client.get<LegalHold>(LEGAL_HOLD, MATTER))?.status?.secrets?.some(({ name }) => name === SUBJECTS);
  }, { everyMs: 300 });
  const { status } = (await stage.alice.client.get<LegalHold>(LEGAL_HOLD, MATTER)) ?? {};
  expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'AsWritten', status: 'False', reason: 'HoldWidened', message: expect.stringContaining('what it meant there at another time stands too') }));
  // More stands than was counted, so it is counted anew, once it is said to stand.
  await until('its rows are counted', async () => (await stage.alice.client.get<LegalHold>(LEGAL_HOLD, MATTER))?.status?.stores?.[0]?.countedAt !== undefined);
  expect((await stage.alice.client.get<LegalHold>(LEGAL_HOLD, MATTER))?.status?.stores).toMatchObject([{ countExact: true, countedAt: expect.any(String), items: expect.any(Number) }]);
  const asked = new Date().toISOString();
  await stage.alice.client.mergePatch<RetentionPolicy>(RETENTION_POLICY, POLICY, { metadata: { annotations: { 'dataward.io/requested-at': asked } } });
  await until('the policy has looked', async () => (await stage.alice.client.get<RetentionPolicy>(RETENTION_POLICY, POLICY))?.status?.lastSlotAt === asked);
  expect(await stage.alice.client.list<PurgeRun>(PURGE_RUN)).toHaveLength(1);
  expect(await stage.store.counts()).toEqual(standing);
}, 30_000);

test('not one of these hours has told anybody anything personal', async () => {
  const readables = [...(await readablesOf(operator, stage.alice.kubeconfig)), ...said];
  // The places are there in which a leak would be seen.
  const has = (text: string): string[] => leaks(readables, [text]).map((leak) => leak.split(' ')[0] ?? '');
  expect(has('may not read the schema dataward')).toEqual(expect.arrayContaining(['object', 'output']));
  await quiet(readables, stage.store);
}, 60_000);

const seen = (): Promise<PurgeRun | undefined> => stage.alice.client.get<PurgeRun>(PURGE_RUN, refOf(run));

async function approveOnce(): Promise<void> {
  if ((await seen())?.spec.approvals === undefined) await approve(stage.bob, run);
}
