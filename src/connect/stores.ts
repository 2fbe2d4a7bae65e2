import type { DataStore } from '../api/generated/dataStore.ts';
import { CONFIG_MAP, HOST_ANNOTATION, SECRET, STORE_ANNOTATION } from '../api/kinds.ts';
import type { KubeObject } from '../api/object.ts';
import type { Reason } from '../api/reasons.ts';
import type { Client } from '../runtime/client.ts';
import { StoreError } from '../stores/errors.ts';
import type { TransportFacts } from '../stores/facts.ts';
import type { Credential, StoreDriver, StoreEngine, StoreReader, StoreTarget, StoreWriter } from '../stores/port.ts';

/**
 * Turns DataStore objects into open stores.
 *
 * Secrets are read by name at the moment of use and kept nowhere, so that a rotated or withdrawn credential
 * takes effect at once. A Secret that is not bound to the store and its host by annotation is not used:
 * whoever may create a DataStore but not read Secrets could otherwise point somebody's password at a host of
 * his own.
 */
export interface StoreConnections {
  probe(store: DataStore, now: number): Promise<TransportFacts>;
  /** @param purpose `verify` uses the second identity, whose word counts for certificates. */
  reader(store: DataStore, purpose: 'observe' | 'verify', signal?: AbortSignal): Promise<StoreReader>;
  /** Reads at one declared replica, by its place in `spec.endpoint.replicas`. Whether it is one is for the caller to find out. */
  replicaReader(store: DataStore, place: number, signal?: AbortSignal): Promise<StoreReader>;
  /** Reads as the second identity at one declared replica, by its place in `spec.endpoint.replicas`. */
  replicaVerifier(store: DataStore, place: number, signal?: AbortSignal): Promise<StoreReader>;
  writer(store: DataStore, signal?: AbortSignal): Promise<StoreWriter>;
  /** Login names by identity, for grants inside the store. Identities without a Secret reference are absent. */
  usernames(store: DataStore): Promise<{ observe: string; enforce?: string; verify?: string }>;
}

/** The identities of a store, as `spec.credentials` names them. */
export const STORE_LOGINS = ['observe', 'enforce', 'verify'] as const;
export type StoreLogin = (typeof STORE_LOGINS)[number];

/** Something about the store's references that its owner has to mend. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  /** Its words are ours and name objects only, so that a log may show them. */
  readonly publicMessage = true;
  readonly reason: Reason;
  /** Whose credential it is about; absent where it is about none. */
  readonly identity?: StoreLogin;

  constructor(reason: Reason, message: string, identity?: StoreLogin) {
    super(message);
    this.reason = reason;
    if (identity !== undefined) this.identity = identity;
  }
}

export function createStoreConnections(options: { client: Client; drivers: Record<StoreEngine, StoreDriver> }): StoreConnections {
  const { client, drivers } = options;
  const driverOf = (store: DataStore): StoreDriver => drivers[store.spec.engine];
  const openReplica = async (store: DataStore, place: number, purpose: 'observe' | 'verify', signal?: AbortSignal): Promise<StoreReader> => {
    const target = await readTarget(client, store);
    const replica = target.replicas[place];
    if (!replica) throw new ConnectionError('InvalidSpec', `DataStore ${nameOf(store)} declares no spec.endpoint.replicas[${place}]; add it, or look at the store again`);
    const credential = await credentialFor(client, store, purpose, replica.host);
    return naming(store, purpose, credential, driverOf(store).openReader({ ...target, ...replica }, credential, { purpose, ...(signal ? { signal } : {}) }));
  };

  return {
    async probe(store, now) {
      const { username } = await readCredential(client, store, 'observe');
      return driverOf(store).probeTransport(await readTarget(client, store), { username, now });
    },
    async reader(store, purpose, signal) {
      const credential = await credentialFor(client, store, purpose);
      return naming(store, purpose, credential, driverOf(store).openReader(await readTarget(client, store), credential, { purpose, ...(signal ? { signal } : {}) }));
    },
    replicaReader: (store, place, signal) => openReplica(store, place, 'observe', signal),
    replicaVerifier: (store, place, signal) => openReplica(store, place, 'verify', signal),
    async writer(store, signal) {
      const credential = await readCredential(client, store, 'enforce');
      return naming(store, 'enforce', credential, driverOf(store).openWriter(await readTarget(client, store), credential, { purpose: 'enforce', ...(signal ? { signal } : {}) }));
    },
    async usernames(store) {
      const names: { observe: string; enforce?: string; verify?: string } = { observe: (await readCredential(client, store, 'observe')).username };
      for (const identity of ['enforce', 'verify'] as const) {
        if (store.spec.credentials[identity]) names[identity] = (await readCredential(client, store, identity)).username;
      }
      return names;
    },
  };
}

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

interface ConfigMapObject extends KubeObject {
  data?: Record<string, string>;
}

