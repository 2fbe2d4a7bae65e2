import type { KindRef, KubeObject, ObjectRef } from '../../src/api/object.ts';
import { ApiError, type Client } from '../../src/runtime/client.ts';

/** A client over a Map: what controllers write is there to be read, in the order it was written. */
export interface MemoryClient extends Client {
  /** Puts an object in as somebody else would; a name that is taken is replaced. */
  put<T extends KubeObject>(kind: KindRef, object: T): void;
  take(kind: KindRef, ref: ObjectRef): void;
  /** What is stored now. */
  read<T extends KubeObject>(kind: KindRef, ref: ObjectRef): T | undefined;
  /** Every request that would change something: `create LegalHold ns/name`. */
  readonly writes: readonly string[];
  /** Called before each request; what it throws is the answer. */
  refuse: (verb: string, kind: KindRef, ref: ObjectRef) => void;
}

/** As over the wire. A structured clone would come from another realm in tests, where it is no plain object. */
const copyOf = <T>(object: T): T => (object === undefined ? object : (JSON.parse(JSON.stringify(object)) as T));

export function apiError(status: number, reason: string, message = reason): ApiError {
  return new ApiError({ status, reason, message });
}

/** Only what effects at the API server ask for; anything else fails loudly. */
export function memoryClient(objects: readonly (readonly [KindRef, KubeObject])[] = []): MemoryClient {
  const stored = new Map<string, KubeObject>();
  const writes: string[] = [];
  let versions = 0;
  const keyOf = (kind: KindRef, ref: ObjectRef): string => `${kind.kind} ${ref.namespace ?? ''}/${ref.name}`;
  const refOf = (object: KubeObject): ObjectRef => ({ name: object.metadata.name, ...(object.metadata.namespace === undefined ? {} : { namespace: object.metadata.namespace }) });
  const keep = (kind: KindRef, object: KubeObject): KubeObject => {
    const next = copyOf({ ...object, metadata: { ...object.metadata, uid: object.metadata.uid ?? `uid-${object.metadata.name}`, generation: object.metadata.generation ?? 1, resourceVersion: String((versions += 1)) } });
    stored.set(keyOf(kind, refOf(object)), next);
    return copyOf(next);
  };
  const asked = (verb: string, kind: KindRef, ref: ObjectRef): void => {
    if (verb !== 'get' && verb !== 'list') writes.push(`${verb} ${keyOf(kind, ref)}`);
    client.refuse(verb, kind, ref);
  };
  const standing = (kind: KindRef, ref: ObjectRef, version: string | undefined): KubeObject => {
    const found = stored.get(keyOf(kind, ref));
    if (!found) throw apiError(404, 'NotFound');
    if (version !== undefined && version !== found.metadata.resourceVersion) throw apiError(409, 'Conflict');
    return found;
  };
  const known: Partial<Client> & Omit<MemoryClient, keyof Client> = {
    writes,
    refuse: () => {},
    put: (kind, object) => void keep(kind, object),
    take: (kind, ref) => void stored.delete(keyOf(kind, ref)),
    read: <T extends KubeObject>(kind: KindRef, ref: ObjectRef) => copyOf(stored.get(keyOf(kind, ref))) as T | undefined,
    async get<T extends KubeObject>(kind: KindRef, ref: ObjectRef) {
      asked('get', kind, ref);
      return copyOf(stored.get(keyOf(kind, ref))) as T | undefined;
    },
    async list<T extends KubeObject>(kind: KindRef, how: { namespace?: string | undefined; labelSelector?: string | undefined } = {}) {
      asked('list', kind, { name: '' });
      const [label, value] = how.labelSelector?.split('=') ?? [];
      return [...stored]
        .filter(([key, object]) => key.startsWith(`${kind.kind} ${how.namespace === undefined ? '' : `${how.namespace}/`}`) && (label === undefined || object.metadata.labels?.[label] === value))
        .map(([, object]) => copyOf(object) as T);
    },
    async create<T extends KubeObject>(kind: KindRef, object: T) {
      asked('create', kind, refOf(object));
      if (stored.has(keyOf(kind, refOf(object)))) throw apiError(409, 'AlreadyExists');
      return keep(kind, object) as T;
    },
    async replace<T extends KubeObject>(kind: KindRef, object: T) {
      asked('replace', kind, refOf(object));
      standing(kind, refOf(object), object.metadata.resourceVersion);
      return keep(kind, object) as T;
    },
    async replaceStatus<T extends KubeObject>(kind: KindRef, object: T) {
      asked('replaceStatus', kind, refOf(object));
      const found = standing(kind, refOf(object), object.metadata.resourceVersion);
      return keep(kind, { ...found, status: (object as { status?: unknown }).status } as KubeObject) as T;
    },
    async mergePatch<T extends KubeObject>(kind: KindRef, ref: ObjectRef, patch: object, how: { dryRun?: boolean | undefined } = {}) {
      asked(how.dryRun ? 'try' : 'patch', kind, ref);
      const { metadata, ...rest } = patch as Partial<KubeObject>;
      const found = standing(kind, ref, metadata?.resourceVersion);
      const next = { ...found, ...rest, metadata: { ...found.metadata, ...metadata } };
      return (how.dryRun ? next : keep(kind, next)) as T;
    },
    async delete(kind, ref, how = {}) {
      asked('delete', kind, ref);
      const found = stored.get(keyOf(kind, ref));
      if (found && how.uid !== undefined && how.uid !== found.metadata.uid) throw apiError(409, 'Conflict');
      stored.delete(keyOf(kind, ref));
    },
  };
  const client = known as MemoryClient;
  for (const [kind, object] of objects) keep(kind, object);
  return client;
}
