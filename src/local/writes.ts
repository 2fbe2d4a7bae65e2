import { randomUUID } from 'node:crypto';
import type { AdmissionRequest, AuthorizationCheck, ObjectValidator, UserInfo } from '../api/validation/validator.ts';
import { StatusError, alreadyExists, badRequest, conflict, forbidden, invalid, notFound } from './errors.ts';
import type { ServedKind } from './kinds.ts';
import { generatedName, metadataErrors, timestamp } from './metadata.ts';
import { memberObject, sameJson } from './object.ts';
import type { StoredObject } from './object.ts';
import { prepareObject } from './prepare.ts';
import type { Store } from './store.ts';

/** What the request asks to happen to fields the schema does not know; they are never stored. */
export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

/** What a write needs besides the request. */
export interface WriteContext {
  store: Store;
  validator: ObjectValidator;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** One write, as the URL, the query and the identity of the requester say it. */
export interface WriteRequest {
  kind: ServedKind;
  namespace?: string;
  subresource?: 'status';
  /** True: the body is the outcome of a patch. */
  isPatch: boolean;
  user: UserInfo;
  authorize: (check: AuthorizationCheck) => boolean;
  /** True: everything is checked and answered, nothing is stored. */
  dryRun: boolean;
  fieldValidation: FieldValidation;
  warn: (text: string) => void;
}

const NAMESPACES = 'namespaces';

function checkNamespace(request: WriteRequest, object: StoredObject): void {
  const { kind, namespace } = request;
  if (!kind.ref.namespaced) return;
  const given = object.metadata.namespace;
  if (given !== undefined && given !== '' && given !== namespace) {
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request (${given} and ${namespace ?? ''})`);
  }
}

/** The body as an object of the kind. Throws 400 (422 for a patch) when Strict and a field is not known. */
function receive(context: WriteContext, request: WriteRequest, body: unknown, name: string): StoredObject {
  const { kind, fieldValidation, isPatch, warn } = request;
  const { object, unknownFields } = prepareObject(kind, body, context.validator);
  const lines = unknownFields.map((path) => `unknown field "${path}"`);
  if (fieldValidation === 'Warn') lines.forEach(warn);
  if (fieldValidation !== 'Strict' || lines.length === 0) return object;
  const text = `strict decoding error: ${lines.join(', ')}`;
  if (isPatch) throw invalid(kind.ref, name, [{ path: 'patch', type: 'FieldValueInvalid', message: text }]);
  throw badRequest(`${kind.ref.kind} in version "${kind.ref.version}" cannot be handled as a ${kind.ref.kind}: ${text}`);
}

/** New content needs a namespace that is there and is going to stay. */
function checkNamespaceIsActive(context: WriteContext, request: WriteRequest, name: string): void {
  const { kind, namespace } = request;
  if (!kind.ref.namespaced || namespace === undefined) return;
  const found = context.store.get(NAMESPACES, undefined, namespace);
  if (found === undefined) {
    throw notFound({ group: '', version: 'v1', plural: NAMESPACES, kind: 'Namespace', namespaced: false }, namespace);
  }
  if (found.metadata.deletionTimestamp !== undefined) {
    throw forbidden(kind.ref, name, `unable to create new content in namespace ${namespace} because it is being terminated`);
  }
}

function withNamespace(object: StoredObject, namespace: string | undefined): StoredObject {
  const { namespace: _given, ...metadata } = object.metadata;
  return { ...object, metadata: namespace === undefined ? metadata : { ...metadata, namespace } };
}

/** Schema, rules of the kind and metadata. Throws 422 with every wrong field. */
function checkObject(context: WriteContext, request: WriteRequest, object: StoredObject, old?: StoredObject): void {
  const { kind, subresource } = request;
  const own = kind.custom ? context.validator.validate(kind.ref, object, old, subresource) : kind.check(object, old);
  const errors = [...metadataErrors(kind, object, old), ...own];
  if (errors.length > 0) throw invalid(kind.ref, object.metadata.name, errors);
}

/** Asks the admission policies. Throws what they answer. */
export function admit(
  context: WriteContext,
  request: WriteRequest,
  operation: AdmissionRequest['operation'],
  object: StoredObject | undefined,
  oldObject: StoredObject | undefined,
): void {
  const { kind, subresource, user, authorize } = request;
  const result = context.validator.admit({
    operation,
    kind: kind.ref,
    userInfo: { username: user.username, groups: user.groups },
    authorize,
    ...(subresource && { subresource }),
    ...(object && { object: kind.fromStored(object) }),
    ...(oldObject && { oldObject: kind.fromStored(oldObject) }),
  });
  if (result.allowed) return;
  const name = (object ?? oldObject)?.metadata.name ?? '';
  const message = `${kind.ref.group === '' ? kind.ref.plural : `${kind.ref.plural}.${kind.ref.group}`} "${name}" is forbidden: ${result.message}`;
  const code = CODES[result.reason] ?? 422;
  throw new StatusError(code, result.reason, message, { name, group: kind.ref.group, kind: kind.ref.plural, causes: [{ message: result.message }] });
}

const CODES: Record<string, number> = { Unauthorized: 401, Forbidden: 403, Invalid: 422, RequestEntityTooLarge: 413 };

/** Stores a new object and returns it. Throws the API server's error when it cannot be. */
export function createObject(context: WriteContext, request: WriteRequest, body: unknown): StoredObject {
  const { kind, namespace } = request;
  const received = receive(context, request, body, '');
  checkNamespace(request, received);
  const prepared = withNamespace(received, namespace);
  const { resourceVersion, deletionTimestamp: _deletion, generation: _generation, ...given } = prepared.metadata;
  if (resourceVersion !== undefined && resourceVersion !== '') {
    throw badRequest('resourceVersion should not be set on objects to be created');
  }
  const prefix = (given as { generateName?: string }).generateName ?? '';
  let name = given.name ?? '';
  if (name === '' && prefix === '') {
    throw invalid(kind.ref, '', [{ path: 'metadata.name', type: 'FieldValueRequired', message: 'Required value: name or generateName is required' }]);
  }
  if (name === '') {
    do name = generatedName(prefix);
    while (context.store.get(kind.collection, namespace, name) !== undefined);
  }
  const { status: _status, ...withoutStatus } = prepared;
  const object = {
    ...(kind.custom && kind.hasStatus ? withoutStatus : prepared),
    metadata: {
      ...given,
      name,
      uid: randomUUID(),
      creationTimestamp: timestamp(context.now()),
      ...(kind.hasGeneration ? { generation: 1 } : {}),
    },
  } as StoredObject;
  const completed = kind.complete(object);
  checkNamespaceIsActive(context, request, name);
  checkObject(context, request, completed);
  admit(context, request, 'CREATE', completed, undefined);
  if (context.store.get(kind.collection, namespace, name) !== undefined) throw alreadyExists(kind.ref, name);
  return request.dryRun ? completed : context.store.put(kind.collection, completed);
}

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
