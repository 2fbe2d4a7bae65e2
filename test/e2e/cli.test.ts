import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { KubeConfig } from '@kubernetes/client-node';
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { parse } from 'yaml';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../src/api/generated/retentionPolicy.ts';
import { DATA_STORE, OPERATOR_USERNAME, PURGE_RUN, RETENTION_POLICY } from '../../src/api/kinds.ts';
import { generateSigningKey, publicKeyPem } from '../../src/evidence/keys.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { MAIN } from '../support/build.ts';
import { createTestCa } from '../support/certificates.ts';
import { runCli as runCommand } from '../support/cli.ts';
import { dataward as startCommand } from '../support/dataward-process.ts';
import { overhear } from '../support/overhear.ts';
import { freePort } from '../support/ports.ts';
import { POLICY, STORE } from '../support/sample-manifests.ts';
import type { Readable } from '../support/scan.ts';
import { until } from '../support/until.ts';
import { kubeconfigWith, tokenOf, withCluster, withToken } from './kubeconfigs.ts';
import { localStage } from './local-stage.ts';
import type { LocalStage } from './local-stage.ts';
import { refOf, requestRun } from './people.ts';
import { quiet } from './quiet.ts';
import { certificates } from './scenario.ts';

/** Every command against one small world that goes on: a plan, an approval, a certificate, and what can be wrong with each. */
const said: Readable[] = [];
const [runCli, dataward] = [overhear(runCommand, said), overhear(startCommand, said)];
let stage: LocalStage;
let folder: string;
let run: PurgeRun;
/** Rows the policy and the hold leave to be deleted, by SQL of its own. */
let due: { page_views: number; sessions: number };

beforeAll(async () => {
  stage = await localStage({ sessions: 600 });
  due = await stage.store.due();
  await until('rows are counted under the policy and the hold', async () => {
    const { due: dueRows = 0, held = 0 } = (await stage.alice.client.get<DataStore>(DATA_STORE, STORE))?.status?.retention ?? {};
    const policy = await stage.alice.client.get<RetentionPolicy>(RETENTION_POLICY, POLICY);
    return dueRows > 0 && held > 0 && policy?.status?.effective?.collections === 2;
  });
  folder = stage.cleanup.add(await mkdtemp(path.join(tmpdir(), 'dataward-cli-')), (made) => rm(made, { recursive: true, force: true }));
}, 120_000);
afterAll(() => stage?.cleanup.run());

type Result = ReturnType<typeof runCli>;
const as = (who: 'alice' | 'bob', ...args: string[]): Result => runCli([...args, '--kubeconfig', stage[who].kubeconfig]);
const planArgs = ['plan', `retentionpolicy/${POLICY.name}`, '-n', POLICY.namespace];
const inDays = (days: number): { clock: typeof systemClock } => ({ clock: { ...systemClock, now: () => Date.now() + days * 86_400_000 } });

interface StatusPage {
  stores: Record<string, string>[];
  policies: Record<string, string>[];
  holds: Record<string, string>[];
  runs: Record<string, string>[];
}

