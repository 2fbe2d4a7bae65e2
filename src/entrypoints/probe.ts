import { once } from 'node:events';
import { request as plainRequest, type IncomingMessage } from 'node:http';
import { request as tlsRequest, type RequestOptions } from 'node:https';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { hstsMaxAge, leadsToTls } from './answer.ts';
import type { PortAnswer } from './answer.ts';

/** Whom to ask for, and where: one port of one address. */
export interface Question {
  /** IP address. */
  address: string;
  port: number;
  /** Absent: whatever the address is called. */
  host?: string;
  path: string;
  /** `dataward/0.1.0`. */
  userAgent: string;
}

const PATIENCE_MS = 8_000;
/** More than this in headers is nothing a browser would take either. */
const HEADER_BYTES = 16_384;
/** Something listens, and this is not its language. */
const NOT_THIS_PROTOCOL = /^(ERR_SSL_|ERR_TLS_|HPE_|ECONNRESET$|EPROTO$)/;

/**
 * Asks one port as a browser would, with TLS first and without it where there is none. Redirects are not followed, bodies
 * are not read, nothing is sent but a host, a path and a name of ours. Never rejects but for `signal`.
 *
 * @param patienceMs silence for so long is no answer
 */
export async function askPort(question: Question, signal: AbortSignal, patienceMs = PATIENCE_MS): Promise<PortAnswer> {
  const secure = await askTls(question, signal, patienceMs);
  if (secure !== 'other') return secure === 'closed' || secure === 'silent' ? { port: secure } : { port: 'tls', ...secure };
  const plain = await attempt(() => send(plainRequest, optionsOf(question), signal, patienceMs), signal);
  if (plain === 'silent') return { port: 'silent' };
  // It took the connection and speaks no HTTP without TLS, nor TLS of today.
  if (plain === 'closed' || plain === 'other') return { port: 'neither' };
  return { port: 'plain', redirects: leadsToTls(plain.statusCode ?? 0, plain.headers.location) };
}

async function askTls(question: Question, signal: AbortSignal, patienceMs: number): Promise<'closed' | 'silent' | 'other' | { named: boolean; hstsMaxAge?: number }> {
  let named: boolean | undefined;
  const { host } = question;
  const answer = await attempt(
    () =>
      send(
        tlsRequest,
        // Whose certificate it is counts here, not who vouches for it: the browser asks that of its own list.
        { ...optionsOf(question), minVersion: 'TLSv1.2', rejectUnauthorized: false, servername: host !== undefined && isIP(host) === 0 ? host : '' },
        signal,
        patienceMs,
        (socket) => (named = host === undefined || names(socket, host)),
      ),
    signal,
  );
  if (named === undefined) return typeof answer === 'string' ? answer : 'other';
  if (typeof answer === 'string') return { named };
  return { named, hstsMaxAge: hstsMaxAge(answer.headers['strict-transport-security']) };
}

function names(socket: TLSSocket, host: string): boolean {
  const certificate = socket.getPeerX509Certificate();
  return (isIP(host) === 0 ? certificate?.checkHost(host, { subject: 'never' }) : certificate?.checkIP(host)) !== undefined;
}

function optionsOf({ address, port, host, path, userAgent }: Question): RequestOptions {
  return { host: address, port, path, method: 'GET', agent: false, maxHeaderSize: HEADER_BYTES, headers: { host: host ?? address, 'user-agent': userAgent, accept: '*/*', connection: 'close' } };
}

async function send(request: typeof plainRequest | typeof tlsRequest, options: RequestOptions, signal: AbortSignal, patienceMs: number, secured?: (socket: TLSSocket) => void): Promise<IncomingMessage> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  const sent = request({ ...options, signal: limit });
  // What comes after the headers is of no use, and may fail as it likes.
  sent.on('error', () => undefined);
  if (secured) sent.once('socket', (socket) => socket.once('secureConnect', () => secured(socket as TLSSocket)));
  sent.end();
  try {
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.on('error', () => undefined);
    return response;
  } finally {
    sent.destroy();
  }
}

async function attempt<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T | 'closed' | 'silent' | 'other'> {
  try {
    return await ask();
  } catch (error) {
    signal.throwIfAborted();
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'ECONNREFUSED') return 'closed';
    return NOT_THIS_PROTOCOL.test(code) ? 'other' : 'silent';
  }
}
