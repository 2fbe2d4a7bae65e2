import type { KubeObject } from '../api/object.ts';

/** A JSON object whose members are not known here. */
export type JsonObject = { [member: string]: unknown };

/** An object as it is stored and served: the shared part typed, the rest as it came. Never changed in place. */
export type StoredObject = KubeObject & JsonObject;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The own member of that name; never what every object inherits, such as `constructor`. */
export function ownMember<T>(object: { readonly [member: string]: T }, name: string): T | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** The member as an object, or an empty one: for reading only. */
export function memberObject(object: JsonObject, member: string): JsonObject {
  const value = object[member];
  return isJsonObject(value) ? value : {};
}

/** A copy that can be changed. The values are plain JSON. */
export function copy<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copy) as T;
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copy(member)])) as T;
}

/**
 * Whether two JSON values say the same, whatever the order of members. Unlike node:util's comparison it does not look
 * at prototypes: values from another realm (a test's, a worker's) would never be equal, and every write a change.
 */
export function sameJson(left: unknown, right: unknown): boolean {
  if (Array.isArray(left)) {
    return Array.isArray(right) && left.length === right.length && left.every((item, index) => sameJson(item, right[index]));
  }
  if (!isJsonObject(left) || !isJsonObject(right)) return left === right;
  const names = Object.keys(left);
  return names.length === Object.keys(right).length && names.every((name) => name in right && sameJson(left[name], right[name]));
}
