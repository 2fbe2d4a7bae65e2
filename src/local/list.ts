import { StatusError, badRequest, expired, invalid } from './errors.ts';
import type { ServedKind } from './kinds.ts';
import { apiVersionOf } from './kinds.ts';
import { isJsonObject } from './object.ts';
import type { StoredObject } from './object.ts';
import { parseFieldSelector, parseLabelSelector } from './selectors.ts';
import type { Matcher } from './selectors.ts';
import type { Store } from './store.ts';

/** Where a paged list goes on: which state of the collection, and after which object. */
interface Position {
  revision: number;
  after: string;
}

function encodePosition(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

function decodePosition(token: string): Position {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (isJsonObject(value) && Number.isSafeInteger(value['revision']) && typeof value['after'] === 'string') {
      return { revision: value['revision'] as number, after: value['after'] };
    }
  } catch {
    // Falls through to the same answer as any other unreadable token.
  }
  throw badRequest('continue key is not valid: it must be the value of metadata.continue of the previous page');
}

function positionKey(object: StoredObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

const LIST_OPTIONS = { group: 'meta.k8s.io', version: 'v1', plural: 'listoptions', kind: 'ListOptions', namespaced: false };

function refuseOption(path: string, message: string): StatusError {
  return invalid(LIST_OPTIONS, '', [{ path, type: 'FieldValueForbidden', message }]);
}

/** A resourceVersion from the query; undefined when absent. Throws 400 when it is not a number. */
export function parseRevision(text: string | null): number | undefined {
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`resourceVersion: Invalid value: "${text}": it must be one this server gave out`);
  return Number(text);
}

/** The selectors of a list or watch as one test of stored objects. */
export function parseSelectors(kind: ServedKind, query: URLSearchParams): Matcher {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '');
  const selectable = ['metadata.name', 'metadata.namespace', ...kind.selectableFields];
  const fields = parseFieldSelector(query.get('fieldSelector') ?? '', selectable, (object) => ({
    'metadata.name': object.metadata.name,
    'metadata.namespace': object.metadata.namespace ?? '',
    ...kind.fieldsOf(object),
  }));
  return (object) => labels(object) && fields(object);
}

/** `sendInitialEvents` is refused as by a server without streaming lists; clients then list and watch. */
export function refuseInitialEvents(query: URLSearchParams, what: 'list' | 'watch'): void {
  if (query.get('sendInitialEvents') === null) return;
  const message = what === 'list'
    ? 'sendInitialEvents is forbidden for list'
    : 'sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled';
  throw refuseOption('sendInitialEvents', message);
}

interface Snapshot {
  revision: number;
  after: string | undefined;
}

/** Which state of the collection the query asks for. */
function snapshotOf(store: Store, query: URLSearchParams, limit: number): Snapshot {
  const match = query.get('resourceVersionMatch') ?? '';
  const token = query.get('continue') ?? '';
  const revision = parseRevision(query.get('resourceVersion'));
  if (match !== '' && match !== 'Exact' && match !== 'NotOlderThan') {
    throw refuseOption('resourceVersionMatch', `"${match}" is not supported; use Exact or NotOlderThan`);
  }
  if (match !== '' && token !== '') throw refuseOption('resourceVersionMatch', 'resourceVersionMatch is forbidden with continue');
  if (match !== '' && revision === undefined) {
    throw refuseOption('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided');
  }
  if (match === 'Exact' && revision === 0) {
    throw refuseOption('resourceVersionMatch', 'resourceVersionMatch "Exact" is forbidden for resourceVersion "0"');
  }
  if (token !== '') {
    if (revision !== undefined && revision !== 0) throw badRequest('specifying resource version is not allowed when using continue');
    const position = decodePosition(token);
    return { revision: position.revision, after: position.after };
  }
  if (revision !== undefined && revision > store.revision) {
    const message = `Too large resource version: ${revision}, current: ${store.revision}`;
    throw new StatusError(504, 'Timeout', message, { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 });
  }
  const exact = match === 'Exact' || (match === '' && limit > 0 && revision !== undefined && revision > 0);
  return { revision: exact && revision !== undefined ? revision : store.revision, after: undefined };
}

function objectsAt(store: Store, kind: ServedKind, namespace: string | undefined, snapshot: Snapshot): StoredObject[] {
  try {
    return store.listAt(kind.collection, namespace, snapshot.revision);
  } catch (error) {
    if (!(error instanceof StatusError) || error.code !== 410 || snapshot.after === undefined) throw error;
    throw expired('The provided continue parameter is too old to display a consistent list result. Start a new list without the continue parameter.');
  }
}

export interface ListResult {
  items: StoredObject[];
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
}

/** One page of a list: objects in the form of the kind's version. Throws 400, 410, 422 or 504 as the API server does. */
export function listObjects(store: Store, kind: ServedKind, namespace: string | undefined, query: URLSearchParams): ListResult {
  refuseInitialEvents(query, 'list');
  const limit = Number(query.get('limit') ?? 0);
  if (!Number.isSafeInteger(limit) || limit < 0) throw badRequest(`limit: Invalid value: "${query.get('limit')}": it must be a whole number of at least 0`);
  const matcher = parseSelectors(kind, query);
  const snapshot = snapshotOf(store, query, limit);
  const { after } = snapshot;
  const matching = objectsAt(store, kind, namespace, snapshot)
    .filter((object) => (after === undefined || positionKey(object) > after) && matcher(object));
  const page = limit > 0 ? matching.slice(0, limit) : matching;
  const last = page[page.length - 1];
  const rest = matching.length - page.length;
  const selective = (query.get('labelSelector') ?? '') !== '' || (query.get('fieldSelector') ?? '') !== '';
  return {
    items: page.map(kind.fromStored),
    metadata: {
      resourceVersion: String(snapshot.revision),
      ...(rest > 0 && last !== undefined && { continue: encodePosition({ revision: snapshot.revision, after: positionKey(last) }) }),
      // As in Kubernetes the rest is not counted when a selector would have to be run over it.
      ...(rest > 0 && !selective && { remainingItemCount: rest }),
    },
  };
}

/** The list object of the kind. Items of the built-in kinds go without apiVersion and kind, as from a real API server. */
export function listBody(kind: ServedKind, { items, metadata }: ListResult): object {
  const bare = ({ apiVersion: _version, kind: _kind, ...rest }: StoredObject): object => rest;
  return { kind: kind.listKind, apiVersion: apiVersionOf(kind.ref), metadata, items: kind.custom ? items : items.map(bare) };
}
