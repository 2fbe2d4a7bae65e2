import type { AdmissionRequest, AuthorizationCheck, ObjectValidator, UserInfo } from '../api/validation/validator.ts';
import { StatusError, badRequest, forbidden, groupResource, invalid, notFound } from './errors.ts';
import type { ServedKind } from './kinds.ts';
import { metadataErrors } from './metadata.ts';
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

/** The namespace in the body, when there is one, is that of the path. Throws 400. */
export function checkNamespace(request: WriteRequest, object: StoredObject): void {
  const { kind, namespace } = request;
  if (!kind.ref.namespaced) return;
  const given = object.metadata.namespace;
  if (given !== undefined && given !== '' && given !== namespace) {
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request (${given} and ${namespace ?? ''})`);
  }
}

/** The body as an object of the kind. Throws 400 (422 for a patch) when Strict and a field is not known. */
export function receive(context: WriteContext, request: WriteRequest, body: unknown, name: string): StoredObject {
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
export function checkNamespaceIsActive(context: WriteContext, request: WriteRequest, name: string): void {
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

export function withNamespace(object: StoredObject, namespace: string | undefined): StoredObject {
  const { namespace: _given, ...metadata } = object.metadata;
  return { ...object, metadata: namespace === undefined ? metadata : { ...metadata, namespace } };
}

/** Schema, rules of the kind and metadata. Throws 422 with every wrong field. */
export function checkObject(context: WriteContext, request: WriteRequest, object: StoredObject, old?: StoredObject): void {
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
  const message = `${groupResource(kind.ref)} "${name}" is forbidden: ${result.message}`;
  const code = CODES[result.reason] ?? 422;
  throw new StatusError(code, result.reason, message, { name, group: kind.ref.group, kind: kind.ref.plural, causes: [{ message: result.message }] });
}

const CODES: Record<string, number> = { Unauthorized: 401, Forbidden: 403, Invalid: 422, RequestEntityTooLarge: 413 };
