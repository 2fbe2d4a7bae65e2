import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chmod, chown, cp, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataStore } from '../../../../src/api/generated/dataStore.ts';
import type { PurgeRun, ReplicaVerification } from '../../../../src/api/generated/purgeRun.ts';
import { CONFIG_MAP, SECRET } from '../../../../src/api/kinds.ts';
import type { KubeObject } from '../../../../src/api/object.ts';
import { countAt } from '../../../../src/connect/counting-reader.ts';
import { createStoreConnections } from '../../../../src/connect/stores.ts';
import type { StoreConnections } from '../../../../src/connect/stores.ts';
import { REPLICA_WAIT_MS } from '../../../../src/retention/run/replicas.ts';
import { verifyRun } from '../../../../src/retention/run/verify.ts';
import type { Verdict } from '../../../../src/retention/run/verify.ts';
import { createPostgresDriver } from '../../../../src/stores/postgres/driver.ts';
import { hasReached, readPosition } from '../../../../src/stores/postgres/position.ts';
import { createCleanup } from '../../../support/cleanup.ts';
import { aStore } from '../../../support/declared.ts';
import { memoryClient } from '../../../support/memory-client.ts';
import { freePort } from '../../../support/ports.ts';
import { startPostgres, startReplica } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { until } from '../../../support/until.ts';
import { anExecuted, aPlan, aRun } from '../../../unit/retention/run/declared-run.ts';
import { openStore, purgeAll, request, rule } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';
import { login } from './support.ts';

const cleanup = createCleanup();
let primary: TestPostgres;
let replica: TestPostgres;
let other: TestPostgres;
let store: TestStore;
const wanted = request([rule('views')]);

const TABLE = 'CREATE TABLE views (id int PRIMARY KEY, created_at timestamptz NOT NULL)';
const addDue = (rows: number): Promise<unknown> => store.sql(`INSERT INTO views SELECT n + (SELECT coalesce(max(id), 0) FROM views), '2020-05-05' FROM generate_series(1, ${rows}) n`);

beforeAll(async () => {
  primary = cleanup.add(await startPostgres(), (server) => server.stop('immediate'));
  store = cleanup.add(await openStore(primary, 'shop', `${TABLE}; INSERT INTO views SELECT n, '2025-05-05' FROM generate_series(1, 50) n`), (open) => open.close());
  replica = cleanup.add(await startReplica(primary), (server) => server.stop('immediate'));
  other = cleanup.add(await startPostgres(), (server) => server.stop('immediate'));
  cleanup.add(await openStore(other, 'shop', TABLE), (open) => open.close());
  await pretend();
}, 60_000);
afterAll(() => cleanup.run());

/** Gives the other server the certificate of the primary, so that a stranger gets as far as its identity. */
async function pretend(): Promise<void> {
  for (const name of ['server.crt', 'server.key']) await cp(join(primary.dataFolder, name), join(other.dataFolder, name));
  for (const name of ['server.crt', 'server.key']) {
    const { uid, gid } = await stat(other.dataFolder);
    await chown(join(other.dataFolder, name), uid, gid);
    await chmod(join(other.dataFolder, name), 0o600);
  }
  await other.query('SELECT pg_reload_conf()');
}

/** What the operator has: declarations, bound Secrets, and the driver. */
function declared(replicas: readonly { host: string; port: number }[]): { object: DataStore; connections: StoreConnections } {
  const encode = (text: string): string => Buffer.from(text).toString('base64');
  const secretOf = (name: 'enforce' | 'verify'): KubeObject => {
    const { user, password } = primary.identityOf(`dataward_${name}`);
    const metadata = { namespace: 'platform-db', name, annotations: { 'dataward.io/store': 'analytics', 'dataward.io/host': '127.0.0.1' } };
    return { apiVersion: 'v1', kind: 'Secret', metadata, data: { username: encode(user), password: encode(password) } } as KubeObject;
  };
  const client = memoryClient([
    [SECRET, secretOf('enforce')],
    [SECRET, secretOf('verify')],
    [CONFIG_MAP, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'platform-db', name: 'ca' }, data: { 'ca.crt': primary.caPem } } as KubeObject],
  ]);
  return {
    object: aStore({ endpoint: { host: '127.0.0.1', port: primary.port, database: 'shop', replicas: [...replicas] }, tls: { ca: { configMapName: 'ca', key: 'ca.crt' }, serverName: 'localhost' } }),
    connections: createStoreConnections({ client, drivers: { PostgreSQL: createPostgresDriver() } }),
  };
}

