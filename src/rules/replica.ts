import type { StoreIdentity } from '../stores/facts.ts';

/**
 * Whether what answers is a replica of a store: same system and database, with the marker that our schema brought, and
 * read-only. `passes`: that may change by waiting, for a server that has not got the schema yet. Pure.
 *
 * @param target fingerprint of the store
 */
export function strangerProblem(identity: StoreIdentity, target: string): { message: string; passes: boolean } | undefined {
  if (identity.fingerprint !== target) {
    const passes = identity.fingerprint === identity.bareFingerprint;
    return { passes, message: passes ? 'it has no schema dataward, so it is another database or far behind; correct spec.endpoint.replicas of the DataStore' : 'another system or database answers there; correct spec.endpoint.replicas of the DataStore' };
  }
  return identity.replica ? undefined : { passes: false, message: 'it takes writes, so it is the primary or was promoted; take it out of spec.endpoint.replicas of the DataStore' };
}
