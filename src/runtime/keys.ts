import type { ObjectRef } from '../api/object.ts';

/** `shop/orders`, or `/orders` for a cluster-scoped object: the key of queues and caches. Names never hold a slash. */
export function keyOf(ref: ObjectRef): string {
  return `${ref.namespace ?? ''}/${ref.name}`;
}

/** The reference a key was made from. */
export function refOfKey(key: string): ObjectRef {
  const slash = key.indexOf('/');
  const name = key.slice(slash + 1);
  return slash <= 0 ? { name } : { namespace: key.slice(0, slash), name };
}
