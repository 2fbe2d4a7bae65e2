import type { DataMap } from '../api/generated/dataMap.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import type { LegalHold } from '../api/generated/legalHold.ts';
import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import type { Inventory } from '../stores/facts.ts';
import { acceptedMaps, mapsDigest, type NamespaceLabels } from './attach.ts';
import { effectiveRules, type EffectiveCollection } from './effective.ts';
import { resolveMaps, type ResolvedMaps } from './resolve-maps.ts';
import { coversStore, type NamespaceSelector, type StoreSelector } from './select.ts';
import { standsIn } from './standing.ts';
import { isInForce } from './succession.ts';

/** Everything declared, as read at one moment. */
export interface Declarations {
  maps: DataMap[];
  policies: RetentionPolicy[];
  holds: LegalHold[];
  namespaces: NamespaceLabels;
  rootNamespace: string;
}

/** What the declarations mean for one store. */
export interface StoreRules {
  maps: DataMap[];
  resolved: ResolvedMaps;
  policies: RetentionPolicy[];
  effective: EffectiveCollection[];
}

/** Selects, resolves and combines what is declared for a store. Pure; the same input gives the same answer. */
export function storeRules(store: DataStore, declarations: Declarations, inventory: Inventory, now: string): StoreRules {
  const maps = acceptedMaps(store, declarations.maps, declarations.namespaces);
  const resolved = resolveMaps(maps, inventory);
  const policies = declarations.policies.filter((policy) => covers(policy, policy.spec.stores, store, declarations));
  return { maps, resolved, policies, effective: effectiveRules(resolved.collections, policies, now) };
}

/** Whether an object that selects stores reaches this one. */
export function covers(
  selecting: { metadata: { namespace?: string }; spec: { namespaceSelector?: NamespaceSelector } },
  stores: StoreSelector,
  store: DataStore,
  context: Pick<Declarations, 'namespaces' | 'rootNamespace'>,
): boolean {
  const labels = context.namespaces.get(store.metadata.namespace ?? '');
  const scope = {
    namespace: selecting.metadata.namespace ?? '',
    rootNamespace: context.rootNamespace,
    ...(selecting.spec.namespaceSelector ? { namespaceSelector: selecting.spec.namespaceSelector } : {}),
    ...(labels ? { namespaceLabels: labels } : {}),
  };
  return coversStore(stores, scope, store.metadata);
}

/** Holds in force that cover a store with at least one block. */
export function holdsReaching(store: DataStore, declarations: Declarations): LegalHold[] {
  return declarations.holds.filter((hold) => isInForce(hold, declarations) && hold.spec.scope.some((block) => covers(hold, block.stores, store, declarations)));
}

/** Holds that are declared for the store but not yet known to stand in it: until they do, nothing is destroyed. */
export function pendingHolds(store: DataStore, declarations: Declarations): LegalHold[] {
  const maps = mapsDigest(acceptedMaps(store, declarations.maps, declarations.namespaces));
  // Active is said only of a hold that stands everywhere it reaches, also where its list of stores is cut off.
  return holdsReaching(store, declarations).filter((hold) => !(standsIn(hold, store, maps) ?? hold.status?.state === 'Active'));
}
