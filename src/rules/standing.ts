import type { DataStore } from '../api/generated/dataStore.ts';
import type { LegalHold } from '../api/generated/legalHold.ts';

/**
 * Whether a hold is known to stand in a store, in its newest words and by the maps of now: by other maps the same words
 * keep other rows. Undefined: the list in its status is cut off and does not name the store.
 *
 * @param maps digest of the maps the store takes, as `mapsDigest` makes it
 */
export function standsIn({ metadata, status }: LegalHold, store: DataStore, maps: string): boolean | undefined {
  if (status?.observedGeneration !== metadata.generation) return false;
  const standing = status?.stores?.find((each) => each.namespace === store.metadata.namespace && each.name === store.metadata.name);
  if (standing) return standing.enforcedSince !== undefined && (standing.maps === undefined || standing.maps === maps);
  return status?.truncated ? undefined : false;
}
