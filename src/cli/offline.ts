import type { KubeObject, KindRef, ObjectRef } from '../api/object.ts';
import { apiVersionOf } from '../api/kinds.ts';
import { loadApi } from '../api/validation/load.ts';
import type { Client, ListOptions } from '../runtime/client.ts';
import { CliError, type CliContext } from './context.ts';
import { readManifests } from './files.ts';
import { KINDS_BY_NAME } from './kinds.ts';
import { allFindings, sentence } from './validate.ts';

/** The reading half of a client, over files: what is declared in a folder, as if it had been applied. */
export type DeclaredObjects = Pick<Client, 'get' | 'list'>;

/**
 * Reads a folder as the API server would take it, with defaults filled in. Throws `CliError` when any object is
 * invalid: a plan of half a declaration would be a plan of something else.
 */
export async function declaredObjects(context: CliContext, from: string, rootNamespace?: string): Promise<DeclaredObjects> {
  const manifests = await readManifests(from);
  const { validator } = loadApi(context.paths.crds, rootNamespace);
  // An unknown field too: whoever mistyped one would be shown the plan of a rule without it.
  const problems = allFindings(manifests, validator).map((finding) => sentence(finding));
  if (problems.length > 0) throw new CliError(`${problems.slice(0, 10).join('\n')}\n${problems.length} findings; \`dataward validate -f ${from}\` lists them all`);
  const taken = new Map<string, KubeObject>();
  for (const { object } of manifests.objects) {
    const kind = KINDS_BY_NAME.get(`${object.apiVersion}/${object.kind}`);
    taken.set(keyOf(object.apiVersion, object.kind, object.metadata), asStored(kind ? validator.prepare(kind, object).object : object));
  }
  return over(taken);
}

function over(objects: ReadonlyMap<string, KubeObject>): DeclaredObjects {
  return {
    get: async <T extends KubeObject>(kind: KindRef, ref: ObjectRef) => objects.get(keyOf(apiVersionOf(kind), kind.kind, ref)) as T | undefined,
    list: async <T extends KubeObject>(kind: KindRef, options: ListOptions = {}) =>
      [...objects.values()].filter((object) => object.kind === kind.kind && object.apiVersion === apiVersionOf(kind) && (options.namespace === undefined || object.metadata.namespace === options.namespace)) as T[],
  };
}

/** What the API server would add and the planner relies on. The uid is the name, so nothing was ever approved under it. */
function asStored(object: KubeObject): KubeObject {
  const { stringData, ...rest } = object as KubeObject & { stringData?: Record<string, string>; data?: Record<string, string> };
  const encoded = Object.fromEntries(Object.entries(stringData ?? {}).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));
  const labels = object.kind === 'Namespace' ? { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name } : object.metadata.labels;
  return {
    ...rest,
    ...(stringData ? { data: { ...rest.data, ...encoded } } : {}),
    metadata: { uid: `offline:${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`, generation: 1, ...object.metadata, ...(labels ? { labels } : {}) },
  } as KubeObject;
}

const keyOf = (apiVersion: string, kind: string, ref: ObjectRef): string => `${apiVersion}/${kind}/${ref.namespace ?? ''}/${ref.name}`;
