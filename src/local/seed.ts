import { randomUUID } from 'node:crypto';
import { formatTime } from '../api/conditions.ts';
import { establishedCrd } from './crd-kinds.ts';
import type { KindRegistry } from './kinds.ts';
import { isJsonObject } from './object.ts';
import type { StoredObject } from './object.ts';
import type { Store } from './store.ts';

const INITIAL_NAMESPACES = ['default', 'kube-system'];

/** A loaded object, checked for the little that is needed to show it. Throws when it is none. */
export function asObject(value: unknown): StoredObject {
  if (isJsonObject(value) && typeof value['kind'] === 'string' && isJsonObject(value['metadata']) && typeof value['metadata']['name'] === 'string') {
    return value as StoredObject;
  }
  throw new Error('an object without kind and metadata.name was given to the local API server');
}

/** Puts an object that is loaded at each start in place; one that is already there as such keeps its identity. */
function seed(store: Store, collection: string, object: StoredObject, now: number): void {
  const old = store.get(collection, undefined, object.metadata.name);
  const { uid = randomUUID(), creationTimestamp = formatTime(now), deletionTimestamp } = old?.metadata ?? {};
  if (deletionTimestamp !== undefined) return;
  store.put(collection, { ...object, metadata: { ...object.metadata, uid, creationTimestamp } });
}

/** Puts the first namespaces and the loaded objects in place. Throws for an object of a kind that cannot be loaded. */
export function seedAll(store: Store, kinds: KindRegistry, crds: readonly StoredObject[], policies: readonly StoredObject[], now: number): void {
  for (const name of INITIAL_NAMESPACES) {
    const namespace = kinds.find('', 'v1', 'namespaces');
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    if (namespace !== undefined && store.get('namespaces', undefined, name) === undefined) {
      seed(store, 'namespaces', namespace.complete(object), now);
    }
  }
  const shown = [...crds.map((crd) => establishedCrd(crd, formatTime(now))), ...policies];
  for (const object of shown) {
    const kind = kinds.all.find(({ ref }) => ref.kind === object.kind && object.apiVersion === `${ref.group}/${ref.version}`);
    if (kind === undefined) throw new Error(`${object.kind} ${object.metadata.name} (${object.apiVersion}) is not something the local API server can load`);
    seed(store, kind.collection, object, now);
  }
}
