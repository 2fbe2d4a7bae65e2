import type { KindRef, KubeObject } from '../object.ts';
import { compileAdmission } from './admission.ts';
import { compileRules } from './cel-rules.ts';
import type { RuleCheck } from './cel-rules.ts';
import { duplicateErrors } from './list-types.ts';
import { pruneAndDefault } from './prepare.ts';
import { compileSchema } from './schema-errors.ts';
import type { SchemaCheck } from './schema-errors.ts';
import { assertSupported } from './structural.ts';
import type { StructuralSchema } from './structural.ts';
import type { FieldError, FieldErrorType, ObjectValidator } from './validator.ts';

/** The parts of a CustomResourceDefinition that decide about its objects. */
export interface CustomResourceDefinition {
  apiVersion: 'apiextensions.k8s.io/v1';
  kind: 'CustomResourceDefinition';
  metadata: { name: string };
  spec: {
    group: string;
    names: { kind: string; plural: string };
    versions: { name: string; schema: { openAPIV3Schema: StructuralSchema } }[];
  };
}

interface CompiledKind {
  schema: StructuralSchema;
  checkSchema: SchemaCheck;
  checkRules: RuleCheck;
}

/** Where one of these is found, the API server does not run the CEL rules: they would meet values of a wrong shape. */
const BLOCKING: ReadonlySet<FieldErrorType> = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

const UNCHECKED: FieldError = {
  path: '<nil>',
  message: 'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
  type: 'FieldValueInvalid',
};

/**
 * Compiles CRDs and admission policies, each expression once.
 * Throws, naming file part and expression, when anything in them cannot be applied: what is not understood must
 * never pass.
 */
export function createObjectValidator(crds: readonly CustomResourceDefinition[], admission: readonly unknown[]): ObjectValidator {
  const kinds = new Map<string, CompiledKind>();
  for (const { spec } of crds) {
    for (const version of spec.versions) {
      const key = kindKey({ group: spec.group, version: version.name, kind: spec.names.kind });
      kinds.set(key, compileKind(version.schema.openAPIV3Schema, spec.names.kind));
    }
  }
  return {
    prepare(kind, object) {
      const compiled = kinds.get(kindKey(kind));
      if (compiled === undefined) return { object: structuredClone(object), unknownFields: [] };
      const unknownFields: string[] = [];
      const prepared = pruneAndDefault({ ...object }, compiled.schema, unknownFields);
      return { object: prepared as unknown as KubeObject, unknownFields };
    },
    validate(kind, object, old) {
      const compiled = kinds.get(kindKey(kind));
      if (compiled === undefined) return [];
      const errors = [...compiled.checkSchema(object), ...duplicateErrors(object, compiled.schema)];
      if (errors.some((error) => BLOCKING.has(error.type))) return [...errors, UNCHECKED];
      return [...errors, ...compiled.checkRules(object, old)];
    },
    admit: compileAdmission(admission),
  };
}

function compileKind(schema: StructuralSchema, name: string): CompiledKind {
  assertSupported(schema, name);
  try {
    return { schema, checkSchema: compileSchema(schema), checkRules: compileRules(schema) };
  } catch (error) {
    throw new Error(`the schema of ${name} cannot be used`, { cause: error });
  }
}

function kindKey(kind: Pick<KindRef, 'group' | 'version' | 'kind'>): string {
  return `${kind.group}/${kind.version}/${kind.kind}`;
}
