import type { CrdSource, Schema } from './crd.ts';

/** Writes a plain JSON Schema of one kind for editors and other validators; CEL rules do not fit in and are left out. */
export function jsonSchemaOf(crd: CrdSource): string {
  const schema = plain(crd.schema) as { properties: Record<string, object> };
  const properties = {
    ...schema.properties,
    apiVersion: { const: 'dataward.io/v1alpha1' },
    kind: { const: crd.kind },
    metadata: { type: 'object' },
  };
  const document = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $comment: `Generated from crds/${crd.file} by npm run generate. Edit the YAML, not this file.`,
    title: crd.kind,
    ...schema,
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
    properties,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Drops Kubernetes' own keywords and refuses unknown fields, which the API server would prune without a word. */
function plain(schema: Schema): unknown {
  const kept = Object.entries(schema).filter(([key]) => !key.startsWith('x-kubernetes-'));
  const out: Record<string, unknown> = Object.fromEntries(kept);
  if (schema.items !== undefined) out.items = plain(schema.items);
  if (schema.additionalProperties !== undefined) out.additionalProperties = plain(schema.additionalProperties);
  else if (schema.type === 'object') out.additionalProperties = false;
  if (schema.properties !== undefined) {
    const properties = Object.entries(schema.properties).map(([name, value]) => [name, plain(value)] as const);
    out.properties = Object.fromEntries(properties);
  }
  return out;
}
