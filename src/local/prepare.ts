import type { ObjectValidator } from '../api/validation/validator.ts';
import { OBJECT_META } from './core-schemas.ts';
import { badRequest } from './errors.ts';
import { apiVersionOf } from './kinds.ts';
import type { ServedKind } from './kinds.ts';
import { isJsonObject } from './object.ts';
import type { JsonObject, StoredObject } from './object.ts';
import { prune } from './schema.ts';

/** What the request asks to happen to fields the schema does not know; they are never stored. */
export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

function checkType(kind: ServedKind, body: JsonObject): void {
  const { ref } = kind;
  if (typeof body['kind'] !== 'string' || body['kind'] === '') {
    throw badRequest(`Object 'Kind' is missing; the body of this request is a ${ref.kind} of ${apiVersionOf(ref)}`);
  }
  if (body['apiVersion'] !== apiVersionOf(ref)) {
    throw badRequest(
      `the API version in the data (${String(body['apiVersion'] ?? '')}) does not match the expected API version (${apiVersionOf(ref)})`,
    );
  }
  if (body['kind'] !== ref.kind) {
    throw badRequest(`the kind in the data (${body['kind']}) does not match the expected kind (${ref.kind})`);
  }
}

/** Fields of metadata that are served by a real API server and not kept here. */
function withoutUnkept(metadata: JsonObject): JsonObject {
  const { managedFields: _managed, selfLink: _link, ...kept } = metadata;
  return kept;
}

/**
 * Turns a request's body into an object of the kind in its stored form: right type, known fields only, defaults filled.
 * Throws 400 when it is not such an object, or has unknown fields under Strict; under Warn they go to `warn`.
 */
export function prepareObject(
  kind: ServedKind,
  body: unknown,
  validator: ObjectValidator,
  fieldValidation: FieldValidation,
  warn: (text: string) => void,
): StoredObject {
  if (!isJsonObject(body)) throw badRequest(`the body of this request is a ${kind.ref.kind} object in JSON`);
  checkType(kind, body);
  const unknown: string[] = [];
  const metadata = prune(body['metadata'] ?? {}, OBJECT_META, 'metadata', unknown) as JsonObject;
  const object = { ...body, metadata: withoutUnkept(metadata) } as unknown as StoredObject;
  let known: StoredObject;
  if (kind.custom) {
    const prepared = validator.prepare(kind.ref, object);
    unknown.push(...prepared.unknownFields);
    known = prepared.object as StoredObject;
  } else {
    known = kind.complete(kind.toStored(prune(object, kind.schema, '', unknown) as StoredObject));
  }
  if (unknown.length > 0) {
    const lines = unknown.map((path) => `unknown field "${path}"`);
    if (fieldValidation === 'Strict') {
      const { ref } = kind;
      throw badRequest(`${ref.kind} in version "${ref.version}" cannot be handled as a ${ref.kind}: strict decoding error: ${lines.join(', ')}`);
    }
    if (fieldValidation === 'Warn') lines.forEach(warn);
  }
  return known;
}
