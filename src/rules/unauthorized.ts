import { getCondition } from '../api/conditions.ts';
import type { DataStore } from '../api/generated/dataStore.ts';

/**
 * Why a plan could not be carried out in a store as it was last looked at: what its identities lack, or that this is not
 * known. Undefined where nothing is in the way, or no operator has looked yet. For people who decide; what a run may do it
 * finds out by itself. Pure.
 *
 * @param now milliseconds
 */
export function unauthorizedBecause(store: DataStore, now: number): string | undefined {
  const { conditions, validUntil, observedGeneration } = store.status ?? {};
  const may = getCondition(conditions, 'Authorized');
  if (!may) return undefined;
  const name = `DataStore ${store.metadata.namespace}/${store.metadata.name}`;
  if (may.status === 'False') return `${name} lets it not be carried out (${may.reason}): ${may.message}`;
  const unknown = `it is not known whether ${name} lets it be carried out`;
  if (may.status === 'Unknown') return `${unknown} (${may.reason}): ${may.message}`;
  // Nothing takes back what an operator said that is gone.
  if (validUntil === undefined || Date.parse(validUntil) < now) return `${unknown}: what was seen of it counted until ${validUntil ?? 'an unknown time'}; look whether the operator runs`;
  return observedGeneration === store.metadata.generation ? undefined : `${unknown}: it was changed since it was looked at`;
}
