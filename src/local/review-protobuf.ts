import { badRequest } from './errors.ts';
import type { JsonObject } from './object.ts';

/** Field number -> name, and for a message within, its own fields. A field that is not listed is passed over. */
interface Fields {
  [number: number]: { name: string; fields?: Fields };
}

const RESOURCE_ATTRIBUTES: Fields = {
  1: { name: 'namespace' }, 2: { name: 'verb' }, 3: { name: 'group' }, 4: { name: 'version' }, 5: { name: 'resource' }, 6: { name: 'subresource' }, 7: { name: 'name' },
};
const SPEC: Fields = {
  1: { name: 'resourceAttributes', fields: RESOURCE_ATTRIBUTES },
  2: { name: 'nonResourceAttributes', fields: { 1: { name: 'path' }, 2: { name: 'verb' } } },
  3: { name: 'user' },
};
/** What the questions of reviews.ts have in common; SelfSubjectReview has no spec. */
const REVIEW: Fields = { 2: { name: 'spec', fields: SPEC } };
/** The frame around every Kubernetes object in protobuf. */
const ENVELOPE: Fields = { 1: { name: 'typeMeta', fields: { 1: { name: 'apiVersion' }, 2: { name: 'kind' } } }, 2: { name: 'raw', fields: REVIEW } };
const MAGIC = Buffer.from('k8s\0', 'latin1');

const malformed = (): Error => badRequest('the body of the request is not a review in protobuf');

/** A base-128 number and where it ends. */
function varint(bytes: Buffer, start: number): [value: number, end: number] {
  let value = 0;
  for (let at = start, shift = 0; at < bytes.length && shift < 35; at += 1, shift += 7) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at + 1];
  }
  throw malformed();
}

function decode(bytes: Buffer, fields: Fields): JsonObject {
  const result: JsonObject = {};
  let at = 0;
  while (at < bytes.length) {
    const [key, afterKey] = varint(bytes, at);
    const [size, afterSize] = varint(bytes, afterKey);
    const wireType = key & 7;
    if (wireType === 0) {
      at = afterSize;
      continue;
    }
    if (wireType !== 2 || afterSize + size > bytes.length) throw malformed();
    at = afterSize + size;
    const field = fields[key >>> 3];
    if (field === undefined) continue;
    const content = bytes.subarray(afterSize, at);
    result[field.name] = field.fields === undefined ? content.toString('utf8') : decode(content, field.fields);
  }
  return result;
}

/**
 * Reads a review that was sent in protobuf. kubectl asks `auth whoami` and `auth can-i` in no other way; all else here
 * speaks JSON. Throws 400 when the bytes are no such message.
 */
export function decodeReview(bytes: Buffer): JsonObject {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw malformed();
  const { typeMeta, raw } = decode(bytes.subarray(MAGIC.length), ENVELOPE);
  return { ...(typeMeta as JsonObject | undefined), ...(raw as JsonObject | undefined) };
}
