import { describe, expect, test } from '@jest/globals';
import type { PurgeRun, PurgeRunSpec } from '../../../../src/api/generated/purgeRun.ts';
import { CONFIG_MAP } from '../../../../src/api/kinds.ts';
import type { KubeObject } from '../../../../src/api/object.ts';
import { signCheckpoint } from '../../../../src/evidence/audit/checkpoint.ts';
import { certificateDigest, type Certificate } from '../../../../src/evidence/certificate.ts';
import { generateSigningKey, type SigningKey } from '../../../../src/evidence/keys.ts';
import { conclude } from '../../../../src/retention/run/conclude.ts';
import type { RunReport } from '../../../../src/retention/run/status.ts';
import type { NormalRule } from '../../../../src/rules/weakening.ts';
import { canonicalJson } from '../../../../src/evidence/canonical.ts';
import { predicateDigest } from '../../../../src/stores/condition.ts';
import { StoreError } from '../../../../src/stores/errors.ts';
import type { PurgeRequest } from '../../../../src/stores/purging.ts';
import { digest, signer } from '../../../support/certificate.ts';
import { NOON } from '../../../support/chain.ts';
import { aPolicy, aPurge, aStore, aTime } from '../../../support/declared.ts';
import { memoryAudit, silentJournal, type MemoryAudit } from '../../../support/memory-audit.ts';
import { memoryClient, type MemoryClient } from '../../../support/memory-client.ts';
import { aReplica, besideReplicas } from '../../../support/scripted-replicas.ts';
import { aForecast, scriptedStore, VIEWS, type ScriptedStore, type StoreScript } from '../../../support/scripted-store.ts';
import { anExecuted, aPlan, aRun } from './declared-run.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';

const table = { schema: 'public', name: 'views' };
const heldBefore = [{ collection: VIEWS, rows: 2, sum: '77', holds: ['h'] }];
const HELD = { fence: { owner: 'us', marker: 'm', holdsRevision: 1, holds: [{ uid: 'h', name: 'platform-db/matter-1', revision: 1, items: [{ table, predicate: { op: 'true' as const } }] }] } };
const CONFIG = { namespace: 'platform-db', name: 'general-1-certificate' };

/** The rule of `views` that deletes what is older than `period`, which on the day of the plan is `cutoff`. */
interface Declared {
  normal: NormalRule;
  request: PurgeRequest;
}

function declared(period: string, cutoff: string, client?: { field: string }): Declared {
  const due = { op: 'before', time: aTime('created_at'), cutoff: { instant: `${cutoff}T00:00:00Z`, localDate: cutoff, timeZone: 'UTC' } } as const;
  return {
    normal: { algebra: 1, table: 'public.views', maxima: [{ scope: 'created', period, roundUp: 'None' }], minimums: [] },
    request: { rules: [{ collection: VIEWS, table, due, guards: [], times: [], acknowledged: [], ...(client ? { client } : {}) }], targets: [VIEWS], nonPersonal: [], now: aPlan().asOf, budgetMs: 60_000 },
  };
}

const APPROVED = declared('P12M', '2025-03-01');
const LONGER = declared('P36M', '2023-03-01');
const digestIn = ({ request }: Declared): string => predicateDigest(request.rules[0]!);
const plan = aPlan({ target: digest('c'), steps: [{ ...aPlan().steps[0]!, cutoff: '2025-03-01T00:00:00Z', rule: canonicalJson(APPROVED.normal), predicateDigest: digestIn(APPROVED) }] });

interface Ended {
  report: RunReport;
  audit: MemoryAudit;
  store: ScriptedStore;
  client: MemoryClient;
  calls: string[];
  kept: Map<string, string>;
}

interface Circumstances {
  script?: Partial<StoreScript>;
  status?: PurgeRun['status'];
  verify?: boolean;
  /** Records that other controllers write while the checkpoint is on its way. */
  meanwhile?: number;
  client?: MemoryClient;
  /** What is kept from before. */
  kept?: Map<string, string>;
  /** What is declared by the time the run is verified. */
  now?: Declared;
  approvals?: PurgeRunSpec['approvals'];
  uid?: string;
  name?: string;
  at?: number;
  key?: SigningKey;
  /** The store declares a replica, which has caught up. */
  replica?: boolean;
}

