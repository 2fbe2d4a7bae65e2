import type { StoreConnections } from '../../src/connect/stores.ts';
import type { StoreIdentity } from '../../src/stores/facts.ts';
import type { StoreReader } from '../../src/stores/port.ts';
import type { StepForecast } from '../../src/stores/purging.ts';
import { aForecast, type ScriptedStore } from './scripted-store.ts';

/** What a replica answers; tests change it between looks. */
export interface ReplicaScript {
  identity: StoreIdentity;
  reached: boolean;
  forecast: StepForecast[];
  /** What comes of a login, and of a count, instead. */
  refuses: Error | undefined;
  breaks: Error | undefined;
  /** Never answers a login, as a host that swallows packets. */
  hangs: boolean;
}

/** Like the primary of `scriptedStore`, caught up, with nothing left to delete. */
export function aReplica(changes: Partial<ReplicaScript> = {}): ReplicaScript {
  return {
    identity: { fingerprint: 'sha256:target', bareFingerprint: 'sha256:bare', server: 'PostgreSQL 15', timeline: 1, replica: true },
    reached: true,
    forecast: [aForecast(0)],
    refuses: undefined,
    breaks: undefined,
    hangs: false,
    ...changes,
  };
}

/** The connections of a scripted store with replicas beside it. `open` counts logins at replicas that were not ended. */
export function besideReplicas(store: ScriptedStore, replicas: readonly ReplicaScript[]): { connections: StoreConnections; open: () => number } {
  let opened = 0;
  const reader = (script: ReplicaScript, place: number): StoreReader => {
    opened += 1;
    const known: Partial<StoreReader> = {
      identity: async () => script.identity,
      async hasReached(position) {
        store.calls.push(`replicas[${place}] ${script.reached ? 'has' : 'has not'} ${position}`);
        return script.reached;
      },
      async planPurge() {
        store.calls.push(`replicas[${place}] counts`);
        if (script.breaks) throw script.breaks;
        return { steps: [], refusals: [], forecast: script.forecast, walMegabytes: 0 };
      },
      async close() {
        opened -= 1;
      },
    };
    return known as StoreReader;
  };
  const connections: StoreConnections = {
    ...store.connections,
    reader: async (...asked) => ({ ...(await store.connections.reader(...asked)), position: async () => 'P7' }),
    async replicaVerifier(_store, place, signal) {
      const script = replicas[place];
      if (!script) throw new Error(`a login at replicas[${place}], which is not there`);
      store.calls.push(`replicas[${place}] login`);
      if (script.hangs) await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted'))));
      if (script.refuses) throw script.refuses;
      return reader(script, place);
    },
  };
  return { connections, open: () => opened };
}
