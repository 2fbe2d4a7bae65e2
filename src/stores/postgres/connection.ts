import { X509Certificate } from 'node:crypto';
import { isIP, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { StoreError } from '../errors.ts';
import type { Credential, OpenOptions, StoreTarget } from '../port.ts';
import { certificateNameError } from './certificate.ts';
import { sqlState, toStoreError } from './errors.ts';
import type { ErrorContext } from './errors.ts';
import { confirmServer, longestStatementMs, pinnedSettings, pooled, startupOptions, tooOld } from './settings.ts';
import type { SessionSettings } from './settings.ts';

/** A server that is gone without a word (its machine lost, a firewall) does not enforce its own timeouts. */
const hardLimitMs = longestStatementMs + 60_000;

/** How long the server may take to end a login that is over. */
const goodbyeMs = 2_000;

/** One login to one database, its settings pinned. Not for concurrent use: put work that may overlap through `serial`. */
export interface Connection {
  readonly target: StoreTarget;
  readonly username: string;
  /** As `server_version_num`, e.g. 150018. */
  readonly serverVersion: number;
  /** Both ends of the connection as this side sees them, without IPv6 mapping. */
  readonly socket: SocketEnds;
  /**
   * One statement with bound values. `bigint` and `numeric` come as strings, times as the server's text.
   *
   * @param prepared a name under which the server keeps the statement for this login; for a text that never changes
   *   and is sent again and again, of which parsing and planning are most of the cost
   * @throws StoreError; `sqlState(error)` gives the server's code
   */
  query<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[], prepared?: string): Promise<{ rows: Row[]; rowCount: number }>;
  /** Runs the work in one transaction; rolls back, and throws, when it throws or a statement of it failed. `begin` e.g. `BEGIN ISOLATION LEVEL REPEATABLE READ`. */
  transaction<T>(work: () => Promise<T>, begin?: string): Promise<T>;
  /** Runs one piece of work after the other, in the order asked for. Not to be nested. */
  serial<T>(work: () => Promise<T>): Promise<T>;
  /** True between BEGIN and its end, also when the transaction has failed. */
  inTransaction(): boolean;
  /** True once the connection was lost; every query fails from then on. */
  lost(): boolean;
  /** Ends the login. Safe to call twice, and when the connection is lost. */
  close(): Promise<void>;
}

export interface SocketEnds {
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

/**
 * Logs in over verified TLS, and by SCRAM-SHA-256 or a client certificate only.
 *
 * Nothing is taken from the environment, a service file or a password file. The password leaves this process only
 * as a SCRAM proof, so a server that asks for it in clear or as MD5 learns nothing.
 *
 * @throws StoreError `Unreachable`, `TLSRefused`, `TLSUntrusted`, `AuthenticationWeak`, `AuthenticationFailed`,
 *   `NotFound` (database), `UnsupportedVersion`, `PoolerRefused`
 */
export async function connect(target: StoreTarget, credential: Credential, options: OpenOptions, settings: SessionSettings): Promise<Connection> {
  const context: ErrorContext = { store: target.name, host: target.host, port: target.port, database: target.database, username: credential.username };
  options.signal?.throwIfAborted();
  requireEndpoint(context);
  const pinned = pinnedSettings(settings);
  const login: { scram: boolean; process?: number } = { scram: false };
  const client = new pg.Client({
    host: target.host,
    port: target.port,
    database: target.database,
    user: credential.username,
    // Asked for by pg only when the server wants one, so the server's method is known by then.
    password: () => revealPassword(credential, login.scram, context),
    ssl: tlsOptions(target, credential),
    application_name: `dataward/${options.purpose}/${target.name}`,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
    options: startupOptions(pinned),
    sslnegotiation: 'postgres',
    client_encoding: 'UTF8',
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    types: { getTypeParser },
  });
  client.connection.once('authenticationSASL', () => {
    login.scram = true;
  });
  client.connection.once('backendKeyData', ({ processID }: { processID: number }) => {
    login.process = processID;
  });
  let gone = false;
  client.on('error', () => {
    gone = true; // without a listener a lost connection would end the process
  });
  client.on('end', () => {
    gone = true;
  });
  const destroy = (): void => {
    gone = true;
    client.connection.stream.destroy();
  };
  options.signal?.addEventListener('abort', destroy, { once: true });

  const run = async <Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[], prepared?: string): Promise<pg.QueryResult<Row>> => {
    const guard = setTimeout(destroy, hardLimitMs);
    try {
      const bound = values === undefined ? undefined : [...values];
      return await (prepared === undefined ? client.query<Row>(text, bound) : client.query<Row>({ name: prepared, text, values: bound ?? [] }));
    } catch (error) {
      throw toStoreError(error, context);
    } finally {
      clearTimeout(guard);
    }
  };
  const query: Connection['query'] = async <Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[], prepared?: string) => {
    const { rows, rowCount } = await run<Row>(text, values, prepared);
    return { rows, rowCount: rowCount ?? 0 };
  };
  let last: Promise<unknown> = Promise.resolve();
  const connection = {
    target,
    username: credential.username,
    query,
    serial: <T>(work: () => Promise<T>): Promise<T> => {
      const mine = last.then(work, work);
      last = mine.catch(() => undefined);
      return mine;
    },
    transaction: async <T>(work: () => Promise<T>, begin = 'BEGIN'): Promise<T> => {
      try {
        await query(begin);
        const result = await work();
        // The server answers the COMMIT of a failed transaction with a rollback and no error.
        if ((await run('COMMIT')).command === 'ROLLBACK') throw new StoreError('Conflict', `DataStore ${target.name}: a statement of the transaction failed, so nothing of it is in force.`);
        return result;
      } catch (error) {
        await query('ROLLBACK').catch(() => undefined); // a lost connection has rolled back already
        throw error;
      }
    },
    inTransaction: () => ['T', 'E'].includes(client.getTransactionStatus() ?? 'I'),
    lost: () => gone,
    close: async () => {
      // A server that hangs would take the goodbye and never hang up.
      const guard = setTimeout(destroy, goodbyeMs);
      if (!gone) await client.end().catch(() => undefined);
      clearTimeout(guard);
      options.signal?.removeEventListener('abort', destroy);
    },
  };

  try {
    await client.connect();
    if (credential.type === 'password' && !login.scram) {
      throw new StoreError('AuthenticationWeak', `DataStore ${target.name}: the server let ${credential.username} in without asking for the password; replace trust by scram-sha-256 in pg_hba.conf.`);
    }
    return { ...connection, socket: socketEnds(client.connection.stream), serverVersion: await confirmServer(query, pinned, login.process, target) };
  } catch (error) {
    options.signal?.removeEventListener('abort', destroy);
    destroy();
    options.signal?.throwIfAborted();
    // An older server does not know the newest of the pinned settings and refuses the login for it.
    const state = sqlState(toStoreError(error, context));
    if (state === '42704') throw tooOld(target);
    // No server answers a login so: PgBouncer does, to options it does not know and when its own login fails.
    if (state === '08P01') throw pooled(target, 'the login was refused by something that is not the server (SQLSTATE 08P01)');
    throw toStoreError(error, context);
  }
}

