import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { canonicalJson } from '../../../src/evidence/canonical.ts';
import { buildCertificate, CertificateRefusedError, certificateDigest, certificateText, signCertificate } from '../../../src/evidence/certificate.ts';
import type { CertificateFacts, CertifiedCollection, CertifiedReplica } from '../../../src/evidence/certificate.ts';
import { publicKeyPem } from '../../../src/evidence/keys.ts';
import { facts, signer } from '../../support/certificate.ts';
import { withFolder } from '../../support/chain.ts';
import { fc } from '../../support/properties.ts';

const collection = (change: Partial<CertifiedCollection>): CertifiedCollection => ({ ...facts().collections[0]!, ...change });
const verification = (change: object) => ({ ...facts().collections[0]!.verification, ...change });
const proven = collection({ verification: verification({ level: 'VerifiedReplicas' }) });
const replicas: CertifiedReplica[] = [{ place: 0, verified: true, reason: null }];
const silent: CertifiedReplica = { place: 1, verified: false, reason: 'ReplicaBehind' };

describe('buildCertificate', () => {
  test('gives the same bytes for the same facts in another order', () => {
    const collections = [collection({ name: 'b' }), collection({ name: 'a' })];
    const one = facts({ collections });
    const other = facts({ collections: [...collections].reverse(), clients: [...one.clients].reverse() });
    expect(canonicalJson(buildCertificate(one))).toBe(canonicalJson(buildCertificate(other)));
  });

  test('lists rows that stayed as exclusions, unless the caller says more', () => {
    const built = buildCertificate(
      facts({
        collections: [collection({ name: 'a', held: 2, floored: 5, blocked: 3, indeterminate: 4 })],
        exclusions: [{ collection: 'a', reason: 'LegalHold', rows: 2, ref: 'matter-2026-014', until: null }],
      }),
    );
    expect(built.exclusions).toEqual([
      { collection: 'a', reason: 'BlockedByReference', rows: 3, ref: null, until: null },
      { collection: 'a', reason: 'IndeterminateDate', rows: 4, ref: null, until: null },
      { collection: 'a', reason: 'LegalHold', rows: 2, ref: 'matter-2026-014', until: null },
      { collection: 'a', reason: 'LongerRetention', rows: 5, ref: null, until: null },
    ]);
  });

  test('lists rows that stayed of each collection, whatever the caller says of another', () => {
    const exclusions = [{ collection: 'a', reason: 'LegalHold' as const, rows: 2, ref: null, until: null }, { collection: 'b', reason: 'LongerRetention' as const, rows: 1, ref: 'x', until: null }];
    const built = buildCertificate(facts({ collections: [collection({ name: 'a', held: 2 }), collection({ name: 'b', held: 7, floored: 1 })], exclusions }));
    expect(built.exclusions).toEqual([...exclusions.slice(0, 1), { collection: 'b', reason: 'LegalHold', rows: 7, ref: null, until: null }, ...exclusions.slice(1)]);
  });

  test('takes a checkpoint right at the last record, and as many rows per client as in all', () => {
    expect(() => buildCertificate(facts({ audit: { ...facts().audit, lastSeq: 903, firstSeq: 903 } }))).not.toThrow();
    expect(() => buildCertificate(facts({ audit: { ...facts().audit, firstSeq: 1 } }))).not.toThrow();
    expect(() => buildCertificate(facts({ clients: [{ client: 'client-a', deleted: 118 }] }))).not.toThrow();
    expect(() => buildCertificate(facts({ audit: { ...facts().audit, checkpoint: null } }))).not.toThrow();
  });

  test.each<[string, Partial<CertificateFacts>, string]>([
    ['rows that are still there', { collections: [collection({ verification: verification({ residual: 3 }) })] }, 'still has 3 due rows; run again and verify'],
    ["a driver's own word", { collections: [collection({ verification: verification({ level: 'Claimed' }) })] }, 'was not verified by another identity'],
    ['a claim to have purged media', { collections: [collection({ method: 'Purge' as 'LogicalDelete' })] }, '/collections/0/method must be equal to one of'],
    ['no collection at all', { collections: [] }, '/collections must NOT have fewer than 1 items'],
    ['the same collection twice', { collections: [collection({}), collection({})] }, 'a collection is listed twice'],
    ['the same client twice', { clients: [{ client: 'client-a', deleted: 1 }, { client: 'client-b', deleted: 1 }, { client: 'client-a', deleted: 1 }] }, 'a client is listed twice'],
    ['rows of the second collection that are still there', { collections: [collection({}), collection({ name: 'sessions', verification: verification({ residual: 1 }) })] }, 'collection sessions still has 1 due rows'],
    ['more per client than in all', { clients: [{ client: 'client-a', deleted: 119 }] }, 'clients count 119 deleted rows, collections only 118'],
    ['a negative count', { collections: [collection({ deleted: -1 })], clients: [] }, '/collections/0/deleted must be >= 0'],
    ['a count that is not exact', { collections: [collection({ deleted: 2 ** 53 })] }, '/collections/0/deleted must be <='],
    ['a fraction', { collections: [collection({ eligible: 1.5 })] }, '/collections/0/eligible must be integer'],
    ['missing exclusions', { notCovered: undefined as unknown as string[] }, 'notCovered'],
    ['an unknown key', { sample: ['x'] } as object, '(sample)'],
    ['an unknown key further down', { collections: [collection({ keys: ['4711'] } as object)] }, '(keys)'],
    ['an e-mail address as a client', { clients: [{ client: 'jane@example.com', deleted: 1 }] }, 'clients[0].client looks like personal data'],
    ['an e-mail address among the words', { notCovered: ['mailbox of jane@example.com'] }, 'notCovered[0] looks like personal data'],
    ['a telephone number among the words', { notCovered: ['calls to +49 170 1234567'] }, 'notCovered[0] looks like personal data'],
    ['an address of a visitor', { notCovered: ['logs of 203.0.113.7'] }, 'notCovered[0] looks like personal data'],
    ['a control character', { notCovered: ['a\u007fb'] }, '/notCovered/0 must match pattern'],
    ['an e-mail address as the reference of an exclusion', { exclusions: [{ collection: 'a', reason: 'LegalHold', rows: 2, ref: 'jane@example.com', until: null }] }, 'exclusions[0].ref looks like personal data'],
    ['a checkpoint of another chain', { audit: { ...facts().audit, chainId: 'b6f3a1de-0000-4000-8000-000000000009' } }, 'does not anchor record 902 of chain b6f3a1de-0000-4000-8000-000000000009'],
    ['a checkpoint before the run ended', { audit: { ...facts().audit, lastSeq: 904 } }, 'audit.checkpoint does not anchor record 904'],
    ['a proof on replicas that names none', { collections: [proven] }, 'is called VerifiedReplicas, but no replica is named'],
    ['a proof on replicas of which one was not looked at', { collections: [proven], replicas: [...replicas, silent], notCovered: ['replicas[1] of the store'] }, 'is called VerifiedReplicas, but replicas[1] was not verified'],
    ['a higher proof above a replica that was not looked at', { collections: [collection({ verification: verification({ level: 'VerifiedBackups' }) })], replicas: [silent], notCovered: ['replicas[1] of the store'] }, 'is called VerifiedBackups, but replicas[1]'],
    ['silence about a replica nobody looked at', { replicas: [...replicas, silent], notCovered: ['replicas[10] of the store'] }, 'notCovered does not say that replicas[1] was not verified'],
    ['a replica without a verdict', { replicas: [{ ...silent, reason: null }], notCovered: ['replicas[1] of the store'] }, 'replicas[1] must have a reason'],
    ['a replica with two verdicts', { collections: [proven], replicas: [{ ...silent, verified: true }] }, 'replicas[1] must have a reason when it was not verified, and only then'],
    ['a replica twice', { collections: [proven], replicas: [...replicas, ...replicas] }, 'a replica is listed twice'],
    ['the address of a replica', { collections: [proven], replicas: [{ ...replicas[0]!, host: '10.0.0.7' } as object as CertifiedReplica] }, '(host)'],
    ['records in the wrong order', { audit: { ...facts().audit, firstSeq: 903 } }, 'audit range 903 to 902'],
  ])('refuses %s', (_name, change, message) => {
    const refused = capture(() => buildCertificate(facts(change)));
    expect(refused).toBeInstanceOf(CertificateRefusedError);
    expect((refused as Error).message).toContain(message);
    expect((refused as Error).message).not.toMatch(/jane|4711|203\.0|1234567/);
  });

  test('names replicas in their order, whether they were verified or not', () => {
    const built = buildCertificate(facts({ replicas: [silent, ...replicas], notCovered: ['backups', 'replicas[1] of the store: not verified', 'logs'] }));
    expect(built.replicas).toEqual([...replicas, silent]);
    expect(buildCertificate(facts({ collections: [proven], replicas })).replicas).toEqual(replicas);
    expect(buildCertificate(facts())).not.toHaveProperty('replicas');
  });

  test('accepts a pseudonym as a client', () => {
    const clients = [{ client: `hmac-sha256:${'1'.repeat(64)}`, deleted: 1 }];
    expect(buildCertificate(facts({ clients })).clients).toEqual(clients);
  });
});

