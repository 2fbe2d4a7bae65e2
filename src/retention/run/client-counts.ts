import { compareText } from '../../api/compare-text.ts';
import type { CertifiedCollection } from '../../evidence/certificate.ts';
import type { CollectionRule } from '../../stores/counting.ts';

/** Sentences a certificate has room for, beside those about replicas and copies. */
const MOST = 50;

/** Bytes that a number, a member's name and what is around them take at most. */
const BESIDE_NAME = 40;

/** Rows deleted by client, those without any left out. */
export interface ClientCounts {
  named: { client: string; deleted: number }[];
  /** Those there is no room for, counted together. */
  others?: { clients: number; deleted: number };
}

/**
 * Names the clients one by one, those with most rows first, as far as `bytes` of JSON go: a store may have more of them
 * than a record or a certificate can hold, and one that cannot be written would leave deleted rows without any.
 *
 * @param nameClient a client's key as evidence may carry it
 */
export function perClient(clients: Iterable<[string, number]>, nameClient: (key: string) => string, bytes: number): ClientCounts {
  const sorted = [...clients].filter(([, deleted]) => deleted > 0).toSorted(([a, more], [b, rows]) => rows - more || compareText(a, b));
  const named: ClientCounts['named'] = [];
  let left = bytes;
  for (const [key, deleted] of sorted) {
    const client = nameClient(key);
    left -= Buffer.byteLength(JSON.stringify(client)) + BESIDE_NAME;
    if (left < 0) break;
    named.push({ client, deleted });
  }
  const rest = sorted.slice(named.length);
  return { named, ...(rest.length > 0 ? { others: { clients: rest.length, deleted: rest.reduce((sum, [, deleted]) => sum + deleted, 0) } } : {}) };
}

/** What is said of clients a certificate has no room for. */
export function countedTogether({ others }: ClientCounts): string[] {
  return others ? [`clients: ${others.clients} more clients, with ${others.deleted} deleted rows in all, are counted one by one in the audit records of the run only, as far as each has room`] : [];
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
