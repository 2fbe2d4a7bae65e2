import { compile } from 'json-schema-to-typescript';
import type { JSONSchema } from 'json-schema-to-typescript';
import type { CrdSource, Schema } from './crd.ts';

const HEADER = (file: string): string =>
  `/* Generated from crds/${file} by \`npm run generate\`. Edit the YAML, not this file. */\n`;

/**
 * Writes the TypeScript types of one kind, as an object looks once the API server has stored it: a field with a
 * default is therefore not optional.
 */
export async function typesOf(crd: CrdSource): Promise<string> {
  const root = {
    title: crd.kind,
    description: crd.schema.description,
    type: 'object',
    required: ['apiVersion', 'kind', 'spec'],
    properties: {
      apiVersion: { const: 'dataward.io/v1alpha1' },
      kind: { const: crd.kind },
      ...typeSchemas(crd.schema.properties),
    },
  };
  const body = await compile(root as JSONSchema, crd.kind, {
    additionalProperties: false,
    bannerComment: '',
    ignoreMinAndMaxItems: true,
    format: true,
    style: { singleQuote: true, printWidth: 120 },
  });
  const declared = body.replace(`export interface ${crd.kind} {`, `export interface ${crd.kind} extends KubeObject {`);
  return `${HEADER(crd.file)}import type { Condition, KubeObject } from '../object.ts';\n\n${declared}`;
}

function typeSchemas(root: { spec: Schema; status: Schema }): { spec: unknown; status: unknown } {
  const seen = new Map<string, string>();
  return { spec: typeSchema(root.spec, seen), status: typeSchema(root.status, seen) };
}

/** Keeps what has a meaning in TypeScript, and names a shape that occurs twice only once. */
function typeSchema(schema: Schema, seen: Map<string, string>): Record<string, unknown> {
  const { title, description } = schema;
  if (title === 'Condition') return { tsType: 'Condition' };
  if (title !== undefined) {
    const shape = JSON.stringify(shapeOf(schema));
    const before = seen.get(title);
    if (before === shape) return { description, tsType: title };
    if (before !== undefined) throw new Error(`two different shapes are titled ${title}: give one another title`);
    seen.set(title, shape);
  }
  const out: Record<string, unknown> = { ...(title !== undefined && { title }), description, type: schema.type };
  if (schema.enum !== undefined) out.enum = schema.enum;
  if (schema.items !== undefined) out.items = typeSchema(schema.items, seen);
  if (schema.additionalProperties !== undefined) {
    out.additionalProperties = typeSchema(schema.additionalProperties, seen);
  } else if (schema.type === 'object') {
    const properties = Object.entries(schema.properties ?? {});
    out.properties = Object.fromEntries(properties.map(([name, value]) => [name, typeSchema(value, seen)]));
    const defaulted = properties.filter(([, value]) => value.default !== undefined).map(([name]) => name);
    out.required = [...(schema.required ?? []), ...defaulted];
  }
  return out;
}

/** The schema without descriptions and validation: what decides about the TypeScript type. */
function shapeOf(schema: Schema): unknown {
  const properties = Object.entries(schema.properties ?? {});
  return {
    type: schema.type,
    enum: schema.enum,
    items: schema.items && shapeOf(schema.items),
    values: schema.additionalProperties && shapeOf(schema.additionalProperties),
    required: schema.required,
    properties: properties.map(([name, value]) => [name, value.default !== undefined, shapeOf(value)]),
  };
}
