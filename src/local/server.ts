import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import type { ObjectValidator } from '../api/validation/validator.ts';
import { createCertificate, keptCertificate } from './certificate.ts';
import { startCleanup } from './cleanup.ts';
import { CORE_KINDS } from './core-kinds.ts';
import { establishedCrd, kindsOfCrd } from './crd-kinds.ts';
import { KUBERNETES_VERSION, discovery } from './discovery.ts';
import { StatusError, methodNotAllowed, noSuchPath, unauthorized } from './errors.ts';
import { failureAnswer, mediaType, readBytes, readJson, send } from './http.ts';
import type { Answer } from './http.ts';
import { kindRegistry } from './kinds.ts';
import type { KindRegistry } from './kinds.ts';
import { renderKubeconfig } from './kubeconfig.ts';
import { lockStateDirectory } from './lock.ts';
import { timestamp } from './metadata.ts';
import { isJsonObject } from './object.ts';
import type { StoredObject } from './object.ts';
import { openApiDocuments, openApiIndex } from './openapi.ts';
import { answerResource } from './resources.ts';
import type { ResourceContext } from './resources.ts';
import { decodeReview } from './review-protobuf.ts';
import { answerReview, isReview } from './reviews.ts';
import { parseRoute } from './route.ts';
import { openStateDirectory } from './state.ts';
import { Store } from './store.ts';
import { localUsers } from './users.ts';
import type { LocalUser } from './users.ts';

export interface LocalServerOptions {
  /** Parsed CustomResourceDefinition objects; their kinds are served. */
  crds: readonly unknown[];
  /** Parsed ValidatingAdmissionPolicy and ValidatingAdmissionPolicyBinding objects: shown; `validator` applies them. */
  admissionPolicies: readonly unknown[];
  validator: ObjectValidator;
  /** Port 0 takes a free one. */
  listen: { host: string; port: number };
  /** Where objects outlive the process; without it they live in memory. */
  stateDir?: string;
  users: readonly LocalUser[];
  clock: { now(): number };
  /** Changes kept for watches and paged lists, see StoreOptions. */
  history?: number;
  /** Milliseconds between watch bookmarks; default one minute. */
  bookmarkInterval?: number;
}

export interface LocalServer {
  /** `https://127.0.0.1:<port>` */
  url: string;
  /** The certificate clients must trust. */
  caPem: string;
  /** A kubeconfig in YAML for one of the users. Throws when there is no such user. */
  kubeconfig(userName: string): string;
  /** Ends all watches and connections. */
  close(): Promise<void>;
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);
/** Only there to read the paths of requests by. */
const ORIGIN = 'https://localhost';
const INITIAL_NAMESPACES = ['default', 'kube-system'];
/** Paths that tell nothing and are answered to everyone, so that a supervisor can probe them. */
const OPEN_PATHS = new Set(['/healthz', '/readyz', '/livez', '/version']);

function asObject(value: unknown): StoredObject {
  if (isJsonObject(value) && typeof value['kind'] === 'string' && isJsonObject(value['metadata']) && typeof value['metadata']['name'] === 'string') {
    return value as StoredObject;
  }
  throw new Error('an object without kind and metadata.name was given to the local API server');
}

/** Puts an object that is loaded at each start in place; one that is already there as such keeps its identity. */
function seed(store: Store, collection: string, object: StoredObject, now: number): void {
  const old = store.get(collection, undefined, object.metadata.name);
  const { uid = randomUUID(), creationTimestamp = timestamp(now), deletionTimestamp } = old?.metadata ?? {};
  if (deletionTimestamp !== undefined) return;
  store.put(collection, { ...object, metadata: { ...object.metadata, uid, creationTimestamp } });
}

function seedAll(store: Store, kinds: KindRegistry, crds: readonly StoredObject[], policies: readonly StoredObject[], now: number): void {
  for (const name of INITIAL_NAMESPACES) {
    const namespace = kinds.find('', 'v1', 'namespaces');
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    if (namespace !== undefined && store.get('namespaces', undefined, name) === undefined) {
      seed(store, 'namespaces', namespace.complete(object), now);
    }
  }
  const shown = [...crds.map((crd) => establishedCrd(crd, timestamp(now))), ...policies];
  for (const object of shown) {
    const kind = kinds.all.find(({ ref }) => ref.kind === object.kind && object.apiVersion === `${ref.group}/${ref.version}`);
    if (kind === undefined) throw new Error(`${object.kind} ${object.metadata.name} (${object.apiVersion}) is not something the local API server can load`);
    seed(store, kind.collection, object, now);
  }
}

/**
 * Starts a small Kubernetes API server: the kinds of the CRDs and the few built-in ones the operator needs, over TLS on
 * loopback, for kubectl and for the operator's own client. Throws when the address is not loopback, the state folder is
 * in use, or a CRD cannot be read.
 */
