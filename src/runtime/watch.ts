import type { KindRef, KubeObject } from '../api/object.ts';
import { ApiError, describeRequest } from './api-error.ts';
import { queryString, resourcePath } from './paths.ts';
import type { Requester } from './requester.ts';

/** One change. A bookmark carries no object, only how far the stream has come. */
export type WatchEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T; resourceVersion: string }
  | { type: 'BOOKMARK'; resourceVersion: string };

export interface WatchOptions {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  /** Changes after this one; opaque, from a list or an earlier event. */
  resourceVersion: string;
  /** The server ends the stream after this many seconds. */
  timeoutSeconds: number;
  /** The connection is given up after so many milliseconds without a byte; 120,000 when left out. */
  idleMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Beyond the server's own end, the stream is cut here: a peer that is gone never ends anything. */
const GRACE_MS = 30_000;
/** Servers send a bookmark each minute, so twice that in silence means the stream is dead; opening it anew loses nothing. */
const IDLE_MS = 120_000;

/**
 * Opens a watch and yields its events. Throws ApiError: status 410 when the resourceVersion is too old, whatever an
 * ERROR event says, `BadEvent` for a line that cannot be read: going on past it would lose a change without a trace.
 */
export async function* openWatch<T extends KubeObject>(requester: Requester, kind: KindRef, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
  const description = describeRequest('watch', kind, options.namespace === undefined ? {} : { namespace: options.namespace });
  const stream = await requester.stream({
    verb: 'watch',
    method: 'GET',
    path:
      resourcePath(kind, { namespace: options.namespace }) +
      queryString({
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: options.resourceVersion,
        timeoutSeconds: options.timeoutSeconds,
        labelSelector: options.labelSelector,
      }),
    description,
    signal: options.signal,
    timeoutMs: options.timeoutSeconds * 1000 + GRACE_MS,
    idleMs: options.idleMs ?? IDLE_MS,
    repeat: 'never',
  });
  for await (const line of stream.lines) yield readEvent<T>(line, description);
}

/** Reads one line of a watch. The error never quotes the line, which may be any object. */
function readEvent<T extends KubeObject>(line: string, description: string): WatchEvent<T> {
  const bad = (what: string): ApiError => new ApiError({ status: 0, reason: 'BadEvent', message: `${description}: ${what}` });
  let event: { type?: unknown; object?: T & { code?: number; reason?: string; message?: string } };
  try {
    event = JSON.parse(line) as typeof event;
  } catch {
    throw bad('an event is not JSON');
  }
  const { type, object } = event;
  if (typeof object !== 'object' || object === null) throw bad('an event has no object');
  if (type === 'ERROR') {
    throw new ApiError({ status: object.code ?? 0, reason: object.reason ?? 'Unknown', message: `${description}: ${(object.message ?? 'no explanation').slice(0, 2_000)}` });
  }
  const resourceVersion = object.metadata?.resourceVersion;
  if (typeof resourceVersion !== 'string' || resourceVersion === '') throw bad('an event has no resourceVersion');
  if (type === 'BOOKMARK') return { type, resourceVersion };
  if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') {
    if (typeof object.metadata.name !== 'string') throw bad('an event has an object without a name');
    return { type, object, resourceVersion };
  }
  throw bad('an event has an unknown type');
}
