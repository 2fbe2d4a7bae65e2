import type { DataStore } from '../api/generated/dataStore.ts';
import { CONFIRM_TARGET_ANNOTATION } from '../api/kinds.ts';
import { owedSlot } from '../rules/schedule.ts';
import type { StoreIdentity } from '../stores/port.ts';

/** Whether the store behind the name is the one it was. */
export type TargetVerdict = { is: 'Known' | 'New' | 'Confirmed' } | { is: 'TargetChanged' | 'TargetUnexpected' | 'Rewound'; message: string };

/**
 * Compares what answers with what answered before. A host name can lead to another server overnight; a purge
 * approved for one must never run in the other.
 *
 * A fingerprint equal to the known one without marker is the same store since our schema was installed. A lower
 * timeline of the same store means it went back in time: rows deleted since may be there again.
 */
export function judgeTarget(store: DataStore, identity: StoreIdentity): TargetVerdict {
  const { fingerprint, bareFingerprint, timeline } = identity;
  const pinned = store.spec.expectedTarget;
  if (pinned && pinned !== fingerprint && pinned !== bareFingerprint) {
    return { is: 'TargetUnexpected', message: `the store answers with ${fingerprint}, but spec.expectedTarget pins ${pinned}; correct the endpoint or the pin` };
  }
  if (store.metadata.annotations?.[CONFIRM_TARGET_ANNOTATION] === fingerprint) return { is: 'Confirmed' };
  const known = store.status?.identity;
  if (!known?.fingerprint) return { is: 'New' };
  if (known.fingerprint !== fingerprint && known.fingerprint !== bareFingerprint) {
    return {
      is: 'TargetChanged',
      message: `another store answers under this name: ${fingerprint} instead of ${known.fingerprint}; if that is intended, annotate ${CONFIRM_TARGET_ANNOTATION}=${fingerprint}`,
    };
  }
  if (known.timeline !== undefined && timeline < known.timeline) {
    return { is: 'Rewound', message: `the store went from timeline ${known.timeline} back to ${timeline}; if that is intended, annotate ${CONFIRM_TARGET_ANNOTATION}=${fingerprint}` };
  }
  return { is: 'Known' };
}

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
