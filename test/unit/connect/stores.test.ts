import { describe, expect, test } from '@jest/globals';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import type { KindRef, KubeObject, ObjectRef } from '../../../src/api/object.ts';
import { createStoreConnections } from '../../../src/connect/stores.ts';
import type { Client } from '../../../src/runtime/client.ts';
import { StoreError } from '../../../src/stores/errors.ts';
import type { Credential, StoreDriver, StoreReader, StoreTarget, StoreWriter } from '../../../src/stores/port.ts';

const encode = (value: string): string => Buffer.from(value).toString('base64');
const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

const store = (change: (store: DataStore) => void = () => {}): DataStore => {
  const object: DataStore = {
    apiVersion: 'dataward.io/v1alpha1',
    kind: 'DataStore',
    metadata: { namespace: 'platform-db', name: 'analytics', uid: 'u' },
    spec: {
      engine: 'PostgreSQL',
      endpoint: { host: 'db.example', port: 5432, database: 'analytics', replicas: [{ host: 'replica.example', port: 5433 }] },
      tls: { ca: { configMapName: 'ca', key: 'ca.crt' } },
      credentials: { observe: { secretName: 'observe' } },
      allowedMaps: { namespaces: { same: {} } },
      observation: { transportSeconds: 300, inventorySeconds: 900, counts: { schedule: '30 1 * * *', budgetSeconds: 600, runOn: 'Replica' } },
      residency: { country: 'DE' },
      owner: { team: 'platform-db', contact: 'platform-db@example.com' },
    },
  };
  change(object);
  return object;
};

const secret = (annotations: Record<string, string>, data: Record<string, string> = { username: encode('reader'), password: encode('s3cret') }): KubeObject => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'observe', namespace: 'platform-db', annotations }, data }) as KubeObject;
const BOUND = { 'dataward.io/store': 'analytics', 'dataward.io/host': 'db.example' };

/** Opens nothing; remembers where it was asked to go, with what. */
function opened(objects: Record<string, KubeObject | undefined>): { open: (store: DataStore) => Promise<StoreReader>; replica: (store: DataStore) => Promise<StoreReader>; writer: (store: DataStore) => Promise<StoreWriter>; connections: ReturnType<typeof createStoreConnections>; calls: { target: StoreTarget; credential: Credential }[] } {
  const calls: { target: StoreTarget; credential: Credential }[] = [];
  const client = { get: async (kind: KindRef, ref: ObjectRef) => objects[`${kind.kind}/${ref.name}`] } as unknown as Client;
  const driver = { openReader: async (target: StoreTarget, credential: Credential) => void calls.push({ target, credential }), openWriter: async () => undefined } as unknown as StoreDriver;
  const connections = createStoreConnections({ client, drivers: { PostgreSQL: driver } });
  return { open: (each) => connections.reader(each, 'observe'), replica: (each) => connections.replicaReader(each, 0), writer: (each) => connections.writer(each), connections, calls };
}

const ca = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'ca' }, data: { 'ca.crt': PEM } } as KubeObject;

