import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import type { Cluster, User } from '@kubernetes/client-node';
import { createAuthenticator } from '../../../src/runtime/auth.ts';
import { ApiError, createClient } from '../../../src/runtime/client.ts';
import { createTestCa } from '../../support/certificates.ts';
import { WIDGET } from '../../support/fake-apiserver.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const configFor = (cluster: Partial<Cluster>, user: Partial<User> = {}): KubeConfig => {
  const config = new KubeConfig();
  config.loadFromOptions({ clusters: [{ name: 'c', server: 'https://127.0.0.1:6443', skipTLSVerify: false, ...cluster }], users: [{ name: 'u', ...user }], contexts: [{ name: 'x', cluster: 'c', user: 'u' }], currentContext: 'x' });
  return config;
};

describe('credentials', () => {
  test.each<[string, Partial<User>, string | undefined]>([
    ['a token', { token: 'abc' }, 'Bearer abc'],
    ['name and password', { username: 'me', password: 'pw' }, 'Basic bWU6cHc='],
    ['nothing', {}, undefined],
  ])('from %s', async (_name, user, header) => {
    expect((await createAuthenticator(configFor({}, user), createFakeClock()).credentials()).headers['Authorization']).toBe(header);
  });

  test('a server without TLS needs no switch, and the configuration given is left as it is', async () => {
    const config = configFor({ server: 'http://127.0.0.1:8001' }, { token: 'abc' });
    const auth = createAuthenticator(config, createFakeClock());
    expect((await auth.credentials()).headers['Authorization']).toBe('Bearer abc');
    expect(config.getCurrentCluster()?.skipTLSVerify).toBe(false);
  });

  test('a context without a cluster is told at once', () => {
    expect(() => createAuthenticator(new KubeConfig(), createFakeClock())).toThrow(/no cluster/);
  });

  test('are asked for anew after half a minute, and at once when the server did not take them', async () => {
    const config = configFor({}, { token: 'first' });
    const clock = createFakeClock();
    const auth = createAuthenticator(config, clock);
    const token = async (): Promise<string | undefined> => (await auth.credentials()).headers['Authorization'];
    expect(await token()).toBe('Bearer first');
    Object.assign(config.getCurrentUser() ?? {}, { token: 'second' });
    expect(await token()).toBe('Bearer first');
    await clock.advance(30_000);
    expect(await token()).toBe('Bearer second');
    Object.assign(config.getCurrentUser() ?? {}, { token: 'third' });
    auth.invalidate();
    expect(await token()).toBe('Bearer third');
  });
});

describe('over TLS', () => {
  let folder: string;
  let ca: Awaited<ReturnType<typeof createTestCa>>;
  let server: ReturnType<typeof createServer>;
  let url: string;
  let seen: (string | undefined)[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'runtime-auth-'));
    ca = await createTestCa('runtime test');
    const serving = await ca.issue({ commonName: 'server', sans: ['127.0.0.1'] });
    seen = [];
    server = createServer({ cert: serving.certPem, key: serving.keyPem, ca: ca.pem, requestCert: true, rejectUnauthorized: false }, (request, response) => {
      seen.push((request.socket as TLSSocket).getPeerCertificate()?.subject?.CN as string | undefined);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'a' } }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });

  const ask = async (config: KubeConfig): Promise<unknown> => {
    const client = createClient(config, { userAgent: 'test/1', random: () => 0 });
    try {
      return await client.get(WIDGET, { namespace: 'shop', name: 'a' });
    } finally {
      client.close();
    }
  };

  test('a server of the CA in the kubeconfig is trusted, and our certificate is shown to it', async () => {
    const mine = await ca.issue({ commonName: 'operator', sans: ['operator'] });
    const files = { caFile: join(folder, 'ca.crt'), certFile: join(folder, 'me.crt'), keyFile: join(folder, 'me.key') };
    await Promise.all([writeFile(files.caFile, ca.pem), writeFile(files.certFile, mine.certPem), writeFile(files.keyFile, mine.keyPem)]);
    expect(await ask(configFor({ server: url, caFile: files.caFile }, { certFile: files.certFile, keyFile: files.keyFile }))).toMatchObject({ kind: 'Widget' });
    expect(seen.at(-1)).toBe('operator');
  });

  test('a server of another CA is refused before anything is sent', async () => {
    const other = await createTestCa('someone else');
    const before = seen.length;
    await expect(ask(configFor({ server: url, caData: Buffer.from(other.pem).toString('base64') }, { token: 'abc' }))).rejects.toMatchObject({ reason: 'NetworkError' });
    expect(seen.length).toBe(before);
  });

  test('a certificate that cannot be read, and a kubeconfig without its token file, are told as such', async () => {
    await expect(ask(configFor({ server: url, caData: Buffer.from('not a certificate').toString('base64') }))).rejects.toBeInstanceOf(ApiError);
    const missing = configFor({ server: url }, { authProvider: { name: 'tokenFile', config: { tokenFile: join(folder, 'no-such-file') } } });
    await expect(ask(missing)).rejects.toMatchObject({ reason: 'NoCredentials', message: expect.stringContaining('get Widget shop/a: cannot get the credentials') });
  });

  test('a server under another name than its certificate is refused', async () => {
    await expect(ask(configFor({ server: url.replace('127.0.0.1', 'localhost'), caData: Buffer.from(ca.pem).toString('base64') }))).rejects.toMatchObject({ reason: 'NetworkError' });
  });
});
