import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createWhole } from './files.ts';

/** Ed25519 keys for checkpoints and certificates, as PEM files. */

export interface SigningKey {
  readonly keyId: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** Public keys by key id, as an auditor collects them. */
export type PublicKeys = ReadonlyMap<string, KeyObject>;

export class SigningKeyError extends Error {
  override readonly name = 'SigningKeyError';
}

/** First 16 hex digits of SHA-256 over the key's SubjectPublicKeyInfo in DER. */
function keyIdOf(publicKey: KeyObject): string {
  return createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('hex').slice(0, 16);
}

export function generateSigningKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { keyId: keyIdOf(publicKey), privateKey, publicKey };
}

/** Base64 signature over the UTF-8 bytes of a text. */
export function signText(text: string, key: SigningKey): string {
  return sign(null, Buffer.from(text), key.privateKey).toString('base64');
}

/** False for any other text, key or spelling of the signature. */
export function verifyText(text: string, signature: string, publicKey: KeyObject): boolean {
  const bytes = Buffer.from(signature, 'base64');
  // Node's decoder skips what is not base64: many spellings, one signature.
  if (bytes.length !== 64 || bytes.toString('base64') !== signature) return false;
  return verify(null, Buffer.from(text), publicKey, bytes);
}

export function publicKeyPem(key: SigningKey): string {
  return key.publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

/**
 * Loads a PKCS#8 PEM. Throws `SigningKeyError` when it is not an Ed25519 key, or when others than owner and group may
 * read the file or others than the owner may write it.
 */
export async function loadSigningKey(path: string): Promise<SigningKey> {
  const mode = (await stat(path)).mode & 0o777;
  // The group may read: that is how a mounted Secret with fsGroup arrives.
  if ((mode & 0o027) !== 0) {
    throw new SigningKeyError(`signing key ${path} has mode ${mode.toString(8)}; make it 600 (in a Secret volume: defaultMode 0400)`);
  }
  const privateKey = parsePem(path, await readFile(path, 'utf8'), createPrivateKey);
  const publicKey = createPublicKey(privateKey);
  return { keyId: keyIdOf(publicKey), privateKey, publicKey };
}

/** Loads the key, or makes one with mode 0600. Two processes that start together end with the same key. */
export async function loadOrCreateSigningKey(path: string): Promise<SigningKey> {
  const key = generateSigningKey();
  const created = await createWhole(path, key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  return created ? key : loadSigningKey(path);
}

/** All `*.pem` public keys of a folder. A file that is no Ed25519 public key is an error: a key left out would read as a forged signature. */
export async function loadPublicKeys(dir: string): Promise<PublicKeys> {
  const keys = new Map<string, KeyObject>();
  for (const file of (await readdir(dir)).sort()) {
    if (!file.endsWith('.pem')) continue;
    const path = join(dir, file);
    const pem = await readFile(path, 'utf8');
    if (pem.includes('PRIVATE KEY')) throw new SigningKeyError(`${path} holds a private key; give auditors the public one only`);
    const key = parsePem(path, pem, createPublicKey);
    keys.set(keyIdOf(key), key);
  }
  return keys;
}

function parsePem(path: string, pem: string, parse: (pem: string) => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = parse(pem);
  } catch {
    // Without the cause: its text may quote the file.
    throw new SigningKeyError(`${path} is not a PEM key; make one with: openssl genpkey -algorithm ed25519`);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new SigningKeyError(`${path} is a ${key.asymmetricKeyType} key; Ed25519 is needed`);
  return key;
}
