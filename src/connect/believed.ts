import type { DataStore } from '../api/generated/dataStore.ts';
import { isAhead } from '../rules/clocks.ts';
import { COUNTS_VALID_MS, validUntil, type Readings } from './readings.ts';

/** A group of facts that was read, with the time of it and until when it counts, milliseconds. */
export interface Reading {
  at: number;
  until: number;
  /** Whether it counts now. */
  believed: boolean;
}

/** The groups of facts of a store, each by itself: one that is too old says nothing about the others. */
export interface Believed {
  transport?: Reading;
  inventory?: Reading;
  counts?: Reading;
}

/**
 * What of the readings still counts. A process remembers them as long as it lives, also while nobody can reach the
 * store; shown without this they would stay good news for good. One from the future was noted by a wrong clock. Pure.
 *
 * @param now milliseconds
 */
export function believed({ spec: { observation } }: DataStore, readings: Readings, now: number): Believed {
  const { transport, inventory, counts } = readings;
  const reading = (at: number, until: number): Reading => ({ at, until, believed: now <= until && !isAhead(at, now) });
  return {
    ...(transport ? { transport: reading(transport.at, validUntil(transport.at, observation.transportSeconds)) } : {}),
    ...(inventory ? { inventory: reading(inventory.at, validUntil(inventory.at, observation.inventorySeconds)) } : {}),
    ...(counts ? { counts: reading(counts.at, counts.at + COUNTS_VALID_MS) } : {}),
  };
}
