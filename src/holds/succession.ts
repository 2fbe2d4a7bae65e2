import { getCondition, type ConditionUpdate } from '../api/conditions.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { LegalHold, LegalHoldStatus } from '../api/generated/legalHold.ts';
import type { Reason } from '../api/reasons.ts';
import { covers, type Declarations } from '../rules/store-rules.ts';
import { circleOf, hasEnded, isReleased, originOf, predecessorOf, successorsOf } from '../rules/succession.ts';

/** Whether a hold may be taken out of the stores now, and what keeps it there. */
export type Ending = { ends: true; successors: string[] } | { ends: false; reason: Reason; why: string; successors: string[] };

const named = (hold: LegalHold): string => `${hold.metadata.namespace}/${hold.metadata.name}`;

/**
 * Decides whether a hold ends. Two people have to have released it; where another hold names it in `supersedes`,
 * that one has to stand in every store this one is in, so that at no moment a row both cover is free. Pure.
 *
 * @param stores where the hold may stand
 */
export function endingOf(hold: LegalHold, stores: readonly DataStore[], declarations: Declarations): Ending {
  const live = successorsOf(hold, declarations);
  const circle = circleOf(hold, declarations);
  const successors = live.map(named).toSorted();
  if (!isReleased(hold)) {
    return { ends: false, reason: 'AwaitingRelease', successors, why: `LegalHold ${successors.join(', ')} is to take the place of this one, which stands until two people release it: spec.release.request, then spec.release.approval` };
  }
  // A circle never lets anything go by itself; only when each of its holds is released by two people do they all end.
  const unreleased = circle.find((each) => !isReleased(each));
  if (unreleased) {
    return { ends: false, reason: 'SupersedesCircle', successors, why: `spec.supersedes leads in a circle (${circle.map(named).toSorted().join(', ')}), so no successor can be in force first; release ${named(unreleased)} too` };
  }
  for (const successor of live) {
    if (circle.includes(successor)) continue;
    const around = circleOf(successor, declarations).map(named).toSorted();
    if (around.length > 0) return { ends: false, reason: 'SupersedesCircle', successors, why: `released by two people, but the spec.supersedes of LegalHold ${named(successor)}, which takes its place, leads in a circle (${around.join(', ')}); release these holds too` };
    const missing = isReleased(successor) ? 'is released itself and has not ended yet' : notStanding(successor, stores, declarations);
    if (missing) return { ends: false, reason: 'SuccessorPending', successors, why: `released by two people, but LegalHold ${named(successor)}, which takes its place, ${missing}` };
  }
  return { ends: true, successors };
}

/** What keeps a successor from protecting in its predecessor's place; undefined when it stands in each store. */
function notStanding(successor: LegalHold, stores: readonly DataStore[], declarations: Declarations): string | undefined {
  const { status, metadata } = successor;
  if (status?.state !== 'Active' || status.observedGeneration !== metadata.generation) return 'is not in force in every store it reaches; its condition Ready says why';
  if (keepsNothing(status)) return 'keeps no row anywhere; its condition AsWritten says why';
  for (const store of stores) {
    // Where dataward may not delete no hold is committed, and none has anything to stop.
    if (!store.spec.credentials.enforce) continue;
    const { namespace, name } = store.metadata;
    const entry = status.stores?.find((each) => each.namespace === namespace && each.name === name);
    // The list shows the stores first in which it is not committed; what is cut off of an Active hold's list is.
    const beyondTheList = !entry && (status.truncated ?? 0) > 0 && successor.spec.scope.some((block) => covers(successor, block.stores, store, declarations));
    if (!entry?.enforcedSince && !beyondTheList) return `does not stand in DataStore ${namespace}/${name}; add a block to its spec.scope that reaches it`;
    // Until then a mistyped key looks like any other. Where it could not be counted nobody knows, and the two who signed do.
    if (entry?.enforcedSince && entry.items === undefined && entry.countExact === undefined) return `is in force in DataStore ${namespace}/${name}, where its rows are not counted yet`;
  }
  return undefined;
}

/** By its condition, or by counts that it does not speak of yet. */
function keepsNothing({ conditions, stores = [], truncated = 0 }: LegalHoldStatus): boolean {
  if (getCondition(conditions, 'AsWritten')?.reason === ('NothingHeld' satisfies Reason)) return true;
  return stores.length > 0 && truncated === 0 && stores.every(({ items, countExact }) => items === 0 && countExact === true);
}

/** `Superseded`, of a hold that others are to take the place of; nothing where none does. */
export function supersededCondition(hold: LegalHold, ending: Ending): ConditionUpdate[] {
  if (ending.successors.length === 0) return [];
  const base = { type: 'Superseded', observedGeneration: hold.metadata.generation ?? 0 } as const;
  if (ending.ends) return [{ ...base, status: 'True', reason: 'HoldSuperseded', message: `LegalHold ${ending.successors.join(', ')} stands in its place.` }];
  return [{ ...base, status: 'False', reason: ending.reason, message: ending.why }];
}

/** `Supersedes`, of a hold that is to take the place of another; nothing where it names none. Pure. */
export function supersedesCondition(hold: LegalHold, stores: (predecessor: LegalHold) => readonly DataStore[], declarations: Declarations): ConditionUpdate[] {
  const wanted = predecessorOf(hold, declarations.rootNamespace);
  if (wanted === undefined) return [];
  const condition = (status: ConditionUpdate['status'], reason: Reason, message: string): ConditionUpdate[] => [{ type: 'Supersedes', status, reason, message, observedGeneration: hold.metadata.generation ?? 0 }];
  const circle = circleOf(hold, declarations);
  if (circle.length > 0) return condition('False', 'SupersedesCircle', `spec.supersedes leads in a circle (${circle.map(named).toSorted().join(', ')}), so nothing is released by it; release these holds one by one`);
  const found = declarations.holds.filter((each) => originOf(each, declarations.rootNamespace) === wanted);
  if (found.length === 0) return condition('False', 'PredecessorNotFound', `spec.supersedes: there is no LegalHold ${wanted}, so nothing is released by this one; a hold of another namespace cannot be superseded`);
  const standing = found.filter((each) => !hasEnded(each));
  const [first] = standing;
  if (!first) return condition('True', 'HoldSuperseded', `LegalHold ${wanted} has ended.`);
  const ending = endingOf(first, stores(first), declarations);
  if (ending.ends) return condition('False', 'SuccessorPending', `LegalHold ${named(first)} is released by two people and is being taken out of the stores.`);
  return condition('False', ending.reason, `LegalHold ${named(first)}: ${ending.why}`);
}
