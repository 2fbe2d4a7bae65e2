import type { DataStore } from '../api/generated/dataStore.ts';
import type { Reason } from '../api/reasons.ts';
import { failureOf, type Failure } from '../connect/failures.ts';
import { ConnectionError, STORE_LOGINS, type StoreConnections, type StoreLogin } from '../connect/stores.ts';
import type { StoreReader } from '../stores/port.ts';
import type { TableAddress } from '../stores/predicate.ts';

/**
 * What trying an identity showed: all its work needs; a login whose rights could not be asked for; or what is wrong.
 * Nothing of it is remembered from one look to the next.
 */
export type Login = 'Works' | 'LoggedIn' | Failure;

/** By identity; one that was not tried is absent. */
export type Logins = Partial<Record<StoreLogin, Login>>;

/** What tells of the identity itself. Anything else says that the store, or the way to it, was not found out. */
const TELLING: readonly Reason[] = ['SecretNotFound', 'SecretNotBound', 'SecretInvalid', 'AuthenticationFailed', 'WeakAuthentication', 'PermissionMissing', 'VerifyNotIndependent', 'NoEnforceCredentials', 'ForeignOwner'];

/** Whether this is known to be wrong with the identity, and not with the way to the store. */
export function isTelling(login: Login | undefined): login is Failure {
  return login !== undefined && typeof login !== 'string' && TELLING.includes(login.reason);
}

/** Notes what kept an identity from its work. A Secret that is missing is that of the identity it was read for. */
export function noteFailure(logins: Logins, tried: StoreLogin, error: unknown): void {
  const identity = error instanceof ConnectionError ? (error.identity ?? tried) : tried;
  logins[identity] ??= failureOf(error);
}

/** @param tables undefined: not known, so that nothing is said of rights */
export async function rightsOf(reader: Pick<StoreReader, 'missingRights'>, tables: { read: TableAddress[]; remove?: TableAddress[] } | undefined): Promise<Login> {
  if (!tables) return 'LoggedIn';
  const missing = [...(tables.remove ? await reader.missingRights(tables.remove, 'Delete') : []), ...(await reader.missingRights(tables.read, 'Read'))];
  return missing.length === 0 ? 'Works' : { reason: 'PermissionMissing', message: [...new Set(missing)].join('; ') };
}

/**
 * Logs in as each declared identity that was not tried yet, one after the other, and asks what it lacks. After a login that
 * did not get an answer no other is tried: a host that is gone costs one timeout, not three.
 *
 * @param judged tables the verifying one reads; undefined where they are not known
 */
export async function tryOthers(store: DataStore, logins: Logins, judged: TableAddress[] | undefined, { connections, signal }: { connections: StoreConnections; signal: AbortSignal }): Promise<void> {
  for (const identity of STORE_LOGINS) {
    if (!store.spec.credentials[identity] || logins[identity] !== undefined) continue;
    if (Object.values(logins).some((login) => typeof login !== 'string' && !isTelling(login))) return;
    try {
      const login = identity === 'enforce' ? await connections.writer(store, signal) : await connections.reader(store, identity, signal);
      try {
        logins[identity] = await rightsOf(login, identity === 'verify' && judged ? { read: judged } : undefined);
      } finally {
        await login.close();
      }
    } catch (error) {
      noteFailure(logins, identity, error);
    }
  }
}
