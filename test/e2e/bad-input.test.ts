import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DataMap } from '../../src/api/generated/dataMap.ts';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import { DATA_MAP, DATA_STORE } from '../../src/api/kinds.ts';
import type { Condition, KindRef, KubeObject, ObjectRef } from '../../src/api/object.ts';
import { openAuditLog } from '../../src/evidence/audit/log.ts';
import { ensureBuilt } from '../support/build.ts';
import { createTestCa } from '../support/certificates.ts';
import { runCli as runCommand } from '../support/cli.ts';
import { startLocal, type LocalProcess } from '../support/dataward-process.ts';
import { overhear } from '../support/overhear.ts';
import { freePort } from '../support/ports.ts';
import { POLICY, STORE } from '../support/sample-manifests.ts';
import { startSampleStore, type SampleStore } from '../support/sample-store.ts';
import { leaks } from '../support/scan.ts';
import type { Readable } from '../support/scan.ts';
import { until } from '../support/until.ts';
import { approve, person, requestRun, untilEnded, untilSettled, type Person } from './people.ts';
import { quiet, readablesOf } from './quiet.ts';
import { nudge, untilStanding } from './standing.ts';

/**
 * A run that people have approved stands before a closed gate: a freeze. In each case something breaks, the gate is
 * opened, and not a row may go; in the end nothing is broken, and the very same run deletes exactly what was due.
 */
let store: SampleStore;
let operator: LocalProcess;
let alice: Person;
let run: PurgeRun;
let counts: Record<string, number>;
let state: string;

beforeAll(async () => {
  await ensureBuilt();
  store = await startSampleStore({ now: new Date(), sessions: 400 });
  state = await mkdtemp(path.join(tmpdir(), 'dataward-bad-input-'));
  await growAuditLog(path.join(state, 'evidence', 'audit'));
  operator = await startLocal(store.manifests, ['alice', 'bob'], { state });
  alice = person('alice', operator.kubeconfig('alice'));
  const bob = person('bob', operator.kubeconfig('bob'));
  await untilSettled(alice, { hold: true });
  run = await requestRun(alice);
  expect(await cli('freeze', '--reason', 'cases are prepared')).toMatchObject({ code: 0 });
  await approve(bob, run);
  bob.client.close();
  await untilStanding(alice, run, /cases are prepared/);
  counts = await store.counts();
}, 120_000);
afterAll(async () => {
  alice.client.close();
  await operator.close();
  await store.stop();
  await rm(state, { recursive: true, force: true });
});

/** Whatever commands and operators that are gone have printed. */
const said: Readable[] = [];
const runCli = overhear(runCommand, said);
const cli = (...args: string[]): ReturnType<typeof runCli> => runCli([...args, '--kubeconfig', alice.kubeconfig]);
const planIt = (): ReturnType<typeof runCli> => cli('plan', `retentionpolicy/${POLICY.name}`, '-n', POLICY.namespace);

describe('a declaration that cannot be', () => {
  const cases: { what: string; file: string; spoil: (text: string) => string; says: RegExp }[] = [
    { what: 'malformed YAML', file: 'retentionpolicy', spoil: (text) => text.replace('maximum:', 'maximum: [\n '), says: /09-retentionpolicy-behaviour\.yaml:\d+: .*\S/ },
    { what: 'an unknown field', file: 'retentionpolicy', spoil: (text) => text.replace('  maximum:', '  maximumm: {}\n  maximum:'), says: /09-retentionpolicy-behaviour\.yaml:\d+: .*spec\.maximumm/ },
    { what: 'an impossible period', file: 'retentionpolicy', spoil: (text) => text.replace('period: P25M', 'period: 25 months'), says: /09-retentionpolicy-behaviour\.yaml:\d+: .*spec\.maximum\.period/ },
  ];

  test.each(cases)('$what is named with file and line by validate and plan, and leaves the period that was declared in force', async ({ file, spoil, says }) => {
    const { name, text } = await manifest(file);
    const logged = operator.log().length;
    await writeFile(name, spoil(text));
    try {
      const validated = await runCli(['validate', '-f', store.manifests]);
      expect(validated).toMatchObject({ code: 1, stdout: expect.stringMatching(says) });
      const planned = await runCli(['plan', '-f', store.manifests]);
      expect(planned).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(says) });
      await until('the operator has read the file', async () => /retentionpolicy-behaviour\.yaml:\d+: /.test(operator.log().slice(logged)), { or: () => operator.log().slice(logged) });
      expect((await alice.client.get<KubeObject & { spec: { maximum: { period: string } } }>({ group: 'dataward.io', version: 'v1alpha1', plural: 'retentionpolicies', kind: 'RetentionPolicy', namespaced: true }, POLICY))?.spec.maximum.period).toBe('P25M');
    } finally {
      await writeFile(name, text);
    }
    expect(await store.counts()).toEqual(counts);
  });
});