async function end({ script = {}, status = { auditFrom: 1 }, verify = true, meanwhile = 0, client = memoryClient(), kept = new Map(), now = APPROVED, approvals = [], uid = 'uid-general-1', name = 'general-1', at = NOON.getTime(), key = signer, replica = false }: Circumstances = {}): Promise<Ended> {
  const calls: string[] = [];
  const store = scriptedStore({ journal: [{ run: uid, seq: 1, epoch: 1, collection: VIEWS, table, method: 'BlockRange', deleted: 400, clients: { 'client-a': 300, 'b@example.com': 100 }, at: '2026-03-01T02:00:00Z' }], ...script }, calls);
  const audit = memoryAudit(calls);
  const write = (): Promise<unknown> => audit.append({ actor: 'x', action: 'hold.enforced', object: { kind: 'LegalHold', name: 'h' }, outcome: 'Done' });
  await write();
  const nameClient = (key: string): string => (key.includes('@') ? `hmac-sha256:${'0'.repeat(64)}` : key);
  const certifier = {
    client,
    audit,
    key,
    keep: async (file: string, text: string) => {
      calls.push('keep');
      kept.set(file, text);
    },
    kept: async (file: string) => kept.get(file),
    anchor: async () => {
      const checkpoint = signCheckpoint(audit.chainId, audit.head(), signer, NOON);
      for (let each = 0; each < meanwhile; each += 1) await write();
      calls.push('anchor');
      return checkpoint;
    },
    bundleDigest: null,
    nameClient,
    version: '0.1.0',
    actor: 'dataward',
    now: () => at,
  };
  const credentials = { observe: { secretName: 'o' }, enforce: { secretName: 'e' }, ...(verify ? { verify: { secretName: 'v' } } : {}) };
  const planned = aRun({ plan, approvals }, status, name);
  const run = { ...planned, metadata: { ...planned.metadata, uid } };
  const report = await conclude(
    { run, store: aStore({ credentials, ...(replica ? { endpoint: { host: 'db.example', port: 5432, database: 'analytics', replicas: [{ host: 'a.example', port: 5432 }] } } : {}) }), policy: aPolicy('general', { purge: aPurge() }), executed: anExecuted(now.request, plan, new Map([[VIEWS, now.normal]])) },
    { connections: replica ? besideReplicas(store, [aReplica()]).connections : store.connections, audit, journal: silentJournal, certifier, nameClient, metrics: createMetrics({ version: '0', commit: 'c' }).domain, actor: 'dataward', now: () => at, signal: new AbortController().signal },
  );
  expect(store.open()).toBe(0);
  return { report, audit, store, client, calls, kept };
}

const certificateIn = ({ kept }: Ended): Certificate => JSON.parse([...kept.values()][0] ?? '') as Certificate;

