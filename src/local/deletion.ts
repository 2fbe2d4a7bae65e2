import { formatTime } from '../api/conditions.ts';
import { conflict, forbidden, invalid, notFound } from './errors.ts';
import type { ServedKind } from './kinds.ts';
import { isJsonObject, memberObject } from './object.ts';
import type { StoredObject } from './object.ts';
import type { Store } from './store.ts';
import { isFinished } from './update.ts';
import { admit } from './write-rules.ts';
import type { WriteContext, WriteRequest } from './write-rules.ts';

/** What happens to the objects that name the deleted one as their owner. */
export type Propagation = 'Background' | 'Foreground' | 'Orphan';

export const FOREGROUND_FINALIZER = 'foregroundDeletion';
export const ORPHAN_FINALIZER = 'orphan';

export interface DeleteOptions {
  propagation: Propagation;
  uid?: string;
  resourceVersion?: string;
  dryRun: boolean;
}

const DELETE_OPTIONS = { group: 'meta.k8s.io', version: 'v1', plural: 'deleteoptions', kind: 'DeleteOptions', namespaced: false };

/** Reads a DeleteOptions body and the query, where both may say it. Throws 422 for a policy that does not exist. */
export function parseDeleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const options = isJsonObject(body) ? body : {};
  const preconditions = memberObject(options, 'preconditions');
  const propagation = options['propagationPolicy'] ?? query.get('propagationPolicy') ?? (options['orphanDependents'] === true ? 'Orphan' : 'Background');
  if (propagation !== 'Background' && propagation !== 'Foreground' && propagation !== 'Orphan') {
    throw invalid(DELETE_OPTIONS, '', [{
      path: 'propagationPolicy',
      type: 'FieldValueNotSupported',
      message: `"${String(propagation)}": supported values: "Background", "Foreground", "Orphan"`,
    }]);
  }
  const { uid, resourceVersion } = preconditions;
  const dryRun = options['dryRun'];
  return {
    propagation,
    dryRun: (Array.isArray(dryRun) && dryRun.includes('All')) || query.getAll('dryRun').includes('All'),
    ...(typeof uid === 'string' && { uid }),
    ...(typeof resourceVersion === 'string' && { resourceVersion }),
  };
}

function withFinalizer(finalizers: readonly string[], propagation: Propagation): string[] {
  const others = finalizers.filter((finalizer) => finalizer !== FOREGROUND_FINALIZER && finalizer !== ORPHAN_FINALIZER);
  if (propagation === 'Foreground') return [...others, FOREGROUND_FINALIZER];
  return propagation === 'Orphan' ? [...others, ORPHAN_FINALIZER] : others;
}

/** What deleting leaves: the object marked for deletion, or, when nothing holds it, one that `isFinished`. */
function markedForDeletion(object: StoredObject, propagation: Propagation, now: number): StoredObject {
  const first = object.metadata.deletionTimestamp === undefined;
  const { finalizers = [], generation, ...metadata } = object.metadata;
  const kept = withFinalizer(finalizers, propagation);
  const marked: StoredObject = {
    ...object,
    metadata: {
      ...metadata,
      ...(kept.length > 0 && { finalizers: kept }),
      ...(generation !== undefined && { generation: first ? generation + 1 : generation }),
      ...(first && { deletionTimestamp: formatTime(now), deletionGracePeriodSeconds: 0 }),
    } as StoredObject['metadata'],
  };
  return object.kind === 'Namespace' ? { ...marked, status: { ...memberObject(marked, 'status'), phase: 'Terminating' } } : marked;
}

/** Deletes without asking anyone: for the server's own cleaning up. */
export function deleteStored(store: Store, kind: ServedKind, object: StoredObject, propagation: Propagation, now: number): StoredObject {
  const marked = markedForDeletion(object, propagation, now);
  return isFinished(marked) ? store.remove(kind.collection, object) : store.put(kind.collection, marked);
}

const KEPT_NAMESPACES = new Set(['default', 'kube-system']);

/** The outcome of a deletion: gone at once, or waiting for its finalizers. */
export interface Deleted {
  object: StoredObject;
  gone: boolean;
}

/** Deletes one object as a client asked. Throws 404, 409 for a failed precondition, or what admission answers. */
export function deleteObject(context: WriteContext, request: WriteRequest, name: string, options: DeleteOptions): Deleted {
  const { kind, namespace } = request;
  const object = context.store.get(kind.collection, namespace, name);
  if (object === undefined) throw notFound(kind.ref, name);
  if (kind.ref.plural === 'namespaces' && KEPT_NAMESPACES.has(name)) throw forbidden(kind.ref, name, 'this namespace may not be deleted');
  const { uid, resourceVersion } = object.metadata;
  if (options.uid !== undefined && options.uid !== uid) {
    throw conflict(kind.ref, name, `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${uid}`);
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    throw conflict(
      kind.ref,
      name,
      `Precondition failed: ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`,
    );
  }
  admit(context, request, 'DELETE', undefined, object);
  const marked = markedForDeletion(object, options.propagation, context.now());
  const gone = isFinished(marked);
  if (options.dryRun) return { object: marked, gone };
  if (gone) return { object: context.store.remove(kind.collection, object), gone };
  // Asking twice changes nothing, so that a waiting client does not wake every watcher.
  const again = object.metadata.deletionTimestamp !== undefined && options.propagation === 'Background';
  return { object: again ? object : context.store.put(kind.collection, marked), gone };
}
