import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { StoreIdentity } from '../../../../src/stores/facts.ts';
import { connect } from '../../../../src/stores/postgres/connection.ts';
import { readFingerprint } from '../../../../src/stores/postgres/fingerprint.ts';
import { readClock, readIdentity, readSessions } from '../../../../src/stores/postgres/identity.ts';
import { install } from '../../../../src/stores/postgres/install.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { Identity, TestPostgres } from '../../../support/postgres.ts';
import { startPooler } from './pooler.ts';
import { login, targetOf } from './support.ts';

describe('what a store says about itself', () => {
  let server: TestPostgres;
  let observer: Identity;
  let auditor: Identity;

  beforeAll(async () => {
    server = await startPostgres({ tls: 'optional', settings: { timezone: "'Pacific/Chatham'" } });
    observer = await server.createRole('observer');
    auditor = await server.createRole('auditor');
    await server.query('GRANT pg_read_all_stats TO auditor');
    await server.createDatabase('shop');
  });
  afterAll(() => server.stop());

  const identityOf = async (database: string, identity?: Identity) => {
    const connection = await login(server, { database, ...(identity === undefined ? {} : { identity }) });
    try {
      return await readIdentity(connection);
    } finally {
      await connection.close();
    }
  };

  test('a login without privileges can tell the store, and each database is a store of its own', async () => {
    const [main, shop, again] = [await identityOf('postgres', observer), await identityOf('shop', observer), await identityOf('shop')];
    expect(shop).toEqual(again);
    expect(shop.fingerprint).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(shop.fingerprint).toBe(shop.bareFingerprint);
    expect(main.fingerprint).not.toBe(shop.fingerprint);
    expect(shop).toMatchObject({ server: `PostgreSQL ${server.version}`, timeline: 1, replica: false });
  });

  test('the marker changes the fingerprint and not the bare one, and only who may read it can tell', async () => {
    const before = await identityOf('shop');
    const writer = await login(server, { database: 'shop', settings: { readOnly: false } });
    await install(writer, { owner: 'cluster-a', readers: [observer.user] });
    await writer.close();
    const after = await identityOf('shop', observer);
    expect(after.bareFingerprint).toBe(before.fingerprint);
    expect(after.fingerprint).not.toBe(before.fingerprint);
    await expect(identityOf('shop', auditor)).rejects.toMatchObject({ reason: 'PermissionDenied' });
    await server.createDatabase('copy', { template: 'shop' });
    expect((await identityOf('copy', observer)).fingerprint).not.toBe(after.fingerprint);
  });

  test('the clock is the server\'s, in UTC', async () => {
    const connection = await login(server, { identity: observer });
    const clock = await readClock(connection);
    await connection.close();
    expect(clock).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(Math.abs(Date.parse(clock) - Date.now())).toBeLessThan(10_000);
  });

  test('counts plaintext sessions of others where it may see them, and says when it may not', async () => {
    const { ssl: _ssl, ...clear } = server.connection();
    const other = new pg.Client(clear);
    await other.connect();
    const [full, partial] = [await login(server, { identity: auditor }), await login(server, { identity: observer })];
    const [seen, unseen] = [await readSessions(full), await readSessions(partial)];
    await Promise.all([other.end(), full.close(), partial.close()]);
    expect(seen).toMatchObject({ plaintext: 1, complete: true, own: { tls: true, version: 'TLSv1.3', serverAddressMatches: true } });
    expect(seen.total).toBeGreaterThanOrEqual(3);
    expect(unseen).toMatchObject({ complete: false, own: { tls: true, serverAddressMatches: true } });
  });

  test('a pooler shows: the socket has TLS, the backend has none and another address', async () => {
    const pooler = await startPooler(server, {});
    const connection = await connect(targetOf(server, { port: pooler.port }), { type: 'password', username: observer.user, password: observer.password }, { purpose: 'observe' }, { readOnly: true });
    const { own } = await readSessions(connection);
    await connection.close();
    pooler.close();
    expect(own).toEqual({ tls: false, serverAddressMatches: false });
  });

  test.each([
    ['that drops the pinned settings is refused, since rows could be hidden behind it', { dropOptions: true }, /TimeZone.*search_path.*row_security.*idle_in_transaction_session_timeout.* did not reach the server.*pooler/],
    ['that deals out connections is refused, since the next transaction could meet other settings', { ownKeys: true }, /another process.*pooler.*own address/],
  ])('a pooler %s', async (_name, options, message) => {
    const pooler = await startPooler(server, options);
    const opening = connect(targetOf(server, { port: pooler.port }), { type: 'password', username: observer.user, password: observer.password }, { purpose: 'observe' }, { readOnly: true });
    const refused: unknown = await opening.catch((error: unknown) => error);
    pooler.close();
    expect(refused).toMatchObject({ reason: 'PoolerRefused', message: expect.stringMatching(message) });
  });
});

test('a replica says that it is one, counts, and has a higher timeline once it is promoted', async () => {
  const server = await startPostgres();
  await server.query('CREATE TABLE views (id int); INSERT INTO views SELECT generate_series(1, 10)');
  const primary = await identityAt(server);
  // The same data folder, started as a standby: what a replica is, without a second server.
  await writeFile(join(server.dataFolder, 'standby.signal'), '');
  await server.restart();
  const standby = await identityAt(server);
  const connection = await login(server);
  const print = await readFingerprint(connection, { schema: 'public', name: 'views' }, { op: 'true' });
  await connection.close();
  await server.query('SELECT pg_promote()');
  const promoted = await identityAt(server);
  await server.stop();
  expect(primary).toMatchObject({ replica: false, timeline: 1 });
  expect(standby).toEqual({ ...primary, replica: true });
  expect(print.rows).toBe(10);
  expect(promoted).toEqual({ ...primary, timeline: 2 });
});

async function identityAt(server: TestPostgres): Promise<StoreIdentity> {
  const connection = await login(server);
  try {
    return await readIdentity(connection);
  } finally {
    await connection.close();
  }
}