describe('a run that is proven', () => {
  test('is recorded, remembered beside the data, certified, kept and published, in this order', async () => {
    const ended = await end();
    expect(ended.report).toMatchObject({ state: 'Succeeded', reason: 'Succeeded', progress: { deleted: 400 }, verification: { level: 'VerifiedLive', residual: 0, by: 'verify' } });
    expect(ended.calls).toEqual(['audit hold.enforced', 'verify:planPurge', 'audit purge.verified', `enforce:recordApprovedRules ${VIEWS} 2025-03-01`, 'anchor', 'keep', 'audit certificate.issued']);
    expect(ended.audit.entries.find(({ action }) => action === 'purge.verified')).toMatchObject({ outcome: 'Done', refs: { deleted: 400, level: 'VerifiedLive', residual: 0 } });
    const published = ended.client.read<KubeObject & { data: Record<string, string> }>(CONFIG_MAP, CONFIG)?.data['certificate.json'] ?? '';
    expect([...ended.kept]).toEqual([['platform-db.general-1-certificate.json', published]]);
    expect(`sha256:${ended.report.certificate?.sha256}`).toBe(certificateDigest(published));
    expect(ended.audit.entries.at(-1)?.refs).toMatchObject({ certificate: 'general-1-certificate', digest: certificateDigest(published) });
  });

  test('has a certificate that says what was forecast, deleted and seen, and no client in clear that looks like a person', async () => {
    const certificate = certificateIn(await end());
    expect(certificate.collections).toMatchObject([{ name: VIEWS, table: 'public.views', method: 'LogicalDelete', eligible: 400, deleted: 400, verification: { level: 'VerifiedLive', residual: 0 } }]);
    expect(certificate.clients.map(({ client, deleted }) => [client.slice(0, 12), deleted])).toEqual([['client-a', 300], ['hmac-sha256:', 100]]);
    expect(certificate.audit).toMatchObject({ firstSeq: 1, lastSeq: 2, checkpoint: { seq: 2 } });
  });

  test('has a certificate whose part of the chain begins where the run began', async () => {
    expect(certificateIn(await end({ status: { auditFrom: 2 } })).audit).toMatchObject({ firstSeq: 2, lastSeq: 2 });
  });

  test('is not called so while its replicas are still to be looked at: nothing is on record and nothing is certified', async () => {
    const { report, calls, kept } = await end({ replica: true });
    expect(report).toMatchObject({ state: 'Verifying', reason: 'Verifying', why: 'no due row is left in the primary; its replicas are looked at next', verification: { position: 'P7' }, progress: { deleted: 400 } });
    expect([calls, kept.size]).toEqual([['audit hold.enforced', 'verify:planPurge'], 0]);
  });

  test('says of which collections no count per client has a row', async () => {
    const silent = `clients: the rows of ${VIEWS} are in no count per client; it has no client key of its own`;
    expect(certificateIn(await end()).notCovered.filter((text) => text.startsWith('clients:'))).toEqual([silent]);
  });

  test('is certified although others wrote to the chain while the checkpoint was on its way', async () => {
    expect(certificateIn(await end({ meanwhile: 3 })).audit).toMatchObject({ lastSeq: 2, checkpoint: { seq: 2 } });
  });

  test.each<[string, Partial<StoreScript>, boolean | undefined]>([
    ['are as they were', { ...HELD, fingerprint: { rows: 2, sum: '77' } }, true],
    ['were edited', { ...HELD, fingerprint: { rows: 2, sum: '78' } }, false],
    ['became more, so that nobody can tell', { ...HELD, fingerprint: { rows: 3, sum: '99' } }, undefined],
    ['are not held any more, so that nobody looked', { fence: { ...HELD.fence, holds: [] } }, undefined],
    ['are those of another hold now, fewer rows though they are', { fence: { ...HELD.fence, holds: HELD.fence.holds.map((hold) => ({ ...hold, uid: 'other' })) }, fingerprint: { rows: 1, sum: '7' } }, undefined],
    ['are too many to look at, so that nobody can tell', { ...HELD, fingerprint: new StoreError('LimitReached', 'too many') }, undefined],
    ['are as they were, whatever hold came since', { fence: { ...HELD.fence, holds: [...HELD.fence.holds, { ...HELD.fence.holds[0]!, uid: 'other' }] }, fingerprint: { rows: 2, sum: '77' } }, true],
  ])('tells whether the held rows %s', async (_, script, unchanged) => {
    const { report } = await end({ script, status: { auditFrom: 1, verification: { heldBefore } } });
    expect([report.state, report.verification?.heldUnchanged]).toEqual(['Succeeded', unchanged]);
    expect(report.verification?.heldBefore).toEqual(heldBefore);
  });

  test('says nothing of held rows where none were counted before', async () => {
    expect((await end({ script: HELD })).report.verification).not.toHaveProperty('heldUnchanged');
  });
});

