import { applyPatch } from 'rfc6902';
import type { Operation } from 'rfc6902';
import { StatusError, badRequest } from './errors.ts';
import { copy, isJsonObject } from './object.ts';
import type { JsonObject } from './object.ts';

/** RFC 7386: null removes, objects merge, everything else replaces. The inputs are left as they were. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return copy(patch);
  const result: JsonObject = isJsonObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

const OPERATIONS = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test']);

function isOperation(value: unknown): value is Operation {
  return isJsonObject(value) && OPERATIONS.has(String(value['op'])) && typeof value['path'] === 'string';
}

/** RFC 6902, all operations or none. Throws 400 for a malformed patch, 422 for one that does not fit the object. */
export function jsonPatch(target: JsonObject, patch: unknown): unknown {
  if (!Array.isArray(patch) || !patch.every(isOperation)) {
    throw badRequest('error decoding patch: a JSON Patch is a list of {op, path, value} operations');
  }
  const result = { document: copy(target) };
  // Paths get a prefix so that an operation on the whole document ("") has a parent to change.
  const operations = patch.map((operation) => ({
    ...operation,
    path: `/document${operation.path}`,
    ...('from' in operation ? { from: `/document${operation.from}` } : {}),
  })) as Operation[];
  const failure = applyPatch(result, operations).find((error) => error !== null);
  if (failure !== undefined) {
    const text = failure.message.replaceAll('/document', '');
    throw new StatusError(422, 'Invalid', `the server rejected our request due to an error in our request: ${text}`, {});
  }
  return result.document;
}
