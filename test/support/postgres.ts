import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { createTestCa } from './certificates.ts';
import type { TestCa } from './certificates.ts';
import { freePort } from './ports.ts';
import { give, preparePostgresTemplate } from './postgres-binaries.ts';
import type { PostgresTemplate } from './postgres-binaries.ts';
import { endWithThisProcess } from './watchdog.ts';

export interface PostgresOptions {
  /** `required` (default): plaintext is refused. `optional`: both. `off`: the server has no TLS. */
  readonly tls?: 'required' | 'optional' | 'off';
  /** Lines for pg_hba.conf instead of the default ones. The superuser's own line always stands first. */
  readonly hba?: string;
  /** Lines of postgresql.conf, values as written there. */
  readonly settings?: Readonly<Record<string, string>>;
  /** As PostgreSQL writes it, from `TLSv1` on. Default `TLSv1.2`. */
  readonly minTls?: string;
  /** Everybody but the superuser has to show a client certificate of `ca` whose CN is the role. */
  readonly clientCertAuth?: boolean;
  /** Real fsync, for tests of crashes of the machine; `kill9` keeps every commit without it. */
  readonly durable?: boolean;
}

export interface Identity {
  readonly user: string;
  readonly password: string;
}

/** A real server on loopback. All databases listen on the one port. */
export interface TestPostgres {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly version: string;
  readonly superuser: Identity;
  /** The authority that issued the server's certificate; it can issue client certificates too. */
  readonly ca: TestCa;
  readonly caPem: string;
  readonly serverName: 'localhost';
  readonly dataFolder: string;
  readonly logPath: string;
  /** Process id of the postmaster; undefined while the server is down. */
  readonly pid: number | undefined;
  /** What `new pg.Client()` needs; the superuser and database `postgres` when left out. */
  connection(identity?: Identity, database?: string): pg.ClientConfig;
  /** One statement (or several without params) as superuser on a connection of its own (about 10 ms). */
  query<Row extends pg.QueryResultRow>(sql: string, params?: readonly unknown[], database?: string): Promise<Row[]>;
  createDatabase(name: string, options?: { template?: string; owner?: string }): Promise<void>;
  /** @param attributes such as `REPLICATION`; LOGIN and the SCRAM password are given */
  createRole(name: string, attributes?: string): Promise<Identity>;
  /** The identity of a role that `createRole` made. */
  identityOf(name: string): Identity;
  /** Stops the server if it runs (also after `kill9`), and starts it on the same data and port. */
  restart(): Promise<void>;
  /** Ends the server at once, as the kernel would; the data stays for `restart`. */
  kill9(): Promise<void>;
  /** Stops the server and removes its data. Safe to call twice. */
  stop(mode?: 'smart' | 'fast' | 'immediate'): Promise<void>;
}

const stopSignals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/**
 * Starts a PostgreSQL server with nothing in it: TLS 1.2 or better, SCRAM passwords, fast and not durable.
 *
 * @throws with the end of the server's log when it does not come up, e.g. for an unknown setting
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<TestPostgres> {
  const template = await preparePostgresTemplate();
  const folder = await mkdtemp(join(template.workspace, 'server-'));
  await give(folder, template.account);
  const dataFolder = join(folder, 'data');
  const logPath = join(folder, 'server.log');
  const { superuser } = template;
  const tls = options.tls ?? 'required';
  const ca = await createTestCa();
  let server: RunningServer | undefined;
  let port = await freePort();

  const connection = (identity: Identity = superuser, database = 'postgres'): pg.ClientConfig => ({
    host: '127.0.0.1',
    port,
    database,
    user: identity.user,
    password: identity.password,
    // serverName is given because a certificate check by address would not notice a wrong name.
    ...(tls === 'off' ? {} : { ssl: { ca: ca.pem, servername: 'localhost' } }),
  });
  const query = async <Row extends pg.QueryResultRow>(sql: string, params?: readonly unknown[], database?: string): Promise<Row[]> => {
    const client = new pg.Client(connection(superuser, database));
    client.on('error', () => undefined); // a server that stops under us also fails the query below
    await client.connect();
    try {
      const result: pg.QueryResult<Row> | pg.QueryResult<Row>[] = await client.query<Row>(sql, params === undefined ? undefined : [...params]);
      return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? [];
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  const start = async (): Promise<void> => {
    server = await launch(template, dataFolder, folder, logPath, port);
    await waitUntilReady(server, logPath, () => query('SELECT 1'));
  };
  const halt = async (signal: NodeJS.Signals): Promise<void> => {
    if (server === undefined) return;
    server.process.kill(signal);
    await server.exited;
    server = undefined;
  };

  try {
    await promisify(execFile)('cp', ['-Rp', template.data, dataFolder]);
    await writeConfiguration(template, dataFolder, ca, options, tls);
    await start().catch(async (error: unknown) => {
      if (!(await readFile(logPath, 'utf8')).includes('Address already in use')) throw error;
      port = await freePort();
      await start();
    });
  } catch (error) {
    await halt('SIGKILL');
    await rm(folder, { recursive: true, force: true });
    throw error;
  }

  return {
    host: '127.0.0.1',
    get port() {
      return port;
    },
    version: template.version,
    superuser,
    ca,
    caPem: ca.pem,
    serverName: 'localhost',
    dataFolder,
    logPath,
    get pid() {
      return server?.process.pid;
    },
    connection,
    query,
    createDatabase: async (name, { template: source, owner } = {}) => {
      const parts = [`CREATE DATABASE ${pg.escapeIdentifier(name)}`];
      if (source !== undefined) parts.push(`TEMPLATE ${pg.escapeIdentifier(source)}`);
      if (owner !== undefined) parts.push(`OWNER ${pg.escapeIdentifier(owner)}`);
      await query(parts.join(' '));
    },
    createRole: async (name, attributes = '') => {
      const identity = identityOf(name);
      await query(`CREATE ROLE ${pg.escapeIdentifier(name)} LOGIN ${attributes} PASSWORD ${pg.escapeLiteral(identity.password)}`);
      return identity;
    },
    identityOf,
    restart: async () => {
      await halt('SIGINT');
      await startOnceOrphansAreGone(start);
    },
    kill9: () => halt('SIGKILL'),
    stop: async (mode = 'fast') => {
      await halt(stopSignals[mode]);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

interface RunningServer {
  readonly process: ChildProcess;
  /** Resolves when the postmaster is gone and its watchdog is called off. */
  readonly exited: Promise<void>;
}

