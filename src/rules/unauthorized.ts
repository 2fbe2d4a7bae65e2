import { getCondition } from '../api/conditions.ts';
import type { DataStore } from '../api/generated/dataStore.ts';

/**
 * Why a plan could not be carried out in a store as it was last looked at: what its identities lack, or that this is not
 * known. Undefined where nothing is in the way, or no operator has looked yet. For people who decide; what a run may do it
 * finds out by itself. Pure.
 */
export function unauthorizedBecause(store: DataStore): string | undefined {
  const may = getCondition(store.status?.conditions, 'Authorized');
  if (!may || may.status === 'True') return undefined;
  const name = `DataStore ${store.metadata.namespace}/${store.metadata.name}`;
  return may.status === 'False' ? `${name} lets it not be carried out (${may.reason}): ${may.message}` : `it is not known whether ${name} lets it be carried out (${may.reason}): ${may.message}`;
}
