import type { DataStore } from '../api/generated/dataStore.ts';

/**
 * Which databases of a store's server no DataStore declares. Two are of one server where they name the same engine, host
 * and port; one that is declared by another name of its host is not recognised, and stays a finding.
 *
 * @param databases those beside the store's own
 * @param stores every DataStore of the cluster
 */
export function undeclaredDatabases({ spec }: DataStore, databases: readonly string[], stores: readonly DataStore[]): string[] {
  const beside = stores.filter((other) => !other.metadata.deletionTimestamp && other.spec.engine === spec.engine && other.spec.endpoint.host === spec.endpoint.host && other.spec.endpoint.port === spec.endpoint.port);
  const declared = new Set(beside.map((other) => other.spec.endpoint.database));
  return databases.filter((database) => !declared.has(database));
}
