import { isRecord } from './structural.ts';
import type { StructuralSchema } from './structural.ts';
import type { FieldError } from './validator.ts';

/** Entries of a list-map or set that occur twice, anywhere in the value. */
export function duplicateErrors(value: unknown, schema: StructuralSchema, path = ''): FieldError[] {
  if (Array.isArray(value) && schema.items !== undefined) {
    const { items } = schema;
    return [...duplicatesOf(value, schema, path), ...value.flatMap((item, index) => duplicateErrors(item, items, `${path}[${index}]`))];
  }
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([name, child]) => {
    const known = schema.properties?.[name] ?? schema.additionalProperties;
    return known === undefined ? [] : duplicateErrors(child, known, path === '' ? name : `${path}.${name}`);
  });
}

function duplicatesOf(list: unknown[], schema: StructuralSchema, path: string): FieldError[] {
  if (!isKeyed(schema)) return [];
  const seen = new Set<string>();
  return list.flatMap((item, index) => {
    const key = itemKey(item, schema);
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [{ path: `${path}[${index}]`, message: `Duplicate value: ${key}`, type: 'FieldValueDuplicate' as const }];
  });
}

/** Whether entries of the list have an identity, so that its order carries no meaning. */
export function isKeyed(schema: StructuralSchema): boolean {
  return schema['x-kubernetes-list-type'] === 'map' || schema['x-kubernetes-list-type'] === 'set';
}

/** What tells the entries of a keyed list apart, as text: the key fields of a map's entry, a set's value itself. */
export function itemKey(item: unknown, schema: StructuralSchema): string {
  const keys = schema['x-kubernetes-list-map-keys'];
  if (keys === undefined || !isRecord(item)) return JSON.stringify(item);
  return JSON.stringify(Object.fromEntries(keys.map((key) => [key, item[key]])));
}
