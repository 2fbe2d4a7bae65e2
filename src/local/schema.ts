import { badRequest } from './errors.ts';
import { isJsonObject, ownMember } from './object.ts';
import type { JsonObject } from './object.ts';

/** The part of an OpenAPI v3 schema that this server reads; the rest is passed on to clients unread. */
export interface Schema {
  type?: string;
  format?: string;
  description?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema;
  items?: Schema;
  required?: string[];
  [extension: `x-kubernetes-${string}`]: unknown;
}

const TYPES: Record<string, (value: unknown) => boolean> = {
  object: isJsonObject,
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  integer: Number.isInteger,
  number: (value) => typeof value === 'number',
};

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** An empty list or map is stored as an absent one, as typed Go objects are. */
function isEmptyCollection(value: unknown, schema: Schema): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return schema.additionalProperties !== undefined && isJsonObject(value) && Object.keys(value).length === 0;
}

/**
 * Copies what the schema knows and adds the paths of the rest to `unknown`. A null counts as absent, as it does for the
 * typed kinds of a real API server. Throws 400 for a value of the wrong type, without repeating the value: it may be
 * part of a Secret.
 */
export function prune(value: unknown, schema: Schema, path: string, unknown: string[]): unknown {
  if (schema.type !== undefined && TYPES[schema.type]?.(value) === false) {
    throw badRequest(`${path === '' ? 'the object' : path} is not of the type ${schema.type}`);
  }
  if (schema.format === 'byte' && !BASE64.test(String(value))) throw badRequest(`${path} is not base64; a Secret takes plain text in stringData`);
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? value : value.map((item, index) => prune(item, items, `${path}[${index}]`, unknown));
  }
  if (!isJsonObject(value) || (schema.properties === undefined && schema.additionalProperties === undefined)) return value;
  const result: JsonObject = {};
  for (const [name, member] of Object.entries(value)) {
    const below = path === '' ? name : `${path}.${name}`;
    const known = ownMember(schema.properties ?? {}, name) ?? schema.additionalProperties;
    if (known === undefined) unknown.push(below);
    else if (member !== null) {
      const kept = prune(member, known, below, unknown);
      if (!isEmptyCollection(kept, known)) result[name] = kept;
    }
  }
  return result;
}

export function text(description: string): Schema {
  return { type: 'string', description };
}

export function integer(description: string): Schema {
  return { type: 'integer', format: 'int32', description };
}

export function flag(description: string): Schema {
  return { type: 'boolean', description };
}

export function time(description: string): Schema {
  return { type: 'string', format: 'date-time', description };
}

export function map(description: string): Schema {
  return { type: 'object', additionalProperties: { type: 'string' }, description };
}

export function list(items: Schema, description: string, mergeKey?: string): Schema {
  const merged = mergeKey === undefined ? {} : { 'x-kubernetes-patch-strategy': 'merge', ...(mergeKey === '' ? {} : { 'x-kubernetes-patch-merge-key': mergeKey }) };
  return { type: 'array', items, description, ...merged };
}

export function record(properties: Record<string, Schema>, description: string, required: string[] = []): Schema {
  return { type: 'object', properties, description, ...(required.length === 0 ? {} : { required }) };
}
