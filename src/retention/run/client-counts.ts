import type { CertificateFacts, CertifiedCollection } from '../../evidence/certificate.ts';
import type { CollectionRule } from '../../stores/counting.ts';

/** Sentences a certificate has room for, beside those about replicas and copies. */
const MOST = 50;

/** Rows deleted by client, those without any left out. */
export function perClient(clients: ReadonlyMap<string, number>, nameClient: (key: string) => string): CertificateFacts['clients'] {
  return [...clients].map(([client, deleted]) => ({ client: nameClient(client), deleted })).filter((entry) => entry.deleted > 0);
}

/**
 * What the counts by client leave open. A row is counted under the client it names when it goes, and the batch is chosen
 * before: an application that renames the client of a row in that moment is followed by the rows, not by the counts.
 */
export function countedByClient(clients: ReadonlyMap<string, number>, rules: readonly Pick<CollectionRule, 'client'>[]): string[] {
  const read = rules.some(({ client }) => client !== undefined && 'field' in client);
  return clients.size === 0 || !read ? [] : ['clients: a row whose client the application changed while its batch waited may be counted under the one before'];
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