describe('what is certified and remembered', () => {
  const approved = (by: string, planDigest: string): { by: string; planDigest: string } => ({ by, planDigest });
  const own = aRun({ plan }).spec.planDigest;

  test('is the approved rule where nothing changed', async () => {
    const ended = await end();
    const certificate = certificateIn(ended);
    expect([certificate.basis.cutoff, certificate.collections[0]?.cutoff, certificate.collections[0]?.predicateDigest]).toEqual(['2025-03-01T00:00:00.000Z', '2025-03-01T00:00:00.000Z', plan.steps[0]?.predicateDigest]);
    expect(certificate.notCovered.filter((text) => text.startsWith(VIEWS))).toEqual([]);
    expect(ended.store.script.approved).toEqual([expect.objectContaining({ collection: VIEWS, rule: canonicalJson({ ...APPROVED.normal, tables: plan.tables }), cutoff: '2025-03-01', run: 'uid-general-1' })]);
    expect(ended.store.script.approvedFor).toBe('uid-general');
  });

  test('is the longer rule where it was lengthened after the approval, with a word about the rows in between', async () => {
    const ended = await end({ now: LONGER });
    const certificate = certificateIn(ended);
    expect([certificate.basis.cutoff, certificate.collections[0]?.cutoff, certificate.collections[0]?.predicateDigest]).toEqual(['2023-03-01T00:00:00.000Z', '2023-03-01T00:00:00.000Z', digestIn(LONGER)]);
    expect(certificate.basis.planDigest).toBe(own);
    expect(certificate.notCovered).toContainEqual(expect.stringMatching(/^platform-db\/web\/views: what only the plan reached \(up to 2025-03-01\) and not the rule that stood at the end \(up to 2023-03-01/));
    // Whoever goes back to twelve months is asked: this run did not prove that.
    expect(ended.store.script.approved).toEqual([expect.objectContaining({ rule: canonicalJson({ ...LONGER.normal, tables: plan.tables }), cutoff: '2023-03-01' })]);
    expect(ended.report.verification?.conditions).toBe(anExecuted(LONGER.request, plan, new Map([[VIEWS, LONGER.normal]])).digest);
  });

  test('names those who approved this plan by the time it could begin, each once, and nobody else', async () => {
    const approvals = [approved('alice', own), approved('mallory', digest('f')), approved('bob', own), approved('alice', own), approved('late', own)];
    const since = '2026-03-01T02:00:00.000Z';
    expect(certificateIn(await end({ approvals, status: { auditFrom: 1, approval: { since, by: ['alice', 'bob'] } } })).basis.approvals).toEqual([{ by: 'alice', at: since }, { by: 'bob', at: since }]);
    expect(certificateIn(await end({ approvals: [approved('mallory', digest('f'))] })).basis.approvals).toEqual([]);
  });

  test('says that a renamed client may be counted under its old name, where clients are read from the rows', async () => {
    const said = expect.stringContaining('whose client the application changed');
    expect(certificateIn(await end({ now: declared('P12M', '2025-03-01', { field: 'client' }) })).notCovered).toContainEqual(said);
    expect(certificateIn(await end()).notCovered).not.toContainEqual(said);
  });
});

describe('a certificate that is issued again after a crash', () => {
  const CONFIG_DATA = (client: MemoryClient, name = CONFIG.name): string | undefined => client.read<KubeObject & { data: Record<string, string> }>(CONFIG_MAP, { ...CONFIG, name })?.data['certificate.json'];
  const digestsOf = ({ audit }: Ended): unknown[] => audit.entries.filter(({ action }) => action === 'certificate.issued').map(({ refs }) => refs?.['digest']);

  test('is the same document, whenever that is, as long as the same is to be said', async () => {
    const first = await end();
    const text = [...first.kept.values()][0];
    const again = await end({ client: first.client, kept: new Map(first.kept), at: NOON.getTime() + 60_000 });
    expect([...again.kept.values()]).toEqual([text]);
    expect(digestsOf(again)).toEqual(digestsOf(first));
    expect([again.report.certificate, CONFIG_DATA(first.client)]).toEqual([first.report.certificate, text]);
  });

  test('names the one it takes the place of when something else is to be said by now', async () => {
    const first = await end();
    const again = await end({ client: first.client, kept: new Map(first.kept), script: { plan: { steps: [], refusals: [], forecast: [aForecast(0, { held: 7 })], walMegabytes: 0 } } });
    const [before, after] = [certificateIn(first), certificateIn(again)];
    expect([after.supersedes, after.collections[0]?.held, after.id === before.id]).toEqual([before.id, 7, false]);
    expect(again.audit.entries.at(-1)?.refs).toMatchObject({ supersedes: before.id });
    expect(CONFIG_DATA(first.client)).toBe([...again.kept.values()][0]);
    // What was handed out before is still there to be read.
    expect(again.kept.get(`platform-db.general-1-certificate.${before.id}.json`)).toBe([...first.kept.values()][0]);
    const third = await end({ client: first.client, kept: new Map(again.kept), script: { plan: { steps: [], refusals: [], forecast: [aForecast(0, { held: 7 })], walMegabytes: 0 } } });
    expect([...third.kept.values()]).toEqual([...again.kept.values()]);
  });

  test.each([['cut off', (text: string) => text.slice(0, 100)], ['edited', (text: string) => text.replace('"deleted":400', '"deleted":401')]])('is not what is kept when that was %s', async (_, spoil) => {
    const first = await end();
    const [[file, text] = ['', '']] = [...first.kept];
    const again = await end({ kept: new Map([[file, spoil(text)]]) });
    expect(certificateIn(again).collections[0]?.deleted).toBe(400);
    expect(digestsOf(again)).not.toEqual(digestsOf(first));
  });

  test('leaves alone what somebody else put under its name, in the cluster or on disk', async () => {
    const OTHER = /^general-1-[0-9a-f]{10}-certificate$/;
    const foreign = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...CONFIG, uid: 'theirs' }, data: { 'certificate.json': 'theirs' } };
    const inCluster = await end({ client: memoryClient([[CONFIG_MAP, foreign]]) });
    expect(inCluster.report.certificate?.name).toMatch(OTHER);
    expect([CONFIG_DATA(inCluster.client), CONFIG_DATA(inCluster.client, inCluster.report.certificate?.name)]).toEqual(['theirs', [...inCluster.kept.values()][0]]);

    // Of a run of that name that was there before: its ConfigMap alone, its file alone.
    const earlier = await end({ uid: 'uid-of-before' });
    const beside = await end({ client: earlier.client });
    expect([beside.report.certificate?.name, CONFIG_DATA(earlier.client)]).toEqual([expect.stringMatching(OTHER), [...earlier.kept.values()][0]]);
    const again = await end({ kept: new Map(earlier.kept) });
    expect(again.report.certificate?.name).toMatch(OTHER);
    expect([...again.kept.values()].map((text) => (JSON.parse(text) as Certificate).basis.runUid)).toEqual(['uid-of-before', 'uid-general-1']);
    expect((JSON.parse([...again.kept.values()][1] ?? '') as Certificate).supersedes).toBeUndefined();
  });

  test('has another name that follows from the key, and not from what anybody can read of the run', async () => {
    const foreign = { apiVersion: 'v1', kind: 'ConfigMap', metadata: CONFIG };
    const [one, again, elsewhere] = await Promise.all([signer, signer, generateSigningKey()].map(async (key) => (await end({ client: memoryClient([[CONFIG_MAP, foreign]]), key })).report.certificate?.name));
    expect([again === one, elsewhere === one]).toEqual([true, false]);
  });

  test('waits, and says for what, where each name it could have is taken', async () => {
    const foreign = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...CONFIG, name } });
    const taken = await end({ client: memoryClient([[CONFIG_MAP, foreign(CONFIG.name)]]) });
    const client = memoryClient([[CONFIG_MAP, foreign(CONFIG.name)], [CONFIG_MAP, foreign(taken.report.certificate?.name ?? '')]]);
    await expect(end({ client })).rejects.toThrow(/ConfigMaps platform-db\/general-1-certificate and .* belong to somebody else; move one away/);
  });

  test('passes on that a stranger was faster, and finds another name next time', async () => {
    const client = memoryClient();
    client.refuse = (verb, kind, ref) => {
      if (verb === 'create' && kind.kind === 'ConfigMap' && ref.name === CONFIG.name) client.put(CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata: CONFIG });
    };
    const kept = new Map<string, string>();
    await expect(end({ client, kept })).rejects.toThrow('AlreadyExists');
    const again = await end({ client, kept });
    expect(new Set(kept.values()).size).toBe(1);
    expect(CONFIG_DATA(client, again.report.certificate?.name)).toBe([...kept.values()][0]);
  });

  test('has a name of its own although that of its run is as long as names may be', async () => {
    const names = await Promise.all(['a', 'b'].map(async (last) => (await end({ name: `${'r'.repeat(240)}.${last}` })).report.certificate?.name ?? ''));
    expect(new Set(names).size).toBe(2);
    for (const name of names) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*-certificate$/);
    expect(names.every((name) => name.length <= 253)).toBe(true);
  });
});

