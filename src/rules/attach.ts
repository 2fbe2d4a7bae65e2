import { createHash } from 'node:crypto';
import type { DataMap } from '../api/generated/dataMap.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import { labelsMatch, matchesPattern } from './select.ts';

/** Labels of each namespace that is known; one that could not be read is absent and matches nothing. */
export type NamespaceLabels = ReadonlyMap<string, Record<string, string>>;

export interface Attachment {
  map: DataMap;
  accepted: boolean;
  /** A sentence for the map's owner when the store does not let it attach. */
  because?: string;
}

/** The maps that point at a store, and whether the store lets them: a map attaches by consent of both owners. */
export function attachments(store: DataStore, maps: readonly DataMap[], namespaces: NamespaceLabels): Attachment[] {
  return maps.filter((map) => pointsAt(map, store)).map((map) => ({ map, ...consent(store, map, namespaces) }));
}

export function acceptedMaps(store: DataStore, maps: readonly DataMap[], namespaces: NamespaceLabels): DataMap[] {
  return attachments(store, maps, namespaces).flatMap((each) => (each.accepted ? [each.map] : []));
}

/** `storeRef.namespace` defaults to the map's own. */
export function pointsAt(map: DataMap, store: DataStore): boolean {
  const { namespace = map.metadata.namespace, name } = map.spec.storeRef;
  return namespace === store.metadata.namespace && name === store.metadata.name;
}

function consent(store: DataStore, map: DataMap, namespaces: NamespaceLabels): { accepted: boolean; because?: string } {
  const { namespaces: allowed, schemas } = store.spec.allowedMaps;
  const namespace = map.metadata.namespace ?? '';
  const admitted = allowed.matchLabels ? labelsMatch(allowed.matchLabels, namespaces.get(namespace) ?? {}) && namespaces.has(namespace) : namespace === store.metadata.namespace;
  if (!admitted) return { accepted: false, because: `DataStore ${store.metadata.namespace}/${store.metadata.name} does not accept maps from namespace ${namespace}; its owner decides in spec.allowedMaps.namespaces` };
  const tables = [...(map.spec.collections ?? []), ...(map.spec.nonPersonal ?? [])].map((entry) => entry.table);
  const foreign = schemas && tables.find((table) => !schemas.some((pattern) => matchesPattern(pattern, table.schema)));
  if (foreign) return { accepted: false, because: `schema ${foreign.schema} is outside spec.allowedMaps.schemas of DataStore ${store.metadata.namespace}/${store.metadata.name}` };
  return { accepted: true };
}

/** Which maps in which words, 16 hex digits: names are read by them, so by others they mean other rows. */
export function mapsDigest(maps: readonly DataMap[]): string {
  const each = maps.map(({ metadata: { namespace, name, uid, generation } }) => JSON.stringify([namespace, name, uid, generation])).toSorted();
  return createHash('sha256').update(each.join('\n')).digest('hex').slice(0, 16);
}
