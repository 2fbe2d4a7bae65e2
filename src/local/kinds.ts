import type { KindRef } from '../api/object.ts';
import type { FieldError } from '../api/validation/validator.ts';
import type { StoredObject } from './object.ts';
import type { Schema } from './schema.ts';
import type { MergeKeys } from './strategic.ts';
import type { Column } from './table.ts';

/** Everything the server needs to know about one kind in one version. */
export interface ServedKind {
  ref: KindRef;
  singular: string;
  listKind: string;
  shortNames: readonly string[];
  categories: readonly string[];
  /** False: the objects are loaded at start and answer 405 to a write. */
  writable: boolean;
  /** True: /status is a write of its own and the main path leaves status alone. */
  hasStatus: boolean;
  /** True: metadata.generation counts changes outside metadata and status. */
  hasGeneration: boolean;
  /** Own rules in src/api decide (CRDs); otherwise `checks` and `schema` here do. */
  custom: boolean;
  /** PUT without resourceVersion overwrites. */
  unconditionalUpdate: boolean;
  /** PUT of a missing object creates it. */
  createOnUpdate: boolean;
  columns: readonly Column[];
  schema: Schema;
  /** Lists that a strategic merge patch merges; undefined: the kind refuses that patch type with 415. */
  mergeKeys: MergeKeys | undefined;
  /** Where the objects lie in the store; two kinds may be views of one collection. */
  collection: string;
  toStored: (object: StoredObject) => StoredObject;
  fromStored: (object: StoredObject) => StoredObject;
  /** Fields a field selector may name, beyond metadata.name and metadata.namespace. */
  selectableFields: readonly string[];
  /** Their values; of a stored object. */
  fieldsOf: (object: StoredObject) => Record<string, string>;
  /** Fills what the server fills in this kind. Returns a new object. */
  complete: (object: StoredObject) => StoredObject;
  /** Rules of this kind beyond its schema. `old` is the stored object on update. */
  check: (object: StoredObject, old: StoredObject | undefined) => FieldError[];
  /** How names are formed: a DNS subdomain unless the kind is stricter. */
  nameRule: 'subdomain' | 'label';
}

export const READ_VERBS = ['get', 'list', 'watch'] as const;
export const WRITE_VERBS = ['create', 'delete', 'deletecollection', 'patch', 'update'] as const;

/** What most kinds have in common; a kind states only where it differs. */
export function servedKind(
  kind: Pick<ServedKind, 'ref' | 'columns' | 'schema'> & Partial<ServedKind>,
): ServedKind {
  const { ref } = kind;
  const unchanged = (object: StoredObject): StoredObject => object;
  return {
    singular: ref.kind.toLowerCase(),
    listKind: `${ref.kind}List`,
    shortNames: [],
    categories: [],
    writable: true,
    hasStatus: false,
    hasGeneration: false,
    custom: false,
    unconditionalUpdate: true,
    createOnUpdate: false,
    mergeKeys: undefined,
    collection: ref.group === '' ? ref.plural : `${ref.plural}.${ref.group}`,
    toStored: unchanged,
    fromStored: unchanged,
    selectableFields: [],
    fieldsOf: () => ({}),
    complete: unchanged,
    check: () => [],
    nameRule: 'subdomain',
    ...kind,
  };
}

export function apiVersionOf(ref: KindRef): string {
  return ref.group === '' ? ref.version : `${ref.group}/${ref.version}`;
}

/** The kinds by the way a URL names them. */
export interface KindRegistry {
  all: readonly ServedKind[];
  find(group: string, version: string, plural: string): ServedKind | undefined;
  /** A kind whose objects lie in this collection. */
  ofCollection(collection: string): ServedKind | undefined;
}

/** Throws when two kinds claim one path. */
export function kindRegistry(kinds: readonly ServedKind[]): KindRegistry {
  const byPath = new Map<string, ServedKind>();
  const byCollection = new Map<string, ServedKind>();
  for (const kind of kinds) {
    const path = `${apiVersionOf(kind.ref)}/${kind.ref.plural}`;
    if (byPath.has(path)) throw new Error(`${path} is defined twice; remove one of the definitions`);
    byPath.set(path, kind);
    if (!byCollection.has(kind.collection)) byCollection.set(kind.collection, kind);
  }
  return {
    all: kinds,
    find: (group, version, plural) => byPath.get(`${group === '' ? version : `${group}/${version}`}/${plural}`),
    ofCollection: (collection) => byCollection.get(collection),
  };
}