describe('a signed certificate', () => {
  test('verifies with jq and openssl alone', async () => {
    await withFolder(async (dir) => {
      const text = certificateText(signCertificate(buildCertificate(facts()), signer));
      writeFileSync(join(dir, 'certificate.json'), text);
      writeFileSync(join(dir, 'key.pem'), publicKeyPem(signer));
      const script = [
        "jq -cSj 'del(.signature)' certificate.json > signed.json",
        'jq -r .signature.value certificate.json | base64 -d > signature.bin',
        'openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in signed.json -sigfile signature.bin',
      ].join('\n');
      const bash = (extra: string) => spawnSync('bash', ['-euo', 'pipefail', '-c', extra + script], { cwd: dir, encoding: 'utf8' });
      expect(bash('')).toMatchObject({ status: 0, stdout: 'Signature Verified Successfully\n' });
      expect(bash("sed -i 's/\"deleted\":118/\"deleted\":119/' certificate.json\n")).toMatchObject({ status: 1 });
      expect(certificateDigest(text)).toBe(`sha256:${run('sha256sum', [], text).slice(0, 64)}`);
    });
  });

  test('is written by jq -cS exactly as by us, whatever the names in it', () => {
    const word = fc.string({ minLength: 1, maxLength: 40, unit: 'binary' }).filter((text) => [...text].every((char) => char >= ' ' && char !== '\u007f'));
    const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    const texts = fc.sample(fc.record({ name: word, table: word, server: word, by: word, eligible: count, deleted: count, more: fc.array(word) }), 500).map((any) => {
      const built = {
        ...facts({
          collections: [collection({ name: any.name, table: any.table, eligible: any.eligible, deleted: any.deleted })],
          store: { ...facts().store, server: any.server },
          basis: { ...facts().basis, approvals: [{ by: any.by, at: '2026-11-24T10:00:00Z' }] },
        }),
        schema: 'dataward.io/deletion-certificate/v1' as const,
        notCovered: any.more,
      };
      return certificateText(signCertificate(built, signer));
    });
    expect(run('jq', ['-cS', '.'], texts.join(''))).toBe(texts.join(''));
  });
});

/** Runs a tool this test cannot do without. */
function run(command: string, args: string[], input: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (error) throw new Error(`${command} is needed to show that certificates verify without this project; install it (apt-get install ${command})`, { cause: error });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
  return stdout;
}

function capture(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}
