import type { Pace } from '../purging.ts';
import type { Connection } from './connection.ts';

/** What the server says of itself between two batches. Undefined: this login may not see it, or there is none. */
export interface PaceSample {
  /** Seconds; the slowest replica. */
  replicaLagSeconds?: number;
  /** Bytes of WAL the replica furthest behind has not replayed. Its seconds stand still while it does not answer, and are few while it catches up. */
  replicaLagBytes?: number;
  /** Bytes of WAL kept for the replication slot that is furthest behind. */
  slotWalBytes?: number;
  /** Bytes of the finished WAL segments that wait to be archived; undefined without archiving, and while `archive` is silent. */
  unarchivedWalBytes?: number;
  /** Archiving is on, and the server can name neither a segment that was archived nor one that could not be. */
  archiveSilent?: boolean;
  /** Sessions waiting for a lock on the table. */
  lockWaiters: number;
  /** A vacuum of the table is running; it and a purge only get in each other's way. */
  vacuuming: boolean;
  /** Seconds since the oldest snapshot of this database was taken, ours not counted. */
  oldestSnapshotSeconds?: number;
}

/** What a run has met so far. */
export interface PaceHistory {
  /** Bytes of WAL of all its steps. */
  walBytes: number;
  /** Milliseconds this purge has waited for old snapshots. */
  snapshotWaitMs: number;
  /** Milliseconds of the latest batches of this worker, oldest first. */
  batches: readonly number[];
}

/** Reasons the history of the run has a part in. */
export const LONG_SNAPSHOT = 'LongSnapshot';
export const SLOW_BATCHES = 'SlowBatches';

export type PaceDecision = { go: true } | { go: false; reason: string; waitMs: number } | { stop: string };

const MEGABYTE = 1024 * 1024;
/** Bytes of a WAL segment unless a server was made with others. */
const SEGMENT = 16 * MEGABYTE;
/** While a snapshot stands, no row deleted after it can be cleaned up, and every scan reads it again. */
const OLD_SNAPSHOT_SECONDS = 600;
/** Then the batches go on: a forgotten transaction must not keep data past its time for ever. Far below the minutes a caller lets a purge work at a time. */
const SNAPSHOT_PATIENCE_MS = 60_000;
/** So many batches make a percentile worth looking at. */
export const SLOW_WINDOW = 20;
/** A batch in twenty that takes more than this many times the limit, whatever the size, says that the server is short of something. */
const SLOW_FACTOR = 3;
/** Milliseconds; below it a batch is no burden, however small the limit. */
const NEVER_SLOW_MS = 150;

/** Decides whether the next batch may start. Each reason alone holds it back. */
export function decidePace(sample: PaceSample, { walBytes, snapshotWaitMs, batches }: PaceHistory, pace: Pace): PaceDecision {
  if (walBytes >= pace.maxWalMegabytesPerRun * MEGABYTE) {
    return { stop: `the run wrote ${Math.ceil(walBytes / MEGABYTE)} MB of WAL, maxWalMegabytesPerRun is ${pace.maxWalMegabytesPerRun}` };
  }
  const unarchived = pace.maxUnarchivedWalMegabytes * MEGABYTE;
  if ((sample.replicaLagSeconds ?? 0) > pace.maxReplicaLagSeconds || (sample.replicaLagBytes ?? 0) > unarchived) return { go: false, reason: 'ReplicaLag', waitMs: 1_000 };
  // With a command that is empty nothing is ever archived and nothing fails. What the run wrote waits at least, but for the
  // segment being filled, which every healthy archive waits for.
  const waiting = sample.archiveSilent ? walBytes - SEGMENT : (sample.unarchivedWalBytes ?? 0);
  if (waiting > unarchived) return { go: false, reason: 'WalArchiving', waitMs: 2_000 };
  // A slot nobody reads fills the disk and the server stops with a PANIC; it is treated like a broken archive.
  if ((sample.slotWalBytes ?? 0) > unarchived) return { go: false, reason: 'ReplicationSlot', waitMs: 2_000 };
  if (sample.lockWaiters > 0) return { go: false, reason: 'LockWaiters', waitMs: 250 };
  if (sample.vacuuming) return { go: false, reason: 'Vacuum', waitMs: 1_000 };
  if ((sample.oldestSnapshotSeconds ?? 0) > OLD_SNAPSHOT_SECONDS && snapshotWaitMs < SNAPSHOT_PATIENCE_MS) return { go: false, reason: LONG_SNAPSHOT, waitMs: 2_000 };
  if (batches.length >= SLOW_WINDOW && percentile95(batches) > Math.max(NEVER_SLOW_MS, SLOW_FACTOR * pace.maxBatchMillis)) return { go: false, reason: SLOW_BATCHES, waitMs: 2_000 };
  return { go: true };
}