describe('status', () => {
  test('is one page of stores, policies, holds and runs, and the same as data', async () => {
    const page = await as('alice', 'status', '-A');
    expect(page).toMatchObject({ code: 1, stderr: '' });
    for (const line of [/^STORE +READY +COMPLIANT /m, /^platform-db\/sample +True +False +TLSv1\.3 /m, /^POLICY +MODE /m, /^platform-db\/behaviour +Apply +<none> +P25M from Created +2 /m, /^HOLD +STATE /m, /^platform-db\/matter-7 +Active +1\/1 /m]) expect(page.stdout).toMatch(line);
    const json = await as('alice', 'status', '-A', '-o', 'json');
    const yaml = await as('alice', 'status', '-A', '-o', 'yaml');
    expect(JSON.parse(json.stdout)).toEqual(parse(yaml.stdout));
    const { stores } = JSON.parse(json.stdout) as StatusPage;
    expect(stores).toEqual([expect.objectContaining({ store: 'platform-db/sample', ready: 'True', compliant: 'False', tls: 'TLSv1.3', unclassified: '1' })]);
  });

  test('of a namespace without anything says so and is fine', async () => {
    expect(await as('alice', 'status', '-n', 'shop')).toEqual({ code: 0, stdout: '', stderr: 'nothing is declared in namespace shop; -A shows all namespaces\n' });
  });

  test('shows nothing as known that is past its time, as after an operator that died', async () => {
    const later = await runCli(['status', '-A', '-o', 'json', '--kubeconfig', stage.alice.kubeconfig], inDays(1));
    expect(later.code).toBe(1);
    expect((JSON.parse(later.stdout) as StatusPage).stores[0]).toMatchObject({ ready: 'Unknown', compliant: 'Unknown', tls: 'Unknown', due: 'Unknown', held: 'Unknown', unclassified: 'Unknown' });
  });

  test.each<{ what: string; change: (config: KubeConfig) => Promise<void>; code: number; says: RegExp }>([
    { what: 'a server that is down', change: async (config) => withCluster(config, { server: `https://127.0.0.1:${await freePort()}` }), code: 3, says: /no answer from the API server \(ECONNREFUSED\)/ },
    { what: 'an authority that did not sign the server', change: async (config) => withCluster(config, { caData: Buffer.from((await createTestCa()).pem).toString('base64') }), code: 3, says: /no answer from the API server \([A-Z_]*(SIGNATURE|SELF_SIGNED)[A-Z_]*\)/ },
    { what: 'a token nobody knows', change: async (config) => withToken(config, 'nobody'), code: 2, says: /does not know this user: sign in again/ },
  ])('with a kubeconfig of $what ends with $code and one sentence, without the token', async ({ change, code, says }) => {
    const file = await kubeconfigWith(stage.alice.kubeconfig, folder, change);
    // The system's own errors are those of the process: a test's are from another realm.
    const result = await dataward(['status', '-A', '--kubeconfig', file]);
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(says) });
    expect(result.stderr).toMatch(/^error: [^\n]+\n$/);
    expect(result.stderr).not.toContain(tokenOf(stage.alice.kubeconfig));
  });

  test('is kubectl dataward status too', async () => {
    const bin = path.join(folder, 'bin');
    const { bin: names } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { bin: Record<string, string> };
    // What an installation of the package does.
    await chmod(MAIN, 0o755);
    await mkdir(bin);
    for (const name of Object.keys(names)) await symlink(MAIN, path.join(bin, name));
    const own = await as('alice', 'status', '-A');
    expect(await kubectlWith(bin, ['dataward', 'status', '-A'])).toEqual({ code: 1, stdout: own.stdout, stderr: '' });
    expect((await kubectlWith(bin, ['plugin', 'list'])).stdout).toContain('kubectl-dataward');
  });
});

describe('plan', () => {
  test('of a policy: what SQL of its own says is due, and --sql counts the same as a login that may only read', async () => {
    const planned = await as('alice', ...planArgs, '--sql', '-o', 'json');
    expect(planned).toMatchObject({ code: 1, stderr: '' });
    const [only] = JSON.parse(planned.stdout) as { forecast: PurgeRun['spec']['forecast']; sql: string[]; approvalNeededBecause: { reason: string }[] }[];
    const steps = Object.fromEntries((only?.forecast.steps ?? []).map((step) => [step.collection.split('/').at(-1), step]));
    expect({ 'page-views': steps['page-views']?.due, sessions: steps['sessions']?.due }).toEqual({ 'page-views': due.page_views, sessions: due.sessions });
    const blocked = steps['sessions']?.blocked ?? 0;
    expect(blocked).toBeGreaterThan(0);
    // Rows that others refer to are told apart only when the statement runs, and the statement's comment says so.
    expect(await countsOf(only?.sql ?? [])).toEqual({ 'shop/sample-web/page-views': due.page_views, 'shop/sample-web/sessions': due.sessions + blocked });
    const page = await as('alice', ...planArgs, '--sql');
    expect(page).toMatchObject({ code: 1, stdout: expect.stringMatching(new RegExp(`page-views +BlockRange +\\d{4}-\\d\\d-\\d\\d +${due.page_views} `)) });
    for (const statement of only?.sql ?? []) expect(withoutTimes(page.stdout)).toContain(withoutTimes(`${statement};`));
  });

  test.each([
    { what: 'a policy that is not there', args: ['plan', 'retentionpolicy/behavior', '-n', 'platform-db'], says: /^error: RetentionPolicy platform-db\/behavior does not exist; -n names another namespace$/m },
    { what: 'a policy of another namespace', args: ['plan', 'retentionpolicy/behaviour', '-n', 'shop'], says: /^error: RetentionPolicy shop\/behaviour does not exist/m },
    { what: 'another kind', args: ['plan', 'datastore/sample'], says: /^error: datastore\/sample: write retentionpolicy\/NAME$/m },
  ])('of $what ends with 2', async ({ args, says }) => {
    expect(await as('alice', ...args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(says) });
  });
});

