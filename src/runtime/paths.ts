import type { KindRef } from '../api/object.ts';

/**
 * The URL path of a kind's collection, an object, or one of its subresources.
 * A namespaced kind without `namespace` means all namespaces, which only lists and watches may ask for.
 * Names are refused, not only escaped, when they could change the path: an object name is never `..` or has a slash.
 */
export function resourcePath(kind: KindRef, where: { namespace?: string | undefined; name?: string | undefined; subresource?: string | undefined }): string {
  if (kind.namespaced && where.name !== undefined && (where.namespace === undefined || where.namespace === '')) {
    throw new RangeError(`${kind.kind} ${where.name} needs a namespace`);
  }
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${segment(kind.group)}/${segment(kind.version)}`;
  const namespace = kind.namespaced && where.namespace !== undefined && where.namespace !== '' ? `/namespaces/${segment(where.namespace)}` : '';
  const name = where.name === undefined ? '' : `/${segment(where.name)}`;
  const subresource = where.subresource === undefined ? '' : `/${segment(where.subresource)}`;
  return `${root}${namespace}/${segment(kind.plural)}${name}${subresource}`;
}

/** `?a=b` of the entries that have a value; '' when none has. */
export function queryString(entries: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(entries)) {
    if (value !== undefined && value !== '' && value !== false) query.set(name, String(value));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

/** `dataward.io/v1alpha1`, or `v1` for the core group. */
export function apiVersionOf(kind: KindRef): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

function segment(text: string): string {
  if (text === '' || text === '.' || text === '..' || text.includes('/') || text.includes('%')) {
    throw new RangeError(`"${text}" cannot be part of an API path`);
  }
  return encodeURIComponent(text);
}
