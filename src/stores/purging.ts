import type { CollectionRule } from './counting.ts';
import type { StoreErrorReason } from './errors.ts';
import type { Claim } from './fence.ts';
import type { TableAddress } from './predicate.ts';

export interface PurgeRequest {
  /** All mapped collections of the store: the closure over foreign keys may reach any of them. */
  rules: CollectionRule[];
  /** Collections this run is for; others are only steps where a foreign key makes them so and their own rule says due. */
  targets: string[];
  /** Tables somebody declared free of personal data; a foreign key from any other unmapped table refuses. */
  nonPersonal: TableAddress[];
  now: string;
  budgetMs: number;
  /** What the plan was made on. With it, whoever finds another table under one of these names throws `Replaced`. */
  pinned?: PinnedTable[];
  /** What a forecast of before called the parts of its collections. With it, those that are none by now are counted by themselves. */
  parts?: { collection: string; oids: readonly string[] }[];
}

/** A table by its name and by what the store knows it by, whatever it is called: in the catalogue, its oid. */
export interface PinnedTable extends TableAddress {
  oid: string;
  /** The columns that are asked for, by name; absent: none is, or it is not known. */
  columns?: PinnedColumn[];
}

/** A column by its name and by what the store knows it by in its table. */
export interface PinnedColumn {
  name: string;
  /** In the catalogue, its `attnum`. */
  number: number;
  type: string;
}

const PURGE_METHODS = ['DropPartition', 'BlockRange', 'Keyset'] as const;
export type PurgeMethod = (typeof PURGE_METHODS)[number];

export interface PurgePlan {
  steps: PurgeStep[];
  /** Non-empty: nothing may run. */
  refusals: Refusal[];
  forecast: StepForecast[];
  walMegabytes: number;
}

/** One pass over one collection. Children come before parents. */
export interface PurgeStep {
  collection: string;
  table: TableAddress;
  order: number;
  method: PurgeMethod;
  /** Digest of table, due predicate and guards without the holds (which only ever narrow). */
  predicateDigest: string;
  because: string;
  /** The table, and then those that decide which of its rows may go: where times and clients are read from, and what a map says refers to it. Of a partition, what it is a part of. */
  tables: PinnedTable[];
}

export interface StepForecast {
  collection: string;
  /** Rows that go. */
  due: number;
  held: number;
  floored: number;
  indeterminate: number;
  /** Rows past their time that stay all the same, because a row that refers to them must stay; not in `due`. */
  blocked: number;
  exact: boolean;
  /** Partitions whose drop was begun and neither finished nor undone; absent: there is none. Only a run of the step finishes it. */
  unfinished?: TableAddress[];
  /** The tables that have rows of the collection beside its own, by what the store knows them by: partitions, inheritance children. */
  partOids?: string[];
  /** Of the parts that were asked for, those that are there and were no part of what was counted; not in `due`. Absent: there is none. */
  removed?: RemovedPart[];
}

/** A table that was a part of another, and still is there. */
export interface RemovedPart {
  table: TableAddress;
  /** Rows in it that would be due if it still were one. */
  due: number;
  exact: boolean;
}

export interface Refusal {
  /** Documented reason, e.g. `ForeignKeyWithoutIndex`. */
  reason: string;
  collection: string;
  /** Names the constraint, trigger, table; says what to do. */
  message: string;
  /** Of `NotCounted`: what the store answered. */
  cause?: StoreErrorReason;
}

export interface PurgeContext {
  request: PurgeRequest;
  claim: Claim;
  pace: Pace;
  /** Rows that may still go in this step. A batch that would take more is not committed; then `LimitReached`. Absent: no limit. */
  maxRows?: number;
  /**
   * The rows were counted after the deletion and some are left: look for them everywhere, also where the run has
   * been. Without it a table is gone through once, and what came, or moved, behind the walk is for the count to find.
   */
  sweep?: boolean;
  signal: AbortSignal;
}

export interface Pace {
  maxBatchMillis: number;
  workers: number;
  maxReplicaLagSeconds: number;
  lockTimeoutMillis: number;
  maxWalMegabytesPerRun: number;
  maxUnarchivedWalMegabytes: number;
}

export interface BatchResult {
  /** Journal sequence number within the run; strictly increasing. 0 where nothing was committed: a pause, or a question. */
  seq: number;
  collection: string;
  deleted: number;
  /** Deleted per client key, where the collection declares one; of a row that changed hands at that moment, the one it had when the batch began. */
  clients: Record<string, number>;
  millis: number;
  /** Why the driver waited before this batch, e.g. `ReplicaLag`. */
  throttledBy?: string;
}

/** Whether the driver tells of nothing, so that its consumer can say whether to go on: it looked, or counted, for a while. */
export function isQuestion({ seq, throttledBy }: BatchResult): boolean {
  return seq === 0 && throttledBy === undefined;
}

/** What became of a part of a table that was taken out of sight to be dropped, and that nobody goes on with. */
export interface UndoneDrop {
  partition: TableAddress;
  /** What it was taken from, as it is called now. */
  table: TableAddress;
  /**
   * `Attached`: its rows are seen again. `Lost`: it is gone, has another name or place, or its table is gone, so that it is
   * no business of ours any more. `Left`: nothing of it could be done, `because` of that; to be tried again.
   */
  end: 'Attached' | 'Lost' | 'Left';
  because?: string;
}

export interface JournalRow {
  run: string;
  seq: number;
  epoch: number;
  collection: string;
  table: TableAddress;
  method: PurgeMethod;
  deleted: number;
  clients: Record<string, number>;
  at: string;
}
