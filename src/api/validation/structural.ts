/** One CEL rule as a CRD carries it. */
export interface ValidationRule {
  rule: string;
  message?: string;
  messageExpression?: string;
  fieldPath?: string;
  reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate';
  optionalOldSelf?: boolean;
}

/** A structural schema: the part of OpenAPI v3 that CRDs of this project use. */
export interface StructuralSchema {
  type: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  title?: string;
  description?: string;
  format?: string;
  enum?: unknown[];
  pattern?: string;
  default?: unknown;
  nullable?: boolean;
  required?: string[];
  properties?: Record<string, StructuralSchema>;
  additionalProperties?: StructuralSchema;
  items?: StructuralSchema;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: ValidationRule[];
}

const SUPPORTED = new Set([
  'type',
  'title',
  'description',
  'format',
  'enum',
  'pattern',
  'default',
  'nullable',
  'required',
  'properties',
  'additionalProperties',
  'items',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
]);

/** The two numeric ones say nothing beyond the type. */
const FORMATS = new Set(['date', 'date-time', 'int32', 'int64']);

/**
 * Throws for a keyword, format or pattern this validator does not apply: overlooking one would let an object pass here that the API
 * server refuses. `path` names the place in the CRD for the message.
 */
export function assertSupported(schema: StructuralSchema, path: string): void {
  const unknown = Object.keys(schema).filter((key) => !SUPPORTED.has(key));
  if (unknown.length > 0) {
    throw new Error(`${path}: the schema keyword ${unknown.join(', ')} is not understood here; use another one`);
  }
  if (schema.format !== undefined && !FORMATS.has(schema.format)) {
    throw new Error(`${path}: the format ${schema.format} is not understood here; write a pattern instead`);
  }
  if (schema.pattern !== undefined && !isPattern(schema.pattern)) {
    throw new Error(`${path}: the pattern ${schema.pattern} is not a regular expression; correct it`);
  }
  for (const [name, child] of childrenOf(schema)) assertSupported(child, `${path}.${name}`);
}

function isPattern(text: string): boolean {
  try {
    // With the flag the check runs it with.
    RegExp(text, 'u');
    return true;
  } catch {
    return false;
  }
}

/** The schemas directly below, with the name of the property, `[]` for items and `{}` for map values. */
export function childrenOf(schema: StructuralSchema): [string, StructuralSchema][] {
  const children: [string, StructuralSchema][] = Object.entries(schema.properties ?? {});
  if (schema.items !== undefined) children.push(['[]', schema.items]);
  if (schema.additionalProperties !== undefined) children.push(['{}', schema.additionalProperties]);
  return children;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
