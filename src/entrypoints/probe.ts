import { once } from 'node:events';
import { request, type IncomingMessage, type RequestOptions } from 'node:http';
import { isIP } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
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

const PATIENCE_MS = 5_000;
/** More than this in headers is nothing a browser would take either. */
const HEADER_BYTES = 16_384;
/** Something listens, and this is not its language. */
const NOT_THIS_PROTOCOL = /^(ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE)$|HPE_|ECONNRESET$|EPROTO$)/;
/** It speaks TLS, and not with us: by an alert, or by a version that is too old. */
const REFUSED = /^ERR_(SSL|TLS)_/;

/**
 * Asks one port as a browser would, with TLS first and without it where there is none. Redirects are not followed, bodies
 * are not read, nothing is sent but a host, a path and a name of ours. Never rejects but for `signal`.
 *
 * @param patienceMs silence for so long is no answer
 */
export async function askPort(question: Question, signal: AbortSignal, patienceMs = PATIENCE_MS): Promise<PortAnswer> {
  const patience = (): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  const { host } = question;
  const limit = patience();
  const socket = await attempt(() => handshake(question, limit), signal);
  if (typeof socket !== 'string') {
    const named = host === undefined || names(socket, host);
    const answer = await attempt(() => send({ ...optionsOf(question), createConnection: () => socket }, limit), signal).finally(() => socket.destroy());
    return { port: 'tls', named, ...(typeof answer === 'string' ? {} : { hstsMaxAge: hstsMaxAge(answer.headers['strict-transport-security']) }) };
  }
  if (socket === 'closed' || socket === 'silent') return { port: socket };
  // Most servers tell a request without TLS at such a port that it lacks TLS, which is no plain HTTP that is open.
  if (socket === 'refused') return { port: 'neither' };
  const plain = await attempt(() => send({ ...optionsOf(question), agent: false }, patience()), signal);
  if (plain === 'silent') return { port: 'silent' };
  // It took the connection and speaks no HTTP without TLS, nor TLS of today.
  if (typeof plain === 'string') return { port: 'neither' };
  return { port: 'plain', redirects: leadsToTls(plain.statusCode ?? 0, plain.headers.location) };
}

/** Before anything is asked: an error while something waits to be written no longer tells what the server said. */
async function handshake({ address, port, host }: Question, limit: AbortSignal): Promise<TLSSocket> {
  // Whose certificate it is counts here, not who vouches for it: the browser asks that of its own list.
  const socket = connectTls({ host: address, port, minVersion: 'TLSv1.2', rejectUnauthorized: false, servername: host !== undefined && isIP(host) === 0 ? host : '' });
  socket.on('error', () => undefined);
  try {
    await once(socket, 'secureConnect', { signal: limit });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function names(socket: TLSSocket, host: string): boolean {
  const certificate = socket.getPeerX509Certificate();
  return (isIP(host) === 0 ? certificate?.checkHost(host, { subject: 'never' }) : certificate?.checkIP(host)) !== undefined;
}

function optionsOf({ address, port, host, path, userAgent }: Question): RequestOptions {
  return { host: address, port, path, method: 'GET', maxHeaderSize: HEADER_BYTES, headers: { host: host ?? address, 'user-agent': userAgent, accept: '*/*', connection: 'close' } };
}

async function send(options: RequestOptions, limit: AbortSignal): Promise<IncomingMessage> {
  const sent = request({ ...options, signal: limit });
  // What comes after the headers is of no use, and may fail as it likes.
  sent.on('error', () => undefined);
  sent.end();
  try {
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.on('error', () => undefined);
    return response;
  } finally {
    sent.destroy();
  }
}

type NoAnswer = 'closed' | 'silent' | 'refused' | 'other';

async function attempt<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T | NoAnswer> {
  try {
    return await ask();
  } catch (error) {
    signal.throwIfAborted();
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'ECONNREFUSED') return 'closed';
    if (NOT_THIS_PROTOCOL.test(code)) return 'other';
    return REFUSED.test(code) ? 'refused' : 'silent';
  }
}