async function launch(template: PostgresTemplate, dataFolder: string, folder: string, logPath: string, port: number): Promise<RunningServer> {
  const log = await open(logPath, 'a');
  const child = spawn(join(template.binaries, 'postgres'), ['-D', dataFolder, '-p', String(port)], {
    ...template.account,
    cwd: '/', // the account may not be able to enter ours
    stdio: ['ignore', log.fd, log.fd],
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
  });
  await once(child, 'spawn');
  await log.close();
  const callOff = endWithThisProcess(child.pid as number, 'QUIT', folder);
  return { process: child, exited: once(child, 'exit').then(callOff) };
}

async function waitUntilReady(server: RunningServer, logPath: string, probe: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const failure: unknown = await probe().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure === undefined) return;
    if (server.process.exitCode !== null || Date.now() > deadline) {
      const log = (await readFile(logPath, 'utf8')).split('\n').slice(-12).join('\n');
      server.process.kill('SIGKILL');
      throw new Error(`The test PostgreSQL did not start (${String(failure)}):\n${log}`);
    }
    await delay(20);
  }
}

/** After `kill9` the backends notice within a moment that their postmaster died; until then its memory is in use. */
async function startOnceOrphansAreGone(start: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await start();
      return;
    } catch (error) {
      if (attempt === 20 || !String(error).includes('pre-existing shared memory block')) throw error;
      await delay(100);
    }
  }
}

async function writeConfiguration(
  template: PostgresTemplate,
  dataFolder: string,
  ca: TestCa,
  options: PostgresOptions,
  tls: 'required' | 'optional' | 'off',
): Promise<void> {
  const settings: Record<string, string> = {
    listen_addresses: "'127.0.0.1'",
    unix_socket_directories: "''", // loopback TCP only: the tests are about the wire
    password_encryption: "'scram-sha-256'",
    timezone: "'UTC'",
    max_connections: '60',
    max_wal_size: "'1GB'",
    jit: 'off',
    ...(options.durable === true ? {} : { fsync: 'off', full_page_writes: 'off' }),
    ...(tls === 'off' ? { ssl: 'off' } : tlsSettings(options.minTls ?? 'TLSv1.2')),
    ...options.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  await appendFile(join(dataFolder, 'postgresql.conf'), `\n${lines.join('')}`);

  const kind = { required: 'hostssl', optional: 'host', off: 'host' }[tls];
  const everybody = ['all', 'replication'].map((database) => `${kind} ${database} all 127.0.0.1/32 ${options.clientCertAuth === true ? 'cert' : 'scram-sha-256'}\n`);
  const superuser = `${kind} all ${template.superuser.user} 127.0.0.1/32 scram-sha-256\n`;
  await writeFile(join(dataFolder, 'pg_hba.conf'), `${superuser}${options.hba ?? everybody.join('')}\n`);

  const certificate = await ca.issue({ commonName: 'localhost', sans: ['localhost', '127.0.0.1'] });
  const files = { 'server.crt': certificate.certPem, 'server.key': certificate.keyPem, 'ca.crt': ca.pem };
  for (const [name, text] of Object.entries(files)) {
    const path = join(dataFolder, name);
    await writeFile(path, text, { mode: 0o600 });
    await give(path, template.account);
  }
}

function tlsSettings(minimum: string): Record<string, string> {
  const settings = { ssl: 'on', ssl_min_protocol_version: `'${minimum}'`, ssl_ca_file: "'ca.crt'" };
  // OpenSSL's default security level refuses the SHA-1 of TLS 1.1 and older whatever the minimum says.
  return minimum === 'TLSv1' || minimum === 'TLSv1.1' ? { ...settings, ssl_ciphers: "'ALL:@SECLEVEL=0'" } : settings;
}

/** Different for every role, so that a test notices when one identity is used in another's place. */
function identityOf(role: string): Identity {
  return { user: role, password: `${role}-password` };
}
