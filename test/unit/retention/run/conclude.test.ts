import { describe, expect, test } from '@jest/globals';
import type { PurgeRun } from '../../../../src/api/generated/purgeRun.ts';
import { CONFIG_MAP } from '../../../../src/api/kinds.ts';
import type { KubeObject } from '../../../../src/api/object.ts';
import { signCheckpoint } from '../../../../src/evidence/audit/checkpoint.ts';
import { certificateDigest, type Certificate } from '../../../../src/evidence/certificate.ts';
import { conclude } from '../../../../src/retention/run/conclude.ts';
import type { RunReport } from '../../../../src/retention/run/status.ts';
import type { NormalRule } from '../../../../src/rules/weakening.ts';
import { StoreError } from '../../../../src/stores/errors.ts';
import type { PurgeRequest } from '../../../../src/stores/purging.ts';
import { digest, signer } from '../../../support/certificate.ts';
import { NOON } from '../../../support/chain.ts';
import { aPolicy, aPurge, aStore, aTime } from '../../../support/declared.ts';
import { memoryAudit, silentJournal, type MemoryAudit } from '../../../support/memory-audit.ts';
import { memoryClient, type MemoryClient } from '../../../support/memory-client.ts';
import { aForecast, scriptedStore, VIEWS, type ScriptedStore, type StoreScript } from '../../../support/scripted-store.ts';
import { aPlan, aRun } from './declared-run.ts';

const table = { schema: 'public', name: 'views' };
const [step] = aPlan().steps;
const plan = aPlan({ target: digest('c'), steps: [{ ...step!, predicateDigest: digest('d') }] });
const heldBefore = [{ collection: VIEWS, rows: 2, sum: '77', holds: ['h'] }];
const HELD = { fence: { owner: 'us', marker: 'm', holdsRevision: 1, holds: [{ uid: 'h', name: 'platform-db/matter-1', revision: 1, items: [{ table, predicate: { op: 'true' as const } }] }] } };
const CONFIG = { namespace: 'platform-db', name: 'general-1-certificate' };
const request: PurgeRequest = {
  rules: [{ collection: VIEWS, table, due: { op: 'before', time: aTime('created_at'), cutoff: { instant: '2025-03-01T00:00:00Z', localDate: '2025-03-01', timeZone: 'UTC' } }, guards: [], times: [], acknowledged: [] }],
  targets: [VIEWS],
  nonPersonal: [],
  now: plan.asOf,
  budgetMs: 60_000,
};
const normals = new Map<string, NormalRule>([[VIEWS, { algebra: 1, table: 'public.views', maxima: [], minimums: [] }]]);

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
}

async function end({ script = {}, status = { auditFrom: 1 }, verify = true, meanwhile = 0, client = memoryClient() }: Circumstances = {}): Promise<Ended> {
  const calls: string[] = [];
  const store = scriptedStore({ journal: [{ run: 'uid-general-1', seq: 1, epoch: 1, collection: VIEWS, table, method: 'BlockRange', deleted: 400, clients: { 'client-a': 300, 'b@example.com': 100 }, at: '2026-03-01T02:00:00Z' }], ...script }, calls);
  const audit = memoryAudit(calls);
  const kept = new Map<string, string>();
  const write = (): Promise<unknown> => audit.append({ actor: 'x', action: 'hold.enforced', object: { kind: 'LegalHold', name: 'h' }, outcome: 'Done' });
  await write();
  const nameClient = (key: string): string => (key.includes('@') ? `hmac-sha256:${'0'.repeat(64)}` : key);
  const certifier = {
    client,
    audit,
    key: signer,
    keep: async (name: string, text: string) => {
      calls.push('keep');
      kept.set(name, text);
    },
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
    now: () => NOON.getTime(),
  };
  const credentials = { observe: { secretName: 'o' }, enforce: { secretName: 'e' }, ...(verify ? { verify: { secretName: 'v' } } : {}) };
  const report = await conclude(
    { run: aRun({ plan }, status), store: aStore({ credentials }), policy: aPolicy('general', { purge: aPurge() }), request, normals },
    { connections: store.connections, audit, journal: silentJournal, certifier, nameClient, actor: 'dataward', now: () => NOON.getTime(), signal: new AbortController().signal },
  );
  expect(store.open()).toBe(0);
  return { report, audit, store, client, calls, kept };
}

const certificateIn = ({ kept }: Ended): Certificate => JSON.parse([...kept.values()].join('')) as Certificate;

