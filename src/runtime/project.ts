import type { KubeObject } from '../api/object.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * The object without what no controller reads: managedFields and kubectl's copy of the whole object, which together are
 * two thirds of the memory a cache would take.
 */
export function dropBookkeeping<T extends KubeObject>(object: T): T {
  const { managedFields: _managedFields, annotations, ...metadata } = object.metadata as KubeObject['metadata'] & { managedFields?: unknown };
  if (annotations === undefined) return { ...object, metadata };
  const { [LAST_APPLIED]: _lastApplied, ...kept } = annotations;
  return { ...object, metadata: { ...metadata, ...(Object.keys(kept).length === 0 ? {} : { annotations: kept }) } };
}

/** Freezes a JSON value through and through, so that no reader of a shared object can change it for all others. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
