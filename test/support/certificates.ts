import 'reflect-metadata'; // the ASN.1 decorators of x509 fail at import without it
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const dayMs = 86_400_000;

/** A certificate and its private key (PKCS#8), both PEM. */
export interface IssuedCertificate {
  readonly certPem: string;
  readonly keyPem: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface IssueOptions {
  readonly commonName: string;
  /** DNS names or IPv4 addresses. Default: none, as in a client certificate. */
  readonly sans?: readonly string[];
  /** Days until expiry, from now. Negative: expired that many days ago. Default 30. */
  readonly days?: number;
  /** RSA modulus length; takes precedence over `curve`. */
  readonly keyBits?: number;
  readonly curve?: 'P-256' | 'P-384';
}

export interface TestCa {
  readonly pem: string;
  issue(options: IssueOptions): Promise<IssuedCertificate>;
}

/** A certificate authority of its own; two calls give two authorities that do not trust each other. */
export async function createTestCa(commonName = 'dataward test CA'): Promise<TestCa> {
  const keys = await generateKeys({});
  const now = Date.now();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: distinguishedName(commonName),
    notBefore: new Date(now - dayMs),
    notAfter: new Date(now + 365 * dayMs),
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { pem: ca.toString('pem'), issue: (options) => issue(ca, keys.privateKey, options) };
}

/** One good certificate and the three that a client must refuse for the same name. */
export async function createCertificateSet(
  ca: TestCa,
  name = 'localhost',
): Promise<Record<'good' | 'expired' | 'wrongName' | 'otherCa', IssuedCertificate>> {
  const good = { commonName: name, sans: [name, '127.0.0.1'] };
  const other = await createTestCa('another test CA');
  return {
    good: await ca.issue(good),
    expired: await ca.issue({ ...good, days: -1 }),
    wrongName: await ca.issue({ commonName: 'elsewhere.example', sans: ['elsewhere.example'] }),
    otherCa: await other.issue(good),
  };
}

async function issue(
  ca: x509.X509Certificate,
  signingKey: webcrypto.CryptoKey,
  options: IssueOptions,
): Promise<IssuedCertificate> {
  const keys = await generateKeys(options);
  const notAfter = new Date(Date.now() + (options.days ?? 30) * dayMs);
  const notBefore = new Date(Math.min(Date.now(), notAfter.getTime()) - dayMs);
  const sans = (options.sans ?? []).map((value) => ({ type: isIpv4(value) ? ('ip' as const) : ('dns' as const), value }));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: distinguishedName(options.commonName),
    issuer: ca.subject,
    notBefore,
    notAfter,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey),
      ...(sans.length > 0 ? [new x509.SubjectAlternativeNameExtension(sans)] : []),
    ],
  });
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certPem: certificate.toString('pem'),
    keyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    notBefore,
    notAfter,
  };
}

async function generateKeys(options: Pick<IssueOptions, 'keyBits' | 'curve'>): Promise<webcrypto.CryptoKeyPair> {
  const algorithm =
    options.keyBits === undefined
      ? { name: 'ECDSA', namedCurve: options.curve ?? 'P-256' }
      : { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]), modulusLength: options.keyBits };
  return (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

function distinguishedName(commonName: string): x509.Name {
  return new x509.Name([{ CN: [commonName] }]);
}

function serial(): string {
  // A leading 01 keeps the number positive and free of leading zeros.
  return `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(8))).toString('hex')}`;
}

function isIpv4(value: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(value);
}
