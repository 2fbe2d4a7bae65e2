import { badRequest, notAcceptable } from './errors.ts';
import type { ServedKind } from './kinds.ts';
import { listBody } from './list.ts';
import type { ListResult } from './list.ts';
import type { StoredObject } from './object.ts';
import { partialMetadata, toTable } from './table.ts';
import type { IncludeObject } from './table.ts';

/** In which form a client wants objects. */
export interface Representation {
  form: 'Object' | 'Table' | 'PartialObjectMetadata';
  include: IncludeObject;
}

function parseInclude(query: URLSearchParams): IncludeObject {
  const include = query.get('includeObject') ?? 'Metadata';
  if (include === 'None' || include === 'Metadata' || include === 'Object') return include;
  throw badRequest(`includeObject "${include}" is not one of None, Metadata, Object`);
}

/** Picks the first form of the Accept header that this server has. Throws 406 when there is none: it speaks JSON only. */
export function negotiate(accept: string | undefined, query: URLSearchParams): Representation {
  for (const range of (accept ?? '*/*').split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim());
    if (type !== 'application/json' && type !== '*/*' && type !== 'application/*') continue;
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3);
    const version = parameters.find((parameter) => parameter.startsWith('v='))?.slice(2);
    if (as === undefined) return { form: 'Object', include: 'Object' };
    if (version !== 'v1') continue;
    if (as === 'Table') return { form: 'Table', include: parseInclude(query) };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { form: 'PartialObjectMetadata', include: 'Metadata' };
  }
  throw notAcceptable();
}

/** One object in the wanted form; `object` is in the form of the kind's version. */
export function representObject(kind: ServedKind, object: StoredObject, { form, include }: Representation, now: number): object {
  if (form === 'PartialObjectMetadata') return partialMetadata(object);
  if (form === 'Table') return tableOf(kind, [object], object.metadata, include, now);
  return object;
}

export function representList(kind: ServedKind, list: ListResult, { form, include }: Representation, now: number): object {
  if (form === 'Table') return tableOf(kind, list.items, list.metadata, include, now);
  if (form === 'Object') return listBody(kind, list);
  return { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata: list.metadata, items: list.items.map(partialMetadata) };
}

function tableOf(kind: ServedKind, objects: readonly StoredObject[], metadata: unknown, include: IncludeObject, now: number): object {
  // Columns read the stored form; for a kind with two forms (events) the rows are therefore made from that one.
  const stored = objects.map(kind.toStored);
  return toTable(kind.columns, stored, metadata, include, now);
}
