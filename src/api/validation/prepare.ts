import { isRecord } from './structural.ts';
import type { StructuralSchema } from './structural.ts';

/** What the API server leaves alone at the root of an object: the schema does not speak about these. */
const ROOT_FIELDS = new Set(['apiVersion', 'kind', 'metadata']);

/**
 * A copy of `value` as the API server would store it: fields the schema does not know are gone, fields with a
 * default are filled in, and a null where null is not allowed counts as absent. `unknownFields` gets the path of
 * each field that was removed, as the API server writes it.
 */
export function pruneAndDefault(
  value: Record<string, unknown>,
  schema: StructuralSchema,
  unknownFields: string[],
): Record<string, unknown> {
  const own = Object.entries(value).filter(([name]) => ROOT_FIELDS.has(name));
  const rest = Object.entries(value).filter(([name]) => !ROOT_FIELDS.has(name));
  const properties = Object.entries(schema.properties ?? {}).filter(([name]) => !ROOT_FIELDS.has(name));
  const shaped = shape(Object.fromEntries(rest), { ...schema, properties: Object.fromEntries(properties) }, '', unknownFields);
  return { ...structuredClone(Object.fromEntries(own)), ...(shaped as Record<string, unknown>) };
}

function shape(value: unknown, schema: StructuralSchema, path: string, unknownFields: string[]): unknown {
  if (schema.type === 'array' && Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? value : value.map((item, index) => shape(item, items, `${path}[${index}]`, unknownFields));
  }
  if (schema.type !== 'object' || !isRecord(value)) return value;
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
  const out: Record<string, unknown> = {};
  for (const [name, child] of Object.entries(value)) {
    const known = schema.additionalProperties ?? ownProperty(schema, name);
    if (known === undefined) unknownFields.push(at(name));
    else if (child !== null || known.nullable === true) set(out, name, shape(child, known, at(name), unknownFields));
  }
  for (const [name, known] of Object.entries(schema.properties ?? {})) {
    if (known.default === undefined || Object.hasOwn(out, name)) continue;
    // A default may itself contain objects with defaults.
    set(out, name, shape(structuredClone(known.default), known, at(name), unknownFields));
  }
  return out;
}

/** A plain `properties[name]` would find `constructor` on every schema. */
function ownProperty(schema: StructuralSchema, name: string): StructuralSchema | undefined {
  return schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
}

/** Assigning to `__proto__` would change the prototype instead of setting the field. */
function set(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
}
