import { expect } from '@jest/globals';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LegalHold } from '../../src/api/generated/legalHold.ts';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../src/api/generated/retentionPolicy.ts';
import { LEGAL_HOLD, PURGE_RUN, RETENTION_POLICY } from '../../src/api/kinds.ts';
import { ApiError } from '../../src/runtime/client.ts';
import { dataward } from '../support/dataward-process.ts';
import type { OperatorProcess } from '../support/dataward-process.ts';
import { overhear } from '../support/overhear.ts';
import { HOLD, POLICY, STORE } from '../support/sample-manifests.ts';
import { sum } from '../support/sample-store.ts';
import type { SampleStore } from '../support/sample-store.ts';
import { leaks } from '../support/scan.ts';
import type { Readable } from '../support/scan.ts';
import { until } from '../support/until.ts';
import { refOf, requestRun, untilEnded, untilHeld, untilSettled } from './people.ts';
import type { Person } from './people.ts';
import { quiet, readablesOf } from './quiet.ts';
import { nudge } from './standing.ts';

/** Where the scenario plays. It is the same on every API server: only this differs. */
export interface Stage {
  readonly store: SampleStore;
  readonly operator: OperatorProcess;
  /** Declares, asks for runs, and must not approve. */
  readonly alice: Person;
  /** Approves. */
  readonly bob: Person;
  /** The operator's own identity in the hands of an attacker. */
  readonly thief: Person;
  /** Kubeconfig of somebody who may read everything. */
  readonly reader: string;
  /** Files in which the API server and its company have written what happened. */
  readonly serverLogs: readonly string[];
  /** What commands have printed. */
  readonly said: Readable[];
}

/** Somebody tries what only a person of another name or right may do. */
export interface Forgery {
  readonly attempt: string;
  by(stage: Stage, run: PurgeRun): Promise<unknown>;
}

const approvals = (who: Person, run: PurgeRun, by: string, planDigest = run.spec.planDigest): Promise<unknown> =>
  who.client.mergePatch(PURGE_RUN, refOf(run), { spec: { approvals: [{ by, planDigest }] } });

/** Refused everywhere, whatever rights people have. */
export const FORGERIES: readonly Forgery[] = [
  { attempt: 'approving in the name of somebody else', by: ({ alice, bob }, run) => approvals(alice, run, bob.name) },
  { attempt: 'approving as the operator', by: ({ thief }, run) => approvals(thief, run, thief.name) },
  { attempt: 'approving as the operator in the name of a person', by: ({ thief, bob }, run) => approvals(thief, run, bob.name) },
  { attempt: 'approving another plan', by: ({ bob }, run) => approvals(bob, run, bob.name, `sha256:${'0'.repeat(64)}`) },
  { attempt: 'approving twice in one write, under two names', by: ({ bob, alice }, run) => bob.client.mergePatch(PURGE_RUN, refOf(run), { spec: { approvals: [bob, alice].map((who) => ({ by: who.name, planDigest: run.spec.planDigest })) } }) },
  { attempt: 'writing the status that says approved', by: ({ bob }, run) => bob.client.mergePatch(PURGE_RUN, refOf(run), { status: { state: 'Verifying' } }, { subresource: 'status' }) },
  { attempt: 'creating a run of a plan of the own', by: ({ alice }, run) => alice.client.create<PurgeRun>(PURGE_RUN, { apiVersion: run.apiVersion, kind: run.kind, metadata: { namespace: STORE.namespace, name: 'mine', labels: run.metadata.labels ?? {} }, spec: run.spec }) },
  { attempt: 'creating, as the operator, a run that is approved already', by: ({ thief, bob }, run) => thief.client.create<PurgeRun>(PURGE_RUN, { apiVersion: run.apiVersion, kind: run.kind, metadata: { namespace: STORE.namespace, name: 'mine' }, spec: { ...run.spec, approvals: [{ by: bob.name, planDigest: run.spec.planDigest }] } }) },
  { attempt: 'changing the plan', by: ({ alice }, run) => alice.client.mergePatch(PURGE_RUN, refOf(run), { spec: { planDigest: `sha256:${'1'.repeat(64)}` } }) },
];

