import type { ServerResponse } from 'node:http';
import { StatusError, badRequest, statusBody } from './errors.ts';
import { apiVersionOf } from './kinds.ts';
import type { ServedKind } from './kinds.ts';
import { parseRevision, parseSelectors, refuseInitialEvents } from './list.ts';
import type { StoredObject } from './object.ts';
import { representObject } from './representation.ts';
import type { Representation } from './representation.ts';
import type { Matcher } from './selectors.ts';
import type { Change, Store } from './store.ts';

export type WatchEvent = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: StoredObject };

/**
 * What a watcher with this selector sees of a change: an object that starts to match is ADDED, one that stops is
 * DELETED, one that never matched is nothing. The deletion carries the object as it was, with the new revision.
 */
export function visibleEvent(change: Change, matches: Matcher): WatchEvent | undefined {
  const isMatch = change.type !== 'DELETED' && matches(change.object);
  const wasMatch = change.old !== undefined && matches(change.old);
  if (isMatch) return { type: wasMatch ? 'MODIFIED' : 'ADDED', object: change.object };
  if (!wasMatch || change.old === undefined) return undefined;
  const gone = change.type === 'DELETED' ? change.object : change.old;
  return { type: 'DELETED', object: { ...gone, metadata: { ...gone.metadata, resourceVersion: String(change.revision) } } };
}

export interface WatchOptions {
  store: Store;
  kind: ServedKind;
  namespace: string | undefined;
  query: URLSearchParams;
  representation: Representation;
  now: () => number;
  /** Milliseconds between bookmarks, for clients that ask for them. */
  bookmarkInterval: number;
}

/** A watch without timeoutSeconds ends after this time, so that none lives for ever. */
const DEFAULT_TIMEOUT_SECONDS = 1800;
/** A client that does not read is cut off before its backlog fills the memory; it lists again. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;

function startEvents(options: WatchOptions, matches: Matcher): WatchEvent[] {
  const { store, kind, namespace, query } = options;
  const since = parseRevision(query.get('resourceVersion'));
  if (since === undefined || since === 0) {
    return store.list(kind.collection, namespace).filter(matches).map((object) => ({ type: 'ADDED', object }));
  }
  return store.changesSince(kind.collection, since).flatMap((change) => {
    if (namespace !== undefined && change.object.metadata.namespace !== namespace) return [];
    const event = visibleEvent(change, matches);
    return event === undefined ? [] : [event];
  });
}

/**
 * Answers a watch: writes events to the response until the timeout, the client's leaving, or the returned function ends
 * it. Throws 400 or 422 before anything is written; a start before the history is an ERROR event with code 410.
 */
export function serveWatch(response: ServerResponse, options: WatchOptions): () => void {
  const { store, kind, namespace, query, representation, now } = options;
  refuseInitialEvents(query, 'watch');
  const matches = parseSelectors(kind, query);
  const timeoutSeconds = Number(query.get('timeoutSeconds') ?? DEFAULT_TIMEOUT_SECONDS);
  if (!Number.isFinite(timeoutSeconds) || timeoutSeconds < 0) throw badRequest(`timeoutSeconds: Invalid value: "${query.get('timeoutSeconds')}"`);
  const wantsBookmarks = ['true', '1'].includes(query.get('allowWatchBookmarks') ?? '');

  let events: WatchEvent[];
  let failure: StatusError | undefined;
  try {
    events = startEvents(options, matches);
  } catch (error) {
    if (!(error instanceof StatusError) || error.code !== 410) throw error;
    events = [];
    failure = error;
  }

  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
  const write = (type: string, object: object): void => {
    response.write(`${JSON.stringify({ type, object })}\n`);
    if (response.writableLength > MAX_BACKLOG_BYTES) response.destroy();
  };
  const writeEvent = ({ type, object }: WatchEvent): void =>
    write(type, representObject(kind, kind.fromStored(object), representation, now()));
  if (failure !== undefined) {
    write('ERROR', statusBody(failure));
    response.end();
    return () => undefined;
  }

  events.forEach(writeEvent);
  response.flushHeaders();
  const bookmark = (): void => {
    const metadata = { resourceVersion: String(store.revision), creationTimestamp: null };
    write('BOOKMARK', { kind: kind.ref.kind, apiVersion: apiVersionOf(kind.ref), metadata });
  };
  const unsubscribe = store.subscribe((change) => {
    if (change.collection !== kind.collection) return;
    if (namespace !== undefined && change.object.metadata.namespace !== namespace) return;
    const event = visibleEvent(change, matches);
    if (event !== undefined) writeEvent(event);
  });
  const bookmarks = wantsBookmarks ? setInterval(bookmark, options.bookmarkInterval) : undefined;
  const end = (): void => {
    unsubscribe();
    clearInterval(bookmarks);
    clearTimeout(timeout);
    if (!response.writableEnded) response.end();
  };
  const timeout = setTimeout(() => {
    if (wantsBookmarks) bookmark();
    end();
  }, Math.min(timeoutSeconds * 1000, 2 ** 31 - 1));
  response.on('close', end);
  return end;
}
