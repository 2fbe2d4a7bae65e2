import { Ajv } from 'ajv';
import type { ErrorObject, ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { isRecord } from './structural.ts';
import type { StructuralSchema } from './structural.ts';
import type { FieldError, FieldErrorType } from './validator.ts';

/** Checks types, bounds, enums, patterns and required fields of a prepared object. */
export type SchemaCheck = (object: unknown) => FieldError[];

/**
 * The check of one schema. It is made when it is first asked: six kinds take a quarter of the start of a command, and
 * most meet only some of them. What could be wrong with the schema itself is for `assertSupported` to find before.
 */
export function compileSchema(schema: StructuralSchema): SchemaCheck {
  let check: ValidateFunction | undefined;
  return (object) => {
    check ??= compile(schema);
    return check(object) ? [] : firstOfEachText(check.errors ?? []).map(toFieldError);
  };
}

function compile(schema: StructuralSchema): ValidateFunction {
  // The schema's own form was checked keyword by keyword before; ajv's check of it would take most of the start. So would
  // its tidying of code that runs a few times.
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: false, ownProperties: true, meta: false, validateSchema: false, code: { optimize: false } });
  addFormats.default(ajv, ['date']);
  ajv.addFormat('date-time', isInstant);
  // The API server gives these two no check of their own beyond the type.
  ajv.addFormat('int32', true);
  ajv.addFormat('int64', true);
  return ajv.compile(toJsonSchema(schema) as object);
}

const INSTANT = /^(\d{4}-\d{2}-\d{2})[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:[.]\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** RFC 3339 as the API server reads it: no blank for the T, no offset without colon, no leap second. */
function isInstant(text: string): boolean {
  const [, day] = INSTANT.exec(text) ?? [];
  if (day === undefined) return false;
  const midnight = new Date(`${day}T00:00:00Z`);
  // A day that does not exist is carried into the next month.
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}

/** A text of the wrong length is not matched against its pattern as well: one fault, one error. */
function firstOfEachText(errors: readonly ErrorObject[]): ErrorObject[] {
  const isLength = (error: ErrorObject): boolean => error.keyword === 'minLength' || error.keyword === 'maxLength';
  const wrongLength = new Set(errors.filter(isLength).map(({ instancePath }) => instancePath));
  return errors.filter(({ keyword, instancePath }) => keyword !== 'pattern' || !wrongLength.has(instancePath));
}

/** Kubernetes' keywords are applied elsewhere, and defaults have been filled in before. */
function toJsonSchema(schema: StructuralSchema): unknown {
  const kept = Object.entries(schema).filter(([key]) => !key.startsWith('x-kubernetes-') && key !== 'default');
  const out: Record<string, unknown> = Object.fromEntries(kept);
  if (schema.items !== undefined) out.items = toJsonSchema(schema.items);
  if (schema.additionalProperties !== undefined) out.additionalProperties = toJsonSchema(schema.additionalProperties);
  if (schema.properties !== undefined) {
    const properties = Object.entries(schema.properties).map(([name, child]) => [name, toJsonSchema(child)] as const);
    out.properties = Object.fromEntries(properties);
  }
  return out;
}

/** One ajv error in the words of the API server. */
function toFieldError(error: ErrorObject): FieldError {
  const path = fieldPath(error.instancePath);
  const params = error.params as Record<string, unknown>;
  const value = error.data;
  const invalid = (rest: string): FieldError => make(path, `Invalid value: ${shown(value)}: ${path} in body ${rest}`, 'FieldValueInvalid');
  switch (error.keyword) {
    case 'required':
      return make(joined(path, String(params.missingProperty)), 'Required value', 'FieldValueRequired');
    case 'type': {
      const got = typeName(value);
      const message = `Invalid value: "${got}": ${path} in body must be of type ${String(params.type)}: "${got}"`;
      return make(path, message, 'FieldValueTypeInvalid');
    }
    case 'enum': {
      const allowed = (params.allowedValues as unknown[]).map((word) => JSON.stringify(word)).join(', ');
      return make(path, `Unsupported value: ${shown(value)}: supported values: ${allowed}`, 'FieldValueNotSupported');
    }
    case 'pattern':
      return invalid(`should match '${String(params.pattern)}'`);
    case 'format':
      return make(path, `Invalid value: ${shown(value)}: ${path} in body must be of type ${String(params.format)}: ${shown(value)}`, 'FieldValueTypeInvalid');
    case 'minimum':
      return invalid(`should be greater than or equal to ${String(params.limit)}`);
    case 'maximum':
      return invalid(`should be less than or equal to ${String(params.limit)}`);
    case 'minLength':
      return invalid(`should be at least ${String(params.limit)} chars long`);
    case 'maxLength':
      return make(path, `Too long: may not be more than ${String(params.limit)} bytes`, 'FieldValueTooLong');
    case 'minItems':
      return make(path, `Invalid value: ${sizeOf(value)}: ${path} in body should have at least ${String(params.limit)} items`, 'FieldValueInvalid');
    case 'minProperties':
      return make(path, `Invalid value: ${sizeOf(value)}: ${path} in body should have at least ${String(params.limit)} properties`, 'FieldValueInvalid');
    case 'maxItems':
    case 'maxProperties':
      return make(path, `Too many: ${sizeOf(value)}: must have at most ${String(params.limit)} items`, 'FieldValueTooMany');
    default:
      return invalid(error.message ?? `breaks ${error.keyword}`);
  }
}

const make = (path: string, message: string, type: FieldErrorType): FieldError => ({ path, message, type });

/** `/spec/collections/0/name` -> `spec.collections[0].name`. */
function fieldPath(pointer: string): string {
  const parts = pointer.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return parts.reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : joined(path, part)), '');
}

function joined(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return isRecord(value) ? Object.keys(value).length : 0;
}

function shown(value: unknown): string {
  return isRecord(value) || Array.isArray(value) ? `"${typeName(value)}"` : JSON.stringify(value);
}
