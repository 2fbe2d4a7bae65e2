import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { CertificateFacts } from '../facts.ts';

/**
 * Why a certificate does not prove a name; undefined when it does. A bare common name proves nothing (RFC 9525),
 * though Node and libpq still take it where there is no subject alternative name.
 */
export function certificateNameError(name: string, certificate: X509Certificate): Error | undefined {
  const proven = isIP(name) === 0 ? certificate.checkHost(name, { subject: 'never' }) : certificate.checkIP(name);
  if (proven !== undefined) return undefined;
  const message =
    certificate.subjectAltName === undefined ? 'The certificate has no subject alternative name.' : `No subject alternative name of the certificate is ${name}.`;
  return Object.assign(new Error(message), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
}

/** What the server's certificate says and proves. The handshake must have been made without a name check. */
export function certificateFacts(socket: TLSSocket, name: string): CertificateFacts | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const nameError = certificateNameError(name, certificate);
  const chainError = socket.authorized ? undefined : String(socket.authorizationError);
  const problem = chainError ?? nameError?.message;
  return {
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    notBefore: new Date(certificate.validFrom).toISOString(),
    notAfter: new Date(certificate.validTo).toISOString(),
    ...keyFacts(certificate),
    trusted: chainError === undefined,
    nameMatches: nameError === undefined,
    ...(problem === undefined ? {} : { problem }),
  };
}

const curveBits: Readonly<Record<string, number>> = { prime256v1: 256, secp256k1: 256, secp384r1: 384, secp521r1: 521 };
const edwardsBits: Readonly<Record<string, number>> = { ed25519: 256, ed448: 448 };

/** Key type in Node's names (`rsa`, `ec`, `ed25519`); 0 bits for a kind whose strength is not known here. */
function keyFacts({ publicKey }: X509Certificate): Pick<CertificateFacts, 'keyType' | 'keyBits'> {
  const keyType = publicKey.asymmetricKeyType ?? 'unknown';
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {};
  return { keyType, keyBits: modulusLength ?? curveBits[namedCurve ?? ''] ?? edwardsBits[keyType] ?? 0 };
}

function oneLine(name: string): string {
  return name.replaceAll('\n', ', ');
}