const nameOf = (store: DataStore): string => `${store.metadata.namespace}/${store.metadata.name}`;
const decode = (value: string | undefined): string | undefined => (value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8'));

/** A login that is refused is mended in a Secret, which the driver does not know. */
async function naming<Opened>(store: DataStore, identity: StoreLogin, credential: Credential, opening: Promise<Opened>): Promise<Opened> {
  try {
    return await opening;
  } catch (error) {
    if (!(error instanceof StoreError) || error.reason !== 'AuthenticationFailed') throw error;
    const keys = credential.type === 'password' ? 'username and password' : 'username, tls.crt and tls.key';
    throw new StoreError(error.reason, `${error.message} The credential is in ${secretOf(store, identity)}, keys ${keys}.`, { cause: error.cause });
  }
}

/** The Secret of an identity, and the field that names it. */
export function secretOf(store: DataStore, identity: StoreLogin): string {
  return `Secret ${store.metadata.namespace}/${store.spec.credentials[identity]?.secretName} (spec.credentials.${identity})`;
}

/** The credential of one who looks. Whoever deletes must not be who says that it is gone. */
async function credentialFor(client: Client, store: DataStore, purpose: 'observe' | 'verify', host?: string): Promise<Credential> {
  const credential = await readCredential(client, store, purpose, host);
  if (purpose === 'verify' && store.spec.credentials.enforce && (await readCredential(client, store, 'enforce')).username === credential.username) {
    throw new ConnectionError('VerifyNotIndependent', `DataStore ${nameOf(store)}: spec.credentials.verify logs in as ${credential.username}, the login that deletes; make a login of its own with the right to read, and put it into ${secretOf(store, 'verify')}`, 'verify');
  }
  return credential;
}

/** @param host where it will be sent; the store's endpoint when left out. */
async function readCredential(client: Client, store: DataStore, identity: StoreLogin, host = store.spec.endpoint.host): Promise<Credential> {
  const reference = store.spec.credentials[identity];
  if (!reference) throw new ConnectionError('NoEnforceCredentials', `DataStore ${nameOf(store)} names no ${identity} identity; set spec.credentials.${identity}.secretName`, identity);
  const secret = await client.get<SecretObject>(SECRET, { namespace: store.metadata.namespace ?? '', name: reference.secretName });
  const where = secretOf(store, identity);
  if (!secret) throw new ConnectionError('SecretNotFound', `${where} does not exist; create it with the keys username and password, or username, tls.crt and tls.key`, identity);
  requireBinding(secret, store, host, identity);
  const username = decode(secret.data?.['username']);
  if (!username) throw new ConnectionError('SecretInvalid', `${where} has no key username`, identity);
  const password = decode(secret.data?.['password']);
  if (password) return { type: 'password', username, password };
  const certPem = decode(secret.data?.['tls.crt']);
  const keyPem = decode(secret.data?.['tls.key']);
  if (certPem && keyPem) return { type: 'certificate', username, certPem, keyPem };
  throw new ConnectionError('SecretInvalid', `${where} has neither a key password nor the pair tls.crt and tls.key`, identity);
}

/** The host annotation may name several, separated by commas: the endpoint and its replicas. */
function requireBinding(secret: SecretObject, store: DataStore, host: string, identity: StoreLogin): void {
  const annotations = secret.metadata.annotations ?? {};
  const hosts = (annotations[HOST_ANNOTATION] ?? '').split(',').map((name) => name.trim());
  const missing = annotations[STORE_ANNOTATION] !== store.metadata.name ? `${STORE_ANNOTATION}: ${store.metadata.name}` : hosts.includes(host) ? undefined : `${HOST_ANNOTATION}: ${[...hosts.filter((name) => name !== ''), host].join(',')}`;
  if (missing) throw new ConnectionError('SecretNotBound', `${secretOf(store, identity)} is not bound to this store; whoever answers for the Secret sets the annotation ${missing}`, identity);
}

async function readTarget(client: Client, store: DataStore): Promise<StoreTarget> {
  const { endpoint, tls } = store.spec;
  const caPem = await readCa(client, store);
  return {
    name: nameOf(store),
    host: endpoint.host,
    port: endpoint.port,
    database: endpoint.database,
    replicas: endpoint.replicas ?? [],
    ...(caPem ? { caPem } : {}),
    ...(tls.serverName ? { serverName: tls.serverName } : {}),
  };
}

async function readCa(client: Client, store: DataStore): Promise<string | undefined> {
  const ca = store.spec.tls.ca;
  if (!ca) return undefined;
  const namespace = store.metadata.namespace ?? '';
  const pem = ca.configMapName
    ? (await client.get<ConfigMapObject>(CONFIG_MAP, { namespace, name: ca.configMapName }))?.data?.[ca.key]
    : decode((await client.get<SecretObject>(SECRET, { namespace, name: ca.secretName ?? '' }))?.data?.[ca.key]);
  if (pem?.includes('-----BEGIN CERTIFICATE-----')) return pem;
  const where = ca.configMapName ? `ConfigMap ${namespace}/${ca.configMapName}` : `Secret ${namespace}/${ca.secretName}`;
  throw new ConnectionError('CaNotFound', `${where} (spec.tls.ca) does not exist or has no PEM certificate under key ${ca.key}`);
}
