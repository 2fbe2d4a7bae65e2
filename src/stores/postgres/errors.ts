import { StoreError } from '../errors.ts';
import type { StoreErrorReason } from '../errors.ts';

/** What of a server's error may be kept: codes and names of catalogue objects, never text that can quote a row. */
export interface DatabaseFault {
  /** SQLSTATE, five characters. */
  code: string;
  schema?: string;
  table?: string;
  column?: string;
  constraint?: string;
}

/** What was being done, for the message: which store, as whom. */
export interface ErrorContext {
  /** namespace/name of the DataStore. */
  store: string;
  host: string;
  port: number;
  database: string;
  username: string;
}

/** SQLSTATE of an error that came from the server, else undefined: a socket or TLS failure, or a refusal of our own. */
export function sqlState(error: unknown): string | undefined {
  return faultOf(error)?.code;
}

/** Codes and names of an error that came from the server. */
export function faultOf(error: unknown): DatabaseFault | undefined {
  const cause = error instanceof StoreError ? error.cause : undefined;
  return isRecord(cause) && typeof cause['code'] === 'string' ? (cause as unknown as DatabaseFault) : undefined;
}

/**
 * Any failure of the driver in the words of its owner. A server's own message is passed on only for the classes
 * in which it names objects and quotes no value, and never from within a function; `detail`, `where` and `hint` never are.
 */
export function toStoreError(error: unknown, context: ErrorContext): StoreError {
  if (error instanceof StoreError) return error;
  const raw = isRecord(error) ? error : {};
  const { code, message, name } = errorFacts(error);
  if (/^[0-9A-Z]{5}$/.test(code) && typeof raw['severity'] === 'string') return fromServer(raw, code, message, context);
  const timedOut = name === 'AbortError' || name === 'TimeoutError' || message.includes('timeout');
  return fromWire(timedOut ? 'ETIMEDOUT' : code, message, context);
}

/** Code, message and name of whatever was thrown; empty where it has none. Read by shape: errors of another realm are no `Error` here. */
export function errorFacts(error: unknown): { code: string; message: string; name: string } {
  const raw = isRecord(error) ? error : {};
  const text = (key: string): string => (typeof raw[key] === 'string' ? raw[key] : '');
  return { code: text('code'), message: text('message'), name: text('name') };
}

/** The routine of the server that carries out RAISE of PL/pgSQL. */
const RAISE = 'exec_stmt_raise';

function fromServer(raw: Record<string, unknown>, code: string, message: string, context: ErrorContext): StoreError {
  const cause: DatabaseFault = { code };
  for (const name of ['schema', 'table', 'column', 'constraint'] as const) {
    const value = raw[name];
    if (typeof value === 'string' && value !== '' && raw['routine'] !== RAISE) cause[name] = value;
  }
  const hidden = code === '42501' && raw['routine'] === 'check_enable_rls';
  const raised = raw['routine'] === RAISE;
  const within = raised || (typeof raw['where'] === 'string' && raw['where'] !== '');
  // A statement of ours names what it lacks without a context; with one it is another statement that lacks it, or nothing does.
  const inFunction = raised || (within && /^(42|3F)/.test(code));
  const [reason, advice] = hidden ? rowsHidden(context) : inFunction ? functionReason(raised ? '' : code, raw['routine'], context) : serverReason(code, context);
  // The author of a trigger chooses code, names and words of what it raises: "no reader jane@..." may come as 42501.
  const said = quotable(code) && !within ? `: ${message}` : '';
  const at = [cause.schema !== undefined && cause.table !== undefined ? `table ${cause.schema}.${cause.table}` : undefined, cause.constraint === undefined ? undefined : `constraint ${cause.constraint}`]
    .filter((part) => part !== undefined)
    .join(', ');
  return new StoreError(reason, `${place(context)}: ${advice} (SQLSTATE ${code}${at === '' ? '' : `, ${at}`}${said}).`, { cause });
}

const unreachable = 'the server is not accepting this connection now; dataward tries again by itself';

/** With row_security off the server refuses where it would else leave rows out. Only the routine tells; messages are translated. */
function rowsHidden({ username }: ErrorContext): [StoreErrorReason, string] {
  return ['RowsHidden', `a row security policy hides rows from ${username}, so nothing can be said about the table; give the role BYPASSRLS`];
}

/**
 * What came out of a function of the store: a trigger, say, or a cascade. Only where the server itself checked a right
 * is one missing; the same code raised by the function is its own refusal, which no GRANT cures.
 */
function functionReason(code: string, routine: unknown, { username }: ErrorContext): [StoreErrorReason, string] {
  const log = 'its words are in the server\'s log';
  if (code === '42501' && typeof routine === 'string' && routine.startsWith('aclcheck_error')) {
    return ['PermissionDenied', `a function of the store, such as a trigger, lacks a privilege; ${log}. Grant it to ${username}, or to the owner where the function runs with the rights of its owner`];
  }
  return ['Failed', `a function of the store, such as a trigger, refuses it or fails; ${log}. Find the function there, then change it or disable the trigger`];
}

