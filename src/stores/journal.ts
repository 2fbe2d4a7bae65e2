import type { PurgeMethod } from './purging.ts';

/** What can be asked about the journal a store keeps beside its data: one row for each batch, written in the batch's own transaction. */

/** Rows of the journal one answer holds at most; there may be fewer when they are large. */
export const JOURNAL_PAGE_ROWS = 1_000;

/** What a run deleted, added up by the store. */
export interface JournalTotals {
  /** Number of the last row that was counted; 0: there is none. */
  lastSeq: number;
  /** Rows of the journal that were counted; as many as `lastSeq` says unless some were taken out. */
  rows: number;
  /** Rows deleted in all. */
  deleted: number;
  collections: { collection: string; method: PurgeMethod; deleted: number }[];
}

/** A run that has rows in the journal. */
export interface JournalledRun {
  /** Identity of the run, as `claim` was told it. */
  run: string;
  /** Number of its last row. */
  lastSeq: number;
}

/** Which rows of a run may go. */
export interface TrimLimit {
  /** The run's last row, as it was when it was found to be on record elsewhere. */
  lastSeq: number;
  /** RFC 3339 in UTC; all rows must have been written before. */
  before: string;
  /** Who must own the store. */
  owner: string;
}
