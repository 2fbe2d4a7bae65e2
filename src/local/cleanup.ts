import type { OwnerReference } from '../api/object.ts';
import { FOREGROUND_FINALIZER, ORPHAN_FINALIZER, deleteStored } from './deletion.ts';
import { EVENT_TTL_MS } from './event-kinds.ts';
import type { KindRegistry, ServedKind } from './kinds.ts';
import { memberObject } from './object.ts';
import type { StoredObject } from './object.ts';
import type { Change, Store } from './store.ts';
import { isFinished } from './update.ts';

interface Entry {
  kind: ServedKind;
  object: StoredObject;
}

function entries(store: Store, kinds: KindRegistry): Entry[] {
  return store.collections().flatMap((collection) => {
    const kind = kinds.ofCollection(collection);
    return kind === undefined ? [] : store.list(collection).map((object) => ({ kind, object }));
  });
}

function putOrRemove(store: Store, { kind }: Entry, object: StoredObject): void {
  if (isFinished(object)) store.remove(kind.collection, object);
  else store.put(kind.collection, object);
}

function withMetadata(object: StoredObject, change: Partial<StoredObject['metadata']>): StoredObject {
  return { ...object, metadata: { ...object.metadata, ...change } };
}

/** Empties namespaces that are being deleted, then removes them. */
function cleanNamespaces(store: Store, all: readonly Entry[], now: number): void {
  for (const entry of all) {
    const { object } = entry;
    if (object.kind !== 'Namespace' || object.metadata.deletionTimestamp === undefined) continue;
    const content = all.filter((other) => other.object.metadata.namespace === object.metadata.name);
    for (const { kind, object: inside } of content) {
      if (inside.metadata.deletionTimestamp === undefined) deleteStored(store, kind, inside, 'Background', now);
    }
    if (content.length > 0) continue;
    putOrRemove(store, entry, { ...object, spec: { ...memberObject(object, 'spec'), finalizers: [] } });
  }
}

type Owned = Entry & { owners: OwnerReference[] };

/** The owner the reference means: same UID, and in the same namespace or cluster-scoped. */
function ownerOf(reference: OwnerReference, dependent: StoredObject, byUid: ReadonlyMap<string, Entry>): Entry | undefined {
  const owner = byUid.get(reference.uid);
  if (owner === undefined) return undefined;
  const { namespace } = owner.object.metadata;
  return namespace === undefined || namespace === dependent.metadata.namespace ? owner : undefined;
}

/** A kind that is not served here cannot be judged missing, so its dependents stay. */
function isServed(reference: OwnerReference, kinds: KindRegistry): boolean {
  return kinds.all.some(({ ref }) => ref.kind === reference.kind && (reference.apiVersion.split('/').length === 1 ? '' : reference.apiVersion.split('/')[0]) === ref.group);
}

function collectGarbage(store: Store, kinds: KindRegistry, owned: readonly Owned[], byUid: ReadonlyMap<string, Entry>, now: number): void {
  for (const { kind, object, owners } of owned) {
    if (object.metadata.deletionTimestamp !== undefined) continue;
    const present = owners.filter((reference) => ownerOf(reference, object, byUid) !== undefined || !isServed(reference, kinds));
    const waiting = (reference: OwnerReference): boolean =>
      ownerOf(reference, object, byUid)?.object.metadata.finalizers?.includes(FOREGROUND_FINALIZER) ?? false;
    if (present.length === 0) deleteStored(store, kind, object, 'Background', now);
    else if (present.every(waiting)) deleteStored(store, kind, object, 'Foreground', now);
    else if (present.length < owners.length) store.put(kind.collection, withMetadata(object, { ownerReferences: present }));
  }
}

