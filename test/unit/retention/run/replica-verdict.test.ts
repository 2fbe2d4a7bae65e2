import { describe, expect, test } from '@jest/globals';
import type { ReplicaVerification, Verification } from '../../../../src/api/generated/purgeRun.ts';
import { REASONS, type Reason } from '../../../../src/api/reasons.ts';
import { buildCertificate } from '../../../../src/evidence/certificate.ts';
import { methodOf, notCovered, notVerified, replicasUnproven, withReplicas } from '../../../../src/retention/run/replica-verdict.ts';
import { facts } from '../../../support/certificate.ts';
import { fc } from '../../../support/properties.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');
const primary: Verification = { level: 'VerifiedLive', residual: 0, by: 'verify', at: '2026-11-24T11:59:00.000Z', position: 'P7', counts: [{ collection: 'a', due: 0, held: 1, floored: 0, indeterminate: 0, blocked: 0 }] };
const seen: ReplicaVerification = { place: 0, verified: true, residual: 0 };

const entry = (place: number): fc.Arbitrary<ReplicaVerification> => fc.oneof(fc.constant({ place, verified: true, residual: 0 }), fc.constantFrom(...(Object.keys(REASONS) as Reason[])).map((reason) => notVerified(place, reason)));
const entries = fc.integer({ min: 0, max: 16 }).chain((size) => fc.tuple(...Array.from({ length: size }, (_, place) => entry(place))));

describe('the level', () => {
  test('is VerifiedReplicas just when there are replicas and each was verified; the time is then that of the last look', () => {
    fc.assert(
      fc.property(entries, (replicas) => {
        const proven = replicas.length > 0 && replicas.every(({ verified }) => verified);
        const { level, at, counts, residual } = withReplicas(primary, replicas, NOW);
        expect([level, at, counts, residual]).toEqual(proven ? ['VerifiedReplicas', '2026-11-24T12:00:00.000Z', undefined, 0] : ['VerifiedLive', primary.at, undefined, 0]);
      }),
    );
  });

  test('and whatever was found makes a certificate that can be issued and says of each replica what is true', () => {
    fc.assert(
      fc.property(entries, (replicas) => {
        const verification = withReplicas(primary, replicas, NOW);
        const [collection] = facts().collections;
        const certificate = buildCertificate(
          facts({
            collections: [{ ...collection!, verification: { level: verification.level ?? 'Claimed', method: methodOf(verification), residual: 0, at: verification.at ?? '' } }],
            replicas: replicas.map(({ place, verified, reason }) => ({ place, verified, reason: reason ?? null })),
            notCovered: notCovered(verification),
          }),
        );
        for (const { place, verified } of replicas) {
          expect(certificate.notCovered.some((text) => text.startsWith(`replicas[${place}] `))).toBe(!verified);
          expect(replicasUnproven(verification).includes(`replicas[${place}] (`)).toBe(!verified);
        }
      }),
    );
  });

  test('is of the primary and its replicas together: the most rows that any of them has are left', () => {
    const left = (residual: number): ReplicaVerification => ({ place: 0, verified: false, reason: 'ResidualRows', residual });
    expect([withReplicas({ ...primary, residual: 2 }, [seen], NOW).residual, withReplicas(primary, [left(3), { ...left(1), place: 1 }], NOW).residual]).toEqual([2, 3]);
  });

  test.each<[Reason, RegExp]>([
    ['Unreachable', /look at the server/],
    ['ReplicaBehind', /look at its replay/],
    ['CountUnfinished', /max_standby_streaming_delay/],
    ['AuthenticationFailed', /./],
  ])('says of a replica that is %s what to do', (reason, words) => {
    expect(notVerified(0, reason)).toEqual({ place: 0, verified: false, reason, message: expect.stringMatching(words) });
  });

  test('of a store without replicas does not promise anything about copies', () => {
    expect(notCovered(primary)).toContain('tables that no data map names, among them partitions that others than dataward had detached when the plan was made');
    expect(notCovered(primary)).toContain('read replicas, logical subscribers and copies outside this store');
    expect(notCovered({ ...primary, level: 'VerifiedReplicas', replicas: [seen] })).toContain('read replicas that are not declared, logical subscribers and copies outside this store');
    expect(methodOf({ ...primary, level: 'VerifiedReplicas', replicas: [seen] })).toMatch(/on the primary and on its declared replica once it showed all/);
    expect(methodOf({ ...primary, level: 'VerifiedReplicas', replicas: [seen, { ...seen, place: 1 }] })).toMatch(/on each of 2 declared replicas once/);
    for (const places of [/backups and archived write-ahead log/, /dead tuples and free pages/, /logs, caches and exports/]) expect(notCovered(primary)).toContainEqual(expect.stringMatching(places));
    expect([replicasUnproven(primary), methodOf(primary)]).toEqual(['', 'count by another identity over another connection']);
  });
});
