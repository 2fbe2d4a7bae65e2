import { describe, expect, test } from '@jest/globals';
import type { PurgeRun } from '../../../../src/api/generated/purgeRun.ts';
import { buildCertificate, CertificateRefusedError } from '../../../../src/evidence/certificate.ts';
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
}

function stated({ planned, due = planned, day = () => '2025-03-01', replicas = 0, client }: Circumstances): Statement {
  const indexes = Array.from({ length: planned }, (_, index) => index);
  const plan = aPlan({ target: digest('c'), steps: indexes.map((index) => ({ ...aPlan().steps[0]!, order: index + 1, collection: nameOf(index), rule: canonicalJson(normal) })) });
  const rules = indexes.slice(0, due).map((index): CollectionRule => ({ collection: nameOf(index), table: tableOf(index), due: { op: 'before', time: aTime('created_at'), cutoff: { instant: `${day(index)}T00:00:00Z`, localDate: day(index), timeZone: 'UTC' } }, guards: [], times: [], acknowledged: [], ...(index === 0 && client ? { client } : {}) }));
  const executed = anExecuted({ rules, targets: rules.map(({ collection }) => collection), nonPersonal: [], now: plan.asOf, budgetMs: 0 }, plan, new Map(indexes.map((index) => [nameOf(index), normal])));
  const run: PurgeRun = aRun({ plan, forecast: { at: plan.asOf, steps: [] } });
  const verification = { level: 'VerifiedLive' as const, residual: 0, at: '2026-03-01T03:00:00Z', replicas: Array.from({ length: replicas }, (_, place) => ({ place, verified: false, reason: 'ReplicaBehind', message: 'm'.repeat(400) })) };
  return statementOf(
    { run, store: aStore(), policy: aPolicy('general', { purge: aPurge() }), executed, verdict: { verification, counts: indexes.map((index) => aForecast(0, { collection: nameOf(index) })) }, totals: { lastSeq: 1, rows: 1, deleted: planned, collections: indexes.map((index) => ({ collection: nameOf(index), method: 'Keyset', deleted: 1 })) }, clients: new Map([['client-a', 1]]), firstSeq: 1 },
    { nameClient: (key) => key, version: '0.1.0', bundleDigest: null },
  );
}

const issued = (statement: Statement): unknown => buildCertificate({ ...statement, id: facts().id, issuedAt: facts().issuedAt, audit: facts().audit });

describe('what is stated of a run', () => {
  test('has the earliest cutoff as that of all, and of each its own', () => {
    const { basis, collections } = stated({ planned: 2, day: (index) => `2024-0${3 - index}-01` });
    expect([basis.cutoff, ...collections.map(({ cutoff }) => cutoff)]).toEqual(['2024-02-01T00:00:00.000Z', '2024-03-01T00:00:00.000Z', '2024-02-01T00:00:00.000Z']);
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
