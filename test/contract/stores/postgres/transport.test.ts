import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { StoreTarget } from '../../../../src/stores/port.ts';
import { connect } from '../../../../src/stores/postgres/connection.ts';
import { probeTransport } from '../../../../src/stores/postgres/transport.ts';
import { createTestCa } from '../../../support/certificates.ts';
import type { IssuedCertificate } from '../../../support/certificates.ts';
import { freePort } from '../../../support/ports.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { targetOf } from './support.ts';

const now = Date.parse('2026-01-01T00:00:00Z');
/** A reload of the server's settings takes a moment. */
async function eventually<T>(read: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const found = await read();
    if (found !== undefined) return found;
    await delay(100);
  }
  throw new Error('The server still shows the old certificate after five seconds.');
}
const probe = (target: StoreTarget, username = 'observer') => probeTransport(target, { username, now, timeoutMs: 10_000 });

describe('a probe of a server that demands TLS', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres({ hba: 'hostssl all observer 127.0.0.1/32 scram-sha-256\nhost all lax 127.0.0.1/32 scram-sha-256' });
  });
  afterAll(() => server.stop());

  test('sees the best version, the refused old ones, the refused plaintext and a certificate that proves the name', async () => {
    const facts = await probe(targetOf(server));
    expect(facts).toMatchObject({
      observedAt: '2026-01-01T00:00:00.000Z',
      version: 'TLSv1.3',
      cipher: expect.stringMatching(/^TLS_AES_/),
      accepted: ['TLSv1.3', 'TLSv1.2'],
      refused: ['TLSv1.1', 'TLSv1.0'],
      plaintextRefused: true,
      certificate: { subject: 'CN=localhost', issuer: 'CN=dataward test CA', keyType: 'ec', keyBits: 256, trusted: true, nameMatches: true },
    });
    expect(facts.certificate).not.toHaveProperty('problem');
    expect(Date.parse(facts.certificate?.notAfter ?? '')).toBeGreaterThan(Date.now());
  });

  test('the refusal of one user does not prove that of another', async () => {
    expect((await probe(targetOf(server), 'lax')).plaintextRefused).toBe(false);
  });

  test('an authority that did not issue the certificate does not trust it, and the name still counts', async () => {
    const facts = await probe(targetOf(server, { caPem: (await createTestCa('another')).pem }));
    expect(facts).toMatchObject({ version: 'TLSv1.3', certificate: { trusted: false, nameMatches: true, problem: expect.stringMatching(/UNABLE|SELF_SIGNED|SIGNATURE/) } });
  });

  const certificates: [string, (target: TestPostgres) => Promise<IssuedCertificate>, object][] = [
    ['expired', (at) => at.ca.issue({ commonName: 'localhost', sans: ['localhost'], days: -2 }), { trusted: false, nameMatches: true, problem: 'CERT_HAS_EXPIRED' }],
    ['for another name', (at) => at.ca.issue({ commonName: 'localhost', sans: ['elsewhere.example'] }), { trusted: true, nameMatches: false }],
    ['with the right common name and no alternative name', (at) => at.ca.issue({ commonName: 'localhost' }), { trusted: true, nameMatches: false, problem: 'The certificate has no subject alternative name.' }],
    ['with a long RSA key', (at) => at.ca.issue({ commonName: 'localhost', sans: ['localhost'], keyBits: 3072 }), { keyType: 'rsa', keyBits: 3072, trusted: true, nameMatches: true }],
  ];
  test.each(certificates)('a certificate %s is described, and a login is refused unless it proves the name', async (_name, issue, expected) => {
    const issued = await issue(server);
    // Overwritten in place, so that the files keep the server's account as owner.
    await writeFile(join(server.dataFolder, 'server.crt'), issued.certPem);
    await writeFile(join(server.dataFolder, 'server.key'), issued.keyPem);
    process.kill(server.pid ?? 0, 'SIGHUP');
    const { notAfter } = await eventually(async () => {
      const { certificate } = await probe(targetOf(server));
      return certificate !== undefined && certificate.notAfter.slice(0, 19) === issued.notAfter.toISOString().slice(0, 19) ? certificate : undefined;
    });
    expect((await probe(targetOf(server))).certificate).toMatchObject({ ...expected, notAfter });
    const login = connect(targetOf(server), { type: 'password', username: 'observer', password: 'x' }, { purpose: 'observe' }, { readOnly: true });
    const proves = 'keyType' in expected;
    await expect(login).rejects.toMatchObject({ reason: proves ? 'AuthenticationFailed' : 'TLSUntrusted' });
  });
});

