import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { StoreHold } from '../../../../src/stores/fence.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { login } from './support.ts';
import { createReader } from '../../../../src/stores/postgres/reader.ts';
import { oneOf, openStore, pace, request, rule, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';

let server: TestPostgres;
let store: TestStore;
const schema = `CREATE TABLE events (id bigint PRIMARY KEY, client_id text, created_at timestamptz);
  INSERT INTO events SELECT i, 'client-' || (i % 2), '2020-01-01Z' FROM generate_series(1, 100) i`;

beforeAll(async () => {
  server = await startPostgres();
  store = await openStore(server, 'fence', schema);
});
afterAll(async () => {
  await store.close();
  await server.stop();
});

const hold = (changes: Partial<StoreHold> = {}): StoreHold => ({ uid: 'uid-1', name: 'legal/matter-1', revision: 1, items: [{ table: table('events'), predicate: oneOf('client_id', 'client-1') }], ...changes });
const reason = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no error',
    (error: unknown) => `${(error as { reason?: string }).reason}: ${(error as Error).message}`,
  );

describe('the installation', () => {
  test('is the same when done again', async () => {
    const first = await store.writer.fence();
    expect(await store.writer.install({ owner: 'cluster-a', readers: ['dataward_observe'] })).toEqual(first);
    expect(first).toMatchObject({ owner: 'cluster-a', holdsRevision: 0, holds: [] });
    expect(first?.marker).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('by two processes at once leaves one marker', async () => {
    const fresh = await openStore(server, 'fence_twice', schema, { install: false });
    const other = await fresh.another();
    const states = await Promise.all([fresh.writer, other].map((writer) => writer.install({ owner: 'cluster-a', readers: [] })));
    expect(states[0]).toEqual(states[1]);
    await fresh.close();
  });

  test('refuses a second cluster', async () => {
    expect(await reason(store.writer.install({ owner: 'cluster-b', readers: [] }))).toMatch(/^ForeignOwner: The store is owned by cluster-a, not by cluster-b/);
  });

  test('refuses a schema of the same name that is not ours', async () => {
    const foreign = await openStore(server, 'fence_foreign', `${schema}; CREATE SCHEMA dataward; CREATE TABLE dataward.things (id int)`, { install: false });
    await foreign.sql('ALTER SCHEMA dataward OWNER TO dataward_enforce');
    expect(await reason(foreign.writer.install({ owner: 'cluster-a', readers: [] }))).toMatch(/^ForeignOwner: A schema named dataward exists/);
    await foreign.close();
  });

  test('refuses a schema that a newer release wrote', async () => {
    const newer = await openStore(server, 'fence_newer', schema);
    await newer.sql('UPDATE dataward.installation SET version = 99');
    expect(await reason(newer.writer.install({ owner: 'cluster-a', readers: [] }))).toMatch(/^UnsupportedVersion: .*version 99/);
    await newer.close();
  });

  test('names a reader that does not exist', async () => {
    expect(await reason(store.writer.install({ owner: 'cluster-a', readers: ['nobody_here'] }))).toMatch(/^AuthenticationFailed: There is no database role nobody_here/);
  });

  test('lets its readers read and change nothing', async () => {
    const reader = await login(server, { identity: server.identityOf('dataward_observe'), database: 'fence', settings: { readOnly: false } });
    await expect(createReader(reader).fence()).resolves.toMatchObject({ owner: 'cluster-a' });
    for (const statement of ['UPDATE dataward.fence SET frozen_by = NULL', 'DELETE FROM dataward.hold', `SELECT dataward.freeze('x')`, 'SELECT dataward.thaw()']) {
      expect(await reason(reader.query(statement))).toMatch(/^PermissionDenied/);
    }
    await reader.close();
  });

  test('that may not be read is an error, not a store without holds', async () => {
    await server.createRole('stranger');
    await server.query('GRANT CONNECT ON DATABASE fence TO stranger');
    const reader = await login(server, { identity: server.identityOf('stranger'), database: 'fence' });
    expect(await reason(createReader(reader).fence())).toMatch(/^PermissionDenied: .*its holds are unknown/);
    await reader.close();
  });
});

test('without the schema nothing that needs it pretends to work', async () => {
  const bare = await openStore(server, 'fence_bare', schema, { install: false });
  for (const work of [bare.writer.putHold(hold()), bare.writer.claim('run'), bare.writer.freeze('platform', 'x')]) {
    expect(await reason(work)).toMatch(/^Fenced: .*schema dataward is not installed/);
  }
  expect(await bare.writer.fence()).toBeUndefined();
  expect(await bare.writer.approvedRules('policy')).toEqual([]);
  await bare.close();
});

describe('a hold', () => {
  test('is there when the call returns, with the time it came into force', async () => {
    const put = await store.writer.putHold(hold());
    expect(put.holdsRevision).toBe(1);
    const state = await store.writer.fence();
    expect(state?.holds).toEqual([{ ...hold(), since: put.since }]);
  });

  test('put again changes nothing, not even the revision', async () => {
    const before = await store.writer.fence();
    expect((await store.writer.putHold(hold())).holdsRevision).toBe(before?.holdsRevision);
    expect(await store.writer.fence()).toEqual(before);
  });

  test('only grows: what was held stays held when it is put without it', async () => {
    const other = { table: table('events'), predicate: oneOf('client_id', 'client-0') };
    const put = await store.writer.putHold(hold({ revision: 2, items: [other] }));
    const state = await store.writer.fence();
    expect(put.items).toEqual(state?.holds[0]?.items);
    expect(state?.holds[0]?.items).toHaveLength(2);
    expect(state?.holdsRevision).toBe(2);
  });

  test('follows its table through a rename, and covers a new one of the old name', async () => {
    const renamed = await openStore(server, 'fence_rename', schema);
    await renamed.writer.putHold(hold());
    await renamed.sql('ALTER TABLE events RENAME TO old_events; CREATE TABLE events (id int, client_id text)');
    expect((await renamed.writer.fence())?.holds[0]?.items.map((item) => item.table.name)).toEqual(['events', 'old_events']);
    await renamed.close();
  });

  test('ends by its release and by nothing else; an unknown one is no error', async () => {
    await store.writer.releaseHold('no-such-uid');
    expect((await store.writer.fence())?.holds).toHaveLength(1);
    await store.writer.releaseHold('uid-1');
    expect(await store.writer.fence()).toMatchObject({ holds: [], holdsRevision: 3 });
  });
});

describe('a freeze', () => {
  const purgeOnce = async (run: string): Promise<string> => {
    const claim = await store.writer.claim(run);
    const rules = request([rule('events')]);
    const plan = await store.writer.planPurge(rules);
    const [step] = plan.steps;
    if (step === undefined) throw new Error('no step');
    return reason(
      (async () => {
        for await (const _batch of store.writer.purge(step, { request: rules, claim, pace, signal: AbortSignal.timeout(10_000) }));
      })(),
    );
  };

  test('by the operator stops a purge and says why', async () => {
    await store.writer.freeze('platform', 'migration under way');
    expect(await purgeOnce('frozen-1')).toMatch(/^Frozen: The store is frozen by platform: migration under way/);
    expect((await store.writer.fence())?.frozen).toMatchObject({ by: 'platform', reason: 'migration under way' });
    await store.writer.thaw('platform');
    expect((await store.writer.fence())?.frozen).toBeUndefined();
  });

  test('by a DBA in SQL cannot be lifted by the operator, only in SQL', async () => {
    await store.writer.freeze('platform', 'first');
    await store.sql(`SELECT dataward.freeze('looking into it')`);
    expect((await store.writer.fence())?.frozen).toMatchObject({ by: 'database role postgres', reason: 'looking into it' });
    expect(await reason(store.writer.thaw('platform'))).toMatch(/^Conflict: The store was frozen by database role postgres, not by platform/);
    await store.writer.freeze('platform', 'again');
    expect(await purgeOnce('frozen-2')).toMatch(/^Frozen: .*looking into it/);
    await store.sql('SELECT dataward.thaw()');
    expect((await store.writer.fence())?.frozen).toBeUndefined();
  });

  test('function works for a role that got only EXECUTE, whatever its search path', async () => {
    const dba = await server.createRole('dba');
    await store.sql('GRANT CONNECT ON DATABASE fence TO dba; GRANT USAGE ON SCHEMA dataward TO dba; GRANT EXECUTE ON FUNCTION dataward.freeze(text), dataward.thaw() TO dba');
    await store.sql(`CREATE SCHEMA trap AUTHORIZATION dba`);
    const client = new pg.Client(server.connection(dba, 'fence'));
    await client.connect();
    await client.query('CREATE TABLE trap.fence (owner text); SET search_path = trap, dataward');
    await client.query(`SELECT dataward.freeze('night shift')`);
    expect((await store.writer.fence())?.frozen?.by).toBe('database role dba');
    await client.query('SELECT dataward.thaw()');
    await client.end();
    expect((await store.writer.fence())?.frozen).toBeUndefined();
  });
});

describe('a claim', () => {
  test('has a higher epoch each time, per run', async () => {
    expect(await store.writer.claim('claims')).toEqual({ run: 'claims', epoch: 1, owner: 'cluster-a' });
    expect((await store.writer.claim('claims')).epoch).toBe(2);
    expect((await store.writer.claim('others')).epoch).toBe(1);
  });

  test('waits for a transaction that read the fence, and then is the only one in force', async () => {
    const old = new pg.Client(server.connection(store.enforce, 'fence'));
    await old.connect();
    await old.query('BEGIN; SELECT * FROM dataward.fence FOR SHARE');
    let claimed = false;
    const taking = store.writer.claim('takeover').then((claim) => {
      claimed = true;
      return claim;
    });
    await waitUntilBlocked(store);
    expect(claimed).toBe(false);
    await old.query('COMMIT');
    expect((await taking).epoch).toBe(1);
    await old.end();
  });

  test('is not kept waiting for ever by share locks that overlap without a gap', async () => {
    const clients = [new pg.Client(server.connection(store.enforce, 'fence')), new pg.Client(server.connection(store.enforce, 'fence'))];
    for (const client of clients) await client.connect();
    const [one, two] = clients as [pg.Client, pg.Client];
    await one.query('BEGIN; SELECT * FROM dataward.fence FOR SHARE');
    const taking = store.writer.claim('fair');
    await waitUntilBlocked(store);
    // The second comes later than the takeover and queues behind it, though a share lock alone would let it pass.
    const late = two.query('BEGIN; SELECT * FROM dataward.fence FOR SHARE; COMMIT');
    await one.query('COMMIT');
    await expect(taking).resolves.toMatchObject({ run: 'fair' });
    await late;
    for (const client of clients) await client.end();
  });
});

test('approved rules are kept by policy and collection', async () => {
  const approved = { collection: 'events', rule: '{"period":"P2Y"}', cutoff: '2024-01-01', run: 'run-1', at: '2026-01-01T00:00:00.000000Z' };
  await store.writer.recordApprovedRules('policy-1', [approved, { ...approved, collection: 'others' }]);
  await store.writer.recordApprovedRules('policy-1', [{ ...approved, cutoff: '2024-02-01' }]);
  expect(await store.writer.approvedRules('policy-1')).toEqual([{ ...approved, cutoff: '2024-02-01' }, { ...approved, collection: 'others' }]);
  expect(await store.writer.approvedRules('policy-2')).toEqual([]);
});

/** Until some session waits for the fence. */
async function waitUntilBlocked({ sql }: TestStore): Promise<void> {
  for (;;) {
    const waiting = await sql(`SELECT FROM pg_locks WHERE NOT granted AND relation = 'dataward.fence'::regclass`);
    if (waiting.length > 0) return;
  }
}
