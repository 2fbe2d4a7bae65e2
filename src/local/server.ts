import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { ObjectValidator } from '../api/validation/validator.ts';
import { lockFolder } from '../evidence/folder-lock.ts';
import type { Authenticator } from '../runtime/auth.ts';
import { tokenAccess } from '../runtime/service-account.ts';
import { createCertificate, keptCertificate } from './certificate.ts';
import { startCleanup } from './cleanup.ts';
import { CORE_KINDS } from './core-kinds.ts';
import { kindsOfCrd } from './crd-kinds.ts';
import { kindRegistry } from './kinds.ts';
import { renderKubeconfig } from './kubeconfig.ts';
import { requestListener } from './listener.ts';
import type { ResourceContext } from './resources.ts';
import { asObject, seedAll } from './seed.ts';
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
  /** What a client in this process needs to be let in as one of the users. Throws when there is no such user. */
  access(userName: string): Authenticator;
  /** Ends all watches and connections. */
  close(): Promise<void>;
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

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
  const lock = stateDir === undefined ? undefined : await lockFolder(stateDir);
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
    const caPem = certificate.certificatePem;
    const tokenOf = (userName: string): string => {
      const user = users.byName(userName);
      if (user === undefined) throw new Error(`there is no user ${userName}; the users are ${options.users.map(({ name }) => name).join(', ')}`);
      return user.token;
    };
    return {
      url,
      caPem,
      kubeconfig: (userName) => renderKubeconfig({ url, caPem, userName, token: tokenOf(userName) }),
      access: (userName) => tokenAccess({ server: url, caPem, token: tokenOf(userName) }),
      async close() {
        stopCleanup();
        for (const end of context.watches) end();
        await new Promise<void>((resolve) => {
          server.close(() => resolve());
          for (const socket of sockets) socket.destroy();
        });
        await lock?.release();
      },
    };
  } catch (error) {
    await lock?.release();
    throw error;
  }
}
