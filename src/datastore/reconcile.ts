import type { DataStore } from '../api/generated/dataStore.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import { DATA_STORE } from '../api/kinds.ts';
import { RETRY_AFTER_MS } from '../connect/failures.ts';
import type { DeclarationSource } from '../connect/declarations.ts';
import type { StoreFacts } from '../connect/facts.ts';
import type { ReadingsRegister } from '../connect/readings.ts';
import type { StoreConnections } from '../connect/stores.ts';
import { announce } from '../runtime/announce.ts';
import type { Client } from '../runtime/client.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Reconcile } from '../runtime/controller.ts';
import { done, requeueAfter, requeueAt } from '../runtime/result.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { updateStatus } from '../runtime/status.ts';
import type { WriteBarrier } from '../runtime/write-barrier.ts';
import type { DomainMetrics } from '../telemetry/metrics.ts';
import { recordStore } from './metrics.ts';
import { observe, type Observation } from './observe.ts';
import { dataStoreStatus } from './status.ts';
import { leftApart, openRuns, undoneEvents } from './undone.ts';

export interface DataStoreContext {
  client: Client;
  connections: StoreConnections;
  facts: StoreFacts;
  readings: ReadingsRegister;
  declarations: DeclarationSource;
  /** Every DataStore of the cluster. */
  stores: () => readonly DataStore[];
  /** Runs in a store's namespace, for the time of the last purge. */
  runs: (namespace: string) => readonly PurgeRun[];
  owner: string;
  clock: Clock;
  metrics: DomainMetrics;
  barrier: WriteBarrier;
  events: EventRecorder;
}

/** Keeps the status of a DataStore true: reads it, looks at the real store, writes down what was seen. */
export function createDataStoreReconcile(context: DataStoreContext): Reconcile {
  return async (ref, { signal }) => {
    const store = await context.client.get<DataStore>(DATA_STORE, ref);
    if (!store || store.metadata.deletionTimestamp) {
      forget(ref.namespace ?? '', ref.name);
      return done();
    }
    const uid = store.metadata.uid ?? '';
    const lastPurgeEnd = lastEnd(context.runs(ref.namespace ?? ''), store.metadata.name);
    const observation = await observe(store, context.readings.get(uid), {
      connections: context.connections,
      facts: context.facts,
      declarations: await context.declarations.read(),
      stores: context.stores(),
      owner: context.owner,
      now: () => context.clock.now(),
      ...(lastPurgeEnd === undefined ? {} : { lastPurgeEnd }),
      openRuns: openRuns([...new Set([store, ...context.stores()].map(({ metadata }) => metadata.namespace ?? ''))].flatMap((namespace) => context.runs(namespace))),
      signal,
    });
    context.readings.put(uid, observation);
    const now = context.clock.now();
    const stored = await updateStatus<DataStore>(context.client, DATA_STORE, ref, (current) => dataStoreStatus(current, observation, now), { uid, barrier: context.barrier, timeToleranceMs: tolerance(store), signal });
    announce(context.events, store.status?.conditions, stored, 'Observe');
    for (const event of undoneEvents(observation.undone)) context.events.event(store, event);
    if (stored) recordStore(context.metrics, stored, observation, now);
    return nextLook(store, observation, now);
  };

  function forget(namespace: string, name: string): void {
    context.metrics.forgetStore(namespace, name);
    context.metrics.forgetResource('DataStore', namespace, name);
  }
}

/** Times in the status may lag behind by no more than a look: facts that are read often are valid for a short time only. */
function tolerance({ spec: { observation } }: DataStore): number {
  return Math.min(300, observation.transportSeconds, observation.inventorySeconds) * 1000;
}

function nextLook(store: DataStore, observation: Observation, now: number): ReturnType<typeof requeueAt> {
  if (observation.failure || observation.probeFailure || leftApart(observation.undone) || Object.values(observation.logins).some((login) => login !== 'Works')) return requeueAfter(RETRY_AFTER_MS);
  const { transportSeconds, inventorySeconds } = store.spec.observation;
  const ends = [(observation.transport?.at ?? now) + transportSeconds * 1000, (observation.inventory?.at ?? now) + inventorySeconds * 1000];
  return requeueAt(Math.min(...ends), now);
}

function lastEnd(runs: readonly PurgeRun[], store: string): number | undefined {
  const ends = runs.filter((run) => run.spec.store === store).flatMap((run) => (run.status?.finishedAt ? [Date.parse(run.status.finishedAt)] : []));
  return ends.length > 0 ? Math.max(...ends) : undefined;
}
