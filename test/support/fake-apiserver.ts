import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import type { KindRef, KubeObject } from '../../src/api/object.ts';

/** The kind the fake server's tests use; any other works as well. */
export const WIDGET: KindRef = { group: 'example.com', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };

export interface Widget extends KubeObject {
  spec?: { size?: number };
  status?: Record<string, unknown>;
}

/** What happens to a request instead of an answer. */
export type Fault =
  | { status: number; headers?: Record<string, string>; body?: string }
  /** The connection is torn down without an answer. */
  | 'reset'
  /** The request is read and never answered, nor is the connection closed. */
  | 'hang';

export interface SeenRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
}

/**
 * A small API server over real HTTP with faults on demand: what a real one does on its worst days, at will and in
 * milliseconds. It keeps objects of any kind by path and knows lists in pages, watches, conflicts and 410; it validates nothing.
 */
export interface FakeApiServer {
  readonly url: string;
  kubeConfig(): KubeConfig;
  readonly requests: SeenRequest[];
  /** Stores the object, as another client would, and sends the event. Returns it as stored. */
  put<T extends KubeObject>(kind: KindRef, object: T): T;
  /** Deletes it, finalizers or not. */
  remove(kind: KindRef, namespace: string, name: string): void;
  stored<T extends KubeObject>(kind: KindRef): T[];
  /** The next `times` requests that match get the fault. */
  inject(fault: Fault, match?: (request: SeenRequest) => boolean, times?: number): void;
  /** Forgets the history: watches from before get 410. */
  compact(): void;
  /** Does something to every open watch: ends it, resets it, writes a raw text into it, or goes silent for good (half-open). */
  disturbWatches(how: 'end' | 'reset' | 'freeze' | { write: string }): void;
  /** Sends a bookmark to every open watch. */
  bookmark(): void;
  readonly openWatches: number;
  readonly openSockets: number;
  /** Ends everything, listening included, and can be started again on the same port. */
  stop(): Promise<void>;
  restart(): Promise<void>;
}

interface Stored {
  prefix: string;
  version: number;
  object: KubeObject;
}

interface OpenWatch {
  prefix: string;
  namespace: string | undefined;
  response: ServerResponse;
  frozen: boolean;
}

const isWatch = (request: SeenRequest): boolean => request.query.get('watch') === 'true';
const isList = (request: SeenRequest): boolean => request.method === 'GET' && !isWatch(request) && request.path.endsWith('/widgets');
/** Matchers for {@link FakeApiServer.inject}. */
export const matching = { watch: isWatch, list: isList, write: (request: SeenRequest): boolean => request.method !== 'GET' };

