import type { CollectionRule } from '../counting.ts';
import { tableKey } from '../predicate.ts';
import type { TableAddress } from '../predicate.ts';
import type { Topology } from './closure.ts';

/**
 * The rules about the rows of each table, by `tableKey` of its root. Whoever has a rule about a table has one about its
 * inheritance children too, whose rows are rows of it. With more than one nobody knows which decides, and none deletes.
 */
export type Claims = ReadonlyMap<string, readonly CollectionRule[]>;

export function claimsOf(rules: readonly CollectionRule[], topology: Topology): Claims {
  const claims = new Map<string, CollectionRule[]>();
  for (const rule of rules) {
    for (const key of keysOf(rule.table, topology)) claims.set(key, [...(claims.get(key) ?? []), rule]);
  }
  return claims;
}

/** Keys in `Claims` of the tables that hold rows of an address; partitions are folded into the table they belong to. */
export function keysOf(address: TableAddress, topology: Topology): string[] {
  return [...new Set([address, ...topology.leaves(address)].map((part) => tableKey(topology.root(part))))];
}

/** The other rules about rows of a rule's table, each once, in the order they were given. */
export function rivalsOf(rule: CollectionRule, claims: Claims, topology: Topology): CollectionRule[] {
  return [...new Set(keysOf(rule.table, topology).flatMap((key) => claims.get(key) ?? []))].filter((other) => other !== rule);
}
