import { getCondition } from '../api/conditions.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import { CONFIRM_TARGET_ANNOTATION } from '../api/kinds.ts';
import type { StoreIdentity } from '../stores/facts.ts';
import type { ApprovedRule } from '../stores/fence.ts';

/** Whether the store behind the name is the one it was. */
export type TargetVerdict = { is: 'Known' | 'New' | 'Confirmed' | 'Restored' } | { is: 'TargetChanged' | 'TargetUnexpected' | 'Rewound'; message: string };

/**
 * Compares what answers with what answered before. A host name can lead to another server overnight; a purge
 * approved for one must never run in the other.
 *
 * A fingerprint equal to the known one without marker is the same store since our schema was installed. A lower
 * timeline, or a lower watermark whatever the timeline, means a copy of before answers: rows deleted since may be there
 * again, and holds and approved rules be lost. A higher timeline with all that was written before is a failover.
 */
export function judgeTarget(store: DataStore, identity: StoreIdentity): TargetVerdict {
  const { fingerprint, bareFingerprint } = identity;
  const pinned = store.spec.expectedTarget;
  if (pinned && pinned !== fingerprint && pinned !== bareFingerprint) {
    return { is: 'TargetUnexpected', message: `the store answers with ${fingerprint}, but spec.expectedTarget pins ${pinned}; correct the endpoint or the pin` };
  }
  const confirmed = store.metadata.annotations?.[CONFIRM_TARGET_ANNOTATION];
  const known = store.status?.identity;
  if (!known?.fingerprint) return { is: 'New' };
  if (known.fingerprint !== fingerprint && known.fingerprint !== bareFingerprint) {
    if (confirmed === fingerprint) return { is: 'Confirmed' };
    return {
      is: 'TargetChanged',
      message: `another store answers under this name: ${fingerprint} instead of ${known.fingerprint}; if that is intended, annotate ${CONFIRM_TARGET_ANNOTATION}=${fingerprint}`,
    };
  }
  const back = rewinding(known, identity);
  if (back === undefined) return { is: 'Known' };
  const word = `${fingerprint}/${back.word}`;
  if (confirmed === word) return { is: 'Restored' };
  return { is: 'Rewound', message: `the store went back in time: ${back.how}; see that every LegalHold stands, then annotate ${CONFIRM_TARGET_ANNOTATION}=${word}` };
}

/**
 * The approved rules that still speak. Those a restore brought back are of another time: a rule lengthened since would
 * be shortened again unseen. So after one that was confirmed, a person approves the next runs.
 */
export function approvedSince(store: DataStore, identity: StoreIdentity, approved: readonly ApprovedRule[]): ApprovedRule[] {
  if (judgeTarget(store, identity).is === 'Restored') return [];
  return approved.filter(({ at }) => !restoredAfter(store, at));
}

/** Whether a restore of the store was confirmed at or after an instant (RFC 3339). */
export function restoredAfter(store: DataStore, instant: string): boolean {
  const restored = getCondition(store.status?.conditions, 'Restored');
  return restored?.status === 'True' && Date.parse(instant) <= Date.parse(restored.lastTransitionTime);
}

/** How a store went back, and the word that confirms this one time: another restore needs another word. */
function rewinding(known: NonNullable<NonNullable<DataStore['status']>['identity']>, { timeline, watermark }: StoreIdentity): { how: string; word: string } | undefined {
  if (known.watermark !== undefined && watermark !== undefined && watermark < known.watermark) {
    return { how: `the last ${known.watermark - watermark} of ${known.watermark} things that runs wrote in it are gone`, word: `${timeline}/${watermark}-${known.watermark}` };
  }
  if (known.timeline !== undefined && timeline < known.timeline) return { how: `from timeline ${known.timeline} to ${timeline}`, word: `${timeline}` };
  return undefined;
}
