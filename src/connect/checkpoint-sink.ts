import { apiVersionOf, CONFIG_MAP } from '../api/kinds.ts';
import type { KubeObject } from '../api/object.ts';
import { parseCheckpoint, type Checkpoint, type CheckpointSink } from '../evidence/audit/checkpoint.ts';
import type { Client } from '../runtime/client.ts';
import { isAlreadyExists, isConflict } from '../runtime/client.ts';

interface ConfigMapObject extends KubeObject {
  data?: Record<string, string>;
}

export const CHECKPOINT_CONFIG_MAP = 'dataward-checkpoints';
/** Enough to bracket a tampering in time; an object must not grow with the log. */
const KEPT = 50;
const MAX_ATTEMPTS = 5;

/**
 * Keeps checkpoints of the audit chain in a ConfigMap. It is a second place, but the same trust domain: who
 * administers the cluster can change both. Its annotation says so; an archive outside is for the auditor.
 */
export function kubernetesCheckpointSink(client: Client, namespace: string): CheckpointSink {
  const ref = { namespace, name: CHECKPOINT_CONFIG_MAP };
  return {
    name: `ConfigMap ${namespace}/${CHECKPOINT_CONFIG_MAP}`,
    async put(checkpoint) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await store(checkpoint);
          return;
        } catch (error) {
          if (attempt >= MAX_ATTEMPTS || !(isConflict(error) || isAlreadyExists(error))) throw error;
        }
      }
    },
    async list() {
      const map = await client.get<ConfigMapObject>(CONFIG_MAP, ref);
      return Object.values(map?.data ?? {}).map(parseCheckpoint);
    },
  };

  async function store(checkpoint: Checkpoint): Promise<void> {
    const text = JSON.stringify(checkpoint);
    const key = `${checkpoint.chainId}.${String(checkpoint.seq).padStart(15, '0')}.json`;
    const found = await client.get<ConfigMapObject>(CONFIG_MAP, ref);
    if (!found) {
      await client.create<ConfigMapObject>(CONFIG_MAP, {
        apiVersion: apiVersionOf(CONFIG_MAP),
        kind: 'ConfigMap',
        metadata: { ...ref, labels: { 'app.kubernetes.io/managed-by': 'dataward' }, annotations: { 'dataward.io/trust-domain': 'same cluster: who administers it can change this object and the log; keep copies outside' } },
        data: { [key]: text },
      });
      return;
    }
    const standing = found.data?.[key];
    if (standing !== undefined && parseCheckpoint(standing).rootHash !== checkpoint.rootHash) throw new Error(`${key} is there already with another hash: two histories of one chain; verify the audit log`);
    // By name within a chain, this chain last: many of an earlier one must not push out the newest.
    const own = (name: string): number => Number(name.startsWith(`${checkpoint.chainId}.`));
    const kept = Object.entries({ ...found.data, [key]: text }).toSorted(([a], [b]) => own(a) - own(b) || (a < b ? -1 : 1)).slice(-KEPT);
    await client.replace<ConfigMapObject>(CONFIG_MAP, { ...found, data: Object.fromEntries(kept) });
  }
}
