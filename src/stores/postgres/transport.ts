import { isIP } from 'node:net';
import { DEFAULT_CIPHERS } from 'node:tls';
import type { ConnectionOptions, SecureVersion, TLSSocket } from 'node:tls';
import { StoreError } from '../errors.ts';
import type { TransportFacts } from '../facts.ts';
import type { ProbeOptions, StoreTarget } from '../port.ts';
import { certificateFacts } from './certificate.ts';
import { errorFacts, toStoreError } from './errors.ts';
import { requestTls, startPlain, startTls } from './wire.ts';

/** Offered one by one; newest first. Node's own names, except that it calls the oldest `TLSv1`. */
const versions: readonly { name: string; version: SecureVersion; options: ConnectionOptions }[] = [
  { name: 'TLSv1.3', version: 'TLSv1.3', options: {} },
  // Weak suites are offered on purpose: a server that would take them has accepted the version.
  { name: 'TLSv1.2', version: 'TLSv1.2', options: { ciphers: 'ALL:@SECLEVEL=0' } },
  { name: 'TLSv1.1', version: 'TLSv1.1', options: { ciphers: 'ALL:@SECLEVEL=0' } },
  { name: 'TLSv1.0', version: 'TLSv1', options: { ciphers: 'ALL:@SECLEVEL=0' } },
];

/**
 * Looks at a store's transport from outside, with nobody's password: what TLS it speaks, which versions it takes
 * and refuses when only one is offered, what its certificate proves, and whether it would talk without TLS.
 *
 * Never trusts what it connects to, so it also describes a server whose certificate is wrong.
 *
 * @throws StoreError `Unreachable` when there is nobody to look at
 */
export async function probeTransport(target: StoreTarget, options: ProbeOptions): Promise<TransportFacts> {
  const signal = AbortSignal.timeout(options.timeoutMs ?? 10_000);
  const login = { user: options.username, database: target.database };
  const best = await bestOffer(target, signal).catch((error: unknown) => {
    throw unreachable(error, target, options.username);
  });
  const facts: TransportFacts = { observedAt: new Date(options.now).toISOString(), ...best, accepted: [], refused: [] };
  for (const offer of versions) {
    const outcome = await tryVersion(target, offer.version, offer.options, signal);
    if (outcome !== 'undecided') facts[outcome].push(offer.name);
  }
  const plaintextRefused = await tryPlaintext(target, login, signal);
  return plaintextRefused === undefined ? facts : { ...facts, plaintextRefused };
}

/** The handshake an ordinary modern client would make. Empty where the server has no TLS, or none that we can speak. */
async function bestOffer(target: StoreTarget, signal: AbortSignal): Promise<Pick<TransportFacts, 'version' | 'cipher' | 'certificate'>> {
  const reply = await requestTls(target, signal);
  if (reply.answer !== 'S') {
    if (reply.answer === 'N') reply.socket.destroy();
    return {};
  }
  let socket: TLSSocket;
  try {
    socket = await startTls(reply.socket, { ...handshake(target), minVersion: 'TLSv1', maxVersion: 'TLSv1.3', ciphers: `${DEFAULT_CIPHERS}:@SECLEVEL=0` }, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return {};
  }
  const certificate = certificateFacts(socket, target.serverName ?? target.host);
  const version = socket.getProtocol();
  const facts = { ...(version === null ? {} : { version: version === 'TLSv1' ? 'TLSv1.0' : version }), cipher: socket.getCipher().standardName, ...(certificate === undefined ? {} : { certificate }) };
  socket.destroy();
  return facts;
}

type Outcome = 'accepted' | 'refused' | 'undecided';

async function tryVersion(target: StoreTarget, version: SecureVersion, options: ConnectionOptions, signal: AbortSignal): Promise<Outcome> {
  try {
    const reply = await requestTls(target, signal);
    if (reply.answer === 'other') return 'undecided';
    if (reply.answer === 'N') {
      reply.socket.destroy();
      return 'refused';
    }
    const socket = await startTls(reply.socket, { ...handshake(target), ...options, minVersion: version, maxVersion: version }, signal);
    socket.destroy();
    return 'accepted';
  } catch (error) {
    return refusedByServer(error) ? 'refused' : 'undecided';
  }
}

/** Only the server's own alert, or its choice of another version, is a refusal; a lost connection or a local limit is not. */
function refusedByServer(error: unknown): boolean {
  const { code } = errorFacts(error);
  return /^ERR_SSL_.*ALERT/.test(code) || code === 'ERR_SSL_UNSUPPORTED_PROTOCOL' || code === 'ERR_SSL_WRONG_VERSION_NUMBER';
}

/**
 * True when the server turned the login away for having no encryption (28000), false when it went on to
 * authentication, undefined when it said something else, such as that it is starting up or has no connection left.
 */
async function tryPlaintext(target: StoreTarget, login: { user: string; database: string }, signal: AbortSignal): Promise<boolean | undefined> {
  try {
    const reply = await startPlain(target, login, signal);
    if (reply.type === 'R') return false;
    return reply.type === 'E' && reply.sqlState === '28000' ? true : undefined;
  } catch {
    return undefined;
  }
}

function handshake(target: StoreTarget): ConnectionOptions {
  const name = target.serverName ?? target.host;
  return {
    rejectUnauthorized: false, // judged afterwards; nothing secret is ever sent over this connection
    checkServerIdentity: () => undefined,
    ...(target.caPem === undefined ? {} : { ca: target.caPem }),
    ...(isIP(name) === 0 ? { servername: name } : {}),
  };
}

function unreachable(error: unknown, target: StoreTarget, username: string): StoreError {
  const context = { store: target.name, host: target.host, port: target.port, database: target.database, username };
  return toStoreError(error, context);
}