/** Longest matching prefix of the SQLSTATE decides. */
function serverReason(code: string, { username, database }: ErrorContext): [StoreErrorReason, string] {
  const table: [string, StoreErrorReason, string][] = [
    ['08', 'Unreachable', unreachable],
    ['0A000', 'Failed', 'the server cannot do this on that object'],
    ['21000', 'Conflict', 'a declared reference finds more than one row; refer to a column that is unique'],
    ['22', 'Failed', 'a value cannot be read as the column declares it; compare the data map with the column types'],
    ['23', 'Conflict', 'a constraint of the store forbids it'],
    ['25006', 'Conflict', 'this connection or server is read-only; for a change, name the primary as the endpoint'],
    ['25P03', 'LimitReached', 'a transaction was idle for too long and the server ended it; nothing of it is in force'],
    ['28000', 'AuthenticationFailed', `the server does not let ${username} into ${database} from here; add a hostssl line with scram-sha-256 or cert for it to pg_hba.conf, or correct the credential`],
    ['28P01', 'AuthenticationFailed', `the password of ${username} is wrong or has expired; correct the credential Secret`],
    ['3D000', 'NotFound', `there is no database ${database}; correct spec.endpoint.database`],
    ['40001', 'Conflict', 'another transaction changed the same rows; the work is repeated'],
    ['40P01', 'Conflict', 'a deadlock with another transaction; the work is repeated'],
    ['42501', 'PermissionDenied', `${username} lacks a privilege; grant it`],
    ['42704', 'NotFound', 'an object does not exist any more; the inventory is read again'],
    ['42703', 'NotFound', 'a column does not exist any more; update the data map'],
    ['42883', 'Conflict', 'a column is of a type that cannot be compared; name another column in the data map'],
    ['42P01', 'NotFound', 'a table does not exist any more; update the data map'],
    ['3F000', 'NotFound', 'a schema does not exist any more; update the data map'],
    ['53300', 'Unreachable', 'the server has no connection left; raise max_connections or give the role its own limit'],
    ['53', 'LimitReached', 'the server is out of a resource (disk, memory or locks); see its log'],
    ['55P03', 'Conflict', 'somebody else holds a lock on it; the work is repeated'],
    ['57014', 'LimitReached', 'it took longer than allowed and was cancelled; give it more time or a quieter hour'],
    ['57', 'Unreachable', unreachable],
  ];
  const found = table.find(([prefix]) => code.startsWith(prefix));
  return found === undefined ? ['Failed', 'the server reported an error; see its log'] : [found[1], found[2]];
}

/** Classes whose messages name objects only, where the server itself says so. Class 22 and 23 can quote a row. */
function quotable(code: string): boolean {
  return ['0A000', '42501', '42P01', '42703', '42704', '42883', '3F000', '55000', '55006', '55P03', '53300'].includes(code);
}

const tlsUntrusted = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Failures before or below SQL: name lookup, socket, TLS, login protocol. */
function fromWire(code: string, message: string, context: ErrorContext): StoreError {
  const where = place(context);
  const cause = code === '' ? undefined : { cause: new Error(code) };
  if (tlsUntrusted.has(code)) {
    return new StoreError('TLSUntrusted', `${where}: the server's certificate is not trusted (${code}); check spec.tls.ca and spec.tls.serverName, or renew the certificate.`, cause);
  }
  if (message.includes('does not support SSL')) {
    return new StoreError('TLSRefused', `${where}: the server offers no TLS; set ssl = on with a certificate. Nothing was sent in clear.`);
  }
  if (code.startsWith('ERR_SSL') || code === 'EPROTO' || code.startsWith('ERR_TLS') || message.includes('establishing an SSL connection')) {
    return new StoreError('TLSRefused', `${where}: no TLS session of version 1.2 or better could be agreed${code === '' ? '' : ` (${code})`}; check ssl_min_protocol_version, and that the port is PostgreSQL's.`, cause);
  }
  if (message.startsWith('SASL')) {
    return new StoreError('AuthenticationFailed', `${where}: the SCRAM login of ${context.username} failed: the server and the credential do not prove the same password; correct the credential Secret.`);
  }
  if (code === 'ETIMEDOUT') {
    return new StoreError('Unreachable', `${where}: no answer within the time allowed; check the endpoint, network policies and firewalls.`, cause);
  }
  if (code !== '' || message.startsWith('Connection terminated') || message.includes('not queryable')) {
    return new StoreError('Unreachable', `${where}: the connection could not be made or was lost${code === '' ? '' : ` (${code})`}; check the endpoint and that the server runs.`, cause);
  }
  return new StoreError('Failed', `${where}: an unexpected failure of the driver; please report it with the log of this time.`, cause);
}

function place({ store, host, port, database }: ErrorContext): string {
  return `DataStore ${store} (${host}:${port}/${database})`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
