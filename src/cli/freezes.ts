import type { DataStore } from '../api/generated/dataStore.ts';
import { CONFIG_MAP, FREEZE_CONFIG_MAP } from '../api/kinds.ts';
import type { KubeObject } from '../api/object.ts';
import { ApiError, type Client } from '../runtime/client.ts';

/** A freeze in force, or one that cannot be told. */
export interface Freeze {
  /** The object that freezes, or the store that was frozen in itself. */
  freeze: string;
  stops: string;
  /** Who froze and why; of a freeze that cannot be told, why not. */
  why: string;
}

interface ConfigMapObject extends KubeObject {
  data?: Record<string, string>;
}

/**
 * Freezes of the cluster and of namespaces, by their ConfigMaps. One that this person may not read is named as unknown: the
 * operator may well be frozen.
 */
export async function freezesOf(client: Client, rootNamespace: string, namespaces: Iterable<string>): Promise<Freeze[]> {
  const found = await Promise.all([...new Set([rootNamespace, ...namespaces])].map((namespace) => freezeIn(client, namespace, namespace === rootNamespace)));
  return found.filter((each) => each !== undefined);
}

async function freezeIn(client: Client, namespace: string, everywhere: boolean): Promise<Freeze | undefined> {
  const about = { freeze: `ConfigMap ${namespace}/${FREEZE_CONFIG_MAP}`, stops: everywhere ? 'all stores' : `stores of namespace ${namespace}` };
  try {
    const map = await client.get<ConfigMapObject>(CONFIG_MAP, { namespace, name: FREEZE_CONFIG_MAP });
    return map && { ...about, why: `frozen by ${map.data?.['by'] ?? 'somebody'}: ${map.data?.['reason'] ?? 'no reason given'}` };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { ...about, why: `Unknown: it cannot be read (${error.message})` };
  }
}

/** Freezes that were made in the stores themselves, as the operator last saw them. */
export function freezesInStores(stores: readonly DataStore[]): Freeze[] {
  return stores.flatMap(({ metadata, status }) => {
    const frozen = status?.conditions?.find(({ type, status: is }) => type === 'Frozen' && is === 'True');
    const store = `${metadata.namespace}/${metadata.name}`;
    return frozen ? [{ freeze: `DataStore ${store}`, stops: `store ${store}`, why: frozen.message }] : [];
  });
}
