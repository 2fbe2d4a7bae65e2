import { describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { createCertificateSet, createTestCa } from '../support/certificates.ts';
import { ensureRoles } from '../support/postgres-roles.ts';
import { startPostgres, startReplica } from '../support/postgres.ts';
import type { PostgresOptions, TestPostgres } from '../support/postgres.ts';

async function withPostgres(options: PostgresOptions, body: (server: TestPostgres) => Promise<void>): Promise<void> {
  const server = await startPostgres(options);
  try {
    await body(server);
  } finally {
    await server.stop('immediate');
  }
}

async function attempt(config: pg.ClientConfig, sql = 'SELECT 1'): Promise<string> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(sql);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function sessions(server: TestPostgres, database: string): Promise<number> {
  return (await server.query('SELECT FROM pg_stat_activity WHERE datname = $1', [database])).length;
}

function alive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the test PostgreSQL', () => {
  test('takes TLS with SCRAM only, and refuses plaintext, TLS 1.1, a wrong password and an untrusted authority', async () => {
    await withPostgres({}, async (server) => {
      const good = server.connection();
      const otherCa = await createTestCa();
      expect(await attempt(good)).toBe('accepted');
      expect(await attempt({ ...good, ssl: false })).toMatch(/no encryption/);
      expect(await attempt({ ...good, password: 'wrong' })).toMatch(/password authentication failed/);
      expect(await attempt({ ...good, ssl: { ca: otherCa.pem, servername: 'localhost' } })).not.toBe('accepted');
      expect(await attempt({ ...good, ssl: { ca: server.caPem, servername: 'elsewhere.example' } })).toMatch(/altnames/);
      expect(await attempt({ ...good, ssl: { ca: server.caPem, servername: 'localhost', maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' } })).not.toBe('accepted');
      const [row] = await server.query<{ stored: string }>('SELECT rolpassword AS stored FROM pg_authid WHERE rolname = $1', ['postgres']);
      expect(row?.stored).toMatch(/^SCRAM-SHA-256\$/);
    });
  });

  const variants: [string, PostgresOptions, boolean, boolean][] = [
    ['optional TLS accepts both', { tls: 'optional' }, true, true],
    ['TLS off accepts plaintext only', { tls: 'off' }, true, false],
    ['own hba lines replace the default ones', { hba: 'hostssl all nobody 127.0.0.1/32 scram-sha-256' }, false, false],
  ];
  test.each(variants)('%s', async (_, options, plaintext, encrypted) => {
    await withPostgres(options, async (server) => {
      const role = server.connection(await server.createRole('reader'));
      expect((await attempt({ ...role, ssl: false })) === 'accepted').toBe(plaintext);
      expect((await attempt({ ...role, ssl: { ca: server.caPem, servername: 'localhost' } })) === 'accepted').toBe(encrypted);
    });
  });

  test('speaks TLS 1.1 when the minimum is lowered, for probes that have to find that', async () => {
    await withPostgres({ minTls: 'TLSv1' }, async (server) => {
      const ssl = { ca: server.caPem, servername: 'localhost', minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
      expect(await attempt({ ...server.connection(), ssl })).toBe('accepted');
    });
  });

  test('with client certificates, the certificate names the role and a password is not enough', async () => {
    await withPostgres({ clientCertAuth: true }, async (server) => {
      const reader = await server.createRole('reader');
      const own = await server.ca.issue({ commonName: 'reader' });
      const foreign = await server.ca.issue({ commonName: 'writer' });
      const withCertificate = (certificate: typeof own) => ({
        ...server.connection(reader),
        ssl: { ca: server.caPem, servername: 'localhost', cert: certificate.certPem, key: certificate.keyPem },
      });
      expect(await attempt(withCertificate(own))).toBe('accepted');
      expect(await attempt(withCertificate(foreign))).toMatch(/certificate authentication failed/);
      expect(await attempt(server.connection(reader))).not.toBe('accepted');
    });
  });

  test('keeps its data over a restart and over kill -9, and leaves neither process nor file behind', async () => {
    const server = await startPostgres();
    await server.createDatabase('app');
    await server.query('CREATE TABLE t AS SELECT 1 AS n', undefined, 'app');
    const open = new pg.Client(server.connection(undefined, 'app'));
    open.on('error', () => undefined);
    await open.connect();
    await server.kill9();
    expect(server.pid).toBeUndefined();
    await server.restart();
    await server.restart();
    await server.createDatabase('copy', { template: 'app' });
    expect(await server.query('SELECT n FROM t', [], 'copy')).toEqual([{ n: 1 }]);
    const pid = server.pid;
    expect(alive(pid)).toBe(true);
    await server.stop();
    await server.stop();
    expect(alive(pid)).toBe(false);
    expect(existsSync(server.dataFolder)).toBe(false);
    await open.end().catch(() => undefined);
  });

  test('is asked again on the connection of the question before, which comes as if new, and gives way where nobody may be', async () => {
    await withPostgres({}, async (server) => {
      await server.createDatabase('app');
      const ask = async (sql: string): Promise<unknown> => (await server.ask<{ is: unknown }>(sql, undefined, 'app'))[0]?.is;
      const first = await ask('SELECT pg_backend_pid() AS is');
      await ask('CREATE TEMPORARY TABLE mine (n int); SET search_path = nowhere; SELECT pg_advisory_lock(1)');
      expect(await ask('SELECT pg_backend_pid() AS is')).toBe(first);
      expect(await ask(`SELECT concat(current_setting('search_path'), to_regclass('pg_temp.mine'), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')) AS is`)).toBe('"$user", public0');
      expect(await ask('BEGIN; CREATE TABLE half (n int); SELECT pg_backend_pid() AS is')).toBe(first);
      expect(await ask(`SELECT to_regclass('half') AS is`)).toBe(null);
      const [one, other] = await Promise.all([ask('SELECT pg_backend_pid() AS is'), ask('SELECT pg_backend_pid() AS is')]);
      expect(one).not.toBe(other);
      await server.createDatabase('copy', { template: 'app' });
      await server.restart();
      expect(await ask('SELECT 1 AS is')).toBe(1);
      await ask('SELECT pg_terminate_backend(pg_backend_pid())').catch(() => undefined);
      expect(await ask('SELECT 1 AS is')).toBe(1);
      for (let waited = 0; waited < 5_000 && (await sessions(server, 'app')) > 0; waited += 50) await delay(50);
      expect(await sessions(server, 'app')).toBe(0);
    });
  });

  test('has replicas that follow it, refuse writes, and can be held back', async () => {
    await withPostgres({}, async (primary) => {
      await primary.query('CREATE TABLE t AS SELECT 1 AS n');
      const replica = await startReplica(primary);
      try {
        const eventually = async (sql: string) => {
          for (let waited = 0; waited < 2_000; waited += 50) {
            if ((await replica.query<{ yes: boolean }>(sql))[0]?.yes === true) return true;
            await delay(50);
          }
          return false;
        };
        const replayed = async (sql: string) => {
          await primary.query(sql);
          const [position] = await primary.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');
          return eventually(`SELECT pg_last_wal_replay_lsn() >= '${position?.lsn}' AS yes`);
        };
        expect(await replayed('INSERT INTO t VALUES (2)')).toBe(true);
        expect(await replica.query('SELECT n FROM t ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
        await expect(replica.query('DELETE FROM t')).rejects.toThrow(/read-only transaction/);
        await replica.query('SELECT pg_wal_replay_pause()');
        expect(await eventually(`SELECT pg_get_wal_replay_pause_state() = 'paused' AS yes`)).toBe(true);
        expect(await replayed('DELETE FROM t')).toBe(false);
        expect(await replica.query('SELECT count(*)::int AS n FROM t')).toEqual([{ n: 2 }]);
      } finally {
        await replica.stop('immediate');
      }
    });
  });

  test('an unknown setting is reported with the end of the log', async () => {
    await expect(startPostgres({ settings: { shared_bufers: '1MB' } })).rejects.toThrow(/unrecognized configuration parameter "shared_bufers"/);
  });

  test('the server ends when the process that started it is killed', async () => {
    const script = `import { startPostgres, startReplica } from ${JSON.stringify(new URL('../support/postgres.ts', import.meta.url).pathname)};
      const server = await startPostgres();
      console.log(JSON.stringify({ pid: server.pid, folder: server.dataFolder }));
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { pid, folder } = JSON.parse(line.toString()) as { pid: number; folder: string };
    expect(alive(pid)).toBe(true);
    child.kill('SIGKILL');
    for (let waited = 0; (alive(pid) || existsSync(folder)) && waited < 10_000; waited += 50) await delay(50);
    expect({ alive: alive(pid), folder: existsSync(folder) }).toEqual({ alive: false, folder: false });
  });
});

describe('the three identities', () => {
  const may: [string, 'observe' | 'enforce' | 'verify', string, boolean][] = [
    ['observe reads', 'observe', 'SELECT * FROM visits', true],
    ['observe does not delete', 'observe', 'DELETE FROM visits', false],
    ['verify reads', 'verify', 'SELECT * FROM visits', true],
    ['verify does not delete', 'verify', 'DELETE FROM visits', false],
    ['enforce deletes', 'enforce', 'DELETE FROM visits', true],
    ['enforce does not insert', 'enforce', 'INSERT INTO visits VALUES (1)', false],
    ['enforce does not drop what it does not own', 'enforce', 'DROP TABLE visits', false],
    ['enforce creates its own schema', 'enforce', 'CREATE SCHEMA dataward', true],
    ['enforce deletes from a table made later', 'enforce', 'DELETE FROM later', true],
  ];
  test('have the rights the documentation asks for, and no others', async () => {
    await withPostgres({}, async (server) => {
      await server.createDatabase('app');
      await server.query('CREATE TABLE visits (id int)', undefined, 'app');
      const roles = await ensureRoles(server, 'app');
      await server.query('CREATE TABLE later (id int)', undefined, 'app');
      const outcomes: Record<string, boolean> = {};
      for (const [name, role, sql] of may) outcomes[name] = (await attempt(server.connection(roles[role], 'app'), sql)) === 'accepted';
      expect(outcomes).toEqual(Object.fromEntries(may.map(([name, , , allowed]) => [name, allowed])));
    });
  });

  test('enforce drops partitions where it owns the tables', async () => {
    await withPostgres({}, async (server) => {
      await server.query('CREATE TABLE visits (at date) PARTITION BY RANGE (at)');
      await server.query(`CREATE TABLE visits_2024 PARTITION OF visits FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')`);
      const roles = await ensureRoles(server, 'postgres', { enforceOwnsTables: true });
      expect(await ensureRoles(server, 'postgres')).toEqual(roles);
      expect(await attempt(server.connection(roles.enforce), 'DROP TABLE visits_2024')).toBe('accepted');
    });
  });
});

describe('test certificates', () => {
  test('come as a good one and the three a client must refuse', async () => {
    const ca = await createTestCa();
    const set = await createCertificateSet(ca);
    const { X509Certificate } = await import('node:crypto');
    const authority = new X509Certificate(ca.pem);
    const read = (pem: string) => new X509Certificate(pem);
    expect(read(set.good.certPem).checkHost('localhost')).toBe('localhost');
    expect(read(set.good.certPem).checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(read(set.good.certPem).verify(authority.publicKey)).toBe(true);
    expect(new Date(read(set.expired.certPem).validTo).getTime()).toBeLessThan(Date.now());
    expect(read(set.wrongName.certPem).checkHost('localhost')).toBeUndefined();
    expect(read(set.otherCa.certPem).verify(authority.publicKey)).toBe(false);
    const rsa = await ca.issue({ commonName: 'weak', keyBits: 1024 });
    expect(read(rsa.certPem).publicKey.asymmetricKeyDetails?.modulusLength).toBe(1024);
  });
});
