import { CONFIG_MAP, FREEZE_CONFIG_MAP } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Client } from '../../runtime/client.ts';

interface ConfigMapObject extends KubeObject {
  data?: Record<string, string>;
}

/**
 * Whether people stopped all destruction for a namespace: by the operator's flag, or by the ConfigMap in the root
 * namespace or in the store's own. A freeze that cannot be read is a freeze.
 */
export async function frozenBy(client: Client, context: { rootNamespace: string; namespace: string; flag: boolean }): Promise<string | undefined> {
  if (context.flag) return 'the operator was started with --frozen';
  for (const namespace of new Set([context.rootNamespace, context.namespace])) {
    try {
      const map = await client.get<ConfigMapObject>(CONFIG_MAP, { namespace, name: FREEZE_CONFIG_MAP });
      if (map) return `frozen by ${map.data?.['by'] ?? 'somebody'} in ConfigMap ${namespace}/${FREEZE_CONFIG_MAP}: ${map.data?.['reason'] ?? 'no reason given'}`;
    } catch {
      return `ConfigMap ${namespace}/${FREEZE_CONFIG_MAP} cannot be read, which counts as frozen`;
    }
  }
  return undefined;
}