const at = (server: { port: number }): { host: string; port: number } => ({ host: '127.0.0.1', port: server.port });

interface Verified {
  verdict: Verdict;
  waited: string[];
  /** Of the clock of the run, which jumps to the end of its patience after `looks`. */
  took: number;
}

/** Looks again and again as the controller does, through a status; after some looks in vain a minute is over. */
async function verified(replicas: readonly { host: string; port: number }[], options: { looks?: number; between?: (look: number) => Promise<unknown> } = {}): Promise<Verified> {
  const { object, connections } = declared(replicas);
  const identity = await store.writer.identity();
  const waited: string[] = [];
  const begun = Date.now();
  let skipped = 0;
  const now = (): number => Date.now() + skipped;
  const tables = (await store.writer.planPurge(wanted)).steps.flatMap((step) => step.tables);
  let run: PurgeRun = aRun({ plan: aPlan({ target: identity.fingerprint, tables, steps: [{ ...aPlan().steps[0]!, collection: 'views' }] }) }, { state: 'Verifying' });
  for (let look = 0; ; look += 1) {
    const verdict = await verifyRun(run, object, anExecuted(wanted, run.spec.plan), connections, { now, signal: new AbortController().signal });
    if (verdict.waiting === undefined) return { verdict, waited, took: now() - begun };
    waited.push(verdict.waiting);
    run = JSON.parse(JSON.stringify({ ...run, status: { state: 'Verifying', verification: verdict.verification } })) as PurgeRun;
    await options.between?.(look);
    if (look === (options.looks ?? 100)) skipped = REPLICA_WAIT_MS;
    await delay(20);
  }
}

const replayed = async (yes: boolean): Promise<void> => {
  await replica.query(yes ? 'SELECT pg_wal_replay_resume()' : 'SELECT pg_wal_replay_pause()');
  await until('replay is as asked', async () => (await replica.query<{ state: string }>('SELECT pg_get_wal_replay_pause_state() AS state'))[0]?.state === (yes ? 'not paused' : 'paused'));
};

describe('a replica that follows', () => {
  test('shows what is gone as soon as it has replayed it, and that is the proof', async () => {
    await addDue(300);
    await purgeAll(store, wanted, { run: 'run-a' });
    const { verdict, took } = await verified([at(replica)]);
    expect(verdict.problem).toBeUndefined();
    expect(verdict.verification).toMatchObject({ level: 'VerifiedReplicas', residual: 0, by: 'verify', replicas: [{ place: 0, verified: true, residual: 0 }] });
    expect(verdict.verification).not.toHaveProperty('counts');
    expect(verdict.counts).toMatchObject([{ collection: 'views', due: 0 }]);
    expect(took).toBeLessThan(REPLICA_WAIT_MS);
  });

  test('is waited for while it is behind, and counted once it is there', async () => {
    await addDue(10);
    await replayed(false);
    await purgeAll(store, wanted, { run: 'run-b' });
    const { verdict, waited } = await verified([at(replica)], { between: async (look) => look === 3 && replayed(true) });
    expect(waited.slice(0, 2)).toEqual(['no due row is left in the primary; its replicas are looked at next', expect.stringMatching(/^no due row is left in the primary; waits for replicas\[0\] \(ReplicaBehind\) until 20.*Z, then goes on without$/)]);
    expect(verdict.verification.level).toBe('VerifiedReplicas');
  });

  test('that stays behind is given up after a minute, and said so', async () => {
    await addDue(10);
    await replayed(false);
    await purgeAll(store, wanted, { run: 'run-c' });
    const { verdict, took } = await verified([at(replica)], { looks: 2 });
    await replayed(true);
    expect(took).toBeLessThan(REPLICA_WAIT_MS + 10_000);
    expect(verdict.problem).toBeUndefined();
    expect(verdict.verification).toMatchObject({ level: 'VerifiedLive', residual: 0, replicas: [{ place: 0, verified: false, reason: 'ReplicaBehind', message: expect.stringContaining('did not show in time') }] });
  });

  test('makes late rows be looked for in the primary, which has them too', async () => {
    const { verdict, waited } = await verified([at(replica)], { between: async (look) => look === 0 && addDue(3) });
    await purgeAll(store, wanted, { run: 'run-d' });
    expect(waited).toContain('replicas[0] has 3 due rows; the primary is counted again');
    expect(verdict).toMatchObject({ problem: { reason: 'ResidualRows', message: expect.stringMatching(/^3 due rows are still there/) }, verification: { residual: 3 } });
  });
});

