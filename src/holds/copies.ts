import { isDeepStrictEqual } from 'node:util';
import type { LegalHold, NamespaceSelector } from '../api/generated/legalHold.ts';
import { MOVED_FROM_ANNOTATION, MOVED_UIDS_ANNOTATION } from '../api/kinds.ts';
import { hasEnded, originOf, type HoldList } from '../rules/succession.ts';

/** A name is a label value too, so it has at most 63 characters; the rest is for a part of the uid and a number. */
const NAME_CHARACTERS = 48;

/**
 * The copy that was made of a hold whose object goes; undefined while there is none. A hold of somebody else under its
 * name is none, nor is one that says less: the old entry must not leave a store for it.
 *
 * A copy that two people released after the deletion speaks for the hold as well; one they had released before does not.
 */
export function copyOf(hold: LegalHold, list: HoldList): LegalHold | undefined {
  const copies = list.holds.filter((each) => isCopy(each, hold, list.rootNamespace));
  const deletedAt = Date.parse(hold.metadata.deletionTimestamp ?? '');
  return copies.find((each) => !hasEnded(each)) ?? copies.find((each) => Date.parse(each.metadata.creationTimestamp ?? '') >= deletedAt);
}

function isCopy(candidate: LegalHold, hold: LegalHold, rootNamespace: string): boolean {
  const { metadata, spec } = candidate;
  const selector = selectorFor(hold, rootNamespace);
  return (
    metadata.annotations?.[MOVED_FROM_ANNOTATION] === originOf(hold, rootNamespace) &&
    // Elsewhere than in the root namespace it has none.
    formerUids(candidate, rootNamespace).at(-1) === hold.metadata.uid &&
    spec.matter === hold.spec.matter &&
    spec.supersedes === hold.spec.supersedes &&
    // People may have widened it since.
    (spec.namespaceSelector?.all !== undefined || isDeepStrictEqual(spec.namespaceSelector, selector)) &&
    hold.spec.scope.every((block) => spec.scope.some((other) => isDeepStrictEqual(other, block)))
  );
}

/**
 * The object that takes the place of a hold's, under a name nobody has. A release that was begun begins anew: nobody may
 * sign a hold in a name that is not his own, the operator neither.
 */
export function newCopy(hold: LegalHold, { holds, rootNamespace }: HoldList): LegalHold {
  const { name, uid = '' } = hold.metadata;
  const { release: _release, namespaceSelector: _namespaceSelector, ...declared } = hold.spec;
  const selector = selectorFor(hold, rootNamespace);
  const taken = new Set(holds.filter((each) => each.metadata.namespace === rootNamespace).map((each) => each.metadata.name));
  const base = `${name.slice(0, NAME_CHARACTERS).replace(/[-.]+$/, '')}-${uid.slice(0, 8)}`;
  let free = base;
  for (let next = 2; taken.has(free); next += 1) free = `${base}-${next}`;
  return {
    apiVersion: hold.apiVersion,
    kind: hold.kind,
    metadata: {
      namespace: rootNamespace,
      name: free,
      annotations: { [MOVED_FROM_ANNOTATION]: originOf(hold, rootNamespace), [MOVED_UIDS_ANNOTATION]: [...formerUids(hold, rootNamespace), uid].join(' ') },
    },
    spec: { ...declared, ...(selector ? { namespaceSelector: selector } : {}) },
  };
}

function selectorFor(hold: LegalHold, rootNamespace: string): NamespaceSelector | undefined {
  const { namespace = '' } = hold.metadata;
  return namespace === rootNamespace ? hold.spec.namespaceSelector : { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
}

/**
 * Under which uids a hold stood in the stores before it was created again, oldest first. What stands there under them it
 * keeps too, so to claim another hold's uid only makes a hold wider.
 */
export function formerUids(hold: LegalHold, rootNamespace: string): string[] {
  const { namespace, annotations } = hold.metadata;
  return namespace === rootNamespace ? (annotations?.[MOVED_UIDS_ANNOTATION] ?? '').split(' ').filter((uid) => uid !== '') : [];
}

/** What a hold was before it was created again, as far as those objects are still there. */
export function formerHolds(hold: LegalHold, { holds, rootNamespace }: HoldList): LegalHold[] {
  const former = formerUids(hold, rootNamespace);
  return holds.filter(({ metadata }) => former.includes(metadata.uid ?? ''));
}

/** Those former uids for which there is no object any more: what stands under them nobody else can take out. */
export function orphanedUids(hold: LegalHold, { holds, rootNamespace }: HoldList): string[] {
  return formerUids(hold, rootNamespace).filter((uid) => !holds.some((each) => each.metadata.uid === uid));
}
