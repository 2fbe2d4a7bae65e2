import type { DataStore } from '../api/generated/dataStore.ts';
import type { Inventory } from '../stores/facts.ts';
import { judgeTarget } from '../rules/target.ts';
import { ConnectionError, type StoreConnections } from './stores.ts';

/**
 * Readings of stores that several controllers need, taken once. An inventory of 5,000 tables is not free, and a
 * map, a hold and a policy of one store all resolve their names against it.
 */
export interface StoreFacts {
  /** A reading at most `maxAgeMs` old. Concurrent callers of one store share one reading. Failures are not kept. */
  inventory(store: DataStore, maxAgeMs: number): Promise<Inventory>;
  /** Puts in a reading somebody took anyway. */
  remember(store: DataStore, inventory: Inventory): void;
  forget(uid: string): void;
}

export function createStoreFacts(options: { connections: StoreConnections; now: () => number }): StoreFacts {
  const known = new Map<string, { at: number; inventory: Inventory; generation: number }>();
  const pending = new Map<string, Promise<Inventory>>();

  async function read(store: DataStore): Promise<Inventory> {
    const reader = await options.connections.reader(store, 'observe');
    try {
      const verdict = judgeTarget(store, await reader.identity());
      // The tables of another store that answers under the name say nothing of this one.
      if ('message' in verdict) throw new ConnectionError(verdict.is, verdict.message);
      const inventory = await reader.inventory();
      remember(store, inventory);
      return inventory;
    } finally {
      await reader.close();
    }
  }

  function remember(store: DataStore, inventory: Inventory): void {
    known.set(store.metadata.uid ?? '', { at: options.now(), inventory, generation: store.metadata.generation ?? 0 });
  }

  return {
    remember,
    async inventory(store, maxAgeMs) {
      const uid = store.metadata.uid ?? '';
      const standing = known.get(uid);
      // Another generation may point at another server: its tables are not these.
      if (standing && standing.generation === store.metadata.generation && options.now() - standing.at <= maxAgeMs) return standing.inventory;
      const running = pending.get(uid) ?? read(store).finally(() => pending.delete(uid));
      pending.set(uid, running);
      return running;
    },
    forget(uid) {
      known.delete(uid);
    },
  };
}