describe('what is declared as a replica and', () => {
  const cases: [string, () => Promise<{ host: string; port: number }>, { reason: ReplicaVerification['reason']; message?: unknown }, boolean][] = [
    ['is down', async () => ({ host: '127.0.0.1', port: await freePort() }), { reason: 'Unreachable', message: expect.stringContaining('did not answer') }, true],
    ['is another store', async () => at(other), { reason: 'NotAReplica', message: expect.stringContaining('another system or database answers') }, false],
    ['is the primary itself', async () => at(primary), { reason: 'NotAReplica', message: expect.stringContaining('takes writes') }, false],
    ['has a name no Secret is bound to', async () => ({ host: 'localhost', port: replica.port }), { reason: 'SecretNotBound' }, false],
  ];
  test.each(cases)('%s leaves the run verified live, and is named by its place only', async (_, where, expected, waits) => {
    const { verdict, waited } = await verified([at(replica), await where()], { looks: 2 });
    expect(verdict.problem).toBeUndefined();
    expect(verdict.verification).toMatchObject({ level: 'VerifiedLive', residual: 0, replicas: [{ place: 0, verified: true, residual: 0 }, { place: 1, verified: false, ...expected }] });
    expect(waited.some((why) => why.includes('replicas[1]'))).toBe(waits);
    expect(JSON.stringify([verdict.verification, waited])).not.toMatch(/127\.0\.0\.1|localhost/);
  });
});

describe('the rows of a store that wants them counted at a replica', () => {
  /** Due rows, or why there is no count. */
  async function due(replicas: readonly { host: string; port: number }[]): Promise<number | string> {
    const { object, connections } = declared(replicas);
    const counting: DataStore = { ...object, spec: { ...object.spec, observation: { ...object.spec.observation, counts: { ...object.spec.observation.counts, runOn: 'Replica' } } } };
    const reader = await connections.reader(object, 'verify');
    try {
      const counts = await countAt(counting, reader, (counter) => counter.count({ rules: wanted.rules, now: wanted.now, budgetMs: 5_000 }), { connections: { replicaReader: connections.replicaVerifier }, signal: new AbortController().signal, catchUpMs: 500 });
      return counts[0]?.due ?? 'no count';
    } catch (error) {
      return String((error as { reason?: string }).reason);
    } finally {
      await reader.close();
    }
  }

  test('are counted where all that was written is seen, and nowhere else', async () => {
    await addDue(7);
    expect(await due([at(replica)])).toBe(7);
    expect(await due([at(other)])).toBe('NotAReplica');
    expect(await due([at(primary)])).toBe('NotAReplica');
    expect(await due([at(other), at(replica)])).toBe(7);
    await replayed(false);
    await addDue(1);
    expect(await due([at(replica)])).toBe('ReplicaBehind');
    await replayed(true);
    expect(await due([at(replica)])).toBe(8);
    await purgeAll(store, wanted, { run: 'run-e' });
  });
});

describe('a position', () => {
  test('of the primary is reached by a replica that has replayed it, and with it all that runs ever wrote', async () => {
    const database = 'shop';
    const [there, here] = [await login(primary, { database }), await login(replica, { database })];
    const position = await readPosition(there);
    expect(position).toMatch(/^[0-9A-F]+\/[0-9A-F]+ [1-9]\d*$/);
    await until('the replica is there', () => hasReached(here, position));
    expect(await hasReached(there, position)).toBe(true);
    const [lsn = '', mark] = position.split(' ');
    // A server of another history may be further in the log and lack the last batches.
    expect(await hasReached(here, `${lsn} ${Number(mark) + 1}`)).toBe(false);
    expect(await hasReached(here, 'FFFF/0')).toBe(false);
    expect(await hasReached(here, lsn)).toBe(true);
    await expect(hasReached(here, "0/0'; SELECT 1")).rejects.toThrow(RangeError);
    await Promise.all([there.close(), here.close()]);
  });

  test('is nothing a store without our schema is asked more for than its log', async () => {
    await primary.createDatabase('bare');
    const connection = await login(primary, { database: 'bare' });
    expect(await readPosition(connection)).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
    await connection.close();
  });
});
