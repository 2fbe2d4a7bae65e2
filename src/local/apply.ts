import { copy, isJsonObject, memberObject, sameJson } from './object.ts';
import type { JsonObject, StoredObject } from './object.ts';

/** kubectl keeps what it applied last under this name; the directory source does the same, so both can take turns. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * The current object with the declared fields in place: what was declared before and no longer is goes away, what
 * somebody else wrote stays (an approval, a finalizer, a label of a controller). Lists count as one value.
 */
export function threeWayMerge(before: JsonObject, declared: JsonObject, current: JsonObject): JsonObject {
  const result = { ...current };
  for (const key of Object.keys(before)) if (!Object.hasOwn(declared, key)) delete result[key];
  for (const [key, value] of Object.entries(declared)) {
    const existing = result[key];
    result[key] = isJsonObject(value) && isJsonObject(existing) ? threeWayMerge(memberObject(before, key), value, existing) : copy(value);
  }
  return result;
}

/** Secrets are compared as they are stored, so plain text becomes base64 first. */
function asStored(manifest: StoredObject): StoredObject {
  if (manifest.kind !== 'Secret' || manifest.apiVersion !== 'v1' || !isJsonObject(manifest['stringData'])) return manifest;
  const { stringData, ...rest } = manifest;
  const encoded = Object.entries(stringData).map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')]);
  return { ...rest, data: { ...memberObject(manifest, 'data'), ...Object.fromEntries(encoded) } } as StoredObject;
}

/** What is remembered of the declaration. Of a Secret only the keys: its values must not lie in an annotation. */
function remembered(manifest: StoredObject): string {
  if (manifest.kind !== 'Secret') return `${JSON.stringify(manifest)}\n`;
  const keys = Object.keys(memberObject(manifest, 'data')).map((key) => [key, '']);
  return `${JSON.stringify({ ...manifest, ...(keys.length > 0 && { data: Object.fromEntries(keys) }) })}\n`;
}

function lastApplied(current: StoredObject): JsonObject {
  try {
    const value: unknown = JSON.parse(current.metadata.annotations?.[LAST_APPLIED] ?? '{}');
    return isJsonObject(value) ? value : {};
  } catch {
    // Without a readable memory nothing is taken away: the safe side.
    return {};
  }
}

function annotated(object: StoredObject, memory: string): StoredObject {
  const annotations = { ...object.metadata.annotations, [LAST_APPLIED]: memory };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** The object to create for a manifest. Status is not the author's to write. */
export function toCreate(manifest: StoredObject): StoredObject {
  const { status: _status, ...declared } = asStored(manifest);
  return annotated(declared as StoredObject, remembered(declared as StoredObject));
}

/** The object to store in place of `current`, or undefined when it already says what the manifest says. */
export function toReplace(manifest: StoredObject, current: StoredObject): StoredObject | undefined {
  const { status: _status, ...declared } = asStored(manifest);
  const merged = threeWayMerge(lastApplied(current), declared, current);
  const { metadata } = current;
  // A memory of identity or status in the annotation must never take those away.
  const whole = { ...merged, ...('status' in current && { status: current['status'] }) } as StoredObject;
  const kept = { uid: metadata.uid, resourceVersion: metadata.resourceVersion, namespace: metadata.namespace, name: metadata.name };
  const identity = Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
  const next = annotated({ ...whole, metadata: { ...whole.metadata, ...identity } as StoredObject['metadata'] }, remembered(declared as StoredObject));
  const withoutMemory = (object: StoredObject): StoredObject => annotated(object, '');
  return sameJson(withoutMemory(next), withoutMemory(current)) ? undefined : next;
}
