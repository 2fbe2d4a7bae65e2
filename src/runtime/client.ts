import type { KubeConfig } from '@kubernetes/client-node';
import type { KindRef, KubeObject, ObjectRef } from '../api/object.ts';
import type { RuntimeMetrics } from '../telemetry/runtime-metrics.ts';
import { describeRequest, isGone, isNotFound, isNotServed } from './api-error.ts';
import { createAuthenticator } from './auth.ts';
import type { Authenticator } from './auth.ts';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { apiVersionOf, queryString, resourcePath } from './paths.ts';
import { withoutManagedFields } from './project.ts';
import { createRequester } from './requester.ts';
import { createTransport } from './transport.ts';
import { openWatch } from './watch.ts';
import type { WatchEvent, WatchOptions } from './watch.ts';

export { ApiError, isAlreadyExists, isConflict, isForbidden, isGone, isInvalid, isNotFound, isNotServed } from './api-error.ts';
export type { WatchEvent, WatchOptions } from './watch.ts';

/** Options every request takes. */
export interface CallOptions {
  /** Gives the request up; it then rejects with reason `Aborted`. */
  signal?: AbortSignal | undefined;
  /** Milliseconds for one try; 30,000 when left out. */
  timeoutMs?: number | undefined;
}

export interface ListOptions extends CallOptions {
  /** All namespaces when left out. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
}

export interface CompleteListOptions extends ListOptions {
  /** Gives an object the caller holds already in the very same state; it is taken instead of another copy. */
  held?: ((object: KubeObject) => KubeObject | undefined) | undefined;
}

export interface ListPageOptions extends ListOptions {
  limit?: number | undefined;
  /** The token of the page before. */
  continue?: string | undefined;
  /** False leaves trying again to the caller, who then sees each failure. */
  retry?: boolean | undefined;
}

export interface ListPage<T> {
  items: T[];
  /** Opaque; where a watch goes on from. */
  resourceVersion: string;
  /** There when more pages follow. */
  continue?: string;
}

export interface WriteOptions extends CallOptions {
  /** The server checks and answers, but stores nothing. */
  dryRun?: boolean | undefined;
  /** The server refuses a field it does not know instead of dropping it. */
  strict?: boolean | undefined;
}

export interface DeleteOptions extends CallOptions {
  /** Deletes only the object with this uid, never a later one of the same name. */
  uid?: string | undefined;
  /** Deletes only this state of it. */
  resourceVersion?: string | undefined;
  propagationPolicy?: 'Foreground' | 'Background' | 'Orphan' | undefined;
}

/**
 * The Kubernetes API for any kind. Every method rejects with an ApiError.
 * Reads are repeated on a lost connection, 429 and 5xx; writes only when the server said it did not begin (429).
 */
