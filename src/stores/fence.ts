import type { Predicate, TableAddress } from './predicate.ts';

/** What stands in a store itself: who may change it, and what holds there whatever becomes of the cluster. */

export interface FenceState {
  owner: string;
  marker: string;
  holdsRevision: number;
  frozen?: { by: string; reason: string; at: string };
  holds: StoreHold[];
}

/** A hold as it stands in the store: resolved to tables and predicates, so that renaming or emptying an object lifts nothing. */
export interface StoreHold {
  uid: string;
  /** namespace/name. */
  name: string;
  revision: number;
  /** A table's entry only grows until release. */
  items: HoldItem[];
  since?: string;
}

export interface HoldItem {
  table: TableAddress;
  predicate: Predicate;
  /**
   * Why it keeps every row of its table, whatever the predicate says: a name in that belongs to another column than when the
   * hold was put. Told by the store, and absent where all names mean what they did; not part of what is put.
   */
  widened?: string;
}

/** The rows of its table that an item keeps: a guard with this predicate keeps them. */
export function keptBy({ predicate, widened }: HoldItem): Predicate {
  return widened === undefined ? predicate : { op: 'true' };
}

export interface Claim {
  run: string;
  epoch: number;
  owner: string;
}

export interface ApprovedRule {
  collection: string;
  /** Canonical JSON of the normalised effective rule. */
  rule: string;
  /** Local date (YYYY-MM-DD) of the cutoff of the last verified run under it. */
  cutoff: string;
  run: string;
  at: string;
}