describe('a run that is proven', () => {
  test('is recorded, remembered beside the data, certified, kept and published, in this order', async () => {
    const ended = await end();
    expect(ended.report).toMatchObject({ state: 'Succeeded', reason: 'Succeeded', progress: { deleted: 400 }, verification: { level: 'VerifiedLive', residual: 0, by: 'verify' } });
    expect(ended.calls).toEqual(['audit hold.enforced', 'verify:planPurge', 'audit purge.verified', `enforce:recordApprovedRules ${VIEWS} 2025-03-01`, 'anchor', 'audit certificate.issued', 'keep']);
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

  test('says of which collections no count per client has a row', async () => {
    const silent = `clients: the rows of ${VIEWS} are in no count per client; it has no client key of its own`;
    expect(certificateIn(await end()).notCovered.filter((text) => text.startsWith('clients:'))).toEqual([silent]);
  });

  test('is certified although others wrote to the chain while the checkpoint was on its way', async () => {
    expect(certificateIn(await end({ meanwhile: 3 })).audit).toMatchObject({ lastSeq: 2, checkpoint: { seq: 2 } });
  });

  test('is certified again after a crash under the same name', async () => {
    const { client } = await end();
    const again = await end({ client });
    expect(again.report.certificate?.name).toBe('general-1-certificate');
    expect(client.read<KubeObject & { data: Record<string, string> }>(CONFIG_MAP, CONFIG)?.data['certificate.json']).toBe([...again.kept.values()][0]);
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

describe('a run that is not proven', () => {
  const planOf = (...forecast: StoreScript['plan']['forecast']): Partial<StoreScript> => ({ plan: { steps: [], refusals: [], forecast, walMegabytes: 0 } });

  test.each<[string, Circumstances, string, RegExp]>([
    ['as many due rows are left as before the sweep', { script: planOf(aForecast(3)), status: { verification: { residual: 3 } } }, 'ResidualRows', /3 due rows are still there, most in platform-db\/web\/views/],
    ['a planned collection was not counted', { script: planOf(aForecast(0, { collection: 'platform-db/web/other' })) }, 'Failed', /could not be counted again/],
    ['held rows are fewer', { script: { ...HELD, fingerprint: { rows: 1, sum: '7' } }, status: { verification: { heldBefore } } }, 'HeldRowsMissing', /1 of 2 held rows are gone/],
  ])('fails without a certificate and without a record of approval when %s', async (_, circumstances, reason, why) => {
    const { report, audit, calls, client, kept } = await end(circumstances);
    expect(report).toMatchObject({ state: 'Failed', reason, why: expect.stringMatching(why), progress: { deleted: 400 } });
    expect(audit.entries.at(-1)).toMatchObject({ action: 'purge.failed', outcome: 'Failed', refs: { reason } });
    expect(calls.filter((call) => /anchor|recordApprovedRules/.test(call))).toEqual([]);
    expect([client.writes, kept.size]).toEqual([[], 0]);
  });

  test.each<[string, Circumstances]>([
    ['the first count finds due rows', { script: planOf(aForecast(3)), status: { verification: { heldBefore } } }],
    ['a later count finds fewer than the one before', { script: planOf(aForecast(3)), status: { verification: { heldBefore, residual: 4 } } }],
  ])('goes back to work, and claims no level, when %s', async (_, circumstances) => {
    const { report, audit, calls, client, kept } = await end(circumstances);
    expect(report).toMatchObject({ state: 'Running', reason: 'ResidualRows', why: expect.stringMatching(/^3 rows came or moved/), progress: { deleted: 400 }, verification: { heldBefore, residual: 3, by: 'verify' } });
    expect(report.verification).not.toHaveProperty('level');
    expect(audit.entries.at(-1)).toMatchObject({ action: 'purge.residual', outcome: 'Noted', refs: { residual: 3, deleted: 400 } });
    expect(calls.filter((call) => /anchor|recordApprovedRules/.test(call))).toEqual([]);
    expect([client.writes, kept.size]).toEqual([[], 0]);
  });

  test('stays a claim without a certificate and without a record of approval where no other identity can look', async () => {
    const { report, calls, client, kept } = await end({ verify: false });
    expect(report).toMatchObject({ state: 'Succeeded', reason: 'ClaimedOnly', verification: { level: 'Claimed', by: 'observe' } });
    expect(calls).toEqual(['audit hold.enforced', 'observe:planPurge', 'audit purge.verified']);
    expect([client.writes, kept.size]).toEqual([[], 0]);
  });

  test('is no result at all when the rows that are left could not be counted exactly', async () => {
    await expect(end({ script: planOf(aForecast(0, { exact: false })) })).rejects.toThrow('could not be counted exactly');
  });
});
