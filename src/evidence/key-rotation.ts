import { createPublicKey } from 'node:crypto';
import { readRecord } from './audit/line.ts';
import type { AuditRecord } from './audit/record.ts';
import { listSegments, scanLines } from './audit/segments.ts';
import { canonicalJson } from './canonical.ts';
import { keyIdOf, signText, verifyText, type PublicKeys, type SigningKey } from './keys.ts';

/**
 * Changing the signing key, as a record both keys have signed: whoever trusts the old key can trust the new one without
 * being handed it, and nobody can pass off a key he does not own as the successor.
 */

export const KEY_ROTATED = 'key.rotated';

export interface KeyRotation {
  readonly from: string;
  readonly to: string;
  /** Base64 of the new key's SubjectPublicKeyInfo in DER. */
  readonly publicKey: string;
  /** Signatures of both keys over the canonical JSON of the members above. */
  readonly sigFrom: string;
  readonly sigTo: string;
}

/** The `refs` of a `key.rotated` record. */
export function rotateKey(from: SigningKey, to: SigningKey): KeyRotation & Record<string, string> {
  const statement = { from: from.keyId, to: to.keyId, publicKey: to.publicKey.export({ type: 'spki', format: 'der' }).toString('base64') };
  const text = canonicalJson(statement);
  return { ...statement, sigFrom: signText(text, from), sigTo: signText(text, to) };
}

/**
 * The keys given, and those they passed on to by rotations recorded in the chain. A rotation that is not properly
 * signed adds nothing. The chain itself is to be verified with the result.
 */
export async function followRotations(dir: string, keys: PublicKeys): Promise<PublicKeys> {
  const trusted = new Map(keys);
  const prefix = Buffer.from(`{"action":"${KEY_ROTATED}",`);
  for (const segment of await listSegments(dir)) {
    await scanLines(segment.path, (line) => {
      if (!line.subarray(0, prefix.length).equals(prefix)) return;
      const record = readRecord(line);
      if (typeof record !== 'string') accept(record, trusted);
    });
  }
  return trusted;
}

function accept({ refs }: AuditRecord, trusted: Map<string, ReturnType<typeof createPublicKey>>): void {
  const { from, to, publicKey, sigFrom, sigTo } = refs;
  if (![from, to, publicKey, sigFrom, sigTo].every((part) => typeof part === 'string')) return;
  const old = trusted.get(from as string);
  const next = parse(publicKey as string);
  if (!old || !next || keyIdOf(next) !== to) return;
  const text = canonicalJson({ from, to, publicKey });
  if (verifyText(text, sigFrom as string, old) && verifyText(text, sigTo as string, next)) trusted.set(to, next);
}

function parse(der: string): ReturnType<typeof createPublicKey> | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(der, 'base64'), type: 'spki', format: 'der' });
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}
