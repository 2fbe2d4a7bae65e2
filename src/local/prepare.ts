import type { ObjectValidator } from '../api/validation/validator.ts';
import { OBJECT_META } from './core-schemas.ts';
import { badRequest } from './errors.ts';
import { apiVersionOf } from './kinds.ts';
import type { ServedKind } from './kinds.ts';
import { isJsonObject } from './object.ts';
import type { JsonObject, StoredObject } from './object.ts';
import { prune } from './schema.ts';

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
 * Turns a request's body into an object of the kind in its stored form: right type, known fields only, defaults filled;
 * and the paths of the fields it had beyond those. Throws 400 when it is not such an object.
 */
export function prepareObject(kind: ServedKind, body: unknown, validator: ObjectValidator): { object: StoredObject; unknownFields: string[] } {
  if (!isJsonObject(body)) throw badRequest(`the body of this request is a ${kind.ref.kind} object in JSON`);
  const { ref, custom } = kind;
  // The path says what a built-in object is; only of a custom one the body has to say it as well.
  const typed = custom ? body : { apiVersion: apiVersionOf(ref), kind: ref.kind, ...body };
  checkType(kind, typed);
  const unknownFields: string[] = [];
  const metadata = prune(body['metadata'] ?? {}, OBJECT_META, 'metadata', unknownFields) as JsonObject;
  const object = { ...typed, metadata: withoutUnkept(metadata) } as unknown as StoredObject;
  if (!custom) {
    return { object: kind.complete(kind.toStored(prune(object, kind.schema, '', unknownFields) as StoredObject)), unknownFields };
  }
  const prepared = validator.prepare(ref, object);
  return { object: prepared.object as StoredObject, unknownFields: [...unknownFields, ...prepared.unknownFields] };
}
