import { badRequest, conflict, invalid, notFound } from './errors.ts';
import type { ServedKind } from './kinds.ts';
import { memberObject, sameJson } from './object.ts';
import type { StoredObject } from './object.ts';
import { admit, checkNamespace, checkObject, receive, withNamespace } from './write-rules.ts';
import type { WriteContext, WriteRequest } from './write-rules.ts';

/** What a client cannot change by writing the object. */
function keepServerFields(object: StoredObject, old: StoredObject): StoredObject {
  const { resourceVersion: _rv, generation: _generation, deletionTimestamp: _deletion, ...metadata } = object.metadata;
  const { uid, creationTimestamp, generation, deletionTimestamp, resourceVersion } = old.metadata;
  const grace = (old.metadata as { deletionGracePeriodSeconds?: number }).deletionGracePeriodSeconds;
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(uid !== undefined && { uid }),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
      ...(generation !== undefined && { generation }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      ...(grace !== undefined && { deletionGracePeriodSeconds: grace }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    } as StoredObject['metadata'],
  };
}

function withStatusOf(object: StoredObject, source: StoredObject): StoredObject {
  const { status: _status, ...rest } = object;
  return 'status' in source ? ({ ...rest, status: source['status'] } as StoredObject) : (rest as StoredObject);
}

/** Everything but metadata and status, which is what metadata.generation counts. */
function desiredState(object: StoredObject): object {
  const { metadata: _metadata, status: _status, ...rest } = object;
  return rest;
}

function checkPreconditions(kind: ServedKind, object: StoredObject, old: StoredObject): void {
  const { name } = old.metadata;
  const { uid, resourceVersion } = object.metadata;
  if (uid !== undefined && uid !== '' && uid !== old.metadata.uid) {
    throw conflict(kind.ref, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`);
  }
  if (resourceVersion === undefined || resourceVersion === '') {
    if (kind.unconditionalUpdate) return;
    throw invalid(kind.ref, name, [
      { path: 'metadata.resourceVersion', type: 'FieldValueInvalid', message: 'Invalid value: 0: must be specified for an update' },
    ]);
  }
  if (resourceVersion !== old.metadata.resourceVersion) throw conflict(kind.ref, name);
}

/** Whether nothing holds a deleted object any longer. */
export function isFinished(object: StoredObject): boolean {
  const namespaceFinalizers = object.kind === 'Namespace' ? memberObject(object, 'spec')['finalizers'] : undefined;
  const held = Array.isArray(namespaceFinalizers) && namespaceFinalizers.length > 0;
  return object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length === 0 && !held;
}

/**
 * Replaces an object. `change` gets the stored object in the form of the request's version and returns the new body:
 * for PUT the body itself, for PATCH the patched object. Returns the stored object, or the last state of one that the
 * write released for deletion.
 */
export function updateObject(
  context: WriteContext,
  request: WriteRequest,
  name: string,
  change: (current: StoredObject) => unknown,
): StoredObject {
  const { kind, namespace, subresource } = request;
  const old = context.store.get(kind.collection, namespace, name);
  if (old === undefined) throw notFound(kind.ref, name);
  const body = change(kind.fromStored(old));
  const prepared = receive(context, request, body, name);
  if (prepared.metadata.name !== name) {
    throw badRequest(`the name of the object (${prepared.metadata.name ?? ''}) does not match the name on the URL (${name})`);
  }
  checkNamespace(request, prepared);
  checkPreconditions(kind, prepared, old);
  let next = keepServerFields(withNamespace(prepared, namespace), old);
  if (subresource === 'status') next = withStatusOf(old, next);
  else if (kind.hasStatus) next = withStatusOf(next, old);
  if (kind.hasGeneration && subresource === undefined && !sameJson(desiredState(next), desiredState(old))) {
    next = { ...next, metadata: { ...next.metadata, generation: (old.metadata.generation ?? 0) + 1 } };
  }
  checkObject(context, request, next, old);
  admit(context, request, 'UPDATE', next, old);
  if (sameJson(next, old)) return old;
  if (request.dryRun) return next;
  return isFinished(next) ? context.store.remove(kind.collection, next) : context.store.put(kind.collection, next);
}