describe('freeze, approve, thaw', () => {
  test('a freeze is made once, and a run that waits shows who froze and why', async () => {
    run = await requestRun(stage.alice);
    expect(await as('alice', 'freeze', '-n', 'platform-db', '--reason', 'incident 7')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^platform-db +true +alice +incident 7$/m), stderr: 'frozen: stores of namespace platform-db; `dataward thaw -n platform-db` ends it\n' });
    // At once, and not when the operator next looks at the run.
    expect((await as('bob', 'status', '-n', 'platform-db')).stdout).toMatch(/^ConfigMap platform-db\/dataward-freeze +stores of namespace platform-db +frozen by alice: incident 7$/m);
    const again = await as('bob', 'freeze', '-n', 'platform-db', '--reason', 'another', '-o', 'json');
    expect({ ...again, stdout: JSON.parse(again.stdout) as unknown }).toEqual({ code: 0, stdout: { namespace: 'platform-db', frozen: true, by: 'alice', reason: 'incident 7' }, stderr: 'frozen already by alice; that reason stays\n' });
    await untilShown(/^platform-db\/behaviour-\w+ +sample +Waiting .*frozen by alice in ConfigMap platform-db\/dataward-freeze: incident 7$/m);
  });

  test.each<{ what: string; args: () => string[]; code: number; says: RegExp; days?: number; token?: () => Promise<string> }>([
    { what: 'a run that is not there', args: () => ['purgerun/nothing'], code: 2, says: /^error: PurgeRun platform-db\/nothing does not exist; -n names another namespace$/m },
    { what: 'another kind', args: () => [`retentionpolicy/${POLICY.name}`], code: 2, says: /^error: retentionpolicy\/behaviour: write purgerun\/NAME$/m },
    { what: 'a plan whose days are over', args: () => [`purgerun/${run.metadata.name}`], days: 8, code: 2, says: /^error: PurgeRun platform-db\/behaviour-\w+: spec\.plan\.validUntil \S+ is over; annotate its policy with dataward\.io\/requested-at for a new plan$/m },
    { what: 'a plan by the operator itself', args: () => [`purgerun/${run.metadata.name}`], token: operatorToken, code: 1, says: /^error: the API server refused the approval: / },
  ])('$what is not approved', async ({ args, code, says, days = 0, token }) => {
    const file = token ? await kubeconfigWith(stage.bob.kubeconfig, folder, async (config) => withToken(config, await token())) : stage.bob.kubeconfig;
    const result = await runCli(['approve', ...args(), '-n', STORE.namespace, '--kubeconfig', file], inDays(days));
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(says) });
    expect((await stage.alice.client.get<PurgeRun>(PURGE_RUN, refOf(run)))?.spec.approvals ?? []).toEqual([]);
  });

  test('an approval names the person and the plan, is given once, and has nothing to say when the run is over', async () => {
    const approve = (): Result => as('bob', 'approve', `purgerun/${run.metadata.name}`, '-n', STORE.namespace, '-o', 'json');
    const approved = await approve();
    expect({ ...approved, stdout: JSON.parse(approved.stdout) as unknown }).toEqual({
      code: 0,
      stdout: { purgeRun: `platform-db/${run.metadata.name}`, by: 'bob', planDigest: run.spec.planDigest },
      stderr: expect.stringMatching(/^approved by bob: \d+ rows of platform-db\/sample, plan sha256:\w{12}\nthe run waits while it is frozen; ConfigMap platform-db\/dataward-freeze: frozen by alice: incident 7\n$/),
    });
    expect(await approve()).toEqual({ code: 0, stdout: '', stderr: 'bob has approved this plan already\n' });
    expect((await stage.alice.client.get<PurgeRun>(PURGE_RUN, refOf(run)))?.spec.approvals).toHaveLength(1);

    const thawed = await as('bob', 'thaw', '-n', 'platform-db', '-o', 'yaml');
    expect({ ...thawed, stdout: parse(thawed.stdout) as unknown }).toEqual({ code: 0, stdout: { namespace: 'platform-db', frozen: false, by: 'alice', reason: 'incident 7' }, stderr: 'thawed platform-db; it was frozen by alice: incident 7\n' });
    expect(await as('bob', 'thaw')).toMatchObject({ code: 0, stderr: 'nothing was frozen in dataward-system\n' });
    await untilShown(new RegExp(`^platform-db/behaviour-\\w+ +sample +Succeeded +${total()} +${total()} +VerifiedLive `, 'm'));
    expect(await approve()).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/ is Succeeded; there is nothing left to approve$/m) });
  });
});