interface Break {
  what: string;
  /** Breaks it and gives the way back. */
  spoil: () => Promise<() => Promise<void>>;
  /** The condition that tells; the Ready condition of the store when left out. */
  tells?: { kind: KindRef; ref: ObjectRef; type: string } | 'TheRun';
  reason: string;
  /** Object, field or place, and next step. */
  message: RegExp;
  /** Exit code of `plan`, and what it prints. */
  plan: { code: number; says: RegExp };
  /** Why the approved run does not go on. */
  run: RegExp;
}

const SAMPLE = /DataStore platform-db\/sample \(127\.0\.0\.1:\d+\/sample\)/.source;
const MAP = { kind: DATA_MAP, ref: { namespace: 'shop', name: 'sample-web' }, type: 'Resolved' };

const BREAKS: Break[] = [
  {
    what: 'an unreachable store',
    spoil: async () => edit('datastore', async (text) => text.replace(/port: \d+/, `port: ${await freePort()}`)),
    reason: 'Unreachable',
    message: new RegExp(`${SAMPLE}: the connection could not be made .*ECONNREFUSED.*; check the endpoint`),
    plan: { code: 3, says: /Unreachable: .*check the endpoint and that the server runs/ },
    run: /check the endpoint and that the server runs/,
  },
  {
    what: 'a wrong password',
    spoil: async () => edit('secret-sample-observe', async (text) => text.replace(/password: .*/, 'password: mistyped')),
    reason: 'AuthenticationFailed',
    message: new RegExp(`${SAMPLE}: .*dataward_observe.*correct the credential Secret`),
    plan: { code: 3, says: /AuthenticationFailed: .*correct the credential Secret/ },
    run: /correct the credential Secret/,
  },
  {
    what: 'a Secret of another store',
    spoil: async () => edit('secret-sample-observe', async (text) => text.replace('dataward.io/store: sample', 'dataward.io/store: other')),
    reason: 'SecretNotBound',
    message: /Secret platform-db\/sample-observe \(spec\.credentials\.observe\) is not bound.*sets the annotation dataward\.io\/store: sample/,
    plan: { code: 2, says: /SecretNotBound: / },
    run: /is not bound to this store/,
  },
  {
    what: 'a wrong authority',
    spoil: async () => {
      const { pem } = await createTestCa();
      return edit('configmap', async (text) => text.replace(/-----BEGIN[\s\S]*END CERTIFICATE-----/, pem.trim().replaceAll('\n', '\n    ')));
    },
    reason: 'CertificateRejected',
    message: new RegExp(`${SAMPLE}: the server's certificate is not trusted .*check spec\\.tls\\.ca and spec\\.tls\\.serverName`),
    plan: { code: 3, says: /CertificateRejected: .*spec\.tls\.ca/ },
    run: /certificate is not trusted/,
  },
  {
    what: 'a table that is missing',
    spoil: async () => edit('datamap', async (text) => text.replace('name: page_views', 'name: page_view')),
    tells: MAP,
    reason: 'MissingTable',
    message: /collection page-views: the store has no table public\.page_view; correct spec\.collections\[\]\.table/,
    plan: { code: 1, says: /left out MissingTable in shop\/sample-web\/page-views: .*public\.page_view; correct/ },
    run: /\S/,
  },
  {
    what: 'a column that is missing',
    spoil: async () => edit('datamap', async (text) => text.replace('field: viewed_at', 'field: seen_at')),
    tells: MAP,
    reason: 'MissingColumn',
    message: /page-views.*seen_at/,
    plan: { code: 1, says: /left out MissingColumn in shop\/sample-web\/page-views: .*seen_at/ },
    run: /\S/,
  },
  {
    what: 'another store behind the same name',
    spoil: async () => {
      await swap('sample', 'sample_before', 'sample_copy');
      return () => swap('sample', 'sample_copy', 'sample_before');
    },
    reason: 'TargetChanged',
    message: /another store answers under this name: sha256:\w+ instead of sha256:\w+; if that is intended, annotate dataward\.io\/confirm-target=sha256:\w+/,
    plan: { code: 1, says: /behaviour in platform-db\/sample/ },
    run: /the plan was made for sha256:\w+, but sha256:\w+ answers/,
  },
  {
    what: 'a privilege that was taken away',
    spoil: () => sql('REVOKE DELETE ON page_views, sessions FROM dataward_enforce', 'GRANT DELETE ON page_views, sessions TO dataward_enforce'),
    // Only the run needs it, and only its condition can tell.
    tells: 'TheRun',
    reason: 'PermissionMissing',
    message: /lacks a privilege/,
    plan: { code: 1, says: /behaviour in platform-db\/sample/ },
    run: new RegExp(`${SAMPLE}: dataward_enforce lacks a privilege; grant it .*page_views`),
  },
];

