import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { StoreWriter } from '../../../../src/stores/port.ts';
import type { Pace } from '../../../../src/stores/purging.ts';
import { createCleanup } from '../../../support/cleanup.ts';
import { startPostgres, startReplica } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { until } from '../../../support/until.ts';
import { deletedBy, openStore, pace as calm, request, rule } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';

const cleanup = createCleanup();
let server: TestPostgres;
let replica: TestPostgres;
let store: TestStore;
let writer: StoreWriter;

beforeAll(async () => {
  server = cleanup.add(await startPostgres({ settings: { archive_mode: 'on', archive_command: "'false'", wal_receiver_status_interval: '1', max_wal_size: "'1GB'" } }), (each) => each.stop('immediate'));
  store = cleanup.add(await openStore(server, 'waits', 'CREATE TABLE events (id int PRIMARY KEY, created_at timestamptz NOT NULL); CREATE TABLE ballast (text text)'), (open) => open.close());
  // As patient as the real one, in a twentieth of the time.
  writer = await store.another({ monotonicMs: () => performance.now(), random: Math.random, sleep: (millis) => delay(millis / 20) });
  await store.sql(`GRANT pg_read_all_stats TO ${store.enforce.user}`);
  replica = cleanup.add(await startReplica(server), (each) => each.stop('immediate'));
  await sees('the replica is fed', "pg_stat_replication WHERE state = 'streaming'");
}, 60_000);
afterAll(() => cleanup.run());

/** Waits until the server's statistics show it. */
const sees = (what: string, from: string): Promise<boolean> => until(what, async () => (await store.sql(`SELECT FROM ${from}`)).length > 0);

/** Ends the segments of `megabytes` of WAL. */
async function writeWal(megabytes: number): Promise<void> {
  for (let written = 0; written < megabytes; written += 16) await store.sql("INSERT INTO ballast SELECT repeat('x', 1000) FROM generate_series(1, 1000); SELECT pg_switch_wal()");
}

let runs = 0;
/** Purges ten due rows; the first wait is ended by `mend`. Returns what it waited for, and how many rows went before and after. */
async function purge(changes: Partial<Pace>, mend: (reason: string) => Promise<unknown>): Promise<{ waited: string[]; before: number; after: number }> {
  await store.sql("INSERT INTO events SELECT n, '2020-05-05' FROM generate_series(1, 10) n");
  const wanted = request([rule('events')]);
  const plan = await writer.planPurge(wanted);
  const claim = await writer.claim(`run-${(runs += 1)}`);
  const step = plan.steps[0];
  if (!step) throw new Error('nothing is planned');
  const waited: string[] = [];
  let before = 0;
  let after = 0;
  for await (const batch of writer.purge(step, { request: wanted, claim, pace: { ...calm, ...changes }, signal: AbortSignal.timeout(15_000) })) {
    if (batch.throttledBy !== undefined) {
      if (waited.length === 0) await mend(batch.throttledBy);
      waited.push(batch.throttledBy);
    } else if (waited.length === 0) before += deletedBy([batch]).events ?? 0;
    else after += deletedBy([batch]).events ?? 0;
  }
  return { waited: [...new Set(waited)], before, after };
}

const archiveBy = (command: string): Promise<unknown> => server.query(`ALTER SYSTEM SET archive_command = '${command}'`).then(() => server.query('SELECT pg_reload_conf()'));

describe('a purge', () => {
  test('waits for an archive that has never worked, until it does', async () => {
    await writeWal(32);
    await sees('an attempt to archive has failed', 'pg_stat_archiver WHERE failed_count > 0 AND archived_count = 0');
    const seen = await purge({ maxUnarchivedWalMegabytes: 16 }, () => archiveBy('true'));
    expect(seen).toEqual({ waited: ['WalArchiving'], before: 0, after: 10 });
  });

  test('waits for an archive that stopped working, and for one whose command was taken away', async () => {
    for (const command of ['false', '']) {
      await archiveBy(command);
      await writeWal(32);
      expect(await purge({ maxUnarchivedWalMegabytes: 16 }, () => archiveBy('true'))).toEqual({ waited: ['WalArchiving'], before: 0, after: 10 });
    }
  });

  test('waits for a slot nobody reads, until it is dropped', async () => {
    await store.sql("SELECT pg_create_physical_replication_slot('forgotten', true)");
    await writeWal(32);
    const seen = await purge({ maxUnarchivedWalMegabytes: 16 }, () => store.sql("SELECT pg_drop_replication_slot('forgotten')"));
    expect(seen).toEqual({ waited: ['ReplicationSlot'], before: 0, after: 10 });
  });

  test('waits for a replica that has stopped replaying, until it has caught up', async () => {
    await replica.query('SELECT pg_wal_replay_pause()');
    await until('the replica has stopped', async () => (await replica.query<{ state: string }>('SELECT pg_get_wal_replay_pause_state() AS state'))[0]?.state === 'paused');
    await writeWal(16);
    await sees('the primary knows', "pg_stat_replication WHERE replay_lag > '1.5 s'");
    const seen = await purge({ maxReplicaLagSeconds: 1 }, () => replica.query('SELECT pg_wal_replay_resume()'));
    expect(seen).toEqual({ waited: ['ReplicaLag'], before: 0, after: 10 });
  });

  test('waits for a replica that does not answer at all, whose lag in seconds stands still', async () => {
    const [receiver] = await replica.query<{ pid: number }>('SELECT pid FROM pg_stat_wal_receiver');
    if (!receiver) throw new Error('the replica receives nothing');
    process.kill(receiver.pid, 'SIGSTOP');
    try {
      await writeWal(32);
      const seen = await purge({ maxReplicaLagSeconds: 86_400, maxUnarchivedWalMegabytes: 16 }, async () => process.kill(receiver.pid, 'SIGCONT'));
      expect(seen).toEqual({ waited: ['ReplicaLag'], before: 0, after: 10 });
    } finally {
      process.kill(receiver.pid, 'SIGCONT');
    }
  });

  test('waits for a vacuum of its table, until it has ended', async () => {
    await store.sql("INSERT INTO events SELECT n, '2025-05-05' FROM generate_series(1000, 60000) n");
    await store.sql('DELETE FROM events WHERE id >= 1000');
    const vacuum = new pg.Client(server.connection(server.superuser, store.database));
    await vacuum.connect();
    await vacuum.query('SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1');
    const ended = vacuum.query('VACUUM events').then(() => 'finished', () => 'cancelled');
    try {
      await sees('the vacuum has begun', 'pg_stat_progress_vacuum');
      const seen = await purge({}, () => store.sql('SELECT pg_cancel_backend(pid) FROM pg_stat_progress_vacuum'));
      expect(seen).toEqual({ waited: ['Vacuum'], before: 0, after: 10 });
      expect(await ended).toBe('cancelled');
    } finally {
      await vacuum.end();
    }
  });
});