function percentile95(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1] ?? 0;
}

/** SQL: where in the WAL the segment of this name begins. */
const start = (name: string): string => `(('x' || substr(${name}, 9, 8))::bit(32)::bigint * 4294967296 + ('x' || substr(${name}, 17, 8))::bit(32)::bigint * pg_size_bytes(current_setting('wal_segment_size')))`;

/**
 * SQL: from where on whole segments wait, and where the one being filled begins; no row without archiving. A segment that
 * failed after the last success is the first that waits: an archive that never worked has no success to count from. The
 * names of other files (history, backup) say nothing about segments.
 */
const ARCHIVER = `
       SELECT last_archived_wal, ${start('pg_walfile_name(pg_current_wal_insert_lsn())')} AS here,
              CASE WHEN last_failed_wal ~ '^[0-9A-F]{24}$' AND (last_archived_time IS NULL OR last_failed_time > last_archived_time) THEN ${start('last_failed_wal')}
                   WHEN last_archived_wal ~ '^[0-9A-F]{24}$' THEN ${start('last_archived_wal')} + pg_size_bytes(current_setting('wal_segment_size')) END AS whole_from
       FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off'`;

/** Reads the sample in one query. `leaf`: catalogue identity of the table being purged. */
export async function samplePace(connection: Connection, leaf: string): Promise<PaceSample> {
  const { rows } = await connection.query<{ lag: number | null; behind: string | null; slot: string | null; unarchived: string | null; silent: boolean | null; waiters: number; vacuuming: boolean; snapshot: number | null }>(
    `WITH archiver AS (${ARCHIVER}),
       -- A table has the number of another in a database that was made from the same template.
       this_database AS (SELECT oid FROM pg_database WHERE datname = current_database())
     SELECT (SELECT max(extract(epoch FROM replay_lag))::float8 FROM pg_stat_replication) AS lag,
            (SELECT max(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), replay_lsn)) FROM pg_stat_replication) AS behind,
            (SELECT max(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)) FROM pg_replication_slots) AS slot,
            (SELECT here - whole_from FROM archiver) AS unarchived,
            (SELECT whole_from IS NULL AND last_archived_wal IS NULL FROM archiver) AS silent,
            (SELECT count(*)::int FROM pg_locks l, this_database d WHERE l.database = d.oid AND l.relation = $1::oid AND NOT l.granted) AS waiters,
            EXISTS (SELECT FROM pg_stat_progress_vacuum v, this_database d WHERE v.datid = d.oid AND v.relid = $1::oid) AS vacuuming,
            (SELECT max(extract(epoch FROM clock_timestamp() - xact_start))::float8 FROM pg_stat_activity
             WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend') AS snapshot`,
    [leaf],
  );
  const row = rows[0];
  return {
    ...(row?.lag == null ? {} : { replicaLagSeconds: row.lag }),
    ...(row?.behind == null ? {} : { replicaLagBytes: Number(row.behind) }),
    ...(row?.slot == null ? {} : { slotWalBytes: Number(row.slot) }),
    ...(row?.unarchived == null ? {} : { unarchivedWalBytes: Number(row.unarchived) }),
    ...(row?.silent ? { archiveSilent: true } : {}),
    lockWaiters: row?.waiters ?? 0,
    vacuuming: row?.vacuuming ?? false,
    ...(row?.snapshot == null ? {} : { oldestSnapshotSeconds: row.snapshot }),
  };
}