/** Declared and observed: what nobody described is found, and the hold stands in the store before anything is planned. */
export async function observed({ alice }: Stage): Promise<void> {
  const store = await untilSettled(alice, { hold: true });
  expect(store.status?.transport).toMatchObject({ plaintextRefused: true, legacyRefused: true });
  expect(store.status?.coverage?.worst?.map((entry) => entry.table)).toEqual(['public.uploads']);
}

/**
 * A plan is only read: rows, counters, runs, certificates and the policy's own record are what they were.
 *
 * @param ended the run there was before, if any: rows that came since are due then, so that there is something to plan
 */
export async function planned(stage: Stage, ended?: PurgeRun): Promise<void> {
  const { store, alice, operator } = stage;
  if (ended) await store.query(`INSERT INTO page_views SELECT -id, id, client_id, visitor_id, now() - interval '40 months', '/read/' || visitor_id, '' FROM sessions ORDER BY id LIMIT 7`);
  const untouched = async (): Promise<Record<string, unknown>> => {
    const { lastRun, lastEnforcedTime } = (await alice.client.get<RetentionPolicy>(RETENTION_POLICY, POLICY))?.status ?? {};
    return {
      rows: await store.counts(),
      kept: await store.kept(),
      journal: await store.journalled(),
      runs: (await alice.client.list(PURGE_RUN)).length,
      lastRun,
      lastEnforcedTime,
      certificates: await certificates(operator),
      counter: purgedRows(await operator.metrics()),
    };
  };
  if (ended) await until('the policy tells of the run', async () => (await untouched())['lastEnforcedTime'] === ended.status?.finishedAt);
  const before = await untouched();
  const expected = ended
    ? { runs: 1, lastRun: expect.objectContaining({ name: ended.metadata.name, state: 'Succeeded' }), certificates: [expect.any(String)], counter: ended.status?.progress?.deleted }
    : { runs: 0, lastRun: undefined, lastEnforcedTime: undefined, certificates: [], counter: 0 };
  expect(before).toMatchObject(expected);
  const plan = await commandOf(stage)(['plan', `retentionpolicy/${POLICY.name}`, '-n', POLICY.namespace, '--kubeconfig', alice.kubeconfig, '-o', 'json']);
  expect({ code: plan.code, stderr: plan.stderr }).toEqual({ code: 1, stderr: '' });
  const [only] = JSON.parse(plan.stdout) as { forecast: PurgeRun['spec']['forecast'] }[];
  const due = await store.due();
  expect(sum(due)).toBeGreaterThan(0);
  expect(nonzero(dueOf(only?.forecast))).toEqual(nonzero(byCollection(due)));
  // What a plan began without being asked would be seen when everybody has looked once more.
  await nudge(alice, RETENTION_POLICY, POLICY);
  await delay(500);
  expect(await untouched()).toEqual(before);
}

/** A run waits for a person, and every forged word of one is refused. */
export async function refusesForgeries(stage: Stage, forgeries: readonly Forgery[]): Promise<PurgeRun> {
  const { store, alice } = stage;
  const before = await store.counts();
  const run = await requestRun(alice);
  expect(run.status?.approval?.grade).toBe('Verified');
  const due = await store.due();
  expect(dueOf(run.spec.forecast)).toEqual(byCollection(due));
  const outcomes: Record<string, unknown> = {};
  for (const { attempt, by } of forgeries) outcomes[attempt] = await by(stage, run).then(() => 'accepted', refusalOf);
  expect(outcomes).toEqual(Object.fromEntries(forgeries.map(({ attempt }) => [attempt, 'refused'])));
  const standing = await alice.client.get<PurgeRun>(PURGE_RUN, refOf(run));
  expect({ approvals: standing?.spec.approvals ?? [], state: standing?.status?.state, runs: (await alice.client.list(PURGE_RUN)).length }).toEqual({ approvals: [], state: 'AwaitingApproval', runs: 1 });
  expect(await store.counts()).toEqual(before);
  return run;
}

