import { once } from 'node:events';
import { createServer as createPlain, type RequestListener } from 'node:http';
import { createServer as createSecure, type ServerOptions } from 'node:https';
import { createServer as createRaw, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PortAnswer } from '../../../src/entrypoints/answer.ts';
import { askPort, type Question } from '../../../src/entrypoints/probe.ts';
import { createTestCa, type IssuedCertificate } from '../../support/certificates.ts';
import { freePort } from '../../support/ports.ts';

const HOST = 'shop.example';
const servers: Server[] = [];
const sockets = new Set<Socket>();
let certificate: IssuedCertificate;

beforeAll(async () => {
  const ca = await createTestCa();
  certificate = await ca.issue({ commonName: HOST, sans: [HOST, '127.0.0.1'] });
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const ask = async (port: number, more: Partial<Question> = {}, signal = AbortSignal.timeout(30_000)): Promise<PortAnswer> => askPort({ address: '127.0.0.1', port, host: HOST, path: '/', userAgent: 'dataward/test', ...more }, signal);
const plain = (answer: RequestListener): Promise<number> => listen(createPlain(answer));
const secure = (answer: RequestListener, options: ServerOptions = {}): Promise<number> => listen(createSecure({ cert: certificate.certPem, key: certificate.keyPem, ...options }, answer));
const raw = (answer: (socket: Socket) => void): Promise<number> => listen(createRaw((socket) => (socket.on('error', () => {}), answer(socket))));
/** Fatal: handshake failure. */
const ALERT = Buffer.from([0x15, 3, 1, 0, 2, 2, 40]);
const ok: RequestListener = (_, response) => response.end('a body nobody reads');
const withHsts: RequestListener = (_, response) => response.setHeader('strict-transport-security', 'max-age=99').writeHead(404).end();

describe('with TLS', () => {
  test('the header counts whatever the status is', async () => {
    expect(await ask(await secure(withHsts))).toEqual({ port: 'tls', named: true, hstsMaxAge: 99 });
  });

  test('no header is none', async () => {
    expect(await ask(await secure(ok))).toEqual({ port: 'tls', named: true, hstsMaxAge: 0 });
  });

  test.each([
    ['another host', 'other.example', false],
    ['an address it names', '127.0.0.1', true],
    ['an address it does not name', '127.0.0.2', false],
    ['no host at all, where any certificate will do', undefined, true],
  ])('a certificate is looked at for %s', async (_, host, named) => {
    const { host: _default, ...question } = { host: HOST, port: await secure(ok) };
    expect(await askPort({ ...question, address: '127.0.0.1', path: '/', userAgent: 'x', ...(host === undefined ? {} : { host }) }, AbortSignal.timeout(30_000))).toMatchObject({ port: 'tls', named });
  });

  test('the request is that of a browser who comes for the first time', async () => {
    let seen: unknown;
    const port = await secure(({ method, url, headers }, response) => {
      seen = { method, url, headers };
      response.end();
    });
    await ask(port, { path: '/app' });
    expect(seen).toEqual({ method: 'GET', url: '/app', headers: { host: HOST, 'user-agent': 'dataward/test', accept: '*/*', connection: 'close' } });
  });

  test.each([
    ['the host', HOST, HOST],
    ['nothing where the host is an address, which has no name', '127.0.0.1', false],
  ])('the handshake names %s', async (_, host, named) => {
    let seen: unknown;
    const server = createSecure({ cert: certificate.certPem, key: certificate.keyPem }, ok);
    server.on('secureConnection', (socket) => (seen = socket.servername));
    await ask(await listen(server), { host });
    expect(seen).toBe(named);
  });

  test('a version of long ago is none', async () => {
    expect(await ask(await secure(ok, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }))).toEqual({ port: 'neither' });
  });

  test.each<[string, RequestListener]>([
    ['hangs up', (request) => void request.socket.destroy()],
    ['sends headers without end', (_, response) => void response.socket!.write(`HTTP/1.1 200 OK\r\n${'x-a: b\r\n'.repeat(9_000)}`)],
    ['speaks no HTTP', (_, response) => void response.socket!.end('220 mail.example ESMTP\r\n')],
  ])('a server that %s has TLS, and says nothing about HTTP', async (_, answer) => {
    expect(await ask(await secure(answer))).toEqual({ port: 'tls', named: true });
  });
});

describe('without TLS', () => {
  test.each<[string, RequestListener, PortAnswer]>([
    ['serves', ok, { port: 'plain', redirects: false }],
    ['refuses politely', (_, response) => response.writeHead(403).end(), { port: 'plain', redirects: false }],
    ['redirects to TLS', (_, response) => response.writeHead(308, { location: `https://${HOST}/` }).end(), { port: 'plain', redirects: true }],
    ['redirects to itself', (_, response) => response.writeHead(301, { location: '/login' }).end(), { port: 'plain', redirects: false }],
  ])('a server that %s', async (_, answer, want) => expect(await ask(await plain(answer))).toEqual(want));

  test('a redirect is not followed', async () => {
    let asked = 0;
    const port = await plain((_, response) => {
      asked += 1;
      response.writeHead(301, { location: 'https://127.0.0.1:1/' }).end();
    });
    expect(await ask(port)).toEqual({ port: 'plain', redirects: true });
    expect(asked).toBe(1);
  });

  test('nothing that listens is closed', async () => {
    expect(await ask(await freePort())).toEqual({ port: 'closed' });
  });

  test.each<[string, (socket: Socket) => void]>([
    ['a server that hangs up at once', (socket) => socket.destroy()],
    ['a server of TLS that turns us away, and tells whoever comes without that it lacks TLS', (socket) => socket.once('data', (first: Buffer) => socket.end(first[0] === 0x16 ? ALERT : 'HTTP/1.1 400 Bad Request\r\n\r\n'))],
    ['a server of another protocol', (socket) => socket.end('-ERR unknown command\r\n')],
  ])('%s speaks neither', async (_, answer) => expect(await ask(await raw(answer))).toEqual({ port: 'neither' }));
});

test('a server that says nothing is given up, and says nothing', async () => {
  const question = { address: '127.0.0.1', port: await raw(() => {}), host: HOST, path: '/', userAgent: 'x' };
  expect(await askPort(question, AbortSignal.timeout(30_000), 100)).toEqual({ port: 'silent' });
});

test('who is asked to end does', async () => {
  const end = new AbortController();
  const asked = ask(await raw(() => end.abort(new Error('enough'))), {}, end.signal);
  await expect(asked).rejects.toThrow('enough');
});
