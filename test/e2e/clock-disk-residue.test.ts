import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ComplianceProfile } from '../../src/api/generated/complianceProfile.ts';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import { COMPLIANCE_PROFILE, DATA_STORE } from '../../src/api/kinds.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { runCli } from '../support/cli.ts';
import type { OperatorProcess } from '../support/dataward-process.ts';
import { POLICY, STORE } from '../support/sample-manifests.ts';
import { sum } from '../support/sample-store.ts';
import { until } from '../support/until.ts';
import { dividedStage } from './divided-stage.ts';
import type { DividedStage } from './divided-stage.ts';
import { rowsOf } from './local-stage.ts';
import { approve, requestRun, untilEnded, untilSettled } from './people.ts';
import { auditedRows, certificates } from './scenario.ts';
import { untilStanding } from './standing.ts';

/**
 * One approved run meets a clock that is off, a disk that is full, and an application that writes old rows behind its
 * back. It deletes only while clock and disk are well, and what it could not prove is not certified.
 */
const HOURS = 3_600_000;
let stage: DividedStage;
let operator: OperatorProcess;
let run: PurgeRun;
let before: Record<string, number>;

beforeAll(async () => {
  stage = await dividedStage({ sessions: 1_500, slowBatchMillis: 60, hold: false });
  operator = await stage.start();
  await untilSettled(stage.alice, { hold: false });
  run = await requestRun(stage.alice);
  before = await stage.store.counts();
  await operator.signal('SIGTERM');
  await approve(stage.bob, run);
}, 120_000);
afterAll(() => stage?.cleanup.run());

test.each([{ what: 'two hours fast', shift: 2 * HOURS }, { what: 'two hours slow', shift: -2 * HOURS }])('a clock that is $what: nothing goes, and run and plan say by how much the clocks differ', async ({ shift }) => {
  operator = await stage.start({ nodeFlags: ['--import', `${new URL('../support/shift-clock.js', import.meta.url).href}?ms=${shift}`] });
  const says = /the clocks of operator and store differ by (7199|7200|7201) s; synchronise them, nothing is deleted until they agree within 60 s/;
  // What the operator before has said still stands there.
  await until('this operator has looked at a run', async () => /^controller_runtime_reconcile_total\{[^}]*controller="purgerun"[^}]*\} [1-9]/m.test(await operator.metrics()));
  const status = await untilStanding(stage.alice, run, says);
  expect(status).toMatchObject({ state: 'Waiting', conditions: expect.arrayContaining([expect.objectContaining({ type: 'Ready', reason: 'ClockSkew' })]) });
  const store = await until('the store says so too', async () => [(await stage.alice.client.get<DataStore>(DATA_STORE, STORE))?.status].find((seen) => seen?.conditions?.some(({ type, reason, message }) => type === 'Ready' && reason === 'ClockSkew' && says.test(message))));
  expect(store).toMatchObject({ conditions: expect.arrayContaining([expect.objectContaining({ type: 'Reachable', status: 'True' }), expect.objectContaining({ type: 'Covered', status: 'Unknown', reason: 'ClockSkew' })]) });
  for (const believed of ['validUntil', 'transport', 'coverage', 'retention']) expect(store).not.toHaveProperty(believed);
  const shifted = { ...systemClock, now: () => Date.now() + shift };
  expect(await runCli(['plan', `retentionpolicy/${POLICY.name}`, '-n', POLICY.namespace, '--kubeconfig', stage.alice.kubeconfig], { clock: shifted })).toMatchObject({ code: 3, stdout: expect.stringMatching(says) });
  expect(await runCli(['status', '-A', '--kubeconfig', stage.alice.kubeconfig])).toMatchObject({ code: 1, stdout: expect.stringMatching(says) });
  await operator.signal('SIGTERM');
  expect(await stage.store.counts()).toEqual(before);
}, 40_000);

test('with the right time the run begins; a disk that takes no more of the audit log stops it within seconds; when there is room again it goes on by itself', async () => {
  operator = await stage.start();
  await until('rows begin to go', async () => (await rowsOf(stage.store)) < sum(before));
  await until('the log has rows', async () => sum(await auditedRows(stage)) > 0);
  const audit = path.join(stage.evidence, 'audit');
  const [segment = ''] = (await readdir(audit)).filter((name) => name.endsWith('.jsonl'));
  execFileSync('prlimit', ['--pid', String(operator.pid), `--fsize=${(await stat(path.join(audit, segment))).size}:unlimited`]);
  const status = await untilStanding(stage.alice, run, /audit log .* cannot be written: .*; destructive work stops until the cause is removed/);
  expect(status).toMatchObject({ conditions: expect.arrayContaining([expect.objectContaining({ type: 'Ready', reason: 'AuditUnavailable' })]) });
  // A full disk is a thing people mend, not a fault with a stack that somebody would report.
  expect(operator.log()).not.toMatch(/"controller":"purgerun"/);
  expect(sum(await stage.store.due())).toBeGreaterThan(0);
  const standing = await stage.store.counts();
  await delay(2_100);
  expect(await stage.store.counts()).toEqual(standing);
  expect(operator.log().match(/"level":"error","message":"the audit log cannot be written; nothing is deleted"/g)).toHaveLength(1);
  expect(await runCli(['status', '-A', '--kubeconfig', stage.alice.kubeconfig])).toMatchObject({ code: 1, stdout: expect.stringMatching(/audit log .* cannot be written/) });

  execFileSync('prlimit', ['--pid', String(operator.pid), '--fsize=unlimited']);
  await until('rows go again', async () => (await rowsOf(stage.store)) < sum(standing));
  expect(operator.log()).toMatch(/"level":"info","message":"the audit log can be written again"/);
  expect(await readFile(path.join(audit, segment), 'utf8')).toContain('"action":"chain.reopened"');
}, 60_000);

