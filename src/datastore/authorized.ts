import type { ConditionUpdate } from '../api/conditions.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { Reason } from '../api/reasons.ts';
import type { Failure } from '../connect/failures.ts';
import { secretOf, STORE_LOGINS, type StoreLogin } from '../connect/stores.ts';
import { isTelling, type Logins } from './logins.ts';

/**
 * Whether every declared identity can do its work, for the condition `Authorized`. What is known to be wrong with one of
 * them is said before what is not known of another. Pure.
 *
 * @param otherwise what kept the look from trying them
 */
export function authorized(store: DataStore, logins: Logins, otherwise: Failure | undefined): Pick<ConditionUpdate, 'status' | 'message'> & { reason: Reason } {
  const declared = STORE_LOGINS.filter((identity) => store.spec.credentials[identity]);
  const wrong = declared.flatMap((identity) => problemOf(store, identity, logins));
  if (wrong[0]) return { status: 'False', reason: wrong[0].reason, message: wrong.map(({ message }) => message).join('. ') };
  const open = declared.filter((identity) => logins[identity] !== 'Works');
  if (open.length === 0) return { status: 'True', reason: 'Authorized', message: `Each declared identity (${declared.join(', ')}) logs in and has the rights its work needs.` };
  const untold = open.map((identity) => logins[identity]).find((login) => login !== undefined && typeof login !== 'string') ?? otherwise;
  if (typeof untold === 'object') return { status: 'Unknown', reason: untold.reason, message: `Not known of ${open.join(', ')}: ${untold.message}` };
  return { status: 'Unknown', reason: 'Progressing', message: `Not known of ${open.join(', ')}: not tried yet.` };
}

/** Says whose it is: what the server says names the login, and nobody knows by heart which Secret that is in. */
function problemOf(store: DataStore, identity: StoreLogin, logins: Logins): Failure[] {
  const login = logins[identity];
  if (!isTelling(login)) return [];
  const named = login.message.includes(`spec.credentials.${identity}`);
  return [{ reason: login.reason, message: named ? login.message : `${secretOf(store, identity)}: ${login.message}` }];
}
