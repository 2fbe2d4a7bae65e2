import type { KubeObject } from '../api/object.ts';

/** A JSON object whose members are not known here. */
export type JsonObject = { [member: string]: unknown };

/** An object as it is stored and served: the shared part typed, the rest as it came. Never changed in place. */
export type StoredObject = KubeObject & JsonObject;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The member as an object, or an empty one: for reading only. */
export function memberObject(object: JsonObject, member: string): JsonObject {
  const value = object[member];
  return isJsonObject(value) ? value : {};
}

/** A copy that can be changed. The values are plain JSON. */
export function copy<T>(value: T): T {
  return structuredClone(value);
}
