import type { DataMap } from '../api/generated/dataMap.ts';
import type { DataStore } from '../api/generated/dataStore.ts';
import { DATA_MAP, DATA_STORE } from '../api/kinds.ts';
import type { DeclarationSource } from '../connect/declarations.ts';
import type { StoreFacts } from '../connect/facts.ts';
import { failureOf } from '../connect/failures.ts';
import { announce } from '../runtime/announce.ts';
import type { Client } from '../runtime/client.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Reconcile } from '../runtime/controller.ts';
import { done, requeueAfter } from '../runtime/result.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { updateStatus } from '../runtime/status.ts';
import type { WriteBarrier } from '../runtime/write-barrier.ts';
import { judgeMap, type MapVerdict } from './plan.ts';
import { dataMapStatus } from './status.ts';

export interface DataMapContext {
  client: Client;
  facts: StoreFacts;
  declarations: DeclarationSource;
  clock: Clock;
  barrier: WriteBarrier;
  events: EventRecorder;
}

const LOOK_AGAIN_MS = 300_000;
const RETRY_MS = 15_000;

/** Tells the owner of a map whether its store takes it and whether all it names exists. Changes nothing in the store. */
export function createDataMapReconcile(context: DataMapContext): Reconcile {
  return async (ref, { signal }) => {
    const map = await context.client.get<DataMap>(DATA_MAP, ref);
    if (!map || map.metadata.deletionTimestamp) return done();
    const verdict = await judge(map);
    const now = context.clock.now();
    const stored = await updateStatus<DataMap>(context.client, DATA_MAP, ref, (current) => dataMapStatus(current, verdict, now), { uid: map.metadata.uid, barrier: context.barrier, signal });
    announce(context.events, map.status?.conditions, stored, 'Resolve');
    return requeueAfter(verdict.failure ? RETRY_MS : LOOK_AGAIN_MS);
  };

  async function judge(map: DataMap): Promise<MapVerdict> {
    const { namespace = map.metadata.namespace ?? '', name } = map.spec.storeRef;
    const store = await context.client.get<DataStore>(DATA_STORE, { namespace, name });
    if (!store) return { problems: [], collections: 0, tables: 0, failure: { reason: 'StoreNotFound', message: `DataStore ${namespace}/${name} (spec.storeRef) does not exist` } };
    try {
      const inventory = await context.facts.inventory(store, store.spec.observation.inventorySeconds * 1000);
      return judgeMap(map, store, await context.declarations.read(), inventory);
    } catch (error) {
      return { problems: [], collections: 0, tables: 0, failure: failureOf(error) };
    }
  }
}