describe('a store that is not as declared', () => {
  beforeAll(async () => {
    // A copy with all the rows, as a careless restore leaves one.
    await store.postgres.query(CLOSE('sample'));
    await store.postgres.createDatabase('sample_copy', { template: 'sample' });
  });

  test.each(BREAKS)('$what: the condition and plan say what and what to do, and an approved run deletes nothing', async (each) => {
    const mend = await each.spoil();
    try {
      const { kind, ref, type } = each.tells === 'TheRun' ? {} : (each.tells ?? { kind: DATA_STORE, ref: STORE, type: 'Ready' });
      if (kind && ref && type) await untilCondition(kind, ref, type, (condition) => condition.reason === each.reason && each.message.test(condition.message));
      const planned = await planIt();
      expect(planned).toMatchObject({ code: each.plan.code, stdout: expect.stringMatching(each.plan.says) });
      expect(planned.stderr).not.toMatch(/^ +at /m);
      await cli('thaw');
      await nudge(alice, DATA_STORE, STORE);
      await untilStanding(alice, run, each.run, /cases are prepared/);
      expect(await store.counts()).toEqual(counts);
    } finally {
      await cli('freeze', '--reason', 'cases are prepared');
      await mend();
    }
    await untilCondition(DATA_STORE, STORE, 'Ready', (condition) => condition.status === 'True');
    await untilStanding(alice, run, /cases are prepared/);
    expect(await store.counts()).toEqual(counts);
  });
});

test('an audit log that cannot grow stops the run before the first row, and says so; a restart goes on', async () => {
  const [segment] = await readdir(path.join(operator.evidence, 'audit')).then((names) => names.filter((name) => name.endsWith('.jsonl')));
  const { size } = await stat(path.join(operator.evidence, 'audit', segment ?? ''));
  // As a full disk, but for files as large as the log only: the objects of the API server are small.
  execFileSync('prlimit', ['--pid', await pidOf(state), `--fsize=${size}`]);
  const [before] = await store.query<{ held: string; others: string }>(OLD_VIEWS);
  expect(Number(before?.others)).toBeGreaterThan(0);
  await cli('thaw');
  await nudge(alice, DATA_STORE, STORE);
  await untilStanding(alice, run, /audit log .* cannot be written: .*; destructive work stops until the cause is removed/, /cases are prepared/);
  expect(await store.counts()).toEqual(counts);

  await operator.close();
  said.push({ where: 'log of the operator before', text: operator.log() });
  operator = await startLocal(store.manifests, ['alice', 'bob'], { state });
  alice.client.close();
  alice = person('alice', operator.kubeconfig('alice'));
  const ended = await untilEnded(alice, run);
  expect(ended.status).toMatchObject({ state: 'Succeeded' });
  // While its column was missing the hold became as wide as its client, and what a store has under hold only a release lets go.
  const [left] = await store.query<{ held: string; others: string }>(OLD_VIEWS);
  expect(left).toEqual({ ...before, others: '0' });
  expect(await runCli(['audit', 'verify', path.join(operator.evidence, 'audit')])).toMatchObject({ code: 0 });
}, 90_000);

