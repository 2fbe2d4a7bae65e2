import type { Pace } from '../purging.ts';
import type { Connection } from './connection.ts';

/** What the server says of itself between two batches. Undefined: this login may not see it, or there is none. */
export interface PaceSample {
  /** Seconds; the slowest replica. */
  replicaLagSeconds?: number;
  /** Bytes of WAL kept for the replication slot that is furthest behind. */
  slotWalBytes?: number;
  /** Bytes of WAL written since the last segment was archived. */
  unarchivedWalBytes?: number;
  /** Sessions waiting for a lock on the table. */
  lockWaiters: number;
  /** A vacuum of the table is running; it and a purge only get in each other's way. */
  vacuuming: boolean;
}

export type PaceDecision = { go: true } | { go: false; reason: string; waitMs: number } | { stop: string };

const MEGABYTE = 1024 * 1024;

/** Decides whether the next batch may start. Each reason alone holds it back. */
export function decidePace(sample: PaceSample, walBytesOfRun: number, pace: Pace): PaceDecision {
  if (walBytesOfRun >= pace.maxWalMegabytesPerRun * MEGABYTE) {
    return { stop: `the run wrote ${Math.ceil(walBytesOfRun / MEGABYTE)} MB of WAL, maxWalMegabytesPerRun is ${pace.maxWalMegabytesPerRun}` };
  }
  const unarchived = pace.maxUnarchivedWalMegabytes * MEGABYTE;
  if ((sample.replicaLagSeconds ?? 0) > pace.maxReplicaLagSeconds) return { go: false, reason: 'ReplicaLag', waitMs: 1_000 };
  if ((sample.unarchivedWalBytes ?? 0) > unarchived) return { go: false, reason: 'WalArchiving', waitMs: 2_000 };
  // A slot nobody reads fills the disk and the server stops with a PANIC; it is treated like a broken archive.
  if ((sample.slotWalBytes ?? 0) > unarchived) return { go: false, reason: 'ReplicationSlot', waitMs: 2_000 };
  if (sample.lockWaiters > 0) return { go: false, reason: 'LockWaiters', waitMs: 250 };
  if (sample.vacuuming) return { go: false, reason: 'Vacuum', waitMs: 1_000 };
  return { go: true };
}

/** Reads the sample in one query. `leaf`: catalogue identity of the table being purged. */
export async function samplePace(connection: Connection, leaf: string): Promise<PaceSample> {
  const { rows } = await connection.query<{ lag: number | null; slot: string | null; unarchived: string | null; waiters: number; vacuuming: boolean }>(
    `SELECT (SELECT max(extract(epoch FROM replay_lag))::float8 FROM pg_stat_replication) AS lag,
            (SELECT max(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)) FROM pg_replication_slots) AS slot,
            (SELECT (('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 9, 8))::bit(32)::bigint - ('x' || substr(last_archived_wal, 9, 8))::bit(32)::bigint) * 4294967296
                  + (('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 17, 8))::bit(32)::bigint - ('x' || substr(last_archived_wal, 17, 8))::bit(32)::bigint) * pg_size_bytes(current_setting('wal_segment_size'))
             FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off' AND last_archived_wal ~ '^[0-9A-F]{24}$') AS unarchived,
            (SELECT count(*)::int FROM pg_locks WHERE relation = $1::oid AND NOT granted) AS waiters,
            EXISTS (SELECT FROM pg_stat_progress_vacuum WHERE relid = $1::oid) AS vacuuming`,
    [leaf],
  );
  const row = rows[0];
  return {
    ...(row?.lag == null ? {} : { replicaLagSeconds: row.lag }),
    ...(row?.slot == null ? {} : { slotWalBytes: Number(row.slot) }),
    ...(row?.unarchived == null ? {} : { unarchivedWalBytes: Number(row.unarchived) }),
    lockWaiters: row?.waiters ?? 0,
    vacuuming: row?.vacuuming ?? false,
  };
}

/** Size of the next batch, in heap pages or rows, and what a batch of that size is expected to cost. */
export interface BatchSize {
  size: number;
  /** Milliseconds, exponential moving average of the cost of a page or row, times the size; undefined before the first batch. */
  smoothedMs?: number;
}

export interface SizeBounds {
  min: number;
  max: number;
}

const SMOOTHING = 0.4;
/** Below this part of the limit twice as much still fits with room to spare. */
const FAR_BELOW = 0.4;
/** Aim a little under the limit, so that the usual variance stays under it. */
const TARGET = 0.9;

/** The size after a batch that took `millis`: twice as much far below the limit, a fifth more where that still fits, a fifth less above it. */
export function adaptSize(current: BatchSize, millis: number, maxBatchMillis: number, bounds: SizeBounds): BatchSize {
  const smoothedMs = current.smoothedMs === undefined ? millis : SMOOTHING * millis + (1 - SMOOTHING) * current.smoothedMs;
  // Rounded up, or a batch of one page would stay one page for ever.
  const larger = Math.ceil(current.size * (smoothedMs <= FAR_BELOW * maxBatchMillis ? 2 : 1.2));
  const resized = (size: number): BatchSize => ({ size: clamp(size, bounds), smoothedMs: (smoothedMs * clamp(size, bounds)) / current.size });
  if (smoothedMs > maxBatchMillis) return resized(Math.floor(current.size * 0.8));
  if ((smoothedMs * larger) / current.size <= TARGET * maxBatchMillis) return resized(larger);
  return { size: current.size, smoothedMs };
}

/** The size after a batch that was rolled back. The cost so far says nothing about the smaller one. */
export function halveSize(current: BatchSize, bounds: SizeBounds): BatchSize {
  return { size: clamp(Math.floor(current.size / 2), bounds) };
}

function clamp(size: number, { min, max }: SizeBounds): number {
  return Math.min(max, Math.max(min, size));
}

/** Milliseconds before the n-th retry (from 0): doubling from 25 to 1,600, half of it random so that two workers part. */
export function retryDelay(attempt: number, random: () => number): number {
  const full = 25 * 2 ** Math.min(attempt, 6);
  return full / 2 + (full / 2) * random();
}

/** Heap pages that no pass has visited yet, cut into about equal parts. */
export function remainingRanges(pages: number, visited: readonly { from: number; to: number }[], parts: number): { from: number; to: number }[] {
  const gaps: { from: number; to: number }[] = [];
  let next = 0;
  for (const range of [...visited].toSorted((a, b) => a.from - b.from)) {
    if (range.from > next) gaps.push({ from: next, to: Math.min(range.from, pages) });
    next = Math.max(next, range.to);
  }
  if (next < pages) gaps.push({ from: next, to: pages });
  const total = gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  const part = Math.max(1, Math.ceil(total / parts));
  return gaps.flatMap((gap) => cut(gap, part));
}

function cut({ from, to }: { from: number; to: number }, part: number): { from: number; to: number }[] {
  const parts: { from: number; to: number }[] = [];
  for (let start = from; start < to; start += part) parts.push({ from: start, to: Math.min(to, start + part) });
  return parts;
}
