import { createHash } from 'node:crypto';
import { OBJECT_META, OBJECT_META_NAME } from './core-schemas.ts';
import { KUBERNETES_VERSION, servedVersions } from './discovery.ts';
import type { KindRegistry, ServedKind } from './kinds.ts';

/** `apis/dataward.io/v1alpha1`, or `api/v1` for the core group. */
function pathOf(group: string, version: string): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`;
}

function schemaName({ ref }: ServedKind): string {
  const group = ref.group === '' ? 'core' : ref.group;
  return `${group.split('.').reverse().join('.')}.${ref.version}.${ref.kind}`;
}

const QUERY = ['dryRun', 'fieldManager', 'fieldValidation', 'force', 'pretty'];

function schemaOf(kind: ServedKind): object {
  const { group, version, kind: name } = kind.ref;
  const properties: Record<string, object> = { ...kind.schema.properties };
  properties['metadata'] = { description: OBJECT_META.description, allOf: [{ $ref: `#/components/schemas/${OBJECT_META_NAME}` }] };
  return { ...kind.schema, properties, 'x-kubernetes-group-version-kind': [{ group, version, kind: name }] };
}

/** kubectl reads from the PATCH operation whether the server knows fieldValidation and dryRun. */
function paths(kind: ServedKind): [string, object][] {
  const { group, version, plural, kind: name, namespaced } = kind.ref;
  const gvk = { group, version, kind: name };
  const reference = { $ref: `#/components/schemas/${schemaName(kind)}` };
  const content = { 'application/json': { schema: reference } };
  const operation = (action: string): object => ({
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk,
    parameters: QUERY.map((parameter) => ({ name: parameter, in: 'query', schema: { type: 'string' } })),
    responses: { 200: { description: 'OK', content } },
  });
  const collection = `/${pathOf(group, version)}/${namespaced ? 'namespaces/{namespace}/' : ''}${plural}`;
  const read = { get: operation('get') };
  const list = { get: operation('list') };
  if (!kind.writable) return [[collection, list], [`${collection}/{name}`, read]];
  return [
    [collection, { ...list, post: operation('post') }],
    [`${collection}/{name}`, { ...read, put: operation('put'), patch: operation('patch'), delete: operation('delete') }],
  ];
}

/** The OpenAPI v3 documents by path below /openapi/v3/: one for each group and version. */
export function openApiDocuments(kinds: KindRegistry): Map<string, object> {
  return new Map(servedVersions(kinds).map(({ group, version }) => {
    const served = kinds.all.filter(({ ref }) => ref.group === group && ref.version === version);
    const document = {
      openapi: '3.0.0',
      info: { title: 'Kubernetes', version: KUBERNETES_VERSION.gitVersion },
      paths: Object.fromEntries(served.flatMap(paths)),
      components: {
        schemas: { [OBJECT_META_NAME]: OBJECT_META, ...Object.fromEntries(served.map((kind) => [schemaName(kind), schemaOf(kind)])) },
      },
    };
    return [pathOf(group, version), document] as const;
  }));
}

/** What GET /openapi/v3 answers: where each document lies, with its digest so that clients may cache it. */
export function openApiIndex(documents: ReadonlyMap<string, object>): object {
  const entries = [...documents].map(([path, document]) => {
    const hash = createHash('sha256').update(JSON.stringify(document)).digest('hex').toUpperCase();
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }] as const;
  });
  return { paths: Object.fromEntries(entries) };
}
