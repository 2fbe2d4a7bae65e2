import { signCheckpoint } from '../../src/evidence/audit/checkpoint.ts';
import type { CertificateFacts } from '../../src/evidence/certificate.ts';
import { generateSigningKey } from '../../src/evidence/keys.ts';
import { NOON } from './chain.ts';

export const signer = generateSigningKey();
export const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

/** Facts of an ordinary run: 118 of 120 rows gone, 2 held. */
export function facts(change: Partial<CertificateFacts> = {}): CertificateFacts {
  const chainId = 'b6f3a1de-0000-4000-8000-000000000001';
  return {
    id: '3f9a1c20-1111-4222-8333-444455556666',
    kind: 'Retention',
    issuedAt: '2026-11-24T12:00:00.000Z',
    issuer: { name: 'dataward', version: '0.1.0' },
    basis: {
      policy: { namespace: 'platform-db', name: 'behaviour-25-months', generation: 3, specHash: digest('a') },
      planDigest: digest('b'),
      cutoff: '2024-10-24T00:00:00+02:00',
      approvals: [{ by: 'dpo@example.com', at: '2026-11-24T10:00:00Z' }],
      runUid: '5b1c7d1e-0000-4000-8000-000000000002',
    },
    store: { namespace: 'platform-db', name: 'analytics', identityFingerprint: digest('c'), server: 'PostgreSQL 15.18' },
    collections: [
      {
        name: 'shop/analytics-web/page-views',
        table: 'public.page_views',
        method: 'LogicalDelete',
        predicateDigest: digest('d'),
        eligible: 120,
        deleted: 118,
        held: 2,
        floored: 0,
        blocked: 0,
        indeterminate: 0,
        verification: { level: 'VerifiedLive', method: 'count by another identity', residual: 0, at: '2026-11-24T11:59:00Z' },
      },
    ],
    clients: [{ client: 'client-b', deleted: 18 }, { client: 'client-a', deleted: 100 }],
    exclusions: [],
    notCovered: ['backups taken before 2026-11-24', 'application logs'],
    audit: { chainId, firstSeq: 881, lastSeq: 902, checkpoint: signCheckpoint(chainId, { seq: 903, hash: 'e'.repeat(64) }, signer, NOON) },
    bundleDigest: digest('f'),
    ...change,
  };
}