export async function startLocalServer(options: LocalServerOptions): Promise<LocalServer> {
  const { listen, stateDir, clock } = options;
  if (!LOOPBACK.has(listen.host)) {
    throw new Error(`the local API server listens on loopback only; ${listen.host} is not 127.0.0.1, ::1 or localhost`);
  }
  const crds = options.crds.map(asObject);
  const kinds = kindRegistry([...CORE_KINDS, ...crds.flatMap(kindsOfCrd)]);
  const users = localUsers(options.users);
  const state = stateDir === undefined ? undefined : openStateDirectory(stateDir);
  const unlock = stateDir === undefined ? () => undefined : lockStateDirectory(stateDir);
  try {
    const store = new Store({ ...(state && { state }), ...(options.history !== undefined && { history: options.history }) });
    seedAll(store, kinds, crds, options.admissionPolicies.map(asObject), clock.now());
    const certificate = stateDir === undefined
      ? await createCertificate(listen.host, clock.now())
      : await keptCertificate(stateDir, listen.host, clock.now());
    const context: ResourceContext = {
      store,
      kinds,
      users,
      validator: options.validator,
      now: () => clock.now(),
      bookmarkInterval: options.bookmarkInterval ?? 60_000,
      watches: new Set(),
    };
    const server = createServer({ key: certificate.keyPem, cert: certificate.certificatePem }, requestListener(context));
    // Kept here because the server's own list lacks connections within their TLS handshake: one of those would come up
    // after closing, start a watch and keep the server open.
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(listen.port, listen.host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    const stopCleanup = startCleanup(store, kinds, context.now);
    const { port } = server.address() as AddressInfo;
    const url = `https://${listen.host === '::1' ? '[::1]' : listen.host}:${port}`;
    return {
      url,
      caPem: certificate.certificatePem,
      kubeconfig(userName) {
        const user = users.byName(userName);
        if (user === undefined) throw new Error(`there is no user ${userName}; the users are ${options.users.map(({ name }) => name).join(', ')}`);
        return renderKubeconfig({ url, caPem: certificate.certificatePem, userName, token: user.token });
      },
      async close() {
        stopCleanup();
        for (const end of context.watches) end();
        await new Promise<void>((resolve) => {
          server.close(() => resolve());
          for (const socket of sockets) socket.destroy();
        });
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Answers what is not a resource: health, version, discovery and schemas. */
function answerFixed(kinds: KindRegistry, documents: ReadonlyMap<string, object>, index: object, path: string): Answer | undefined {
  if (OPEN_PATHS.has(path)) return { code: 200, body: path === '/version' ? KUBERNETES_VERSION : 'ok' };
  if (path === '/openapi/v3') return { code: 200, body: index };
  const body = path.startsWith('/openapi/v3/') ? documents.get(path.slice('/openapi/v3/'.length)) : discovery(kinds, path);
  return body === undefined ? undefined : { code: 200, body };
}

function requestListener(context: ResourceContext): (incoming: IncomingMessage, response: ServerResponse) => void {
  const documents = openApiDocuments(context.kinds);
  const index = openApiIndex(documents);

  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<Answer | undefined> => {
    const target = incoming.url ?? '/';
    if (!URL.canParse(target, ORIGIN)) throw noSuchPath();
    const { pathname, searchParams } = new URL(target, ORIGIN);
    const path = pathname.length > 1 ? pathname.replace(/\/$/, '') : pathname;
    const token = /^Bearer\s+(.+)$/i.exec(incoming.headers.authorization ?? '')?.[1] ?? '';
    const user = context.users.authenticate(token);
    if (user === undefined && !OPEN_PATHS.has(path)) throw unauthorized();
    const isRead = incoming.method === 'GET' || incoming.method === 'HEAD';
    const fixed = answerFixed(context.kinds, documents, index, path);
    if (fixed !== undefined) {
      if (!isRead) throw methodNotAllowed();
      return fixed;
    }
    const route = parseRoute(path);
    if (route === undefined || user === undefined) throw noSuchPath();
    if (Object.keys(incoming.headers).some((name) => name.startsWith('impersonate-'))) {
      throw new StatusError(403, 'Forbidden', 'impersonation is not possible here; use the kubeconfig of the other user');
    }
    if (isReview(route.group, route.version, route.plural)) {
      if (incoming.method !== 'POST') throw methodNotAllowed();
      const isProtobuf = mediaType(incoming) === 'application/vnd.kubernetes.protobuf';
      const review = isProtobuf ? decodeReview(await readBytes(incoming)) : await readJson(incoming, ['application/json']);
      return { code: 201, body: answerReview(route.plural, review, user, context.users) };
    }
    return answerResource(context, { route, query: searchParams, user, incoming, response });
  };

  return (incoming, response) => {
    answer(incoming, response).catch(failureAnswer).then((result) => {
      if (result !== undefined) send(response, result);
    }).catch(() => response.destroy());
  };
}
