import type { DataStore } from '../../src/api/generated/dataStore.ts';
import { DATA_STORE } from '../../src/api/kinds.ts';
import type { Client } from '../../src/runtime/client.ts';

export const NAMESPACE = 'default';

export const nameOf = (index: number): string => `store-${index}`;

/** A DataStore with about as much in it as a real one. Its Secrets do not exist. */
export function storeOf(index: number): DataStore {
  return {
    apiVersion: 'dataward.io/v1alpha1',
    kind: 'DataStore',
    metadata: { name: nameOf(index), namespace: NAMESPACE, labels: { 'data-class': 'behaviour', team: `team-${index % 40}` } },
    spec: {
      engine: 'PostgreSQL',
      endpoint: { host: `db-${index}.shop.svc`, port: 5432, database: `shop-${index}` },
      tls: { ca: { configMapName: 'shop-ca', key: 'ca.crt' }, serverName: `db-${index}.shop.svc` },
      credentials: { observe: { secretName: `observe-${index}` }, enforce: { secretName: `enforce-${index}` }, verify: { secretName: `verify-${index}` } },
      allowedMaps: { namespaces: { matchLabels: { team: 'shop' } } },
      observation: { transportSeconds: 300, inventorySeconds: 900, counts: { schedule: '30 1 * * *', budgetSeconds: 600, runOn: 'Primary' } },
      residency: { country: 'DE', region: 'eu-central-1' },
      owner: { team: 'shop', contact: 'shop@company.example' },
    },
  };
}

export async function createStores(client: Client, objects: number): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: 24 }, async () => {
    for (let index = next++; index < objects; index = next++) await client.create(DATA_STORE, storeOf(index));
  }));
}