describe('a probe of other servers', () => {
  test('sees old versions on a weak server, and plaintext accepted where it is optional', async () => {
    const server = await startPostgres({ tls: 'optional', minTls: 'TLSv1', settings: { ssl_ciphers: "'ALL:@SECLEVEL=0'" } });
    const facts = await probe(targetOf(server));
    await server.stop();
    expect(facts).toMatchObject({ accepted: ['TLSv1.3', 'TLSv1.2', 'TLSv1.1', 'TLSv1.0'], refused: [], plaintextRefused: false });
  });

  test('sees a server without TLS', async () => {
    const server = await startPostgres({ tls: 'off' });
    const facts = await probe(targetOf(server));
    await server.stop();
    expect(facts).toMatchObject({ accepted: [], refused: ['TLSv1.3', 'TLSv1.2', 'TLSv1.1', 'TLSv1.0'], plaintextRefused: false });
    expect(facts).not.toHaveProperty('version');
    expect(facts).not.toHaveProperty('certificate');
  });

  test('needs no client certificate to look', async () => {
    const server = await startPostgres({ clientCertAuth: true });
    const facts = await probe(targetOf(server));
    await server.stop();
    expect(facts).toMatchObject({ version: 'TLSv1.3', plaintextRefused: true, certificate: { trusted: true } });
  });

  const stubbed = async (answer: (socket: Socket, first: Buffer) => void, at: (target: StoreTarget) => Promise<void>): Promise<void> => {
    const sockets = new Set<Socket>();
    const stub = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('data', (first) => answer(socket, first));
    });
    await new Promise<void>((resolve) => stub.listen(0, '127.0.0.1', resolve));
    try {
      await at({ name: 'shop/main', host: '127.0.0.1', port: (stub.address() as AddressInfo).port, database: 'd', replicas: [] });
    } finally {
      for (const socket of sockets) socket.destroy();
      stub.close();
    }
  };
  const errorResponse = (state: string): Buffer => {
    const body = Buffer.from(`SFATAL\0C${state}\0Mno\0\0`);
    const head = Buffer.alloc(5);
    head.write('E');
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };

  test.each([
    ['more than one byte before the handshake', Buffer.from('SX')],
    ['an error that begins like consent', Buffer.from('Sorry, no')],
    ['an error message', errorResponse('08P01')],
  ])('takes %s for no answer: nothing accepted, nothing refused', async (_name, reply) => {
    await stubbed(
      (socket) => socket.end(reply),
      async (target) => {
        const facts = await probe(target);
        expect(facts).toMatchObject({ accepted: [], refused: [] });
        expect(facts).not.toHaveProperty('plaintextRefused');
      },
    );
  });

  test.each([
    ['28000', true],
    ['57P03', undefined],
    ['53300', undefined],
  ])('a plaintext login answered with %s is refused: %s', async (state, refused) => {
    await stubbed(
      (socket, first) => socket.end(first.readInt32BE(4) === 0x0003_0000 ? errorResponse(state) : 'N'),
      async (target) => {
        expect((await probe(target)).plaintextRefused).toBe(refused);
      },
    );
  });

  test('a handshake that the network breaks off is no refusal', async () => {
    await stubbed(
      (socket) => {
        socket.write('S');
        socket.once('data', () => socket.destroy());
      },
      async (target) => {
        expect(await probe(target)).toMatchObject({ accepted: [], refused: [] });
      },
    );
  });

  test('a port nobody listens on, and one that never answers, are unreachable', async () => {
    const target: StoreTarget = { name: 'shop/main', host: '127.0.0.1', port: await freePort(), database: 'd', replicas: [] };
    await expect(probe(target)).rejects.toMatchObject({ reason: 'Unreachable', message: expect.stringContaining('ECONNREFUSED') });
    await stubbed(
      () => undefined,
      async (silent) => {
        await expect(probeTransport(silent, { username: 'observer', now, timeoutMs: 200 })).rejects.toMatchObject({ reason: 'Unreachable' });
      },
    );
  });
});