describe('opening a store', () => {
  test('uses the declared endpoint, authority and the bound Secret', async () => {
    const stage = opened({ 'Secret/observe': secret(BOUND), 'ConfigMap/ca': ca });
    await stage.open(store());
    expect(stage.calls).toEqual([
      {
        target: { name: 'platform-db/analytics', host: 'db.example', port: 5432, database: 'analytics', replicas: [{ host: 'replica.example', port: 5433 }], caPem: PEM },
        credential: { type: 'password', username: 'reader', password: 's3cret' },
      },
    ]);
  });

  test.each([
    ['a Secret bound to another store', { ...BOUND, 'dataward.io/store': 'other' }, 'dataward.io/store: analytics'],
    ['a Secret bound to another host', { ...BOUND, 'dataward.io/host': 'elsewhere.example' }, 'dataward.io/host: elsewhere.example,db.example'],
    ['a Secret without annotations', {}, 'dataward.io/store: analytics'],
    ['a host that only starts like the bound one', { ...BOUND, 'dataward.io/host': 'db.example.evil' }, 'dataward.io/host'],
  ])('sends nothing of %s', async (_, annotations, named) => {
    const stage = opened({ 'Secret/observe': secret(annotations), 'ConfigMap/ca': ca });
    await expect(stage.open(store())).rejects.toMatchObject({ reason: 'SecretNotBound', message: expect.stringContaining(named) });
    expect(stage.calls).toEqual([]);
  });

  test('goes to a replica only when the Secret is bound to its host too', async () => {
    const primaryOnly = opened({ 'Secret/observe': secret(BOUND), 'ConfigMap/ca': ca });
    await expect(primaryOnly.replica(store())).rejects.toMatchObject({ reason: 'SecretNotBound', message: expect.stringContaining('replica.example') });
    const both = opened({ 'Secret/observe': secret({ ...BOUND, 'dataward.io/host': 'db.example, replica.example' }), 'ConfigMap/ca': ca });
    await both.replica(store());
    expect(both.calls[0]?.target).toMatchObject({ host: 'replica.example', port: 5433 });
  });

  test('goes nowhere where no replica is declared', async () => {
    const stage = opened({ 'Secret/observe': secret(BOUND), 'ConfigMap/ca': ca });
    await expect(stage.replica(store((each) => delete each.spec.endpoint.replicas))).rejects.toMatchObject({ reason: 'InvalidSpec', message: expect.stringContaining('spec.endpoint.replicas[0]') });
    expect(stage.calls).toEqual([]);
  });

  test.each([
    ['the Secret is not there', {}, 'SecretNotFound', 'Secret platform-db/observe'],
    ['the Secret has no username', { 'Secret/observe': secret(BOUND, { password: encode('x') }) }, 'SecretInvalid', 'username'],
    ['the Secret has half a key pair', { 'Secret/observe': secret(BOUND, { username: encode('x'), 'tls.crt': encode(PEM) }) }, 'SecretInvalid', 'tls.key'],
    ['the authority is not there', { 'Secret/observe': secret(BOUND) }, 'CaNotFound', 'ConfigMap platform-db/ca'],
    ['the authority is no certificate', { 'Secret/observe': secret(BOUND), 'ConfigMap/ca': { ...ca, data: { 'ca.crt': 'nonsense' } } as KubeObject }, 'CaNotFound', 'ca.crt'],
  ])('says what to mend when %s', async (_, objects, reason, named) => {
    const stage = opened(objects);
    const failure = await stage.open(store()).catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({ reason, message: expect.stringContaining(named) });
    expect((failure as Error).message).not.toContain('s3cret');
    expect(stage.calls).toEqual([]);
  });

  test('is not asked for its word under the name of the login that deletes', async () => {
    const named = (name: string): KubeObject => secret({ ...BOUND, 'dataward.io/host': 'db.example,replica.example' }, { username: encode(name), password: encode('s3cret') });
    const declared = store((each) => (each.spec.credentials = { observe: { secretName: 'observe' }, enforce: { secretName: 'enforce' }, verify: { secretName: 'verify' } }));
    const same = opened({ 'Secret/observe': named('a'), 'Secret/enforce': named('deleter'), 'Secret/verify': named('deleter'), 'ConfigMap/ca': ca });
    for (const look of [same.connections.reader(declared, 'verify'), same.connections.replicaVerifier(declared, 0)]) await expect(look).rejects.toMatchObject({ reason: 'VerifyNotIndependent', message: expect.stringContaining('deleter') });
    expect(same.calls).toEqual([]);
    const own = opened({ 'Secret/observe': named('a'), 'Secret/enforce': named('deleter'), 'Secret/verify': named('b'), 'ConfigMap/ca': ca });
    await own.connections.reader(declared, 'verify');
    expect(own.calls).toHaveLength(1);
  });

  test('never opens for writing without an enforcing identity', async () => {
    const stage = opened({ 'Secret/observe': secret(BOUND), 'ConfigMap/ca': ca });
    await expect(stage.writer(store())).rejects.toMatchObject({ reason: 'NoEnforceCredentials', message: expect.stringContaining('spec.credentials.enforce') });
  });
});

describe('a login that is refused', () => {
  const refusing = (error: Error, data?: Record<string, string>): ReturnType<typeof createStoreConnections> => {
    const client = { get: async (kind: KindRef) => (kind.kind === 'Secret' ? secret(BOUND, data) : ca) } as unknown as Client;
    return createStoreConnections({ client, drivers: { PostgreSQL: { openReader: () => Promise.reject(error), openWriter: () => Promise.reject(error) } as unknown as StoreDriver } });
  };
  const refused = new StoreError('AuthenticationFailed', 'The login was refused.');

  test.each<[string, Record<string, string> | undefined, string]>([
    ['by a password', undefined, 'username and password'],
    ['by a certificate', { username: encode('reader'), 'tls.crt': encode(PEM), 'tls.key': encode('k') }, 'username, tls.crt and tls.key'],
  ])('says which Secret and keys it is of: %s', async (_, data, keys) => {
    await expect(refusing(refused, data).reader(store(), 'observe')).rejects.toMatchObject({ reason: 'AuthenticationFailed', message: `The login was refused. The credential is in Secret platform-db/observe (spec.credentials.observe), keys ${keys}.` });
  });

  test('for want of an answer says nothing of a Secret', async () => {
    await expect(refusing(new StoreError('Unreachable', 'No answer.')).reader(store(), 'observe')).rejects.toMatchObject({ reason: 'Unreachable', message: 'No answer.' });
  });
});
