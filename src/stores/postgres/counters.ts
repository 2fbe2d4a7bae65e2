import { StoreError } from '../errors.ts';
import type { Connection } from './connection.ts';

/** What the server counted of this session. */
export interface Counters {
  /** Rows deleted and updated in the tables that refer to ours, and in ours. */
  referringDeleted: number;
  referringUpdated: number;
  ownDeleted: number;
  ownUpdated: number;
  /** Position in the log. */
  lsn: string;
}

/** Catalogue identities of the tables that are counted. */
export interface CountedTables {
  own: string;
  /** May hold `own`, which is left out. */
  referring: readonly string[];
}

export interface CounterRow {
  referring_deleted: string;
  referring_updated: string;
  own_deleted: string;
  own_updated: string;
  lsn: string;
}

/**
 * Columns of the server's own count of what this session did. It is cumulative until the session goes idle, so only
 * differences within one transaction mean something.
 *
 * @param referring @param own parameters of a statement, e.g. `$1`
 */
export function countersSql(referring: string, own: string): string {
  const sum = (counter: string): string => `(SELECT coalesce(sum(${counter}(o)), 0)::text FROM unnest(${referring}::oid[]) o WHERE o <> ${own}::oid)`;
  return `${sum('pg_stat_get_xact_tuples_deleted')} AS referring_deleted, ${sum('pg_stat_get_xact_tuples_updated')} AS referring_updated,
    pg_stat_get_xact_tuples_deleted(${own}::oid)::text AS own_deleted, pg_stat_get_xact_tuples_updated(${own}::oid)::text AS own_updated,
    pg_current_wal_insert_lsn()::text AS lsn`;
}

export function countersOf(row: CounterRow): Counters {
  return {
    referringDeleted: Number(row.referring_deleted),
    referringUpdated: Number(row.referring_updated),
    ownDeleted: Number(row.own_deleted),
    ownUpdated: Number(row.own_updated),
    lsn: row.lsn,
  };
}

/** The counters and, in the same round trip, the newest epoch of a run; undefined: nobody claimed it. */
export async function readCounters(connection: Connection, { own, referring }: CountedTables, run: string): Promise<{ counters: Counters; epoch: number | undefined }> {
  const { rows } = await connection.query<CounterRow & { epoch: string | null }>(`SELECT (SELECT epoch FROM dataward.claim WHERE run = $3) AS epoch, ${countersSql('$1', '$2')}`, [referring, own, run], 'counters');
  const row = rows[0];
  if (row === undefined) throw new StoreError('Failed', 'The server did not answer how many rows this session touched.');
  return { counters: countersOf(row), epoch: row.epoch === null ? undefined : Number(row.epoch) };
}