describe('evidence', () => {
  let copy: string;
  let certificate: string;
  const verify = (...args: string[]): Result => runCli(['certificate', 'verify', certificate, '--checkpoints', path.join(copy, 'checkpoints'), ...args]);
  const audit = (...args: string[]): Result => runCli(['audit', 'verify', path.join(copy, 'audit'), ...args]);
  const segment = (): string => path.join(copy, 'audit', 'audit-0000000000000001.jsonl');

  // Each case spoils a copy of its own.
  beforeEach(async () => {
    copy = await mkdtemp(path.join(folder, 'evidence-'));
    await cp(stage.operator.evidence, copy, { recursive: true, filter: (name) => !name.endsWith('.lock') });
    certificate = path.join(copy, 'certificates', (await certificates({ evidence: copy }))[0] ?? '');
  });

  test('a certificate and a log as they were written are good', async () => {
    expect(await verify()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^signature +Valid /m), stderr: expect.stringMatching(new RegExp(`^Retention in platform-db/sample, issued .*: ${total()} rows deleted;`)) });
    expect(await audit()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^integrity +Intact +\d+ records in order$/m), stderr: expect.stringMatching(/Give --checkpoints from another place/) });
  });

  test('a certificate is compared with the log it rests on', async () => {
    const log = path.join(copy, 'audit');
    expect(await verify('--audit', log)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^chain +Supported +the log records the same deletions$/m) });
    await edit(segment(), (text) => text.replaceAll(/"deleted":(\d+)/g, '"deleted":1$1'));
    expect(await verify('--audit', log)).toMatchObject({ code: 1, stdout: expect.stringMatching(/^chain +(Contradicted|Missing) +\S/m) });
    await rm(segment());
    expect(await verify('--audit', log)).toMatchObject({ code: 1, stdout: expect.stringMatching(/^chain +Missing +chain \S+ is not here$/m) });
    expect(await verify('--audit', path.join(copy, 'nowhere'))).toMatchObject({ code: 2, stderr: expect.stringMatching(/--audit .*nowhere: there is no such folder; name the folder of the log/) });
  });

  test('what a script reads as ok is what the exit code says', async () => {
    const log = path.join(copy, 'audit');
    const ok = async (...args: string[]): Promise<[boolean, number]> => {
      const { code, stdout } = await runCli(['certificate', 'verify', certificate, '-o', 'json', ...args]);
      return [(JSON.parse(stdout) as { ok: boolean }).ok, code];
    };
    expect([await ok(), await ok('--checkpoints', path.join(copy, 'checkpoints'), '--audit', log)]).toEqual([[true, 0], [true, 0]]);
    await edit(segment(), (text) => text.replaceAll(/"deleted":(\d+)/g, '"deleted":1$1'));
    expect(await ok('--checkpoints', path.join(copy, 'checkpoints'), '--audit', log)).toEqual([false, 1]);
  });

  test('a log that ends behind its last checkpoint says up to where it is known to be whole', async () => {
    const records = (await readFile(segment(), 'utf8')).trimEnd().split('\n').length;
    const whole = Math.max(...(await readdir(path.join(copy, 'checkpoints'))).map((name) => Number(/-(\d+)\.json$/.exec(name)?.[1])));
    const detail = records > whole ? `; up to record ${whole}, the ${records - whole} after it are under none yet` : `; up to record ${whole}`;
    expect((await audit()).stdout).toContain(detail);
  });

  test('a certificate with another number in it, or checked with a key of somebody else, is not', async () => {
    const foreign = path.join(copy, 'foreign');
    await mkdir(foreign);
    await writeFile(path.join(foreign, 'somebody.pem'), publicKeyPem(generateSigningKey()));
    expect(await verify('--keys', foreign)).toMatchObject({ code: 1, stdout: expect.stringMatching(/^signature +UnknownKey /m), stderr: '' });
    await edit(certificate, (text) => text.replace(/"deleted":(\d+)/, '"deleted":1$1'));
    expect(await verify()).toMatchObject({ code: 1, stdout: expect.stringMatching(/^signature +Invalid /m), stderr: '' });
  });

  test.each<{ what: string; spoil: () => Promise<void>; integrity: RegExp; completeness: string }>([
    { what: 'cut off after two records', spoil: () => edit(segment(), (text) => `${text.split('\n').slice(0, 2).join('\n')}\n`), integrity: /Intact +2 records in order/, completeness: 'Truncated' },
    { what: 'robbed of a record', spoil: () => edit(segment(), (text) => text.split('\n').toSpliced(2, 1).join('\n')), integrity: /Broken +audit-0000000000000001\.jsonl line 3: record 3: Gap/, completeness: 'Undetermined' },
    { what: 'given another number', spoil: () => edit(segment(), (text) => text.replace(/"deleted":(\d+)/, '"deleted":1$1')), integrity: /Broken +audit-0000000000000001\.jsonl line \d+: record \d+: HashMismatch/, completeness: 'Undetermined' },
    { what: 'deleted', spoil: () => rm(segment()), integrity: /Empty +0 records in order/, completeness: 'ChainMissing' },
  ])('a log that was $what is named as that', async ({ spoil, integrity, completeness }) => {
    await spoil();
    expect(await audit()).toMatchObject({ code: 1, stdout: expect.stringMatching(new RegExp(`^integrity +${integrity.source}\ncompleteness +${completeness} `, 'm')) });
  });
});