function refusalOf(error: unknown): string {
  if (!(error instanceof ApiError)) throw error;
  return [403, 422].includes(error.status) ? 'refused' : `${error.status}: ${error.message}`;
}

/** Approved by another person: exactly the due rows go, what is held stays byte for byte, and others looked again. */
export async function purged(stage: Stage, run: PurgeRun): Promise<PurgeRun> {
  const { store, alice, bob, operator } = stage;
  const before = await store.counts();
  const due = await store.due();
  const kept = await store.kept();
  expect(Math.min(due.page_views, due.sessions)).toBeGreaterThan(100);
  expect(await commandOf(stage)(['approve', `purgerun/${run.metadata.name}`, '-n', STORE.namespace, '--kubeconfig', bob.kubeconfig])).toMatchObject({ code: 0 });
  const ended = await untilEnded(alice, run);
  expect(ended.status).toMatchObject({ state: 'Succeeded', verification: { level: 'VerifiedLive', residual: 0, heldUnchanged: true }, approval: { grade: 'Verified' } });
  expect(ended.spec.approvals).toEqual([{ by: bob.name, planDigest: run.spec.planDigest }]);
  expect(await store.counts()).toEqual({ ...before, page_views: (before['page_views'] ?? 0) - due.page_views, sessions: (before['sessions'] ?? 0) - due.sessions });
  expect(await store.kept()).toEqual(kept);
  expect(await store.journalled()).toEqual(due);
  expect(await auditedRows(operator)).toEqual(due);
  await until('the counter says so too', async () => purgedRows(await operator.metrics()) === due.page_views + due.sessions);
  await proven(stage, ended, due);
  return ended;
}

/** Certificate and audit log stand up to whoever has only the files. */
async function proven(stage: Stage, run: PurgeRun, due: { page_views: number; sessions: number }): Promise<void> {
  const { operator } = stage;
  const [file = '', ...more] = await certificates(operator);
  expect(more).toEqual([]);
  const verified = await commandOf(stage)(['certificate', 'verify', join(operator.evidence, 'certificates', file), '--checkpoints', join(operator.evidence, 'checkpoints'), '-o', 'json']);
  expect({ code: verified.code, verdict: JSON.parse(verified.stdout) }).toMatchObject({ code: 0, verdict: { shape: { ok: true }, signature: { state: 'Valid' }, audit: { state: 'Anchored' } } });
  const certificate = JSON.parse(await readFile(join(operator.evidence, 'certificates', file), 'utf8')) as { basis: { planDigest: string }; collections: { name: string; deleted: number }[] };
  expect(certificate.basis.planDigest).toBe(run.spec.planDigest);
  expect(Object.fromEntries(certificate.collections.map(({ name, deleted }) => [name, deleted]))).toEqual(byCollection(due));
  const audit = await commandOf(stage)(['audit', 'verify', join(operator.evidence, 'audit'), '-o', 'json']);
  expect({ code: audit.code, verdict: JSON.parse(audit.stdout) }).toMatchObject({ code: 0, verdict: { ok: true } });
}

