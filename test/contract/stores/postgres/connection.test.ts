import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { StoreError } from '../../../../src/stores/errors.ts';
import type { Credential, StoreTarget } from '../../../../src/stores/port.ts';
import { connect } from '../../../../src/stores/postgres/connection.ts';
import { sqlState } from '../../../../src/stores/postgres/errors.ts';
import { createTestCa } from '../../../support/certificates.ts';
import { freePort } from '../../../support/ports.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { Identity, TestPostgres } from '../../../support/postgres.ts';

const secret = 'correct-horse-battery';

describe('a connection', () => {
  let server: TestPostgres;
  let observer: Identity;

  beforeAll(async () => {
    server = await startPostgres({
      tls: 'optional',
      hba: [
        'host all md5user 127.0.0.1/32 md5',
        'host all clear 127.0.0.1/32 password',
        'host all anyone 127.0.0.1/32 trust',
        'hostssl all certified 127.0.0.1/32 cert',
        'hostssl all all 127.0.0.1/32 scram-sha-256',
      ].join('\n'),
      settings: { timezone: "'Pacific/Chatham'", datestyle: "'SQL, DMY'" },
    });
    observer = await server.createRole('observer');
    for (const name of ['clear', 'anyone', 'certified']) await server.query(`CREATE ROLE ${name} LOGIN PASSWORD '${secret}'`);
    await server.query(`SET password_encryption = 'md5'; CREATE ROLE md5user LOGIN PASSWORD '${secret}'`);
    await server.query(`ALTER ROLE observer SET TimeZone = 'Asia/Tokyo'; ALTER ROLE observer SET search_path = 'public'; ALTER ROLE observer SET row_security = on`);
  });
  afterAll(() => server.stop());

  const target = (changes: Partial<StoreTarget> = {}): StoreTarget => ({
    name: 'shop/main',
    host: server.host,
    port: server.port,
    database: 'postgres',
    caPem: server.caPem,
    serverName: server.serverName,
    replicas: [],
    ...changes,
  });
  const password = (username: string, value = secret): Credential => ({ type: 'password', username, password: value });
  const open = (at: StoreTarget, credential: Credential, connectTimeoutMs = 5_000) => connect(at, credential, { purpose: 'observe', connectTimeoutMs }, { readOnly: true });
  const failure = async (at: StoreTarget, credential: Credential, connectTimeoutMs?: number): Promise<StoreError> => {
    const error: unknown = await open(at, credential, connectTimeoutMs).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StoreError);
    return error as StoreError;
  };

  test('pins what decides the meaning of rows, whatever the server and the role say', async () => {
    const connection = await open(target(), password(observer.user, observer.password));
    try {
      const { rows } = await connection.query<{ name: string; setting: string }>(
        `SELECT name, setting FROM pg_catalog.pg_settings WHERE name = ANY ($1)`,
        [['TimeZone', 'DateStyle', 'search_path', 'row_security', 'default_transaction_read_only', 'application_name', 'lock_timeout', 'idle_in_transaction_session_timeout']],
      );
      expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toEqual({
        TimeZone: 'UTC',
        DateStyle: 'ISO, MDY',
        search_path: '',
        row_security: 'off',
        default_transaction_read_only: 'on',
        application_name: 'dataward/observe/shop/main',
        lock_timeout: '2000',
        idle_in_transaction_session_timeout: '10000',
      });
      const ssl = await connection.query<{ ssl: boolean }>('SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()');
      expect(ssl.rows).toEqual([{ ssl: true }]);
    } finally {
      await connection.close();
    }
  });

  test('a client certificate logs in without a password', async () => {
    const certificate = await server.ca.issue({ commonName: 'certified' });
    const connection = await open(target(), { type: 'certificate', username: 'certified', ...certificate });
    const { rows } = await connection.query<{ who: string }>('SELECT current_user::text AS who');
    await connection.close();
    expect(rows).toEqual([{ who: 'certified' }]);
  });

  test.each([
    ['md5user', 'in clear or as MD5'],
    ['clear', 'in clear or as MD5'],
    ['anyone', 'without asking'],
  ])('%s is refused, since the server would take less than a SCRAM proof', async (username, words) => {
    const error = await failure(target(), password(username));
    expect(error.reason).toBe('AuthenticationWeak');
    expect(error.message).toContain(words);
  });

  const wrongs: [string, () => Promise<[Partial<StoreTarget>, Credential]>, string, string][] = [
    ['a wrong password', async () => [{}, password(observer.user, 'wrong-secret')], 'AuthenticationFailed', '28P01'],
    ['a role that is not there', async () => [{}, password('nobody')], 'AuthenticationFailed', '28P01'],
    ['a database that is not there', async () => [{ database: 'gone' }, password(observer.user, observer.password)], 'NotFound', 'spec.endpoint.database'],
    ['another authority', async () => [{ caPem: (await createTestCa('another')).pem }, password(observer.user, observer.password)], 'TLSUntrusted', 'spec.tls.ca'],
    ['no authority but the system roots', async () => [{ caPem: '' }, password(observer.user, observer.password)], 'TLSUntrusted', 'spec.tls.ca'],
    ['another name', async () => [{ serverName: 'other.example' }, password(observer.user, observer.password)], 'TLSUntrusted', 'spec.tls.serverName'],
    ['a port nobody listens on', async () => [{ port: await freePort() }, password(observer.user, observer.password)], 'Unreachable', 'ECONNREFUSED'],
    ['a host name that does not exist', async () => [{ host: 'nowhere.invalid' }, password(observer.user, observer.password)], 'Unreachable', 'check the endpoint'],
  ];
  test.each(wrongs)('%s is told with its reason, and without the secret', async (_name, make, reason, words) => {
    const [changes, credential] = await make();
    const at = target(changes);
    if (changes.caPem === '') delete at.caPem;
    const error = await failure(at, credential);
    expect(error.reason).toBe(reason);
    expect(error.message).toContain('shop/main');
    expect(error.message).toContain(words);
    expect(JSON.stringify([error, error.message, error.stack, error.cause])).not.toContain(secret);
    expect(JSON.stringify([error, error.message, error.stack, error.cause])).not.toContain('wrong-secret');
  });

  test('an error of the server quotes no value of a row or parameter', async () => {
    const connection = await open(target(), password(observer.user, observer.password));
    const error: unknown = await connection.query('SELECT $1::uuid', ['jane@example.com']).catch((reason: unknown) => reason);
    const deep: unknown = await connection.query(`SELECT ('x' || v)::int FROM (VALUES ('jane@example.com')) AS t(v)`).catch((reason: unknown) => reason);
    await connection.close();
    for (const each of [error, deep]) {
      expect(sqlState(each)).toBe('22P02');
      expect(`${(each as Error).message} ${(each as Error).stack} ${JSON.stringify((each as Error).cause)}`).not.toContain('jane');
    }
  });

  test('a transaction in which a statement failed commits nothing and says so, even when nobody looked', async () => {
    await server.query('CREATE TABLE IF NOT EXISTS notes (id int); GRANT INSERT, SELECT ON notes TO observer');
    const connection = await connect(target(), password(observer.user, observer.password), { purpose: 'enforce' }, { readOnly: false });
    const swallowing = connection.transaction(async () => {
      await connection.query('INSERT INTO public.notes VALUES (1)');
      await connection.query('SELECT 1/0').catch(() => undefined);
    });
    await expect(swallowing).rejects.toMatchObject({ reason: 'Conflict' });
    await expect(connection.transaction(() => Promise.resolve(1), 'BEGIN; SET LOCAL statement_timeout = nonsense')).rejects.toMatchObject({ reason: 'Failed' });
    expect(connection.inTransaction()).toBe(false);
    expect((await connection.query('SELECT * FROM public.notes')).rows).toEqual([]);
    await connection.close();
  });

  test('takes nothing from the environment', async () => {
    const before = { ...process.env };
    Object.assign(process.env, { PGHOST: '192.0.2.1', PGPORT: '1', PGUSER: 'mallory', PGPASSWORD: 'x', PGDATABASE: 'other', PGSSLMODE: 'disable', PGSSLNEGOTIATION: 'direct', PGOPTIONS: '-c row_security=on', PGAPPNAME: 'mallory' });
    try {
      const connection = await open(target(), password(observer.user, observer.password));
      const { rows } = await connection.query(`SELECT current_user::text AS who, current_setting('row_security') AS rls, current_setting('application_name') AS name`);
      await connection.close();
      expect(rows).toEqual([{ who: 'observer', rls: 'off', name: 'dataward/observe/shop/main' }]);
      const incomplete: Partial<StoreTarget>[] = [{ host: '' }, { host: '/var/run/postgresql' }, { port: 0 }, { database: '' }];
      for (const changes of incomplete) expect((await failure(target(changes), password(observer.user))).message).toContain('must all be given');
    } finally {
      process.env = before;
    }
  });

  test('ends although the server hangs and never hangs up', async () => {
    const connection = await open(target(), password(observer.user, observer.password));
    const { rows } = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const pid = Number(rows[0]?.pid);
    process.kill(pid, 'SIGSTOP');
    try {
      const started = Date.now();
      await connection.close();
      await connection.close();
      expect(Date.now() - started).toBeLessThan(5_000);
      expect(connection.lost()).toBe(true);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  test('an abort ends a running statement and the login with it', async () => {
    const abort = new AbortController();
    const connection = await connect(target(), password(observer.user, observer.password), { purpose: 'verify', signal: abort.signal }, { readOnly: true });
    const slow = connection.query('SELECT pg_catalog.pg_sleep(30)').catch((reason: unknown) => reason);
    abort.abort();
    expect(await slow).toMatchObject({ reason: 'Unreachable' });
    expect(connection.lost()).toBe(true);
    for (let attempt = 0; attempt < 50; attempt += 1) {
      const rows = await server.query(`SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'dataward/verify/%'`);
      if (rows.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('The server still runs the statement five seconds after the abort.');
  });
});

function errorResponse(state: string): Buffer {
  const body = Buffer.from(`SFATAL\0VFATAL\0C${state}\0Munrecognized configuration parameter\0\0`);
  const head = Buffer.from([0x45, 0, 0, 0, 0]);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** AuthenticationCleartextPassword, AuthenticationMD5Password with a salt, and SASL with a method that is not SCRAM-SHA-256. */
const demands: [string, Buffer, string][] = [
  ['the password in clear', Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]), 'AuthenticationWeak'],
  ['the password as MD5', Buffer.from([0x52, 0, 0, 0, 12, 0, 0, 0, 5, 1, 2, 3, 4]), 'AuthenticationWeak'],
  ['another proof', Buffer.concat([Buffer.from([0x52, 0, 0, 0, 16, 0, 0, 0, 10]), Buffer.from('PLAIN\0\0\0')]), 'AuthenticationFailed'],
  ['to be left alone, being too old', errorResponse('42704'), 'UnsupportedVersion'],
  ['to be left alone, being a pooler', errorResponse('08P01'), 'PoolerRefused'],
];
test.each(demands)('a server that demands %s gets no byte more than the user name', async (_name, demand, reason) => {
  const ca = await createTestCa();
  const certificate = await ca.issue({ commonName: 'localhost', sans: ['localhost'] });
  const received: Buffer[] = [];
  const thief = createServer((socket) => {
    socket.once('data', () => {
      socket.write('S');
      const encrypted = new TLSSocket(socket, { isServer: true, cert: certificate.certPem, key: certificate.keyPem });
      encrypted.on('error', () => undefined);
      encrypted.once('data', () => {
        encrypted.on('data', (chunk: Buffer) => received.push(chunk));
        encrypted.write(demand);
      });
    });
  });
  await new Promise<void>((resolve) => thief.listen(0, '127.0.0.1', resolve));
  const { port } = thief.address() as AddressInfo;
  const at: StoreTarget = { name: 'shop/main', host: '127.0.0.1', port, database: 'd', caPem: ca.pem, serverName: 'localhost', replicas: [] };
  const error: unknown = await connect(at, { type: 'password', username: 'u', password: secret }, { purpose: 'observe', connectTimeoutMs: 5_000 }, { readOnly: true }).catch((thrown: unknown) => thrown);
  await new Promise((resolve) => setTimeout(resolve, 50)); // whatever is on its way arrives
  thief.close();
  expect(error).toMatchObject({ reason });
  expect(Buffer.concat(received).toString('latin1')).toBe('');
});

test('a server that accepts and says nothing is unreachable when the time is over', async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const at: StoreTarget = { name: 'shop/main', host: '127.0.0.1', port, database: 'd', replicas: [] };
  const started = Date.now();
  const error: unknown = await connect(at, { type: 'password', username: 'u', password: secret }, { purpose: 'observe', connectTimeoutMs: 300 }, { readOnly: true }).catch((reason: unknown) => reason);
  silent.close();
  expect(error).toMatchObject({ reason: 'Unreachable' });
  expect(Date.now() - started).toBeLessThan(3_000);
});
