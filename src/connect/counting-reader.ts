import { setTimeout as delay } from 'node:timers/promises';
import type { DataStore } from '../api/generated/dataStore.ts';
import { REASONS, type Reason } from '../api/reasons.ts';
import { strangerProblem } from '../rules/replica.ts';
import type { StoreReader } from '../stores/port.ts';
import { failureOf } from './failures.ts';
import { ConnectionError, type StoreConnections } from './stores.ts';

/** How long a replica may take to show what the primary had written when the count was asked for. Milliseconds. */
const CATCH_UP_MS = 10_000;
const LOOK_EVERY_MS = 250;

export interface CountingContext {
  connections: Pick<StoreConnections, 'replicaReader'>;
  signal: AbortSignal;
  /** 10,000 when left out. */
  catchUpMs?: number;
}

/**
 * Counts where the store wants it: at its primary, or at the first declared replica that proves to be one and shows all
 * the primary had written when this was called. A wrong server, or one that stands still, has no due row either, so its
 * figures would be good news that nobody checked. There is no way back to the primary: the owner asked to spare it.
 *
 * @param primary open; stays open
 * @throws ConnectionError with the reason of the first replica, naming each by its place, when none can be counted at
 */
export async function countAt<Result>(store: DataStore, primary: StoreReader, count: (reader: StoreReader) => Promise<Result>, context: CountingContext): Promise<Result> {
  if (store.spec.observation.counts.runOn !== 'Replica') return count(primary);
  const reader = await provenReplica(store, primary, context);
  try {
    return await count(reader);
  } finally {
    await reader.close();
  }
}

async function provenReplica(store: DataStore, primary: StoreReader, context: CountingContext): Promise<StoreReader> {
  const { fingerprint } = await primary.identity();
  const position = await primary.position();
  const refused: { reason: Reason; message: string }[] = [];
  for (const place of (store.spec.endpoint.replicas ?? []).keys()) {
    let reader: StoreReader | undefined;
    try {
      reader = await context.connections.replicaReader(store, place, context.signal);
      const problem = await shortcoming(reader, fingerprint, position, context);
      if (problem === undefined) return reader;
      refused.push({ reason: problem.reason, message: `replicas[${place}]: ${problem.message}` });
      await reader.close();
    } catch (error) {
      await reader?.close().catch(() => undefined);
      context.signal.throwIfAborted();
      const { reason, message } = failureOf(error);
      if (reason === 'InternalError') throw error;
      refused.push({ reason, message: `replicas[${place}]: ${message}` });
    }
  }
  throw new ConnectionError(refused[0]?.reason ?? 'InvalidSpec', `rows are counted at a replica (spec.observation.counts.runOn), and none can be counted at: ${refused.map(({ message }) => message).join('; ') || 'spec.endpoint.replicas names none'}`);
}

/** Why nothing is to be learned there; undefined: it is a replica of the store and shows all up to `position`. */
async function shortcoming(reader: StoreReader, target: string, position: string, { signal, catchUpMs = CATCH_UP_MS }: CountingContext): Promise<{ reason: Reason; message: string } | undefined> {
  for (const until = performance.now() + catchUpMs; ; await delay(LOOK_EVERY_MS, undefined, { signal })) {
    const stranger = strangerProblem(await reader.identity(), target);
    if (stranger && !stranger.passes) return { reason: 'NotAReplica', message: stranger.message };
    if (!stranger && (await reader.hasReached(position))) return undefined;
    if (performance.now() >= until) return stranger ? { reason: 'NotAReplica', message: stranger.message } : { reason: 'ReplicaBehind', message: `${REASONS.ReplicaBehind} Look at its replay and the network to it` };
  }
}
