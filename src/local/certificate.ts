import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { isJsonObject } from './object.ts';
import { writeDurably } from './state.ts';

/** A certificate that is its own authority, valid for loopback names only. */
export interface ServerCertificate {
  certificatePem: string;
  /** A secret. */
  keyPem: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const LIFETIME_DAYS = 365;
/** Renewed at a start within this time of the end, so that a running server does not outlive its certificate unseen. */
const RENEWAL_DAYS = 30;
const DAY_MS = 86_400_000;

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${der.replaceAll(/(.{64})/g, '$1\n').trimEnd()}\n-----END PRIVATE KEY-----\n`;
}

/**
 * Makes a certificate for loopback. kubectl sends no bearer token over plain http, so the local server needs TLS even
 * though nothing leaves the machine.
 */
export async function createCertificate(host: string, now: number): Promise<ServerCertificate> {
  const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const addresses = [...new Set(['127.0.0.1', '::1', host])].filter((address) => /^[\d.]+$|:/.test(address));
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=dataward local API server',
      keys,
      notBefore: new Date(now - 3_600_000),
      notAfter: new Date(now + LIFETIME_DAYS * DAY_MS),
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([
          { type: 'dns', value: 'localhost' },
          ...addresses.map((value) => ({ type: 'ip' as const, value })),
        ]),
      ],
    },
    webcrypto,
  );
  return { certificatePem: `${certificate.toString('pem')}\n`, keyPem: await keyPem(keys.privateKey) };
}

function readStored(path: string, now: number): ServerCertificate | undefined {
  if (!existsSync(path)) return undefined;
  const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (!isJsonObject(value) || typeof value['certificatePem'] !== 'string' || typeof value['keyPem'] !== 'string') return undefined;
  const { notAfter } = new x509.X509Certificate(value['certificatePem']);
  if (notAfter.getTime() - now < RENEWAL_DAYS * DAY_MS) return undefined;
  return { certificatePem: value['certificatePem'], keyPem: value['keyPem'] };
}

/** The certificate kept in the state folder, so that a kubeconfig stays good over a restart; a new one when it is due. */
export async function keptCertificate(stateDir: string, host: string, now: number): Promise<ServerCertificate> {
  const path = join(stateDir, 'certificate.json');
  const stored = readStored(path, now);
  if (stored !== undefined) return stored;
  const created = await createCertificate(host, now);
  writeDurably(path, `${JSON.stringify(created, null, 2)}\n`);
  return created;
}
