import { compareText } from '../api/compare-text.ts';
import { expired } from './errors.ts';
import type { StateDirectory } from './state.ts';
import type { StoredObject } from './object.ts';

/** One committed write. `old` is what was stored before; a deletion carries the last object with the deletion's revision. */
export interface Change {
  revision: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  collection: string;
  object: StoredObject;
  old?: StoredObject;
}

export interface StoreOptions {
  /** Changes kept for watches and paged lists that started earlier; older ones answer 410. Default 5000. */
  history?: number;
  state?: StateDirectory;
}

/** How many revisions one durable reservation covers; a restart skips the unused rest. */
const RESERVATION = 1000;

function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

function byKey(a: StoredObject, b: StoredObject): number {
  return compareText(keyOf(a.metadata.namespace, a.metadata.name), keyOf(b.metadata.namespace, b.metadata.name));
}

/**
 * The objects, by collection (`plural.group`), under one revision counter as in etcd, with a bounded history.
 * Everything is synchronous: a read-check-write in one turn of the event loop is a transaction. A write reaches the disk
 * before it is visible. Objects that were handed out are never changed.
 */
export class Store {
  readonly #collections = new Map<string, Map<string, StoredObject>>();
  readonly #history: Change[] = [];
  readonly #historyLimit: number;
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #state: StateDirectory | undefined;
  #revision = 1;
  #reserved = Number.POSITIVE_INFINITY;
  /** Changes up to and including this revision are forgotten. */
  #compacted: number;

  constructor(options: StoreOptions = {}) {
    this.#historyLimit = options.history ?? 5000;
    this.#state = options.state;
    if (options.state !== undefined) {
      for (const { collection, object } of options.state.load()) {
        this.#collection(collection).set(keyOf(object.metadata.namespace, object.metadata.name), object);
        this.#revision = Math.max(this.#revision, Number(object.metadata.resourceVersion ?? 0));
      }
      // A deletion leaves no file behind, so the highest revision given out is only known through the reservation.
      this.#revision = Math.max(this.#revision, options.state.revisionCeiling());
      this.#reserved = this.#revision;
    }
    this.#compacted = this.#revision;
  }

  get revision(): number {
    return this.#revision;
  }

  get(collection: string, namespace: string | undefined, name: string): StoredObject | undefined {
    return this.#collections.get(collection)?.get(keyOf(namespace, name));
  }

  /** Sorted by namespace and name. `namespace` undefined: all of them. */
  list(collection: string, namespace?: string): StoredObject[] {
    const all = [...(this.#collections.get(collection)?.values() ?? [])];
    return all.filter((object) => namespace === undefined || object.metadata.namespace === namespace).sort(byKey);
  }

  collections(): string[] {
    return [...this.#collections.keys()];
  }

  /** The list as it was at `revision`. Throws 410 when the history does not reach back that far. */
  listAt(collection: string, namespace: string | undefined, revision: number): StoredObject[] {
    if (revision >= this.#revision) return this.list(collection, namespace);
    const objects = new Map(this.list(collection, namespace).map((object) => [keyOf(object.metadata.namespace, object.metadata.name), object]));
    for (const change of this.changesSince(collection, revision).reverse()) {
      const { metadata } = change.object;
      if (namespace !== undefined && metadata.namespace !== namespace) continue;
      if (change.old === undefined) objects.delete(keyOf(metadata.namespace, metadata.name));
      else objects.set(keyOf(metadata.namespace, metadata.name), change.old);
    }
    return [...objects.values()].sort(byKey);
  }

  /** The collection's changes after `revision`, oldest first. Throws 410 when some of them are forgotten. */
  changesSince(collection: string, revision: number): Change[] {
    if (revision < this.#compacted) throw expired(`too old resource version: ${revision} (${this.#compacted})`);
    return this.#history.filter((change) => change.revision > revision && change.collection === collection);
  }

  /** Stores the object under a new resourceVersion and returns it as stored. */
  put(collection: string, object: StoredObject): StoredObject {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const revision = this.#nextRevision();
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    this.#state?.write(collection, stored);
    const old = this.#collection(collection).get(key);
    this.#collection(collection).set(key, stored);
    this.#commit({ revision, type: old === undefined ? 'ADDED' : 'MODIFIED', collection, object: stored, ...(old && { old }) });
    return stored;
  }

  /** Removes the object and returns it with the resourceVersion of its deletion. */
  remove(collection: string, object: StoredObject): StoredObject {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const revision = this.#nextRevision();
    const removed = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    this.#state?.remove(collection, object);
    const old = this.#collection(collection).get(key);
    this.#collection(collection).delete(key);
    this.#commit({ revision, type: 'DELETED', collection, object: removed, ...(old && { old }) });
    return removed;
  }

  /** Calls `listener` after each commit, in order. Returns the function that ends it. */
  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #collection(name: string): Map<string, StoredObject> {
    let found = this.#collections.get(name);
    if (found === undefined) {
      found = new Map();
      this.#collections.set(name, found);
    }
    return found;
  }

  #nextRevision(): number {
    const next = this.#revision + 1;
    if (this.#state !== undefined && next > this.#reserved) {
      this.#state.reserveRevisions(next + RESERVATION);
      this.#reserved = next + RESERVATION;
    }
    this.#revision = next;
    return next;
  }

  #commit(change: Change): void {
    this.#history.push(change);
    // Trimmed in blocks: shifting one element off a long array at each write costs more than the write.
    if (this.#history.length > this.#historyLimit * 1.25) {
      const dropped = this.#history.splice(0, this.#history.length - this.#historyLimit);
      this.#compacted = dropped[dropped.length - 1]?.revision ?? this.#compacted;
    }
    for (const listener of this.#listeners) listener(change);
  }
}
