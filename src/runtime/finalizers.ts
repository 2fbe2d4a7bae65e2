import type { KindRef, KubeObject, ObjectRef } from '../api/object.ts';
import { isConflict, isNotFound } from './api-error.ts';
import type { Client } from './client.ts';

/** The client methods finalizers need. */
export type FinalizerClient = Pick<Client, 'get' | 'mergePatch'>;

const MAX_CONFLICTS = 10;

/**
 * Puts the finalizer on the object, before the first effect outside, or a delete could slip through between the two.
 * Resolves with the object as stored, or undefined when it is gone, is another one of that name by now, or is being
 * deleted, when the API server takes no new finalizer: then there is nothing to begin.
 */
export async function ensureFinalizer<T extends KubeObject>(client: FinalizerClient, kind: KindRef, object: T, finalizer: string): Promise<T | undefined> {
  return change(client, kind, object, (current) => {
    if (current.metadata.deletionTimestamp !== undefined) return 'stop';
    const held = current.metadata.finalizers ?? [];
    return held.includes(finalizer) ? undefined : [...held, finalizer];
  });
}

/**
 * Takes the finalizer off, which lets the deletion go on. Done already, and an object that is gone, are fine.
 * Resolves with the object as stored, or undefined when it is gone.
 */
export async function removeFinalizer<T extends KubeObject>(client: FinalizerClient, kind: KindRef, object: T, finalizer: string): Promise<T | undefined> {
  return change(client, kind, object, (current) => {
    const held = current.metadata.finalizers ?? [];
    return held.includes(finalizer) ? held.filter((entry) => entry !== finalizer) : undefined;
  });
}

/** Applies `next` to the list of finalizers; undefined leaves it as it is. */
async function change<T extends KubeObject>(client: FinalizerClient, kind: KindRef, object: T, next: (current: T) => string[] | 'stop' | undefined): Promise<T | undefined> {
  const { namespace, name, uid } = object.metadata;
  const ref: ObjectRef = namespace === undefined ? { name } : { namespace, name };
  let current: T | undefined = object;
  for (let attempt = 0; ; attempt += 1) {
    if (current === undefined || current.metadata.uid !== uid) return undefined;
    const finalizers = next(current);
    if (finalizers === 'stop') return undefined;
    if (finalizers === undefined) return current;
    try {
      // A merge patch replaces the whole list, so without the resourceVersion another controller's finalizer could be lost.
      const { resourceVersion } = current.metadata;
      return await client.mergePatch<T>(kind, ref, { metadata: { finalizers, resourceVersion } });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (!isConflict(error) || attempt + 1 >= MAX_CONFLICTS) throw error;
      current = await client.get<T>(kind, ref);
    }
  }
}