export async function startFakeApiServer(): Promise<FakeApiServer> {
  let version = 100;
  let compactedAt = 0;
  const objects = new Map<string, Stored>();
  const history: { version: number; prefix: string; type: string; object: KubeObject }[] = [];
  const requests: SeenRequest[] = [];
  const faults: { fault: Fault; match: (request: SeenRequest) => boolean; left: number }[] = [];
  const watches = new Set<OpenWatch>();
  const sockets = new Set<Socket>();

  const prefixOf = (kind: KindRef): string => `${kind.group === '' ? '/api' : `/apis/${kind.group}`}/${kind.version}/${kind.plural}`;
  const keyOf = (prefix: string, namespace: string | undefined, name: string): string => `${prefix}|${namespace ?? ''}|${name}`;
  const emit = (type: string, prefix: string, object: KubeObject): void => {
    history.push({ version, prefix, type, object });
    for (const watch of watches) {
      if (watch.frozen || watch.prefix !== prefix || (watch.namespace !== undefined && watch.namespace !== object.metadata.namespace)) continue;
      watch.response.write(`${JSON.stringify({ type, object })}\n`);
    }
  };
  const store = <T extends KubeObject>(prefix: string, object: T): T => {
    version += 1;
    const key = keyOf(prefix, object.metadata.namespace, object.metadata.name);
    const before = objects.get(key)?.object;
    const uid = before?.metadata.uid ?? object.metadata.uid ?? `uid-${version}`;
    const kept = { ...object, metadata: { ...object.metadata, uid, resourceVersion: String(version) } };
    objects.set(key, { prefix, version, object: kept });
    emit(before === undefined ? 'ADDED' : 'MODIFIED', prefix, kept);
    return kept;
  };
  const drop = (key: string): void => {
    const found = objects.get(key);
    if (found === undefined) return;
    version += 1;
    objects.delete(key);
    emit('DELETED', found.prefix, { ...found.object, metadata: { ...found.object.metadata, resourceVersion: String(version) } });
  };

  const answer = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
  const refuse = (response: ServerResponse, code: number, reason: string, message: string): void => answer(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message });

  const list = (prefix: string, namespace: string | undefined, request: SeenRequest, response: ServerResponse): void => {
    const all = [...objects.values()]
      .filter((entry) => entry.prefix === prefix && (namespace === undefined || entry.object.metadata.namespace === namespace))
      .map((entry) => entry.object)
      .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    const limit = Number(request.query.get('limit') ?? 0) || all.length;
    const from = Number(request.query.get('continue') ?? 0);
    const more = from + limit < all.length;
    answer(response, 200, { kind: 'WidgetList', apiVersion: 'v1', metadata: { resourceVersion: String(version), ...(more ? { continue: String(from + limit) } : {}) }, items: all.slice(from, from + limit) });
  };
  const watch = (prefix: string, namespace: string | undefined, request: SeenRequest, response: ServerResponse): void => {
    const from = Number(request.query.get('resourceVersion') ?? 0);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < compactedAt) {
      response.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' } })}\n`);
      return;
    }
    const open: OpenWatch = { prefix, namespace, response, frozen: false };
    watches.add(open);
    response.on('close', () => watches.delete(open));
    for (const event of history) {
      if (event.version > from && event.prefix === prefix && (namespace === undefined || event.object.metadata.namespace === namespace)) {
        response.write(`${JSON.stringify({ type: event.type, object: event.object })}\n`);
      }
    }
  };
  const single = (prefix: string, namespace: string | undefined, name: string, subresource: string | undefined, request: SeenRequest, response: ServerResponse): void => {
    const key = keyOf(prefix, namespace, name);
    const found = objects.get(key)?.object as Widget | undefined;
    if (found === undefined) return refuse(response, 404, 'NotFound', `widgets "${name}" not found`);
    if (request.method === 'GET') return answer(response, 200, found);
    const body = JSON.parse(request.body === '' ? '{}' : request.body) as Widget & { preconditions?: { uid?: string; resourceVersion?: string } };
    if (request.method === 'DELETE') {
      const wanted = body.preconditions ?? {};
      if ((wanted.uid ?? found.metadata.uid) !== found.metadata.uid || (wanted.resourceVersion ?? found.metadata.resourceVersion) !== found.metadata.resourceVersion) {
        return refuse(response, 409, 'Conflict', 'the precondition does not hold');
      }
      drop(key);
      return answer(response, 200, { kind: 'Status', status: 'Success' });
    }
    const sent = body.metadata?.resourceVersion;
    if (sent !== undefined && sent !== found.metadata.resourceVersion) return refuse(response, 409, 'Conflict', 'the object has been modified');
    const next = request.method === 'PUT' ? body : (mergePatch(found, body) as Widget);
    const kept = subresource === 'status' ? { ...found, ...(next.status === undefined ? {} : { status: next.status }) } : next;
    return answer(response, 200, store(prefix, kept));
  };

  const handle = (request: SeenRequest, response: ServerResponse): void => {
    const parts = request.path.split('/').filter((part) => part !== '');
    const rootLength = parts[0] === 'api' ? 2 : 3;
    const root = `/${parts.slice(0, rootLength).join('/')}`;
    let rest = parts.slice(rootLength);
    let namespace: string | undefined;
    if (rest[0] === 'namespaces' && rest.length > 2) {
      namespace = rest[1];
      rest = rest.slice(2);
    }
    const [plural, name, subresource] = rest;
    if (plural === undefined) return answer(response, 200, { kind: 'APIResourceList', resources: [{ name: 'widgets' }] });
    const prefix = `${root}/${plural}`;
    if (name !== undefined) return single(prefix, namespace, name, subresource, request, response);
    if (request.method === 'POST') {
      const object = JSON.parse(request.body) as KubeObject;
      if (objects.has(keyOf(prefix, object.metadata.namespace, object.metadata.name))) return refuse(response, 409, 'AlreadyExists', 'it already exists');
      if (request.query.get('dryRun') === 'All') return answer(response, 201, object);
      return answer(response, 201, store(prefix, object));
    }
    return isWatch(request) ? watch(prefix, namespace, request, response) : list(prefix, namespace, request, response);
  };

  const server = createServer((incoming, response) => {
    let body = '';
    incoming.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    incoming.on('end', () => {
      const url = new URL(incoming.url ?? '/', 'http://localhost');
      const request: SeenRequest = { method: incoming.method ?? '', path: url.pathname, query: url.searchParams, headers: incoming.headers, body };
      requests.push(request);
      const planned = faults.find((each) => each.left > 0 && each.match(request));
      if (planned === undefined) return handle(request, response);
      planned.left -= 1;
      const { fault } = planned;
      if (fault === 'reset') return void incoming.socket.resetAndDestroy();
      if (fault === 'hang') return undefined;
      return answer(response, fault.status, fault.body ?? { kind: 'Status', code: fault.status, reason: '', message: 'injected' }, fault.headers);
    });
  });
  server.keepAliveTimeout = 120_000;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const listen = (port: number): Promise<void> => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;

  return {
    url,
    kubeConfig() {
      const config = new KubeConfig();
      config.loadFromOptions({
        clusters: [{ name: 'fake', server: url, skipTLSVerify: false }],
        users: [{ name: 'me', token: 'fake-token' }],
        contexts: [{ name: 'fake', cluster: 'fake', user: 'me' }],
        currentContext: 'fake',
      });
      return config;
    },
    requests,
    put: (kind, object) => store(prefixOf(kind), object),
    remove: (kind, namespace, name) => drop(keyOf(prefixOf(kind), namespace, name)),
    stored: <T extends KubeObject>(kind: KindRef) => [...objects.values()].filter((entry) => entry.prefix === prefixOf(kind)).map((entry) => entry.object as T),
    inject: (fault, match = () => true, times = 1) => void faults.push({ fault, match, left: times }),
    compact() {
      compactedAt = version;
      history.length = 0;
    },
    disturbWatches(how) {
      for (const open of watches) {
        if (how === 'end' || how === 'reset') watches.delete(open);
        if (how === 'end') open.response.end();
        else if (how === 'reset') open.response.socket?.resetAndDestroy();
        else if (how === 'freeze') open.frozen = true;
        else open.response.write(how.write);
      }
    },
    bookmark() {
      version += 1;
      for (const open of watches) if (!open.frozen) open.response.write(`${JSON.stringify({ type: 'BOOKMARK', object: { kind: 'Widget', metadata: { resourceVersion: String(version) } } })}\n`);
    },
    get openWatches() {
      return watches.size;
    },
    get openSockets() {
      return sockets.size;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
    restart: () => listen(port),
  };
}

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}

/** A widget to store. */
export function widget(name: string, size = 1, extra: Partial<Widget> = {}): Widget {
  return { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name, namespace: 'shop' }, spec: { size }, ...extra };
}

/** Resolves when `holds` is true; rejects after `timeoutMs` naming `what`. */
export async function eventually(what: string, holds: () => boolean, timeoutMs = 5_000): Promise<void> {
  const until = Date.now() + timeoutMs;
  while (!holds()) {
    if (Date.now() > until) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
