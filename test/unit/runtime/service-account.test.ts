import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, beforeAll, expect, test } from '@jest/globals';
import { createClient } from '../../../src/runtime/client.ts';
import { serviceAccount, tokenAccess } from '../../../src/runtime/service-account.ts';
import { WIDGET } from '../../support/fake-apiserver.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const server = 'https://127.0.0.1:6443';
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'service-account-'));
});
afterAll(() => rm(dir, { recursive: true }));
beforeEach(async () => {
  await writeFile(join(dir, 'token'), 'first\n');
  await writeFile(join(dir, 'ca.crt'), 'first authority');
});

test('the token and the authority on disk let us in, and nothing else is trusted', async () => {
  const auth = serviceAccount({ server, dir, clock: createFakeClock() });
  expect(auth.server.host).toBe('127.0.0.1:6443');
  expect(await auth.credentials()).toEqual({ headers: { Authorization: 'Bearer first' }, tls: { ca: 'first authority' } });
});

test('what was replaced on disk is used within half a minute, and at once when the server did not know us', async () => {
  const clock = createFakeClock();
  const auth = serviceAccount({ server, dir, clock });
  const token = async (): Promise<string | undefined> => (await auth.credentials()).headers['Authorization'];
  expect(await token()).toBe('Bearer first');
  await Promise.all([writeFile(join(dir, 'token'), 'second'), writeFile(join(dir, 'ca.crt'), 'second authority')]);
  expect(await token()).toBe('Bearer first');
  await clock.advance(30_000);
  expect(await auth.credentials()).toEqual({ headers: { Authorization: 'Bearer second' }, tls: { ca: 'second authority' } });
  await writeFile(join(dir, 'token'), 'third');
  auth.invalidate();
  expect(await token()).toBe('Bearer third');
});

test('a token that is not there is a request that failed, in words that name the file', async () => {
  await rm(join(dir, 'token'));
  const client = createClient(serviceAccount({ server, dir, clock: createFakeClock() }), { userAgent: 'test/1' });
  await expect(client.get(WIDGET, { namespace: 'shop', name: 'a' })).rejects.toMatchObject({ reason: 'NoCredentials', message: expect.stringMatching(/token of the service account cannot be read \(ENOENT\)/) });
  client.close();
});

test('a token that stays the same needs no file', async () => {
  const auth = tokenAccess({ server, caPem: 'authority', token: 'mine' });
  expect(await auth.credentials()).toEqual({ headers: { Authorization: 'Bearer mine' }, tls: { ca: 'authority' } });
});
