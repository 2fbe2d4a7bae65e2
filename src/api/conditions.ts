import type { Condition } from './object.ts';

/**
 * The condition types this project writes. `Reconciling`, `Stalled` and `Failed` are abnormal-true: they are on the
 * object only while they are true, so that `kubectl describe` of a healthy object shows no alarming words.
 */
export const CONDITION_TYPES = {
  ready: 'Ready',
  reconciling: 'Reconciling',
  stalled: 'Stalled',
  compliant: 'Compliant',
  reachable: 'Reachable',
  authorized: 'Authorized',
  covered: 'Covered',
  rewound: 'Rewound',
  restored: 'Restored',
  frozen: 'Frozen',
  resolved: 'Resolved',
  accepted: 'Accepted',
  conflicted: 'Conflicted',
  completed: 'Completed',
  failed: 'Failed',
} as const;

/** What a caller states about a condition; the transition time is worked out by {@link setCondition}. */
export type ConditionUpdate = Omit<Condition, 'lastTransitionTime'>;

/** The API server truncates a longer message by refusing the whole object, so it is cut here. */
const MAX_MESSAGE_LENGTH = 32_768;
const REASON = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;

/**
 * The list with `update` in it, in the place of an earlier condition of that type or at the end.
 * `lastTransitionTime` becomes `now` (epoch milliseconds, kept to the second as the API server does) only when the
 * status differs from the one before. The list given is not changed.
 * Throws a RangeError for a reason the API server would refuse: one bad word would lose the whole status write.
 */
export function setCondition(list: readonly Condition[], update: ConditionUpdate, now: number): Condition[] {
  if (!REASON.test(update.reason)) {
    throw new RangeError(`condition ${update.type}: reason "${update.reason}" is not a CamelCase word; give one such as "StoreUnreachable"`);
  }
  const before = getCondition(list, update.type);
  const condition: Condition = {
    type: update.type,
    status: update.status,
    ...(update.observedGeneration === undefined ? {} : { observedGeneration: update.observedGeneration }),
    lastTransitionTime: before !== undefined && before.status === update.status ? before.lastTransitionTime : formatTime(now),
    reason: update.reason,
    message: update.message.slice(0, MAX_MESSAGE_LENGTH),
  };
  return before === undefined ? [...list, condition] : list.map((entry) => (entry.type === update.type ? condition : entry));
}

/** The list without the condition of that type; the list given is not changed. */
export function removeCondition(list: readonly Condition[], type: string): Condition[] {
  return list.filter((entry) => entry.type !== type);
}

/** The condition of that type, or undefined when nothing was said about it yet. */
export function getCondition(list: readonly Condition[] | undefined, type: string): Condition | undefined {
  return list?.find((entry) => entry.type === type);
}

/** An instant (epoch milliseconds) as a Kubernetes `Time`: RFC 3339 in UTC, whole seconds. */
export function formatTime(instantMs: number): string {
  return new Date(instantMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
