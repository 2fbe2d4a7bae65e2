import type { DataStore } from '../api/generated/dataStore.ts';
import { owedSlot } from '../rules/schedule.ts';

/** When each group of facts was last read, milliseconds; absent: never by this process. */
export interface LastReadings {
  transport?: number;
  inventory?: number;
  counts?: number;
  /** Fingerprint of the rules the counts were made under. */
  countedRules?: string;
}

export interface DueReadings {
  transport: boolean;
  inventory: boolean;
  counts: boolean;
}

/**
 * Which facts are to be read again now: cheap ones by cadence, counts by schedule and whenever the rules changed
 * or a purge ended since, because a count under another rule proves nothing.
 */
export function dueReadings(store: DataStore, last: LastReadings, context: { now: number; rules: string; lastPurgeEnd?: number }): DueReadings {
  const { observation } = store.spec;
  const older = (at: number | undefined, seconds: number): boolean => at === undefined || context.now - at >= seconds * 1000;
  const scheduled = last.counts === undefined || owedSlot({ cron: observation.counts.schedule, timeZone: 'UTC' }, last.counts, context.now, store.metadata.uid ?? '') !== undefined;
  return {
    transport: older(last.transport, observation.transportSeconds),
    inventory: older(last.inventory, observation.inventorySeconds),
    counts: scheduled || last.countedRules !== context.rules || (context.lastPurgeEnd ?? 0) > (last.counts ?? 0),
  };
}
