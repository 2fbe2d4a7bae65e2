import type { ConditionUpdate } from '../api/conditions.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import type { Reason } from '../api/reasons.ts';
import type { EffectiveCollection } from '../rules/effective.ts';
import { inertBecause } from '../rules/ruleset.ts';
import type { PolicyObservation } from './observe.ts';

/** Why a policy does something else in a collection than it says. */
export interface Deviation {
  reason: Reason;
  because: string;
}

/** Which of several is told first: what the author can mend comes before what others decided. */
const ORDER: readonly Reason[] = ['NoStartEvent', 'MissingRowField', 'NoClientKey', 'MapOverlap', 'ReplacedByStricter'];

/** How a collection that a policy selects differs from what the policy says; undefined: not at all. */
export function deviation(uid: string | undefined, each: EffectiveCollection): Deviation | undefined {
  const loser = each.losers.find(({ policy }) => policy.uid === uid);
  if (loser) return { reason: 'ReplacedByStricter', because: loser.because };
  if (each.withoutStartEvent.some((ref) => ref.uid === uid)) return { reason: 'NoStartEvent', because: 'the collection does not declare the start event, or its column is not there or of another type, so a maximum does nothing there and a minimum keeps every row' };
  if (each.withoutColumn.some((ref) => ref.uid === uid)) return { reason: 'MissingRowField', because: 'the collection lacks a column that spec.rows names, so a maximum does nothing there and a minimum keeps every row' };
  const inert = each.maxima.some(({ policy }) => policy.uid === uid) ? inertBecause(each) : undefined;
  if (inert === undefined) return undefined;
  return { reason: each.collection.problems.some((problem) => problem.reason === 'MapOverlap') ? 'MapOverlap' : 'NoClientKey', because: inert };
}

/** The condition `AsWritten` of a policy: Unknown where a store could not be read, or nothing is selected. */
export function asWritten(policy: RetentionPolicy, { views }: PolicyObservation, rootNamespace: string): ConditionUpdate {
  const { namespace, uid, generation: observedGeneration = 0 } = policy.metadata;
  const say = (status: ConditionUpdate['status'], reason: string, message: string): ConditionUpdate => ({ type: 'AsWritten', status, reason, message, observedGeneration });
  if (policy.spec.namespaceSelector && namespace !== rootNamespace) {
    return say('False', 'NotInRootNamespace', `spec.namespaceSelector has no effect outside the namespace ${rootNamespace}; remove it, or let the team of that namespace declare the policy there.`);
  }
  const found = views.flatMap(({ effective }) => effective.flatMap((each) => {
    const differs = deviation(uid, each);
    return differs ? [{ ...differs, collection: each.collection.id }] : [];
  }));
  const [worst] = found.toSorted((a, b) => ORDER.indexOf(a.reason) - ORDER.indexOf(b.reason));
  if (worst) return say('False', worst.reason, `${worst.collection}: ${worst.because}${found.length > 1 ? ` (and ${found.length - 1} more in status.effective.worst)` : ''}`.slice(0, 1_024));
  const unread = views.find(({ failure }) => failure);
  if (unread?.failure) return say('Unknown', unread.failure.reason, `Store ${unread.store.metadata.namespace}/${unread.store.metadata.name} could not be read.`);
  const total = views.flatMap(({ effective }) => effective).length;
  if (total === 0) return say('Unknown', 'NothingSelected', 'No collection is selected.');
  return say('True', 'AppliedAsWritten', `It holds in each of ${total} collections as it says.`);
}
