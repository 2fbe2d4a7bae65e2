import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { getCondition } from '../../../src/api/conditions.ts';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import { CONFIG_MAP, HOST_ANNOTATION, SECRET, STORE_ANNOTATION } from '../../../src/api/kinds.ts';
import type { KubeObject } from '../../../src/api/object.ts';
import { createStoreFacts } from '../../../src/connect/facts.ts';
import { createStoreConnections } from '../../../src/connect/stores.ts';
import { observe } from '../../../src/datastore/observe.ts';
import { dataStoreStatus } from '../../../src/datastore/status.ts';
import { createPostgresDriver } from '../../../src/stores/postgres/driver.ts';
import { aMap, aMaximum, aPolicy, aPurge, aStore } from '../../support/declared.ts';
import { memoryClient } from '../../support/memory-client.ts';
import { ensureRoles, type DatawardRoles } from '../../support/postgres-roles.ts';
import { startPostgres, type TestPostgres } from '../../support/postgres.ts';

type Role = keyof DatawardRoles;
const LOOKED_BEFORE = { namespace: 'platform-db', uid: 'uid' };

describe('a look at a store', () => {
  let server: TestPostgres;
  let roles: DatawardRoles;

  beforeAll(async () => {
    server = await startPostgres({});
    await server.query("CREATE TABLE views (id int PRIMARY KEY, created_at timestamptz); INSERT INTO views VALUES (1, '2019-01-01Z'); CREATE TABLE notes (id int)");
    roles = await ensureRoles(server, 'postgres');
  });
  afterAll(() => server.stop());

  /** Secrets and store as declared; each test breaks one thing of them, or of the server. */
  function stage(options: { mode?: 'Observe' | 'Plan' | 'Apply'; credentials?: DataStore['spec']['credentials'] } = {}) {
    const secret = (role: Role, changes: Record<string, string> = {}): KubeObject => {
      const data = { username: roles[role].user, password: roles[role].password, ...changes };
      const encoded = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));
      return { apiVersion: 'v1', kind: 'Secret', metadata: { ...LOOKED_BEFORE, name: role, annotations: { [STORE_ANNOTATION]: 'analytics', [HOST_ANNOTATION]: server.host } }, data: encoded } as KubeObject;
    };
    const client = memoryClient([
      [SECRET, secret('observe')],
      [SECRET, secret('enforce')],
      [SECRET, secret('verify')],
      [CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'platform-db', name: 'ca' }, data: { 'ca.crt': server.caPem } } as KubeObject],
    ]);
    const store = aStore({ endpoint: { host: server.host, port: server.port, database: 'postgres' }, tls: { ca: { configMapName: 'ca', key: 'ca.crt' }, serverName: 'localhost' }, ...(options.credentials ? { credentials: options.credentials } : {}) });
    const connections = createStoreConnections({ client, drivers: { PostgreSQL: createPostgresDriver() } });
    const now = (): number => Date.now();
    const policy = aPolicy('general', { maximum: aMaximum('P1Y'), purge: aPurge({ mode: options.mode ?? 'Apply' }) });
    const declarations = { maps: [aMap([{ times: [{ event: 'Created', field: 'created_at', type: 'TimestampTZ' as const }] }], { nonPersonal: [] })], policies: [policy], holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' };
    return {
      client,
      secret,
      async look(): Promise<{ said: string; message: string; ready: string }> {
        const observation = await observe(store, undefined, { connections, facts: createStoreFacts({ connections, now }), declarations, stores: [store], owner: 'us', now, signal: AbortSignal.timeout(60_000) });
        const { conditions } = dataStoreStatus(store, observation, now());
        const may = getCondition(conditions, 'Authorized');
        return { said: `${may?.status} ${may?.reason}`, message: may?.message ?? '', ready: getCondition(conditions, 'Ready')?.status ?? '' };
      },
    };
  }

  const left = async (): Promise<number> => {
    const [row] = await server.query<{ logins: number }>("SELECT count(*)::int AS logins FROM pg_stat_activity WHERE usename LIKE 'dataward%'");
    return row?.logins ?? -1;
  };

  test('finds nothing wrong with the documented rights, twice, and ends every login', async () => {
    const { look } = stage();
    for (const _ of [1, 2]) expect(await look()).toEqual({ said: 'True Authorized', message: 'Each declared identity (observe, enforce, verify) logs in and has the rights its work needs.', ready: 'True' });
    expect(await left()).toBe(0);
  });

  test('asks nothing of an identity that is not declared', async () => {
    expect(await stage({ credentials: { observe: { secretName: 'observe' } } }).look()).toEqual({ said: 'True Authorized', message: 'Each declared identity (observe) logs in and has the rights its work needs.', ready: 'True' });
  });

  test.each<[string, Role, string, RegExp]>([
    ['the password of the verifying login', 'verify', 'False AuthenticationFailed', /the password of dataward_verify is wrong .* Secret platform-db\/verify \(spec\.credentials\.verify\), keys username and password\.$/],
    ['the password of the enforcing login', 'enforce', 'False AuthenticationFailed', /the password of dataward_enforce is wrong .* Secret platform-db\/enforce \(spec\.credentials\.enforce\), keys username and password\.$/],
    ['the password of the observing login', 'observe', 'False AuthenticationFailed', /the password of dataward_observe is wrong .* Secret platform-db\/observe \(spec\.credentials\.observe\), keys username and password\.$/],
  ])('sees that it is wrong: %s', async (_, role, said, message) => {
    const { client, secret, look } = stage();
    client.put(SECRET, secret(role, { password: 'wrong' }));
    expect(await look()).toEqual({ said, message: expect.stringMatching(message), ready: 'False' });
    client.put(SECRET, secret(role));
    expect((await look()).said).toBe('True Authorized');
  });

  test('names all that are broken, not only the first', async () => {
    const { client, secret, look } = stage();
    for (const role of ['observe', 'enforce', 'verify'] as const) client.put(SECRET, secret(role, { password: 'wrong' }));
    const { said, message } = await look();
    expect([said, ...['observe', 'enforce', 'verify'].map((role) => message.includes(`Secret platform-db/${role} (spec.credentials.${role})`))]).toEqual(['False AuthenticationFailed', true, true, true]);
  });

  test.each<[string, Role, string]>([
    ['the Secret of the verifying identity', 'verify', 'Secret platform-db/verify (spec.credentials.verify) does not exist; create it with the keys username and password, or username, tls.crt and tls.key'],
    ['the Secret of the enforcing identity', 'enforce', 'Secret platform-db/enforce (spec.credentials.enforce) does not exist; create it with the keys username and password, or username, tls.crt and tls.key'],
  ])('sees that it is gone: %s', async (_, role, message) => {
    const { client, look } = stage();
    client.take(SECRET, { namespace: 'platform-db', name: role });
    expect(await look()).toEqual({ said: 'False SecretNotFound', message, ready: 'False' });
  });

  test('sees that the verifying login is the one that deletes', async () => {
    const { client, secret, look } = stage();
    client.put(SECRET, secret('verify', { username: roles.enforce.user, password: roles.enforce.password }));
    expect(await look()).toMatchObject({ said: 'False VerifyNotIndependent', message: expect.stringMatching(/logs in as dataward_enforce, the login that deletes; make a login of its own .* into Secret platform-db\/verify \(spec\.credentials\.verify\)$/) });
  });

  test.each<[string, string, string, string]>([
    ['the enforcing login may not delete', 'DELETE ON views FROM dataward_enforce', 'DELETE ON views TO dataward_enforce', 'Secret platform-db/enforce (spec.credentials.enforce): dataward_enforce lacks DELETE on public.views: GRANT DELETE ON "public"."views" TO "dataward_enforce"'],
    ['the verifying login may not read', 'SELECT ON views FROM dataward_verify', 'SELECT ON views TO dataward_verify', 'Secret platform-db/verify (spec.credentials.verify): dataward_verify lacks SELECT on public.views: GRANT SELECT ON "public"."views" TO "dataward_verify"'],
    ['the observing login may not read', 'SELECT ON views FROM dataward_observe', 'SELECT ON views TO dataward_observe', 'Secret platform-db/observe (spec.credentials.observe): dataward_observe lacks SELECT on public.views: GRANT SELECT ON "public"."views" TO "dataward_observe"'],
  ])('sees a right that was taken: %s', async (_, taken, given, message) => {
    await server.query(`REVOKE ${taken}`);
    const broken = await stage().look();
    await server.query(`GRANT ${given}`);
    expect(broken).toEqual({ said: 'False PermissionMissing', message, ready: 'False' });
    expect((await stage().look()).said).toBe('True Authorized');
  });

  test('asks for no right to delete where rows are only counted, nor on a table nobody described', async () => {
    await server.query('REVOKE DELETE ON views FROM dataward_enforce; REVOKE ALL ON notes FROM dataward_observe, dataward_enforce, dataward_verify');
    const [counting, planning] = [await stage({ mode: 'Observe' }).look(), await stage({ mode: 'Plan' }).look()];
    await server.query('GRANT DELETE ON views TO dataward_enforce');
    expect([counting.said, planning.said]).toEqual(['True Authorized', 'False PermissionMissing']);
  });

  test('sees that the role of the verifying identity was dropped', async () => {
    await server.query('ALTER ROLE dataward_verify RENAME TO elsewhere');
    const broken = await stage().look();
    await server.query(`ALTER ROLE elsewhere RENAME TO dataward_verify; ALTER ROLE dataward_verify PASSWORD '${roles.verify.password}'`);
    expect(broken).toMatchObject({ said: 'False AuthenticationFailed', message: expect.stringContaining('Secret platform-db/verify (spec.credentials.verify): There is no database role dataward_verify') });
  });

  test('takes no lack of connections for a broken identity: that is not known', async () => {
    await server.query('ALTER ROLE dataward_verify CONNECTION LIMIT 0');
    const broken = await stage().look();
    await server.query('ALTER ROLE dataward_verify CONNECTION LIMIT -1');
    expect(broken).toMatchObject({ said: 'Unknown Unreachable', ready: 'False', message: expect.stringMatching(/^Not known of verify: .*no connection left/) });
  });
});
