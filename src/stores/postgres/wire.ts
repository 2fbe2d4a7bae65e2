import { once } from 'node:events';
import { connect as dial } from 'node:net';
import type { Socket } from 'node:net';
import { connect as secure } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';

/** The first bytes of PostgreSQL's protocol, spoken raw: a client library hides exactly what a probe has to see. */

export interface Endpoint {
  host: string;
  port: number;
}

/** Length 8 and the request code 1234.5679. */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/** What the server answered to the request for TLS: willing, unwilling, or something that is no answer. */
export type TlsAnswer = { answer: 'S' | 'N'; socket: Socket } | { answer: 'other' };

/** Opens a TCP connection. @throws the socket's error, or an AbortError when the signal fires */
async function openSocket({ host, port }: Endpoint, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const socket = dial({ host, port, noDelay: true });
  socket.on('error', () => undefined); // reported by whoever waits; a late one must not end the process
  const destroy = (): void => {
    socket.destroy();
  };
  signal.addEventListener('abort', destroy, { once: true });
  socket.once('close', () => signal.removeEventListener('abort', destroy));
  try {
    await once(socket, 'connect', { signal });
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return socket;
}

/**
 * Asks for TLS. Exactly one byte may come back: whoever sends more before the handshake tries to slip text in
 * front of it, and an error message that begins with `S` is no consent.
 */
export async function requestTls(endpoint: Endpoint, signal: AbortSignal): Promise<TlsAnswer> {
  const socket = await openSocket(endpoint, signal);
  socket.write(sslRequest);
  const reply = await firstBytes(socket, signal);
  if (reply.length === 1 && (reply[0] === 0x53 || reply[0] === 0x4e)) return { answer: reply[0] === 0x53 ? 'S' : 'N', socket };
  socket.destroy();
  return { answer: 'other' };
}

/** Makes the handshake on a connection whose server said `S`. @throws the TLS error; the connection is closed then */
export async function startTls(socket: Socket, options: ConnectionOptions, signal: AbortSignal): Promise<TLSSocket> {
  const encrypted = secure({ ...options, socket });
  encrypted.on('error', () => undefined);
  try {
    await once(encrypted, 'secureConnect', { signal });
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return encrypted;
}

export type PlainAnswer = { type: 'R' } | { type: 'E'; sqlState: string } | { type: 'other' };

/** Logs in without TLS as far as the server's first answer. No password is sent. */
export async function startPlain(endpoint: Endpoint, login: { user: string; database: string }, signal: AbortSignal): Promise<PlainAnswer> {
  const socket = await openSocket(endpoint, signal);
  try {
    const text = `user\0${login.user}\0database\0${login.database}\0application_name\0dataward/probe\0\0`;
    const body = Buffer.from(text, 'utf8');
    const head = Buffer.alloc(8);
    head.writeInt32BE(8 + body.length, 0);
    head.writeInt32BE(0x0003_0000, 4);
    socket.write(Buffer.concat([head, body]));
    const reply = await firstBytes(socket, signal);
    const type = String.fromCharCode(reply[0] ?? 0);
    if (type === 'R') return { type };
    return type === 'E' ? { type, sqlState: sqlStateOf(reply) } : { type: 'other' };
  } finally {
    socket.destroy();
  }
}

/** The field `C` of an ErrorResponse: a type byte, the length, then fields of one letter and a text ended by NUL. */
function sqlStateOf(message: Buffer): string {
  const fields = message.subarray(5).toString('latin1').split('\0');
  return fields.find((field) => field.startsWith('C'))?.slice(1) ?? '';
}

/** @throws ECONNRESET when the other side closes without a word */
async function firstBytes(socket: Socket, signal: AbortSignal): Promise<Buffer> {
  const answered = new AbortController();
  const either = AbortSignal.any([signal, answered.signal]);
  try {
    const reply: Promise<Buffer> = once(socket, 'data', { signal: either }).then(([chunk]: Buffer[]) => chunk ?? Buffer.alloc(0));
    const closed = once(socket, 'close', { signal: either }).then(() => {
      throw Object.assign(new Error('The server closed the connection without an answer.'), { code: 'ECONNRESET' });
    });
    return await Promise.race([reply, closed]);
  } finally {
    answered.abort();
    socket.pause(); // what follows belongs to TLS
  }
}
