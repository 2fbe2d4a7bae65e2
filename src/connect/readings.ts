import type { StoreRules } from '../rules/store-rules.ts';
import type { CollectionCount } from '../stores/counting.ts';
import type { Inventory, SessionFacts, TransportFacts } from '../stores/facts.ts';
import type { Register } from './register.ts';

/**
 * What was read of one store and is still believed, with its times in milliseconds. A new process knows nothing
 * until it has read for itself: an old figure out of a status proves nothing about now.
 */
export interface Readings {
  generation: number;
  transport?: { at: number; facts: TransportFacts; sessions?: SessionFacts };
  inventory?: { at: number; inventory: Inventory };
  counts?: { at: number; rules: string; counts: CollectionCount[] };
  /** What the declarations meant for the store at the last look. */
  rules?: StoreRules;
}

/** Readings by uid of the DataStore. */
export type ReadingsRegister = Register<Readings>;

/** Facts count for three cadences: one missed reading is a hiccup, three are blindness. */
export function validUntil(at: number, cadenceSeconds: number): number {
  return at + 3 * cadenceSeconds * 1000;
}

/** Counts are made once a day by default; they count for two days. */
export const COUNTS_VALID_MS = 2 * 86_400_000;
