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
  items: { table: TableAddress; predicate: Predicate }[];
  since?: string;
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