test('none of these failures has told anybody anything personal', async () => {
  const readables = [...(await readablesOf(operator, alice.kubeconfig)), ...said];
  // The places are there in which a leak would be seen.
  const has = (text: string): string[] => leaks(readables, [text]).map((leak) => leak.split(' ')[0] ?? '');
  expect(has('lacks a privilege')).toEqual(expect.arrayContaining(['object']));
  expect(has('CertificateRejected')).toEqual(expect.arrayContaining(['object', 'output']));
  expect(has('objects of')).toEqual(expect.arrayContaining(['log']));
  await quiet(readables, store);
}, 60_000);

/** The state folder names the process that has it, in the one lock that is there. */
async function pidOf(folder: string): Promise<string> {
  const objects = path.join(folder, 'objects');
  const [lock = '', ...others] = (await readdir(objects)).filter((name) => name.endsWith('.lock'));
  expect(others).toEqual([]);
  const { pid } = JSON.parse(await readFile(path.join(objects, lock), 'utf8')) as { pid: number };
  expect(pid).toBeGreaterThan(0);
  return String(pid);
}

/** A log larger than any other file the operator writes, so that a limit of file size meets the log alone. */
async function growAuditLog(dir: string): Promise<void> {
  const log = await openAuditLog({ dir, clock: () => new Date() });
  const entry = { actor: 'dataward', action: 'purge.planned', object: { kind: 'PurgeRun', namespace: 'platform-db', name: 'earlier' }, outcome: 'Noted', refs: { why: 'y'.repeat(200) } } as const;
  await Promise.all(Array.from({ length: 1_000 }, () => log.append(entry)));
  await log.close();
}

async function manifest(part: string): Promise<{ name: string; text: string }> {
  const file = (await readdir(store.manifests)).find((name) => name.includes(part));
  const name = path.join(store.manifests, file ?? part);
  return { name, text: await readFile(name, 'utf8') };
}

/** Edits a manifest as a person would; the operator applies it. Gives the way back. */
async function edit(part: string, change: (text: string) => Promise<string>): Promise<() => Promise<void>> {
  const { name, text } = await manifest(part);
  const changed = await change(text);
  expect(changed).not.toBe(text);
  await save(name, changed);
  return () => save(name, text);
}

async function save(name: string, text: string): Promise<void> {
  const logged = operator.log().length;
  await writeFile(name, text);
  await until(`${path.basename(name)} is applied`, async () => operator.log().slice(logged).includes(`${path.basename(name)}:`));
}

async function sql(spoil: string, mend: string): Promise<() => Promise<void>> {
  await store.query(spoil);
  return async () => void (await store.query(mend));
}

const CLOSE = (name: string): string => `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}' AND pid <> pg_backend_pid()`;

/** Puts database `next` under the name, and what had it aside. */
async function swap(name: string, aside: string, next: string): Promise<void> {
  for (const [from, to] of [[name, aside], [next, name]] as const) {
    await until(`${from} is renamed`, async () => {
      await store.postgres.query(CLOSE(from));
      return store.postgres.query(`ALTER DATABASE ${from} RENAME TO ${to}`).then(() => true, () => false);
    });
  }
}

/** Page views that are past the period: those of the client under hold, and all others. */
const OLD_VIEWS = `SELECT count(*) FILTER (WHERE client_id = 'client-a') AS held, count(*) FILTER (WHERE client_id <> 'client-a') AS others FROM page_views WHERE viewed_at < current_date - interval '25 months'`;

async function untilCondition(kind: KindRef, ref: ObjectRef, type: string, holds: (condition: Condition) => boolean): Promise<void> {
  let seen: Condition | undefined;
  await until(
    `${kind.kind} ${ref.name} says so in ${type}`,
    async () => {
      const object = await alice.client.get<DataStore | DataMap>(kind, ref);
      seen = (object?.status?.conditions as Condition[] | undefined)?.find((condition) => condition.type === type);
      if (seen && seen.observedGeneration === object?.metadata.generation && holds(seen)) return true;
      await nudge(alice, DATA_STORE, STORE);
      return false;
    },
    { everyMs: 300, timeoutMs: 15_000, or: () => seen },
  );
}
