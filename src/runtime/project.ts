import type { KubeObject } from '../api/object.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * The object without what no controller reads: managedFields and kubectl's copy of the whole object, which together are
 * two thirds of the memory a cache would take.
 */
export function dropBookkeeping<T extends KubeObject>(object: T): T {
  const bare = withoutManagedFields(object);
  const { annotations, ...metadata } = bare.metadata;
  if (annotations === undefined) return bare;
  const { [LAST_APPLIED]: _lastApplied, ...kept } = annotations;
  return { ...bare, metadata: { ...metadata, ...(Object.keys(kept).length === 0 ? {} : { annotations: kept }) } };
}

/** The object without the notes of the server on who set which field. Written back so, they stay as they are. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _managedFields, ...metadata } = object.metadata as KubeObject['metadata'] & { managedFields?: unknown };
  return { ...object, metadata };
}

/** Freezes a JSON value through and through, so that no reader of a shared object can change it for all others. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
