import { badRequest } from './errors.ts';
import { copy, isJsonObject, ownMember, sameJson } from './object.ts';
import type { JsonObject } from './object.ts';

/**
 * Lists that a strategic merge patch merges instead of replacing, for the core kinds served here:
 * path of the list -> key field of its items, or '' when the items are plain values.
 */
export type MergeKeys = Readonly<Record<string, string>>;

/** The lists every object has. */
export const METADATA_MERGE_KEYS: MergeKeys = { 'metadata.finalizers': '', 'metadata.ownerReferences': 'uid' };

const SET_ORDER = '$setElementOrder/';
const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/';

/** Values of the patch come before those only the server has, as in Kubernetes. */
function mergePrimitives(current: unknown[], patch: unknown[]): unknown[] {
  return [...patch, ...current.filter((value) => !patch.includes(value))];
}

function mergeItems(current: unknown[], patch: unknown[], key: string, path: string, keys: MergeKeys): unknown[] {
  let result = [...current];
  for (const item of patch) {
    if (!isJsonObject(item)) throw badRequest(`${path}: the items of this list are objects with the field ${key}`);
    const directive = item['$patch'];
    if (directive === 'replace') return patch.filter((other) => other !== item).map(copy);
    const same = (other: unknown): boolean => isJsonObject(other) && sameJson(other[key], item[key]);
    if (item[key] === undefined) throw badRequest(`${path}: map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    if (directive === 'delete') result = result.filter((other) => !same(other));
    else if (result.some(same)) result = result.map((other) => (same(other) ? strategicMerge(other, item, keys, `${path}[]`) : other));
    else result.push(strategicMerge({}, item, keys, `${path}[]`));
  }
  return result;
}

/** Puts the items in the order the patch names; items it does not name stay behind them. */
function order(list: unknown[], wanted: unknown[], key: string): unknown[] {
  const identity = (value: unknown): unknown => (key !== '' && isJsonObject(value) ? value[key] : value);
  const rank = (value: unknown): number => {
    const found = wanted.findIndex((other) => sameJson(identity(other), identity(value)));
    return found === -1 ? wanted.length : found;
  };
  return list.map((value, index) => ({ value, index })).sort((a, b) => rank(a.value) - rank(b.value) || a.index - b.index).map(({ value }) => value);
}

function mergeList(current: unknown, patch: unknown[], path: string, keys: MergeKeys): unknown {
  const key = ownMember(keys, path);
  const existing = Array.isArray(current) ? current : [];
  if (key === undefined) return copy(patch);
  return key === '' ? mergePrimitives(existing, patch) : mergeItems(existing, patch, key, path, keys);
}

/**
 * Kubernetes' strategic merge patch: a merge patch in which the lists of `keys` merge by key, with the directives
 * `$patch`, `$setElementOrder/<list>`, `$deleteFromPrimitiveList/<list>` and `$retainKeys`.
 */
export function strategicMerge(target: unknown, patch: unknown, keys: MergeKeys, path = ''): unknown {
  if (!isJsonObject(patch)) return copy(patch);
  const { $patch: directive, $retainKeys: retain, ...fields } = patch;
  if (directive === 'delete') return {};
  const result: JsonObject = isJsonObject(target) && directive !== 'replace' ? { ...target } : {};
  if (Array.isArray(retain)) {
    for (const key of Object.keys(result)) if (!retain.includes(key)) delete result[key];
  }
  const below = (key: string): string => (path === '' ? key : `${path}.${key}`);
  for (const [key, value] of Object.entries(fields)) {
    if (key.startsWith(SET_ORDER)) continue;
    if (key.startsWith(DELETE_PRIMITIVES)) {
      const name = key.slice(DELETE_PRIMITIVES.length);
      const list = result[name];
      if (Array.isArray(list) && Array.isArray(value)) result[name] = list.filter((item) => !value.includes(item));
    } else if (value === null) delete result[key];
    else if (Array.isArray(value)) result[key] = mergeList(result[key], value, below(key), keys);
    else result[key] = strategicMerge(result[key], value, keys, below(key));
  }
  for (const [key, wanted] of Object.entries(fields)) {
    const name = key.slice(SET_ORDER.length);
    const list = result[name];
    if (key.startsWith(SET_ORDER) && Array.isArray(wanted) && Array.isArray(list)) result[name] = order(list, wanted, ownMember(keys, below(name)) ?? '');
  }
  return result;
}