export interface Client {
  /** A quorum read: what is stored now, not what a cache of the server remembers. Undefined when it is not there. */
  get<T extends KubeObject>(kind: KindRef, ref: ObjectRef, options?: CallOptions): Promise<T | undefined>;
  /** All objects, read in pages of 500, without managedFields: those are two thirds of an object, and of no use to anybody here. */
  list<T extends KubeObject>(kind: KindRef, options?: CompleteListOptions): Promise<T[]>;
  /** One page, with what the next page or a watch needs. */
  listPage<T extends KubeObject>(kind: KindRef, options?: ListPageOptions): Promise<ListPage<T>>;
  create<T extends KubeObject>(kind: KindRef, object: T, options?: WriteOptions): Promise<T>;
  /** Stores the whole object; with a resourceVersion in it, only if that is still the stored one. */
  replace<T extends KubeObject>(kind: KindRef, object: T, options?: WriteOptions): Promise<T>;
  /** The same for the status subresource: the rest of the object is ignored by the server. Returns the stored object. */
  replaceStatus<T extends KubeObject>(kind: KindRef, object: T, options?: WriteOptions): Promise<T>;
  /** JSON merge patch: null removes a field, a list is replaced as a whole. */
  mergePatch<T extends KubeObject>(kind: KindRef, ref: ObjectRef, patch: object, options?: WriteOptions & { subresource?: string | undefined }): Promise<T>;
  /** Server-side apply: creates or changes only the fields in `object`, owned by `fieldManager`. */
  apply<T extends KubeObject>(kind: KindRef, object: T, options: WriteOptions & { fieldManager: string; force?: boolean | undefined; subresource?: string | undefined }): Promise<T>;
  /** Asks for deletion; an object that is not there is fine. */
  delete(kind: KindRef, ref: ObjectRef, options?: DeleteOptions): Promise<void>;
  /** The changes after `resourceVersion`, in order, until the server ends the stream (returns) or it breaks (throws). */
  watch<T extends KubeObject>(kind: KindRef, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** Whether the server knows the kind in that version. */
  serves(kind: KindRef, options?: CallOptions): Promise<boolean>;
  /** The name the API server knows us by. */
  whoAmI(options?: CallOptions): Promise<{ username: string; groups: string[] }>;
  /** Closes all connections; requests under way reject. */
  close(): void;
}

export interface ClientOptions {
  /** `dataward/0.1.0`: how the audit log of the API server names us. */
  userAgent: string;
  metrics?: RuntimeMetrics | undefined;
  /** Requests a second in the long run, and at once; 50 and 100 when left out, 0 for no limit. Watches count once. */
  qps?: number;
  burst?: number;
  clock?: Clock;
  /** 0 to 1, for the spread of waiting times. */
  random?: () => number;
}

const PAGE_SIZE = 500;

/** A kubeconfig with its current context, or whatever else lets us in. */
export type Access = KubeConfig | Authenticator;

/**
 * A client for one API server, over one agent with kept-alive connections.
 * client-node is asked only for the server, TLS material and credentials: its own requests each make an agent, and its
 * watch has no timeout, so a silent connection would stop a controller for ever.
 */
export function createClient(access: Access, options: ClientOptions): Client {
  const clock = options.clock ?? systemClock;
  const transport = createTransport('credentials' in access ? access : createAuthenticator(access, clock), options.userAgent);
  const requester = createRequester(transport, {
    clock,
    random: options.random ?? Math.random,
    metrics: options.metrics,
    qps: options.qps ?? 50,
    burst: options.burst ?? 100,
  });

  const write = async <T extends KubeObject>(verb: string, method: 'POST' | 'PUT' | 'PATCH', kind: KindRef, ref: ObjectRef, body: object, how: WriteOptions & { subresource?: string | undefined; contentType?: string; query?: Record<string, string | boolean> }): Promise<T> =>
    requester.json<T>({
      verb,
      method,
      path: resourcePath(kind, method === 'POST' ? { namespace: ref.namespace ?? '' } : { ...ref, subresource: how.subresource }) + queryString({ dryRun: how.dryRun === true ? 'All' : undefined, fieldValidation: how.strict === true ? 'Strict' : undefined, ...how.query }),
      body: JSON.stringify(body),
      contentType: how.contentType ?? 'application/json',
      description: describeRequest(verb, kind, ref),
      signal: how.signal,
      timeoutMs: how.timeoutMs,
      repeat: 'refused',
    });

  const listPage = async <T extends KubeObject>(kind: KindRef, how: ListPageOptions = {}): Promise<ListPage<T>> => {
    const { limit, labelSelector, fieldSelector } = how;
    const page = await requester.json<{ items?: T[] | null; metadata?: { resourceVersion?: string; continue?: string } }>({
      verb: 'list',
      method: 'GET',
      path: resourcePath(kind, { namespace: how.namespace }) + queryString({ limit, continue: how.continue, labelSelector, fieldSelector }),
      description: describeRequest('list', kind, how.namespace === undefined ? {} : { namespace: how.namespace }),
      signal: how.signal,
      timeoutMs: how.timeoutMs,
      repeat: how.retry === false ? 'never' : 'lost',
    });
    // Items of a list come without apiVersion and kind for some kinds.
    const named = { apiVersion: apiVersionOf(kind), kind: kind.kind };
    const items = (page.items ?? []).map((item) => ({ ...named, ...item }));
    const token = page.metadata?.continue;
    return { items, resourceVersion: page.metadata?.resourceVersion ?? '', ...(token === undefined || token === '' ? {} : { continue: token }) };
  };

  return {
    listPage,
    async get<T extends KubeObject>(kind: KindRef, ref: ObjectRef, how: CallOptions = {}) {
      try {
        return await requester.json<T>({ verb: 'get', method: 'GET', path: resourcePath(kind, { ...ref }), description: describeRequest('get', kind, ref), ...how, repeat: 'lost' });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    async list<T extends KubeObject>(kind: KindRef, { held, ...how }: CompleteListOptions = {}) {
      const readAll = async (): Promise<T[]> => {
        const items: T[] = [];
        let token: string | undefined;
        do {
          const page: ListPage<T> = await listPage<T>(kind, { ...how, limit: PAGE_SIZE, continue: token });
          for (const item of page.items) items.push((held?.(item) as T | undefined) ?? withoutManagedFields(item));
          token = page.continue;
        } while (token !== undefined);
        return items;
      };
      try {
        return await readAll();
      } catch (error) {
        // The server forgot the state the pages were of; half of it and half of a newer one would not be a list.
        if (!isGone(error)) throw error;
        return readAll();
      }
    },
    create: (kind, object, how = {}) => write('create', 'POST', kind, refOf(object), object, how),
    replace: (kind, object, how = {}) => write('replace', 'PUT', kind, refOf(object), object, how),
    replaceStatus: (kind, object, how = {}) => write('replace status of', 'PUT', kind, refOf(object), object, { ...how, subresource: 'status' }),
    mergePatch: (kind, ref, patch, how = {}) => write('patch', 'PATCH', kind, ref, patch, { ...how, contentType: 'application/merge-patch+json' }),
    apply: (kind, object, how) =>
      write('apply', 'PATCH', kind, refOf(object), object, {
        ...how,
        contentType: 'application/apply-patch+yaml',
        query: { fieldManager: how.fieldManager, force: how.force ?? false },
      }),
    async delete(kind, ref, how = {}) {
      const { uid, resourceVersion, propagationPolicy } = how;
      const preconditions = { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) };
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...(propagationPolicy === undefined ? {} : { propagationPolicy }), ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }) };
      try {
        await requester.json({ verb: 'delete', method: 'DELETE', path: resourcePath(kind, { ...ref }), body: JSON.stringify(body), description: describeRequest('delete', kind, ref), signal: how.signal, timeoutMs: how.timeoutMs, repeat: 'refused' });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
    watch: (kind, how) => openWatch(requester, kind, how),
    async serves(kind, how = {}) {
      try {
        const found = await requester.json<{ resources?: { name: string }[] }>({ verb: 'discover', method: 'GET', path: kind.group === '' ? `/api/${kind.version}` : `/apis/${apiVersionOf(kind)}`, description: `discover ${apiVersionOf(kind)}`, ...how, repeat: 'lost' });
        return found.resources?.some((resource) => resource.name === kind.plural) ?? false;
      } catch (error) {
        if (isNotFound(error) || isNotServed(error)) return false;
        throw error;
      }
    },
    async whoAmI(how = {}) {
      const review = await requester.json<{ status?: { userInfo?: { username?: string; groups?: string[] } } }>({
        verb: 'create',
        method: 'POST',
        path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
        body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }),
        description: 'ask the API server who we are',
        ...how,
        repeat: 'lost',
      });
      return { username: review.status?.userInfo?.username ?? '', groups: review.status?.userInfo?.groups ?? [] };
    },
    close: () => transport.close(),
  };
}

function refOf(object: KubeObject): ObjectRef {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? { name } : { namespace, name };
}