/** Lets go of owners whose dependents are dealt with: deleted (foreground) or set free (orphan). */
function releaseOwners(store: Store, all: readonly Entry[], owned: readonly Owned[]): void {
  for (const entry of all) {
    const { metadata } = entry.object;
    const finalizers = metadata.finalizers ?? [];
    if (metadata.deletionTimestamp === undefined) continue;
    const dependents = owned.filter(({ owners }) => owners.some((owner) => owner.uid === metadata.uid));
    let done: string | undefined;
    if (finalizers.includes(ORPHAN_FINALIZER)) {
      for (const { kind, object } of dependents) {
        // Read again: another owner that was orphaned in the same pass has changed it too.
        const current = store.get(kind.collection, object.metadata.namespace, object.metadata.name) ?? object;
        const owners = current.metadata.ownerReferences ?? [];
        store.put(kind.collection, withMetadata(current, { ownerReferences: owners.filter((owner) => owner.uid !== metadata.uid) }));
      }
      done = ORPHAN_FINALIZER;
    } else if (finalizers.includes(FOREGROUND_FINALIZER)) {
      const blocking = dependents.some(({ owners }) => owners.some((owner) => owner.uid === metadata.uid && owner.blockOwnerDeletion === true));
      if (!blocking) done = FOREGROUND_FINALIZER;
    }
    if (done !== undefined) {
      putOrRemove(store, entry, withMetadata(entry.object, { finalizers: finalizers.filter((finalizer) => finalizer !== done) }));
    }
  }
}

/**
 * One pass of what the controller manager does in a cluster: content of deleted namespaces, dependents of missing
 * owners, finalizers of foreground and orphan deletion. Passes repeat until nothing changes.
 */
export function cleanUp(store: Store, kinds: KindRegistry, now: number): void {
  cleanNamespaces(store, entries(store, kinds), now);
  const gather = (): { all: Entry[]; owned: Owned[]; byUid: Map<string, Entry> } => {
    const all = entries(store, kinds);
    const owned = all.flatMap((entry) => {
      const owners = entry.object.metadata.ownerReferences ?? [];
      return owners.length === 0 ? [] : [{ ...entry, owners }];
    });
    return { all, owned, byUid: new Map(all.map((entry) => [entry.object.metadata.uid ?? '', entry])) };
  };
  // Orphans are set free before the collector looks, or it would delete them with their owner.
  const before = gather();
  releaseOwners(store, before.all, before.owned);
  const after = gather();
  collectGarbage(store, kinds, after.owned, after.byUid, now);
}

function mayNeedCleaning({ type, object, collection }: Change): boolean {
  // Nothing is owned by an event, and they come and go more often than all else.
  if (collection === 'events') return object.metadata.deletionTimestamp !== undefined;
  return type === 'DELETED' || object.metadata.deletionTimestamp !== undefined || (object.metadata.ownerReferences ?? []).length > 0;
}

const EVENT_SWEEP_MS = 60_000;

/** Removes events some time after they were written last; those found at the start count as written then. */
function expireEvents(store: Store, now: () => number): () => void {
  const written = new Map(store.list('events').map(({ metadata }) => [metadata.uid, now()]));
  const unsubscribe = store.subscribe(({ collection, type, object }) => {
    if (collection !== 'events') return;
    if (type === 'DELETED') written.delete(object.metadata.uid);
    else written.set(object.metadata.uid, now());
  });
  const sweep = setInterval(() => {
    for (const event of store.list('events')) {
      if (now() - (written.get(event.metadata.uid) ?? 0) > EVENT_TTL_MS) store.remove('events', event);
    }
  }, EVENT_SWEEP_MS);
  return () => {
    unsubscribe();
    clearInterval(sweep);
  };
}

/** Cleans up after each write that may need it, once the answer to that write is on its way. Returns the function that ends it. */
export function startCleanup(store: Store, kinds: KindRegistry, now: () => number): () => void {
  let scheduled: NodeJS.Immediate | undefined;
  const schedule = (): void => {
    scheduled ??= setImmediate(() => {
      scheduled = undefined;
      cleanUp(store, kinds, now());
    });
  };
  const unsubscribe = store.subscribe((change) => {
    if (mayNeedCleaning(change)) schedule();
  });
  const stopExpiry = expireEvents(store, now);
  schedule();
  return () => {
    unsubscribe();
    stopExpiry();
    if (scheduled !== undefined) clearImmediate(scheduled);
  };
}
