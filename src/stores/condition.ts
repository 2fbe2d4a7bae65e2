import { digestOf } from './canonical.ts';
import type { CollectionRule } from './counting.ts';

/**
 * Digest of the condition rows of a collection are deleted and counted by, the same for every driver. Holds are left
 * out: they only narrow, and a new one must not void an approval.
 */
export function predicateDigest(rule: Pick<CollectionRule, 'table' | 'due' | 'guards'>): string {
  return digestOf({ table: rule.table, due: rule.due ?? { op: 'false' }, guards: rule.guards.filter((guard) => guard.kind !== 'Hold') });
}
