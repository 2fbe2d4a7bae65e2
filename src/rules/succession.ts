import type { LegalHold } from '../api/generated/legalHold.ts';
import { MOVED_FROM_ANNOTATION } from '../api/kinds.ts';

/** All holds, to see who takes whose place. */
export interface HoldList {
  holds: readonly LegalHold[];
  rootNamespace: string;
}

/** Whether both halves of a release, by two people, are there. Nothing else ever ends a hold, and even that waits for its successors. */
export function isReleased(hold: LegalHold): boolean {
  const release = hold.spec.release;
  return release?.approval !== undefined && release.request.by !== release.approval.by;
}

/** Released, and taken out of the stores by the operator. */
export function hasEnded(hold: LegalHold): boolean {
  return isReleased(hold) && hold.status?.state === 'Released';
}

/** Whether a hold still protects: it is not released, or it was and a successor has not yet been seen to stand in its place. */
export function isInForce(hold: LegalHold, list: HoldList): boolean {
  return !isReleased(hold) || (hold.status?.state !== 'Released' && successorsOf(hold, list).length > 0);
}

/**
 * `namespace/name` a hold was declared under. One that was created again in the root namespace keeps its place in a
 * succession; elsewhere the annotation counts for nothing, or whoever may write holds in one namespace could put
 * himself in the way of a release in another.
 */
export function originOf(hold: LegalHold, rootNamespace: string): string {
  const { namespace = '', name, annotations } = hold.metadata;
  return (namespace === rootNamespace ? annotations?.[MOVED_FROM_ANNOTATION] : undefined) ?? `${namespace}/${name}`;
}

/** `namespace/name` of the hold this one takes the place of: always one of its own namespace. */
export function predecessorOf(hold: LegalHold, rootNamespace: string): string | undefined {
  const [namespace = ''] = originOf(hold, rootNamespace).split('/');
  return hold.spec.supersedes === undefined ? undefined : `${namespace}/${hold.spec.supersedes}`;
}

/**
 * Who takes the place of a hold. A successor that has ended is replaced by its own: what it protected for its
 * predecessor they have to protect now. Empty when nobody does.
 */
export function successorsOf(hold: LegalHold, { holds, rootNamespace }: HoldList): LegalHold[] {
  const found = new Set<LegalHold>();
  const seen = new Set<string>();
  const open = [originOf(hold, rootNamespace)];
  for (let origin = open.pop(); origin !== undefined; origin = open.pop()) {
    if (seen.has(origin)) continue;
    seen.add(origin);
    for (const candidate of holds) {
      if (predecessorOf(candidate, rootNamespace) !== origin) continue;
      if (hasEnded(candidate)) open.push(originOf(candidate, rootNamespace));
      else found.add(candidate);
    }
  }
  return [...found];
}

/** Holds that take each other's place in a circle with this one, itself among them; empty when there is none. */
export function circleOf(hold: LegalHold, { holds, rootNamespace }: HoldList): LegalHold[] {
  const origin = originOf(hold, rootNamespace);
  const before = (from: string): Set<string> => {
    const reached = new Set<string>();
    const open = [from];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const each of holds) {
        const predecessor = originOf(each, rootNamespace) === next ? predecessorOf(each, rootNamespace) : undefined;
        if (predecessor === undefined || reached.has(predecessor)) continue;
        reached.add(predecessor);
        open.push(predecessor);
      }
    }
    return reached;
  };
  const reached = before(origin);
  if (!reached.has(origin)) return [];
  return holds.filter((each) => {
    const other = originOf(each, rootNamespace);
    return reached.has(other) && before(other).has(origin);
  });
}
