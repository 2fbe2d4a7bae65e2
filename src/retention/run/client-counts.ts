import type { CertificateFacts, CertifiedCollection } from '../../evidence/certificate.ts';
import type { CollectionRule } from '../../stores/counting.ts';

/** Sentences a certificate has room for, beside those about replicas and copies. */
const MOST = 50;

/** Rows deleted by client, those without any left out. */
export function perClient(clients: ReadonlyMap<string, number>, nameClient: (key: string) => string): CertificateFacts['clients'] {
  return [...clients].map(([client, deleted]) => ({ client: nameClient(client), deleted })).filter((entry) => entry.deleted > 0);
}

/**
 * Says of which collections no client's count has a row. A client that only another table knows is asked when rules are
 * applied, not when rows are deleted; whoever reads the counts as all that went of a client would be wrong.
 */
export function notByClient(collections: readonly Pick<CertifiedCollection, 'name' | 'deleted'>[], rules: readonly Pick<CollectionRule, 'collection' | 'client'>[]): string[] {
  const counted = new Set(rules.flatMap((rule) => (rule.client ? [rule.collection] : [])));
  const silent = collections.filter(({ name, deleted }) => deleted > 0 && !counted.has(name)).map(({ name }) => name).toSorted();
  const told = silent.slice(0, MOST).map((name) => `clients: the rows of ${name} are in no count per client; it has no client key of its own`.slice(0, 300));
  return silent.length > MOST ? [...told, `clients: the rows of ${silent.length - MOST} more collections are in no count per client`] : told;
}
