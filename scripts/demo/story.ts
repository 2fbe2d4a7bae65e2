import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import type { ComplianceProfile } from '../../src/api/generated/complianceProfile.ts';
import type { DataStore } from '../../src/api/generated/dataStore.ts';
import type { LegalHold } from '../../src/api/generated/legalHold.ts';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../src/api/generated/retentionPolicy.ts';
import { COMPLIANCE_PROFILE, DATA_STORE, LEGAL_HOLD, PURGE_RUN, RETENTION_POLICY } from '../../src/api/kinds.ts';
import { createClient, type Client } from '../../src/runtime/client.ts';
import { startDemoStore, type DemoStore } from '../../test/support/demo-store.ts';
import { createNarrator, ClaimError, type Narrator } from './narrator.ts';
import { dataward, startLocal, until, type RunningOperator } from './operator.ts';

const STORE = { namespace: 'platform-db', name: 'analytics' };
const POLICY = { namespace: 'platform-db', name: 'behaviour-25-months' };
const REQUESTED = 'dataward.io/requested-at';

interface Stage {
  store: DemoStore;
  operator: RunningOperator;
  alice: Client;
  tell: Narrator;
}

/** Tells the whole story on this machine; resolves with the exit code. */
export async function runDemo(options: { keep: boolean; now: Date }): Promise<number> {
  const tell = createNarrator(process.stdout, Date.now());
  const cleanups: (() => Promise<void>)[] = [];
  try {
    const stage = await setTheStage(tell, options.now, cleanups);
    await found(stage);
    await planned(stage);
    const run = await waits(stage);
    await approved(stage, run);
    await purged(stage, run);
    await proven(stage, run);
    await mistyped(stage);
    await judged(stage);
    tell.say('');
    tell.say('Every step above was checked; nothing was simulated.');
    if (options.keep) await keep(stage);
    return 0;
  } catch (error) {
    process.stderr.write(`\nthe demo ended early: ${error instanceof ClaimError ? `"${error.message}" is not true` : error instanceof Error ? error.stack : String(error)}\n`);
    return 1;
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

async function setTheStage(tell: Narrator, now: Date, cleanups: (() => Promise<void>)[]): Promise<Stage> {
  tell.step('A database of a web analytics service', 'A real PostgreSQL on this machine, TLS only, with rows that count back from today.');
  const store = await startDemoStore(now);
  cleanups.push(() => store.stop());
  const rows = await store.query<{ name: string; n: string }>(COUNTS);
  tell.say(rows.map((row) => `${row.name.padEnd(18)} ${Number(row.n).toLocaleString('en-US').padStart(9)} rows`).join('\n'));

  tell.step('What was declared', 'Three teams wrote down what the data is, how long it stays, and what must not go. Checked offline first.');
  const valid = await dataward(['validate', '-f', store.manifests]);
  tell.say((await readdir(store.manifests)).join('  '));
  tell.check(valid.stderr.trim(), valid.code === 0);

  const operator = await startLocal(store.manifests, ['alice', 'bob']);
  cleanups.push(() => operator.stop());
  const config = new KubeConfig();
  config.loadFromFile(operator.kubeconfig('alice'));
  const alice = createClient(config, { userAgent: 'dataward-demo', qps: 0 });
  cleanups.push(async () => alice.close());
  return { store, operator, alice, tell };
}

async function found({ alice, tell }: Stage): Promise<void> {
  tell.step('What was found', 'The same controllers that run in a cluster looked at the real store.');
  await until('the store was observed', 30_000, async () => (await alice.get<DataStore>(DATA_STORE, STORE))?.status?.retention !== undefined);
  const seen = (await alice.get<DataStore>(DATA_STORE, STORE))?.status;
  tell.say(`${seen?.identity?.server}, ${seen?.transport?.version}, certificate good until ${seen?.transport?.certificate?.notAfter?.slice(0, 10)}`);
  tell.check('a session without TLS was tried and refused', seen?.transport?.plaintextRefused === true);
  tell.check('TLS 1.0 and 1.1 were tried and refused', seen?.transport?.legacyRefused === true);
  tell.say(`${seen?.coverage?.tables} tables, ${seen?.coverage?.mapped} described, ${seen?.coverage?.nonPersonal} free of personal data; what nobody declared:`);
  tell.say(`  ${seen?.coverage?.worst?.map((entry) => `${entry.table}: ${entry.why}`).join('\n  ')}`);
  tell.check('the forgotten table with e-mail addresses was found', seen?.coverage?.worst?.some((entry) => entry.table === 'public.tmp_upload') === true);
  await until('the hold is in force', 20_000, async () => (await alice.get<LegalHold>(LEGAL_HOLD, { ...STORE, name: 'matter-2026-014' }))?.status?.state === 'Active');
  tell.check('the legal hold is committed in the store itself', true);
}

async function planned({ operator, tell }: Stage): Promise<void> {
  tell.step('What would go, what stays, and why', 'dataward plan retentionpolicy/behaviour-25-months: reads, changes nothing.');
  const plan = await dataward(['plan', `retentionpolicy/${POLICY.name}`, '-n', POLICY.namespace, '--kubeconfig', operator.kubeconfig('alice')]);
  tell.say(plan.stdout);
  tell.check('rows are due, so the command says there is something to do (exit 1)', plan.code === 1);
}

async function waits({ store, alice, tell }: Stage): Promise<PurgeRun> {
  tell.step('Nothing happens without a person', 'Somebody asks for a run now; the plan is written down as an object and waits.');
  const before = await countAll(store);
  await alice.mergePatch<RetentionPolicy>(RETENTION_POLICY, POLICY, { metadata: { annotations: { [REQUESTED]: new Date().toISOString() } } });
  const run = await untilRun(alice, (candidate) => candidate.status?.state === 'AwaitingApproval');
  tell.say(`PurgeRun ${run.metadata.name}: ${run.status?.state}, plan ${run.spec.planDigest.slice(0, 19)}`);
  tell.say(run.status?.why ?? '');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  tell.check('after a while not a single row is gone', (await countAll(store)) === before);
  const forged = alice.mergePatch(PURGE_RUN, refOf(run), { spec: { approvals: [{ by: 'bob', planDigest: run.spec.planDigest }] } });
  const refusal = await forged.then(() => undefined, (error: unknown) => (error instanceof Error ? error.message : String(error)));
  tell.check('an approval in somebody else\'s name is refused by the API server', refusal !== undefined);
  return run;
}

async function approved({ operator, tell }: Stage, run: PurgeRun): Promise<void> {
  tell.step('Another person approves exactly this plan', `dataward approve purgerun/${run.metadata.name}, as bob`);
  const approval = await dataward(['approve', `purgerun/${run.metadata.name}`, '-n', STORE.namespace, '--kubeconfig', operator.kubeconfig('bob')]);
  tell.say(approval.stdout);
  tell.check(approval.stderr.trim(), approval.code === 0);
}

async function purged({ alice, tell, store }: Stage, run: PurgeRun): Promise<void> {
  tell.step('Deleted in small batches', 'Each batch passes every gate again and writes its journal row in its own transaction.');
  let state = run;
  await until('the run has ended', 120_000, async () => {
    state = (await alice.get<PurgeRun>(PURGE_RUN, refOf(run))) ?? state;
    const { progress, state: name } = state.status ?? {};
    if (name === 'Running' || name === 'Verifying') tell.bar(progress?.deleted ?? 0, progress?.total ?? 0, progress?.throttledBy ? `waiting: ${progress.throttledBy}` : `${name}`);
    return ['Succeeded', 'Failed', 'Superseded', 'Expired'].includes(name ?? '');
  }, 400);
  tell.bar(state.status?.progress?.deleted ?? 0, state.status?.progress?.total ?? 0, state.status?.state);
  tell.check(`the run ${state.status?.state === 'Succeeded' ? 'succeeded' : `ended as ${state.status?.state}: ${state.status?.why}`}`, state.status?.state === 'Succeeded');
  const [orphans] = await store.query<{ n: string }>('SELECT count(*) AS n FROM page_view_items i WHERE NOT EXISTS (SELECT 1 FROM page_views v WHERE v.id = i.page_view_id AND v.viewed_at = i.viewed_at)');
  tell.check('no child row lost its parent', Number(orphans?.n) === 0);
}

async function proven({ alice, operator, tell, store }: Stage, run: PurgeRun): Promise<void> {
  tell.step('Seen by other eyes', 'A second identity over another connection counted again.');
  const verification = (await alice.get<PurgeRun>(PURGE_RUN, refOf(run)))?.status?.verification;
  tell.say(`level ${verification?.level}, rows left that should be gone: ${verification?.residual}`);
  tell.check('nothing that was due is left', verification?.residual === 0);
  const held = await store.query<{ n: string }>(`SELECT count(*) AS n FROM page_views WHERE client_id = 'client-a' AND viewed_at >= '${store.values.holdFrom}' AND viewed_at < '${store.values.holdTo}'`);
  tell.check(`all ${Number(held[0]?.n).toLocaleString('en-US')} rows under the hold are there, byte for byte`, verification?.heldUnchanged === true && Number(held[0]?.n) > 0);

  tell.step('The certificate', 'Signed JSON with what it covers and, in words, what it does not.');
  const folder = path.join(operator.state, 'evidence', 'certificates');
  const [file] = await readdir(folder);
  const certificate = await dataward(['certificate', 'verify', path.join(folder, file ?? '')]);
  tell.say(certificate.stdout);
  const parsed = JSON.parse(await readFile(path.join(folder, file ?? ''), 'utf8')) as { clients: { client: string; deleted: number }[]; notCovered: string[] };
  tell.say(`per client: ${parsed.clients.map((entry) => `${entry.client} ${entry.deleted.toLocaleString('en-US')}`).join(', ')}`);
  tell.say(`not covered: ${parsed.notCovered.join('; ')}`);
  tell.check('shape and signature are valid', certificate.code === 0);

  tell.step('The audit log', 'Hash-chained, one record per batch, anchored by signed checkpoints.');
  const audit = await dataward(['audit', 'verify', path.join(operator.state, 'evidence', 'audit')]);
  tell.say(audit.stdout);
  tell.check('intact and complete', audit.code === 0);
}

async function mistyped({ store, alice, tell }: Stage): Promise<void> {
  tell.step('A mistyped period', 'Somebody edits the file and types P2M for P25M; the edit is applied at once.');
  const file = path.join(store.manifests, 'retention-behaviour-25-months.yaml');
  const text = await readFile(file, 'utf8');
  const before = await countAll(store);
  const due = async (): Promise<number> => (await alice.get<DataStore>(DATA_STORE, STORE))?.status?.retention?.due ?? 0;
  await until('the rows that are left were counted', 30_000, async () => (await due()) < before / 5);
  const counted = await due();
  await writeFile(file, text.replace('period: P25M', 'period: P2M'));
  await until('the edit is applied', 10_000, async () => (await alice.get<RetentionPolicy>(RETENTION_POLICY, POLICY))?.spec.maximum?.period === 'P2M');
  await alice.mergePatch<RetentionPolicy>(RETENTION_POLICY, POLICY, { metadata: { annotations: { [REQUESTED]: new Date().toISOString() } } });
  const run = await untilRun(alice, (candidate) => candidate.status?.state === 'AwaitingApproval');
  tell.say(`PurgeRun ${run.metadata.name}: ${run.status?.state}`);
  tell.say((run.status?.why ?? '').split('; ').slice(0, 2).join(';\n'));
  tell.check('stopped before the first DELETE', (await countAll(store)) === before);
  await writeFile(file, text);
  await until('the edit is undone', 10_000, async () => (await alice.get<RetentionPolicy>(RETENTION_POLICY, POLICY))?.spec.maximum?.period === 'P25M');
  await alice.delete(PURGE_RUN, refOf(run));
  tell.say('undone; the plan is withdrawn, and deleting the object deleted no data');
  await until('the rows were counted under the old rule again', 30_000, async () => (await due()) === counted);
}

async function judged({ alice, operator, tell }: Stage): Promise<void> {
  tell.step('What is kept of what was promised', 'The controls of the profile, evaluated over what was really seen.');
  const profile = await alice.get<ComplianceProfile>(COMPLIANCE_PROFILE, { namespace: 'dataward-system', name: 'default' });
  const { score } = profile?.status ?? {};
  tell.say(`${score?.pass} controls pass, ${score?.fail} fail, ${score?.unknown} unknown, ${score?.error} in error`);
  tell.say(profile?.status?.conditions?.find((condition) => condition.type === 'Compliant')?.message.split('; ').join(';\n') ?? '');
  tell.check('the forgotten table keeps the store from being called compliant', profile?.status?.conditions?.some((condition) => condition.type === 'Compliant' && condition.status === 'False') === true);

  tell.step('The same for Prometheus', operator.metricsUrl);
  const metrics = await (await fetch(operator.metricsUrl)).text();
  const excerpt = metrics.split('\n').filter((text) => /^dataward_(store_up|retention_rows|purge_rows_total|compliance_score_ratio|tls_plaintext_accepted|audit_chain_ok)/.test(text));
  tell.say(excerpt.join('\n'));
  tell.check('the figures are there', excerpt.length >= 6);
}

async function keep({ operator, tell }: Stage): Promise<void> {
  tell.say('\nIt goes on running; Ctrl-C ends it. Try:');
  const flag = `--kubeconfig ${operator.kubeconfig('alice')}`;
  tell.say([`kubectl ${flag} get dataward -A`, `kubectl ${flag} describe datastore analytics -n platform-db`, `kubectl ${flag} explain legalhold.spec.scope`].join('\n'));
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

const TABLES = ['clients', 'visitors', 'sessions', 'page_views', 'page_view_items', 'custom_events', 'invoices', 'tmp_upload'];
const COUNTS = TABLES.map((name) => `SELECT '${name}' AS name, count(*) AS n FROM ${name}`).join(' UNION ALL ');

async function countAll(store: DemoStore): Promise<number> {
  const rows = await store.query<{ name: string; n: string }>(COUNTS);
  return rows.reduce((sum, row) => sum + Number(row.n), 0);
}

async function untilRun(alice: Client, matches: (run: PurgeRun) => boolean): Promise<PurgeRun> {
  let found: PurgeRun | undefined;
  await until('a run waits for approval', 60_000, async () => {
    found = (await alice.list<PurgeRun>(PURGE_RUN, { namespace: STORE.namespace })).find(matches);
    return found !== undefined;
  });
  return found as PurgeRun;
}

const refOf = (run: PurgeRun): { namespace: string; name: string } => ({ namespace: run.metadata.namespace ?? '', name: run.metadata.name });
