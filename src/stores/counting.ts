import type { StoreErrorReason } from './errors.ts';
import type { Guard, Predicate, TableAddress, TimeField } from './predicate.ts';

/**
 * What one collection's rows are subject to. The driver adds the holds that stand in the store itself; the
 * caller passes minimums and client overrides as guards.
 */
export interface CollectionRule {
  /** namespace/map/name; used in plans, journals and reports. */
  collection: string;
  table: TableAddress;
  /** Rows that may go; absent: nothing of this collection may. */
  due?: Predicate;
  guards: Guard[];
  /** Time fields whose indeterminate rows are counted. */
  times: TimeField[];
  /** Whose data a row is, for counts per client. */
  client?: { field: string } | { value: string };
  /** Triggers and rules whose side effects the owner of the data has stated. */
  acknowledged: string[];
  /** Links to other tables that the store has no foreign key for. They order and protect as foreign keys do. */
  references?: DeclaredReference[];
}

/** Values of `field` in the rows of a rule mean rows of `table` by their `toField`. */
export interface DeclaredReference {
  field: string;
  table: TableAddress;
  toField: string;
}

export interface CountRequest {
  /** All mapped collections of the store: a row stays where one that refers to it does, and that is for its own rule to say. */
  rules: CollectionRule[];
  /** Collections to count; absent: all. */
  collections?: string[];
  now: string;
  /** Wall time the exact counts may take together; whatever is not through by then is a lower bound. */
  budgetMs: number;
}

/**
 * due = selected by the rule and kept by nothing, so a purge takes it; held, floored, blocked, indeterminate are rows
 * that the rule would have reached. A row is in one of these, the first that applies.
 */
export interface CollectionCount {
  collection: string;
  due: number;
  held: number;
  floored: number;
  /** Rows past their time that stay because a row that refers to them, directly or through others, has to stay. */
  blocked: number;
  /** Rows among the blocked whose reason never ends: what refers to them is not due under any rule given, nor kept by one. */
  blockedForever: number;
  indeterminate: number;
  /** When the oldest due row started, not when it became due: the driver knows no periods. RFC 3339. */
  oldestDue?: string;
  exact: boolean;
  /** Why nothing is known of the collection; its figures are then 0 and not exact, and mean nothing. */
  uncounted?: Uncounted;
  /** Values of the rule and its guards that their column's type cannot hold; absent when there is none. They match nothing, and a guard with one keeps every row. */
  unreadable?: number;
}

/** What kept one collection from being counted, in words for the owner of the store. */
export interface Uncounted {
  reason: StoreErrorReason;
  message: string;
}

export interface Histogram {
  months: { month: string; rows: number }[];
  indeterminate: number;
  exact: boolean;
}