/** What is left out here, pg would take from the environment; and a host that begins with a slash is a socket file without TLS. */
function requireEndpoint({ store, host, port, database, username }: ErrorContext): void {
  if (host !== '' && !host.startsWith('/') && port > 0 && database !== '' && username !== '') return;
  throw new StoreError('Failed', `DataStore ${store}: host, port, database and user name must all be given, and the host must be a name or an address.`);
}

function socketEnds(stream: Duplex): SocketEnds {
  const socket = stream instanceof Socket ? stream : undefined;
  const plain = (address: string | undefined): string => (address ?? '').replace(/^::ffff:/, '');
  return { localAddress: plain(socket?.localAddress), localPort: socket?.localPort ?? 0, remoteAddress: plain(socket?.remoteAddress), remotePort: socket?.remotePort ?? 0 };
}

function tlsOptions(target: StoreTarget, credential: Credential): ConnectionOptions {
  const name = target.serverName ?? target.host;
  return {
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    ...(target.caPem === undefined ? {} : { ca: target.caPem }),
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_host, certificate) => certificateNameError(name, new X509Certificate(certificate.raw)),
    ...(credential.type === 'certificate' ? { cert: credential.certPem, key: credential.keyPem } : {}),
  };
}

function revealPassword(credential: Credential, scram: boolean, { store, username }: ErrorContext): Promise<string> {
  if (credential.type === 'certificate') {
    return Promise.reject(new StoreError('AuthenticationFailed', `DataStore ${store}: the server asks ${username} for a password, but the credential is a client certificate; use the method cert in pg_hba.conf, or give a password.`));
  }
  if (!scram) {
    return Promise.reject(
      new StoreError('AuthenticationWeak', `DataStore ${store}: the server asks for the password of ${username} in clear or as MD5; set password_encryption = scram-sha-256, set the password again and use scram-sha-256 in pg_hba.conf. Nothing was sent.`),
    );
  }
  return Promise.resolve(credential.password);
}

/** Dates and times stay text: a JavaScript Date loses microseconds and infinities. */
const timeOids: readonly number[] = [pg.types.builtins.DATE, pg.types.builtins.TIMESTAMP, pg.types.builtins.TIMESTAMPTZ];

const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  timeOids.includes(oid) ? (text: string) => text : pg.types.getTypeParser(oid, format as 'text');