test('no command has printed anything personal', async () => {
  const commands = new Set(said.filter(({ text }) => text !== '').map(({ where }) => where.split(' ')[2]));
  expect([...commands].toSorted()).toEqual(['approve', 'audit', 'certificate', 'freeze', 'plan', 'status', 'thaw']);
  await quiet(said, stage.store);
});

const total = (): number => due.page_views + due.sessions;

async function edit(file: string, change: (text: string) => string): Promise<void> {
  const text = await readFile(file, 'utf8');
  expect(change(text)).not.toBe(text);
  await writeFile(file, change(text));
}

async function operatorToken(): Promise<string> {
  const tokens = JSON.parse(await readFile(path.join(stage.operator.evidence, '..', 'tokens.json'), 'utf8')) as Record<string, string>;
  return tokens[OPERATOR_USERNAME] ?? '';
}

let looks = 0;

/** Waits until `status` says so; a changed annotation makes the operator look at the run now. */
async function untilShown(line: RegExp): Promise<void> {
  let page = '';
  await until(
    `status shows ${line.source}`,
    async () => {
      page = (await as('alice', 'status', '-A')).stdout;
      if (line.test(page)) return true;
      looks += 1;
      await stage.alice.client.mergePatch<PurgeRun>(PURGE_RUN, refOf(run), { metadata: { annotations: { 'test.example/look': String(looks) } } });
      return false;
    },
    { everyMs: 300, or: () => page },
  );
}

/** What the statements count, by collection, for a login that may read and a session that must not write. */
async function countsOf(statements: readonly string[]): Promise<Record<string, number>> {
  const { postgres } = stage.store;
  const client = new pg.Client({ ...postgres.connection(postgres.identityOf('dataward_observe'), 'sample'), options: '-c default_transaction_read_only=on' });
  await client.connect();
  try {
    const counts: Record<string, number> = {};
    for (const statement of statements) {
      const { rows } = await client.query<{ count: string }>(statement);
      counts[/^-- (\S+):/.exec(statement)?.[1] ?? ''] = Number(rows[0]?.count);
    }
    return counts;
  } finally {
    await client.end();
  }
}

/** Two plans are made a moment apart. */
const withoutTimes = (text: string): string => text.replaceAll(/\d\d:\d\d:\d\d\.\d{3}Z/g, 'TIME');

function kubectlWith(bin: string, args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { PATH: `${bin}:${process.env['PATH']}`, HOME: bin, KUBECONFIG: stage.alice.kubeconfig, KUBECTL_KUBERC: 'false' };
  return new Promise((resolve) => {
    execFile('kubectl', args, { env }, (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }));
  });
}
