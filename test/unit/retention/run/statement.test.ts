import { describe, expect, test } from '@jest/globals';
import type { PurgeRun } from '../../../../src/api/generated/purgeRun.ts';
import { buildCertificate, CertificateRefusedError } from '../../../../src/evidence/certificate.ts';
import { planDigest } from '../../../../src/retention/plan.ts';
import { statementOf, type Statement } from '../../../../src/retention/run/statement.ts';
import type { NormalRule } from '../../../../src/rules/weakening.ts';
import { canonicalJson } from '../../../../src/evidence/canonical.ts';
import type { CollectionRule } from '../../../../src/stores/counting.ts';
import { digest, facts } from '../../../support/certificate.ts';
import { aPolicy, aPurge, aStore, aTime } from '../../../support/declared.ts';
import { aForecast } from '../../../support/scripted-store.ts';
import { anExecuted, aPlan, aRun } from './declared-run.ts';

const nameOf = (index: number): string => `platform-db/web/c${String(index).padStart(3, '0')}`;
const tableOf = (index: number) => ({ schema: 'public', name: `c${index}` });
const normal: NormalRule = { algebra: 1, table: 'public.c', maxima: [{ scope: 'created', period: 'P12M', roundUp: 'None' }], minimums: [] };

interface Circumstances {
  /** Planned collections. */
  planned: number;
  /** How many of them are still due. */
  due?: number;
  /** Day of the cutoff of each, now. */
  day?: (index: number) => string;
  replicas?: number;
  client?: CollectionRule['client'];
  /** Whether the journal has rows of the run. */
  journalled?: boolean;
  approvedBy?: string[];
}

function stated({ planned, due = planned, day = () => '2025-03-01', replicas = 0, client, journalled = true, approvedBy = [] }: Circumstances): Statement {
  const indexes = Array.from({ length: planned }, (_, index) => index);
  const plan = aPlan({ target: digest('c'), steps: indexes.map((index) => ({ ...aPlan().steps[0]!, order: index + 1, collection: nameOf(index), rule: canonicalJson(normal) })) });
  const rules = indexes.slice(0, due).map((index): CollectionRule => ({ collection: nameOf(index), table: tableOf(index), due: { op: 'before', time: aTime('created_at'), cutoff: { instant: `${day(index)}T00:00:00Z`, localDate: day(index), timeZone: 'UTC' } }, guards: [], times: [], acknowledged: [], ...(index === 0 && client ? { client } : {}) }));
  const executed = anExecuted({ rules, targets: rules.map(({ collection }) => collection), nonPersonal: [], now: plan.asOf, budgetMs: 0 }, plan, new Map(indexes.map((index) => [nameOf(index), normal])));
  const run: PurgeRun = aRun({ plan, forecast: { at: plan.asOf, steps: [] }, approvals: approvedBy.map((by) => ({ by, planDigest: planDigest(plan) })) });
  const verification = { level: 'VerifiedLive' as const, residual: 0, at: '2026-03-01T03:00:00Z', replicas: Array.from({ length: replicas }, (_, place) => ({ place, verified: false, reason: 'ReplicaBehind', message: 'm'.repeat(400) })) };
  return statementOf(
    { run, store: aStore(), policy: aPolicy('general', { purge: aPurge() }), executed, verdict: { verification, counts: indexes.map((index) => aForecast(0, { collection: nameOf(index) })) }, totals: { lastSeq: 1, rows: 1, deleted: planned, collections: journalled ? indexes.map((index) => ({ collection: nameOf(index), method: 'Keyset', deleted: 1 })) : [] }, clients: new Map([['client-a', 1]]), firstSeq: 1 },
    { nameClient: (key) => key, version: '0.1.0', bundleDigest: null },
  );
}

const issued = (statement: Statement): unknown => buildCertificate({ ...statement, id: facts().id, issuedAt: facts().issuedAt, audit: facts().audit });

