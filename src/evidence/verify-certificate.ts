import type { Checkpoint } from './audit/checkpoint.ts';
import { checkpointIsGenuine } from './audit/checkpoint.ts';
import { canonicalJson, isCanonicalText } from './canonical.ts';
import { factProblems, type Certificate } from './certificate.ts';
import { shapeProblems } from './certificate-schema.ts';
import { verifyText, type PublicKeys } from './keys.ts';

/** Checks a deletion certificate offline, from its text alone and what the auditor holds. Pure. */

export interface CertificateInputs {
  /** Content of the file. */
  text: string;
  publicKeys: PublicKeys;
  /** Checkpoints from a place the issuer cannot change. Absent: the anchoring is `Unchecked`. */
  checkpoints?: readonly Checkpoint[];
}

const ANCHORINGS = ['Anchored', 'NotAnchored', 'Contradicted', 'Unchecked'] as const;
/**
 * - `Anchored`: its checkpoint is genuine and among the auditor's.
 * - `NotAnchored`: it names no checkpoint, or one the auditor does not have or cannot trust.
 * - `Contradicted`: the auditor has another history for the same place of the same chain.
 * - `Unchecked`: no checkpoints were given, or the certificate cannot be read.
 */
export type Anchoring = (typeof ANCHORINGS)[number];

export interface CertificateVerdict {
  /** Well formed, signed by a given key, anchored. */
  readonly ok: boolean;
  readonly shape: { readonly ok: boolean; readonly problems: readonly string[] };
  readonly signature: { readonly state: 'Valid' | 'Invalid' | 'UnknownKey' | 'Unreadable'; readonly keyId?: string };
  readonly audit: { readonly state: Anchoring; readonly detail: string };
  /** Present when the text could be read; to be believed only with `ok`. */
  readonly certificate?: Certificate;
}

export function verifyCertificate({ text, publicKeys, checkpoints }: CertificateInputs): CertificateVerdict {
  const body = text.endsWith('\n') ? text.slice(0, -1) : text;
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return unreadable('is not JSON');
  }
  const problems = shapeProblems(value, true);
  if (problems.length > 0) return unreadable(...problems);
  const certificate = value as Certificate;
  const shape = [
    // Of a doubled key one reader takes the first value and another the last.
    ...(isCanonicalText(body, value) ? [] : ['/ is not in canonical form; a tool has rewritten it, jq -cS restores it']),
    ...factProblems(certificate),
  ];
  const { keyId } = certificate.signature;
  const state = signatureState(certificate, publicKeys);
  const audit = anchoring(certificate, publicKeys, checkpoints);
  return {
    ok: shape.length === 0 && state === 'Valid' && audit.state === 'Anchored',
    shape: { ok: shape.length === 0, problems: shape },
    signature: { state, keyId },
    audit,
    certificate,
  };
}

function unreadable(...problems: string[]): CertificateVerdict {
  return {
    ok: false,
    shape: { ok: false, problems },
    signature: { state: 'Unreadable' },
    audit: { state: 'Unchecked', detail: 'the certificate cannot be read' },
  };
}

function signatureState(certificate: Certificate, publicKeys: PublicKeys): 'Valid' | 'Invalid' | 'UnknownKey' {
  const { signature, ...signed } = certificate;
  const key = publicKeys.get(signature.keyId);
  if (!key) return 'UnknownKey';
  return verifyText(canonicalJson(signed), signature.value, key) ? 'Valid' : 'Invalid';
}

function anchoring(certificate: Certificate, keys: PublicKeys, known: readonly Checkpoint[] | undefined): { state: Anchoring; detail: string } {
  const { chainId, lastSeq, checkpoint } = certificate.audit;
  if (!checkpoint) return { state: 'NotAnchored', detail: `no checkpoint after record ${lastSeq} is named` };
  const place = `record ${checkpoint.seq} of chain ${chainId}`;
  if (!isGenuine(checkpoint, keys)) return { state: 'NotAnchored', detail: `the checkpoint of ${place} is not signed by a given key` };
  if (!known) return { state: 'Unchecked', detail: 'no checkpoints were given to compare with' };
  const same = known.filter((one) => one.chainId === chainId && one.seq === checkpoint.seq && isGenuine(one, keys));
  if (same.some((one) => one.rootHash !== checkpoint.rootHash)) return { state: 'Contradicted', detail: `${place} has another hash in the checkpoints given` };
  if (same.length === 0) return { state: 'NotAnchored', detail: `the checkpoints given hold none for ${place}` };
  return { state: 'Anchored', detail: `${place}, signed ${checkpoint.ts}` };
}

function isGenuine(checkpoint: Checkpoint, keys: PublicKeys): boolean {
  const key = keys.get(checkpoint.keyId);
  return key !== undefined && checkpointIsGenuine(checkpoint, key);
}