describe('a run that is not proven', () => {
  const planOf = (...forecast: StoreScript['plan']['forecast']): Partial<StoreScript> => ({ plan: { steps: [], refusals: [], forecast, walMegabytes: 0 } });
  const unfinished = [{ schema: 'public', name: 'views_2023' }];
  const part = (due: number, exact = true): Partial<StoreScript> => planOf(aForecast(0, { removed: [{ table: { schema: 'public', name: 'views_2023' }, due, exact }] }));

  test.each<[string, Circumstances, string, RegExp]>([
    ['as many due rows are left as before the sweep', { script: planOf(aForecast(3)), status: { verification: { residual: 3 } } }, 'ResidualRows', /3 due rows are still there, most in platform-db\/web\/views/],
    ['the drop of a partition is not finished', { script: planOf(aForecast(0, { exact: false, unfinished })), status: { verification: { residual: 0 } } }, 'ResidualRows', /the drop of public\.views_2023 was begun and is not finished/],
    ['a part with due rows was taken out of its table', { script: part(7) }, 'PartRemoved', /public\.views_2023 was a part of its table when the plan was made and was taken out of it since, and 7 due rows are in it; no run/],
    ['a part nobody may read was taken out of its table', { script: part(0, false) }, 'PartRemoved', /none of its rows could be counted: the login that verifies may not read it/],
    ['a part was taken out of its table that could be read in part', { script: part(2, false) }, 'PartRemoved', /at least 2 due rows are in it, but not all of its rows could be counted/],
    ['a planned collection was not counted', { script: planOf(aForecast(0, { collection: 'platform-db/web/other' })) }, 'Failed', /could not be counted again/],
    ['held rows are fewer', { script: { ...HELD, fingerprint: { rows: 1, sum: '7' } }, status: { verification: { heldBefore } } }, 'HeldRowsMissing', /1 of 2 held rows are gone/],
  ])('fails without a certificate and without a record of approval when %s', async (_, circumstances, reason, why) => {
    const { report, audit, calls, client, kept } = await end(circumstances);
    expect(report).toMatchObject({ state: 'Failed', reason, why: expect.stringMatching(why), progress: { deleted: 400 } });
    // The level is what people see of it; rows that are left, or were not counted, are proven by nobody.
    expect(report.verification).not.toHaveProperty('level');
    expect(audit.entries.at(-1)).toMatchObject({ action: 'purge.failed', outcome: 'Failed', refs: { reason, residual: report.verification?.residual } });
    expect(calls.filter((call) => /anchor|recordApprovedRules/.test(call))).toEqual([]);
    expect([client.writes, kept.size]).toEqual([[], 0]);
  });

  test.each<[string, Circumstances]>([
    ['the first count finds due rows', { script: planOf(aForecast(3)), status: { verification: { heldBefore } } }],
    ['a later count finds fewer than the one before', { script: planOf(aForecast(3)), status: { verification: { heldBefore, residual: 4 } } }],
  ])('goes back to work, and claims no level, when %s', async (_, circumstances) => {
    const { report, audit, calls, client, kept } = await end(circumstances);
    expect(report).toMatchObject({ state: 'Running', reason: 'ResidualRows', why: expect.stringMatching(/^3 rows came or moved/), progress: { deleted: 400 }, verification: { heldBefore, residual: 3, by: 'verify', at: NOON.toISOString() } });
    expect(report.verification).not.toHaveProperty('level');
    expect(audit.entries.at(-1)).toMatchObject({ action: 'purge.residual', outcome: 'Noted', refs: { residual: 3, deleted: 400 } });
    expect(calls.filter((call) => /anchor|recordApprovedRules/.test(call))).toEqual([]);
    expect([client.writes, kept.size]).toEqual([[], 0]);
  });

  test('is proven all the same where a part that was taken out of its table has no due row', async () => {
    expect((await end({ script: part(0) })).report).toMatchObject({ state: 'Succeeded', verification: { level: 'VerifiedLive', residual: 0 } });
  });

  test('goes back to work with the rows of the table first, though one of its parts was taken out', async () => {
    const both = { ...aForecast(3), removed: [{ table: { schema: 'public', name: 'views_2023' }, due: 7, exact: true }] };
    expect((await end({ script: planOf(both) })).report).toMatchObject({ state: 'Running', reason: 'ResidualRows', verification: { residual: 10 } });
  });

  test('goes back to work, whatever was counted, when the drop of a partition is not finished, and then fails as a claim', async () => {
    const first = await end({ script: planOf(aForecast(0, { unfinished })) });
    expect(first.report).toMatchObject({ state: 'Running', reason: 'ResidualRows', why: 'the drop of a partition is not finished; it goes on with it' });
    const second = await end({ script: planOf(aForecast(0, { unfinished })), status: { verification: first.report.verification! } });
    expect(second.report).toMatchObject({ state: 'Failed', verification: { residual: 0 } });
    // Held rows that cannot be seen with it are not missing.
    const held = await end({ script: { ...HELD, ...planOf(aForecast(0, { unfinished })), fingerprint: { rows: 1, sum: '7' } }, status: { verification: { heldBefore } } });
    expect(held.report).toMatchObject({ state: 'Running', verification: { heldBefore } });
  });

  test('stays a claim without a certificate and without a record of approval where no other identity can look', async () => {
    const { report, calls, client, kept } = await end({ verify: false });
    expect(report).toMatchObject({ state: 'Succeeded', reason: 'ClaimedOnly', verification: { level: 'Claimed', by: 'observe' } });
    expect(calls).toEqual(['audit hold.enforced', 'observe:planPurge', 'audit purge.verified']);
    expect([client.writes, kept.size]).toEqual([[], 0]);
  });

  test('fails where the rows that are left could not be counted to the end, rather than count for ever and keep other runs out', async () => {
    const { report, client, kept } = await end({ script: planOf(aForecast(0, { exact: false })) });
    expect(report).toMatchObject({ state: 'Failed', reason: 'CountUnfinished', why: expect.stringContaining(VIEWS) });
    expect([client.writes, kept.size]).toEqual([[], 0]);
  });

  test('goes on with the rows that were seen by a count that broke off', async () => {
    const { report } = await end({ script: planOf(aForecast(3, { exact: false })) });
    expect(report).toMatchObject({ state: 'Running', reason: 'ResidualRows', verification: { residual: 3 } });
  });

  test('fails where its certificate is refused, and says why', async () => {
    // More is said of clients than of collections.
    const { report, audit, client, kept } = await end({ script: { journal: [{ run: 'uid-general-1', seq: 1, epoch: 1, collection: VIEWS, table, method: 'BlockRange', deleted: 1, clients: { 'client-a': 2 }, at: '2026-03-01T02:00:00Z' }] } });
    expect(report).toMatchObject({ state: 'Failed', reason: 'CertificateRefused', why: expect.stringContaining('clients count 2 deleted rows'), verification: { level: 'VerifiedLive' } });
    expect(audit.entries.at(-1)).toMatchObject({ action: 'certificate.refused', outcome: 'Refused', refs: { deleted: 1, problems: 1 } });
    expect([client.writes, kept.size]).toEqual([[], 0]);
  });
});
