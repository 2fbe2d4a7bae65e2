import { ownKind } from '../../src/api/kinds.ts';
import { loadApi } from '../../src/api/validation/load.ts';
import type { CustomResourceDefinition } from '../../src/api/validation/object-validator.ts';
import { childrenOf, isRecord } from '../../src/api/validation/structural.ts';
import type { StructuralSchema } from '../../src/api/validation/structural.ts';
import { CRDS, acceptedObjects } from './cases.ts';
import type { Manifest } from './cases.ts';

/** A schema somewhere in a CRD; `path` has `[]` for the entries of a list and `{}` for the values of a map. */
export interface SchemaNode {
  kind: string;
  path: string;
  schema: StructuralSchema;
}

/** Every schema of a CRD below the root, the root included as path ''. */
export function schemaNodes(crd: CustomResourceDefinition): SchemaNode[] {
  const { kind } = crd.spec.names;
  const walk = (schema: StructuralSchema, path: string): SchemaNode[] => [
    { kind, path, schema },
    ...childrenOf(schema).flatMap(([name, child]) => walk(child, joined(path, name))),
  ];
  return crd.spec.versions.flatMap(({ schema }) => walk(schema.openAPIV3Schema, ''));
}

export function rootSchema(crd: CustomResourceDefinition): StructuralSchema {
  const [version] = crd.spec.versions;
  if (version === undefined) throw new Error(`${crd.metadata.name} has no version`);
  return version.schema.openAPIV3Schema;
}

/** A value somewhere in an object, with the schema that governs it. */
export interface ValueNode {
  /** As the API server writes it. */
  path: string;
  /** As `SchemaNode.path`. */
  schemaPath: string;
  keys: (string | number)[];
  schema: StructuralSchema;
  value: unknown;
}

export function valueNodes(value: unknown, schema: StructuralSchema, at: Omit<ValueNode, 'schema' | 'value'> = { path: '', schemaPath: '', keys: [] }): ValueNode[] {
  const own: ValueNode = { ...at, schema, value };
  if (Array.isArray(value) && schema.items !== undefined) {
    const { items } = schema;
    return [
      own,
      ...value.flatMap((item, index) =>
        valueNodes(item, items, { path: `${at.path}[${index}]`, schemaPath: joined(at.schemaPath, '[]'), keys: [...at.keys, index] }),
      ),
    ];
  }
  if (!isRecord(value)) return [own];
  const children = Object.entries(value).flatMap(([name, child]) => {
    const known = schema.additionalProperties ?? schema.properties?.[name];
    if (known === undefined || (at.path === '' && name === 'metadata')) return [];
    const schemaPath = joined(at.schemaPath, schema.additionalProperties === undefined ? name : '{}');
    return valueNodes(child, known, { path: joined(at.path, name), schemaPath, keys: [...at.keys, name] });
  });
  return [own, ...children];
}

function joined(path: string, name: string): string {
  if (name === '[]' || name === '{}') return `${path}${name}`;
  return path === '' ? name : `${path}.${name}`;
}

/** A copy of `object` with another value at one place. */
export function withValue(object: Manifest, keys: readonly (string | number)[], value: unknown): Manifest {
  const copy = JSON.parse(JSON.stringify(object)) as Manifest;
  let parent: unknown = copy;
  for (const key of keys.slice(0, -1)) parent = (parent as Record<string | number, unknown>)[key];
  (parent as Record<string | number, unknown>)[keys.at(-1) ?? ''] = value;
  return copy;
}

/** A value of an accepted object, and the object it stands in. */
export interface ValueUse extends ValueNode {
  object: Manifest;
}

/** Every value of the accepted objects that the CRDs govern. */
export function valueUses(): ValueUse[] {
  const { crds } = loadApi(CRDS);
  return acceptedObjects().flatMap((object) => {
    const crd = crds.find((candidate) => candidate.spec.names.kind === ownKind(object.kind)?.kind);
    if (crd === undefined) throw new Error(`there is no CRD for ${object.kind}`);
    return valueNodes(object, rootSchema(crd)).map((node) => ({ ...node, object }));
  });
}
