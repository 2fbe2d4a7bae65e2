import { isKeyed, itemKey } from './list-types.ts';
import { isRecord } from './structural.ts';
import type { StructuralSchema } from './structural.ts';

/** Words a field cannot be selected by in CEL; Kubernetes lets rules write `__namespace__` for them. */
const RESERVED = new Set([
  'true', 'false', 'null', 'in', 'as', 'break', 'const', 'continue', 'else', 'for', 'function', 'if', 'import', 'let',
  'loop', 'package', 'namespace', 'return', 'var', 'void', 'while',
]);

/** The name under which a CEL rule selects a declared field. */
export function celName(name: string): string {
  if (RESERVED.has(name)) return `__${name}__`;
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
}

/**
 * A value as the API server hands it to the rules of a CRD: integers, timestamps and doubles by the schema, fields by
 * their CEL name. Sets and list-maps are sorted, because there they compare equal in any order.
 * Lists and objects are built anew: the library knows them by their constructor, and a structured clone may carry the
 * one of another realm.
 */
export function toCelValue(value: unknown, schema: StructuralSchema): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return value;
    const order = isKeyed(schema) ? value.toSorted((a, b) => compare(itemKey(a, schema), itemKey(b, schema))) : value;
    return Array.from(order, (item) => toCelValue(item, items));
  }
  if (isRecord(value)) {
    const { additionalProperties } = schema;
    const entries = Object.entries(value).flatMap(([name, child]): [string, unknown][] => {
      if (additionalProperties !== undefined) return [[name, toCelValue(child, additionalProperties)]];
      const known = schema.properties?.[name];
      return known === undefined ? [] : [[celName(name), toCelValue(child, known)]];
    });
    return Object.fromEntries(entries);
  }
  if (schema.type === 'integer' && Number.isInteger(value)) return BigInt(value as number);
  if (isTime(schema) && typeof value === 'string') {
    const time = new Date(value);
    return Number.isNaN(time.getTime()) ? value : time;
  }
  return value;
}

/** A value as it is handed to an admission policy, which knows no schema: whole numbers are integers. */
export function toUntypedCelValue(value: unknown): unknown {
  if (Array.isArray(value)) return Array.from(value, toUntypedCelValue);
  if (isRecord(value)) return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, toUntypedCelValue(child)]));
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value;
}

/** Strings of these formats are timestamps in CEL. */
export function isTime(schema: StructuralSchema): boolean {
  return schema.format === 'date' || schema.format === 'date-time';
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
