import { describe, expect, test } from '@jest/globals';
import { signCheckpoint, type Checkpoint } from '../../../src/evidence/audit/checkpoint.ts';
import { canonicalJson } from '../../../src/evidence/canonical.ts';
import { buildCertificate, certificateText, signCertificate, type Certificate, type CertificateFacts } from '../../../src/evidence/certificate.ts';
import { generateSigningKey, type PublicKeys } from '../../../src/evidence/keys.ts';
import { verifyCertificate } from '../../../src/evidence/verify-certificate.ts';
import { facts, signer } from '../../support/certificate.ts';
import { NOON } from '../../support/chain.ts';

const publicKeys: PublicKeys = new Map([[signer.keyId, signer.publicKey]]);
const stranger = generateSigningKey();
const anchor = facts().audit.checkpoint!;
const signed = (change: Partial<CertificateFacts> = {}) => signCertificate(buildCertificate(facts(change)), signer);
const text = certificateText(signed());

test('a genuine certificate whose checkpoint the auditor has is good', () => {
  expect(verifyCertificate({ text, publicKeys, checkpoints: [anchor] })).toMatchObject({
    ok: true,
    shape: { ok: true, problems: [] },
    signature: { state: 'Valid', keyId: signer.keyId },
    audit: { state: 'Anchored' },
  });
});

test('no single byte of it can be changed', () => {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    const verdict = verifyCertificate({ text: changed.toString('utf8'), publicKeys, checkpoints: [anchor] });
    if (verdict.ok) throw new Error(`byte ${at} was changed and nobody noticed`);
  }
});

describe('the shape is wrong when', () => {
  test.each<[string, string, string]>([
    ['it is no JSON', 'certificate', 'is not JSON'],
    ['it is another document', '{"schema":"x"}', '/schema must be equal to constant'],
    ['a key was added and signed', resigned((c) => ({ ...c, subjects: ['x'] })), '(subjects)'],
    ['what it does not cover was left out', resigned(({ notCovered: _left, ...c }) => c), "required property 'notCovered'"],
    ['it was printed for people', JSON.stringify(JSON.parse(text), null, 2), 'is not in canonical form'],
    ['a key is doubled', text.replace('"kind":', '"kind":"Erasure","kind":'), 'is not in canonical form'],
    ['the issuer signed more per client than in all', resigned((c) => ({ ...c, clients: [{ client: 'client-a', deleted: 500 }] })), 'clients count 500'],
  ])('%s', (_name, spoilt, problem) => {
    const verdict = verifyCertificate({ text: spoilt, publicKeys, checkpoints: [anchor] });
    expect(verdict.ok).toBe(false);
    expect(verdict.shape.ok).toBe(false);
    expect(verdict.shape.problems.join()).toContain(problem);
  });
});

describe('the signature is', () => {
  test.each<[string, string, string]>([
    ['Invalid', 'a count was changed', text.replace('"deleted":118', '"deleted":119').replace('"eligible":120', '"eligible":121')],
    ['Invalid', 'another key is named', certificateText({ ...signCertificate(buildCertificate(facts()), stranger), signature: { ...signCertificate(buildCertificate(facts()), stranger).signature, keyId: signer.keyId } })],
    ['UnknownKey', 'a stranger signed', certificateText(signCertificate(buildCertificate(facts()), stranger))],
  ])('%s when %s', (state, _name, spoilt) => {
    expect(verifyCertificate({ text: spoilt, publicKeys, checkpoints: [anchor] })).toMatchObject({ ok: false, signature: { state } });
  });
});

describe('the anchoring is', () => {
  const { chainId, seq } = anchor;
  const other = signCheckpoint(chainId, { seq, hash: 'd'.repeat(64) }, signer, NOON);
  const elsewhere = signCheckpoint('b6f3a1de-0000-4000-8000-000000000009', { seq, hash: 'd'.repeat(64) }, signer, NOON);
  const later = signCheckpoint(chainId, { seq: seq + 1, hash: 'd'.repeat(64) }, signer, NOON);
  const forged = signCheckpoint(chainId, { seq, hash: 'e'.repeat(64) }, stranger, NOON);
  test.each<[string, string, string, Checkpoint[] | undefined]>([
    ['Unchecked', 'no checkpoints are given', text, undefined],
    ['NotAnchored', 'the auditor has none for the place', text, []],
    ['NotAnchored', 'the only one for the place is of a stranger', text, [forged]],
    ['NotAnchored', 'the only one is of another chain', text, [elsewhere]],
    ['NotAnchored', 'the only one is of another place', text, [later]],
    ['NotAnchored', 'the only one for the place was changed after it was signed', text, [{ ...anchor, ts: '2027-01-01T00:00:00.000Z' }]],
    ['NotAnchored', 'the one it names was changed after it was signed', certificateText(signed({ audit: { ...facts().audit, checkpoint: { ...anchor, rootHash: 'd'.repeat(64) } } })), [anchor]],
    ['Anchored', 'those beside it are of another chain, of another place, or were changed', text, [elsewhere, later, { ...anchor, rootHash: 'd'.repeat(64) }, anchor]],
    ['NotAnchored', 'the certificate names none', certificateText(signed({ audit: { ...facts().audit, checkpoint: null } })), [anchor]],
    ['NotAnchored', 'the one it names is of a stranger', certificateText(signed({ audit: { ...facts().audit, checkpoint: forged } })), [anchor]],
    ['Contradicted', 'the auditor has another history', text, [other]],
    ['Contradicted', 'the auditor has both', text, [anchor, other]],
    ['Anchored', 'a forged one stands beside it', text, [anchor, forged]],
  ])('%s when %s', (state, _name, certificate, checkpoints) => {
    const verdict = verifyCertificate({ text: certificate, publicKeys, ...(checkpoints ? { checkpoints } : {}) });
    expect(verdict.audit.state).toBe(state);
    expect(verdict.ok).toBe(state === 'Anchored');
  });
});

/** What a dishonest issuer with the key could sign. */
function resigned(change: (certificate: Certificate) => object): string {
  const { signature: _old, ...body } = change(signed()) as Certificate;
  return `${canonicalJson(signCertificate(body, signer))}\n`;
}