test('old rows that are written while the run works, and that somebody keeps locked: it fails, says how many are left, and certifies nothing', async () => {
  await until('the run is at its last step', async () => (await stage.store.due()).page_views === 0);
  await stage.store.query(LATE_ROWS);
  const locked = stage.store.query(LOCK_LATE_ROWS).catch(() => undefined);
  const ended = await untilEnded(stage.alice, run);
  const why = `${LATE} due rows are still there, most in shop/sample-web/page-views; something goes on writing, or keeps, rows with an old time, or rows in several partitions refer to each other in a ring; find it, then plan again`;
  expect(ended.status).toMatchObject({
    state: 'Failed',
    why,
    verification: { by: 'verify', residual: LATE, heldUnchanged: true },
    progress: { deleted: sum(before) - sum(await stage.store.counts()) + LATE },
    conditions: expect.arrayContaining([expect.objectContaining({ type: 'Failed', status: 'True', reason: 'ResidualRows' })]),
  });
  expect(ended.status).not.toHaveProperty('certificate');
  expect(await certificates(stage)).toEqual([]);
  expect(await stage.store.journalled()).toEqual(await auditedRows(stage));
  expect(await runCli(['status', '-A', '--kubeconfig', stage.alice.kubeconfig])).toMatchObject({ code: 1, stdout: expect.stringContaining(why) });

  let counted: DataStore['status'];
  await until('the store is counted again', async () => {
    counted = (await stage.alice.client.get<DataStore>(DATA_STORE, STORE))?.status;
    return counted?.retention?.due === LATE;
  }, { or: () => counted });
  expect(counted?.conditions).toContainEqual(expect.objectContaining({ type: 'Compliant', status: 'False' }));
  const metrics = await until('the gauges show how the run ended', async () => [await operator.metrics()].find((text) => text.includes('dataward_purge_last_attempt_ok{')));
  expect(metrics).toMatch(/^dataward_purge_last_attempt_ok\{.*name="sample".*\} 0$/m);
  expect(metrics).toMatch(new RegExp(`^dataward_retention_rows\\{.*state="due".*\\} ${LATE}$`, 'm'));
  expect(metrics).not.toMatch(/^dataward_purge_last_success_timestamp_seconds\{/m);
  await stage.store.query(UNLOCK);
  await locked;
}, 60_000);

test('a new plan takes the late rows, and only that run is certified; the old run leaves the journal of the store, and the log still has all of it', async () => {
  const recorded = await auditedRows(stage);
  await stage.store.query(`UPDATE dataward.journal SET at = at - interval '100 days'`);
  const next = await requestRun(stage.alice);
  await approve(stage.bob, next);
  const ended = await untilEnded(stage.alice, next);
  expect(ended.status).toMatchObject({ state: 'Succeeded', progress: { deleted: LATE }, verification: { residual: 0 } });
  const [file, ...more] = await certificates(stage);
  expect(more).toEqual([]);
  await until('the old run has left the journal', async () => sum(await stage.store.journalled()) === LATE);
  expect(sum(await auditedRows(stage))).toBe(sum(recorded) + LATE);
  await until('the operator says so', async () => /"message":"old runs were taken out of the journal of a store".*"runs":1,"rows":[1-9]/.test(operator.log()));
  expect(await runCli(['certificate', 'verify', path.join(stage.evidence, 'certificates', file ?? ''), '--checkpoints', path.join(stage.evidence, 'checkpoints')])).toMatchObject({ code: 0 });
  await operator.signal('SIGTERM');
  expect(await runCli(['audit', 'verify', path.join(stage.evidence, 'audit')])).toMatchObject({ code: 0 });
}, 40_000);

test('a profile that is deleted while no operator runs leaves no verdict behind', async () => {
  const compliant = async (): Promise<unknown> => (await stage.alice.client.get<DataStore>(DATA_STORE, STORE))?.status?.conditions?.find(({ type }) => type === 'Compliant');
  expect(await compliant()).toMatchObject({ reason: expect.not.stringMatching('NotJudged') });
  const [profile] = await stage.alice.client.list<ComplianceProfile>(COMPLIANCE_PROFILE, {});
  await stage.alice.client.delete(COMPLIANCE_PROFILE, { namespace: profile?.metadata.namespace ?? '', name: profile?.metadata.name ?? '' });
  operator = await stage.start();
  await until('nobody judges', async () => JSON.stringify(await compliant()).includes('"NotJudged"'));
  expect(await compliant()).toMatchObject({ status: 'Unknown', reason: 'NotJudged' });
  expect(await operator.metrics()).not.toMatch(/^dataward_(?:resource_compliance|compliance_score_ratio|report_results)\{/m);
}, 40_000);

const LATE = 7;
const LATE_ROWS = `
  INSERT INTO page_views SELECT (SELECT max(id) FROM page_views) + n, s.id, s.client_id, s.visitor_id, current_timestamp - interval '40 months', '/late', ''
  FROM (SELECT * FROM sessions ORDER BY started_at DESC LIMIT 1) s, generate_series(1, ${LATE}) n`;
const LOCK_LATE_ROWS = `BEGIN; SELECT FROM page_views WHERE path = '/late' FOR UPDATE; SELECT pg_sleep(120)`;
const UNLOCK = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; SELECT FROM page_views%' AND pid <> pg_backend_pid()`;