/** Objects of people may go; rows and protection stay. */
export async function deletionDeletesNothing({ store, alice }: Stage, run: PurgeRun): Promise<void> {
  const before = await store.counts();
  const holds = `SELECT count(*)::int AS items FROM dataward.hold_item`;
  await alice.client.delete(PURGE_RUN, refOf(run));
  await alice.client.delete(LEGAL_HOLD, HOLD);
  const successor = await until('the hold lives on in the root namespace', async () => (await alice.client.list<LegalHold>(LEGAL_HOLD, { namespace: 'dataward-system' })).at(0));
  await untilHeld(alice.client, { namespace: 'dataward-system', name: successor.metadata.name });
  await until('the old objects are gone', async () => !(await alice.client.get(LEGAL_HOLD, HOLD)) && !(await alice.client.get(PURGE_RUN, refOf(run))));
  expect(await store.query(holds)).toEqual([{ items: 1 }]);
  await alice.client.delete(RETENTION_POLICY, POLICY);
  await until('the policy is gone', async () => !(await alice.client.get(RETENTION_POLICY, POLICY)));
  expect(await store.counts()).toEqual(before);
}

/** Nothing anybody could read has a value of a data subject in it. */
export async function tellsNothingPersonal(stage: Stage, run: PurgeRun): Promise<void> {
  // One command each that prints what it reads, and that is refused.
  await commandOf(stage)(['status', '-A', '--kubeconfig', stage.reader]);
  await commandOf(stage)(['approve', 'purgerun/none', '-n', STORE.namespace, '--kubeconfig', stage.bob.kubeconfig]);
  const servers = await Promise.all(stage.serverLogs.map(async (file) => ({ where: `file ${basename(file)}`, text: await readFile(file, 'utf8') })));
  const readables = [...(await readablesOf(stage.operator, stage.reader)), ...servers, ...stage.said];
  await quiet(readables, stage.store);
  // A search of nothing finds nothing: the places where a leak would be are there.
  const has = (text: string): string[] => leaks(readables, [text]).map((leak) => leak.split(':')[0] ?? '');
  expect(has(run.spec.planDigest).length).toBeGreaterThan(2);
  expect(has('purge.intent')).toContain('file audit/audit-0000000000000001.jsonl');
  expect(has('shop/sample-web/page-views')).toContain(`output of approve purgerun/${run.metadata.name} -n ${STORE.namespace} --kubeconfig ${stage.bob.kubeconfig}`);
  if (stage.serverLogs.length > 0) expect(has(`/purgeruns/${run.metadata.name}`)).toContain('file audit.log');
}

export async function certificates(operator: Pick<OperatorProcess, 'evidence'>): Promise<string[]> {
  return (await readdir(join(operator.evidence, 'certificates'))).filter((name) => name.endsWith('.json'));
}

/** Collections are named with the map that describes them. */
function byCollection(rows: { page_views: number; sessions: number }): Record<string, number> {
  return { 'shop/sample-web/page-views': rows.page_views, 'shop/sample-web/sessions': rows.sessions };
}

function dueOf(forecast: PurgeRun['spec']['forecast'] | undefined): Record<string, number> {
  return Object.fromEntries((forecast?.steps ?? []).map((step) => [step.collection, step.due ?? 0]));
}

const nonzero = (counts: Record<string, number>): Record<string, number> => Object.fromEntries(Object.entries(counts).filter(([, rows]) => rows !== 0));

/** `dataward` in a process of its own; what it prints is kept for the scan. */
const commandOf = (stage: Stage): typeof dataward => overhear(dataward, stage.said);

function purgedRows(metrics: string): number {
  return metrics.split('\n').filter((line) => line.startsWith('dataward_purge_rows_total{')).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** Rows by table as the audit log of the operator has them. */
export async function auditedRows(operator: Pick<OperatorProcess, 'evidence'>): Promise<Record<string, number>> {
  const folder = join(operator.evidence, 'audit');
  const rows: Record<string, number> = {};
  for (const name of (await readdir(folder)).filter((file) => file.endsWith('.jsonl'))) {
    for (const line of (await readFile(join(folder, name), 'utf8')).split('\n').filter((text) => text.startsWith('{"action":"journal.batch"'))) {
      const { batch } = (JSON.parse(line) as { refs: { batch: { table: string; deleted: number } } }).refs;
      const table = batch.table.replace('public.', '');
      rows[table] = (rows[table] ?? 0) + batch.deleted;
    }
  }
  return rows;
}