describe('what is stated of a run', () => {
  test('has the earliest cutoff as that of all, and of each its own', () => {
    const { basis, collections } = stated({ planned: 2, day: (index) => `2024-0${3 - index}-01` });
    expect([basis.cutoff, ...collections.map(({ cutoff }) => cutoff)]).toEqual(['2024-02-01T00:00:00.000Z', '2024-03-01T00:00:00.000Z', '2024-02-01T00:00:00.000Z']);
  });

  test('has of each collection its own figures, method and proof', () => {
    const [first, second] = [nameOf(0), nameOf(1)];
    const rules = [0, 1].map((index): CollectionRule => ({ collection: nameOf(index), table: tableOf(index), due: { op: 'before', time: aTime('created_at'), cutoff: { instant: '2025-03-01T00:00:00Z', localDate: '2025-03-01', timeZone: 'UTC' } }, guards: [], times: [], acknowledged: [] }));
    const plan = aPlan({ target: digest('c'), steps: [first, second].map((collection, index) => ({ ...aPlan().steps[0]!, order: index + 1, collection, rule: canonicalJson(normal) })) });
    const executed = anExecuted({ rules, targets: [first, second], nonPersonal: [], now: plan.asOf, budgetMs: 0 }, plan, new Map([first, second].map((name) => [name, normal])));
    const run = aRun({ plan, forecast: { at: plan.asOf, steps: [aForecast(9, { collection: first }), aForecast(40, { collection: second })] }, approvals: [] }, undefined, 'general-7');
    const counts = [aForecast(0, { collection: first }), aForecast(0, { collection: second, held: 1, floored: 2, blocked: 3, indeterminate: 4 })];
    const totals = { lastSeq: 3, rows: 3, deleted: 42, collections: [{ collection: first, method: 'DropPartition' as const, deleted: 5 }, { collection: second, method: 'DropPartition' as const, deleted: 30 }, { collection: second, method: 'Keyset' as const, deleted: 7 }] };
    const policy = aPolicy('general', { purge: aPurge() }, { generation: 5 });
    const identity = { server: 'PostgreSQL 16.2' };
    const replicas = [{ place: 0, verified: true }, { place: 1, verified: false, reason: 'ReplicaBehind' }];
    const statement = statementOf({ run, store: { ...aStore(), status: { identity } } as ReturnType<typeof aStore>, policy, executed, verdict: { verification: { level: 'VerifiedReplicas', residual: 0, at: '2026-03-01T03:00:00.000Z', replicas }, counts }, totals, clients: new Map(), firstSeq: 1 }, { nameClient: (key) => key, version: '0.1.0', bundleDigest: null });
    const of = (name: string) => statement.collections.find((each) => each.name === name);
    expect(of(first)).toMatchObject({ method: 'PartitionDrop', eligible: 9, deleted: 5, held: 0, floored: 0, blocked: 0, indeterminate: 0 });
    expect(of(second)).toMatchObject({ method: 'LogicalDelete', eligible: 40, deleted: 37, held: 1, floored: 2, blocked: 3, indeterminate: 4 });
    for (const { verification } of statement.collections) expect(verification).toMatchObject({ level: 'VerifiedReplicas', residual: 0, at: '2026-03-01T03:00:00.000Z' });
    expect([statement.basis.policy.generation, statement.basis.runUid, statement.store.server]).toEqual([5, 'uid-general-7', 'PostgreSQL 16.2']);
    expect(statement.replicas).toEqual([{ place: 0, verified: true, reason: null }, { place: 1, verified: false, reason: 'ReplicaBehind' }]);
    expect(statement.notCovered.filter((text) => text.includes('what only the plan reached'))).toHaveLength(2);
  });

  test('calls nothing deleted by drops where nothing was deleted', () => {
    const statement = stated({ planned: 1, journalled: false });
    expect(statement.collections[0]).toMatchObject({ method: 'LogicalDelete', deleted: 0 });
    expect(statement).not.toHaveProperty('replicas');
  });

  test('has every approval since the run was made, where nobody noted when it could begin', () => {
    expect(stated({ planned: 1, approvedBy: ['alice', 'bob'] }).basis.approvals).toEqual(['alice', 'bob'].map((by) => ({ by, at: '2026-03-01T02:00:00.000Z' })));
  });

  test('is nothing where a planned collection was not carried out: silence about it would read as proof', () => {
    expect(() => stated({ planned: 2, due: 1 })).toThrow(CertificateRefusedError);
    expect(() => stated({ planned: 2, due: 1 })).toThrow(`collection ${nameOf(1)} is no longer declared, found or due; plan again`);
  });

  test('fits into a certificate, however much has to be said of what is not covered', () => {
    const statement = stated({ planned: 200, replicas: 16, day: () => '2024-03-01', client: { field: 'client' } });
    expect(() => issued(statement)).not.toThrow();
    expect(statement.notCovered.filter((text) => text.includes('what only the plan reached'))).toHaveLength(21);
    expect(statement.notCovered).toContain('180 more collections: what only the plan reached and not the rule that stood at the end');
    expect(statement.notCovered.filter((text) => text.startsWith('clients: '))).toHaveLength(52);
  });
});
