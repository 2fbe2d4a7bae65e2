import { expect, test } from '@jest/globals';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import type { KubeObject } from '../../../src/api/object.ts';
import { createStoreFacts } from '../../../src/connect/facts.ts';
import type { Readings } from '../../../src/connect/readings.ts';
import { createRegister } from '../../../src/connect/register.ts';
import type { StoreConnections } from '../../../src/connect/stores.ts';
import { forgetDeleted } from '../../../src/operator/forget.ts';
import type { Change } from '../../../src/runtime/cache.ts';
import { aReplica } from '../../support/scripted-replicas.ts';

const store = (uid: string): DataStore => ({ metadata: { namespace: 'shop', name: 'orders', uid, generation: 1 }, spec: {} }) as DataStore;

test('of a store whose object is gone nothing is kept; of a new one under its name everything', async () => {
  let tell: (change: Change<KubeObject>) => void = () => {};
  let opened = 0;
  const reader = async (): Promise<unknown> => ({ identity: async () => aReplica().identity, inventory: async () => ({ tables: [] }), close: async () => void (opened += 1) });
  const facts = createStoreFacts({ connections: { reader } as unknown as StoreConnections, now: () => 0 });
  const readings = createRegister<Readings>();
  forgetDeleted({ onChange: (listener) => ((tell = listener), () => true) }, [facts, readings]);
  for (const uid of ['old', 'new']) {
    readings.put(uid, { generation: 1 });
    await facts.inventory(store(uid), 1_000);
  }
  tell({ type: 'modified', object: store('new'), old: store('new') });
  tell({ type: 'deleted', object: store('old'), old: store('old') });
  expect([readings.get('old'), readings.get('new')]).toEqual([undefined, { generation: 1 }]);
  for (const uid of ['old', 'new']) await facts.inventory(store(uid), 1_000);
  expect(opened).toBe(3);
});
