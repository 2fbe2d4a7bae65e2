import { describe, expect, test } from '@jest/globals';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import { createStoreFacts } from '../../../src/connect/facts.ts';
import type { StoreConnections } from '../../../src/connect/stores.ts';
import type { Inventory, StoreIdentity } from '../../../src/stores/facts.ts';
import type { StoreReader } from '../../../src/stores/port.ts';

const store = (generation: number): DataStore => ({ metadata: { uid: 'u', name: 's', namespace: 'n', generation }, spec: {} }) as DataStore;

const identity: StoreIdentity = { fingerprint: 'sha256:a', bareFingerprint: 'sha256:a', server: 'PostgreSQL 15', timeline: 1, replica: false };

function stage(read: () => Promise<Inventory>): { facts: ReturnType<typeof createStoreFacts>; clock: { now: number }; counts: { opened: number; closed: number } } {
  const clock = { now: 0 };
  const counts = { opened: 0, closed: 0 };
  const reader = { identity: async () => identity, inventory: read, close: async () => void (counts.closed += 1) } as unknown as StoreReader;
  const connections = {
    reader: async () => {
      counts.opened += 1;
      return reader;
    },
  } as unknown as StoreConnections;
  return { facts: createStoreFacts({ connections, now: () => clock.now }), clock, counts };
}

const inventory: Inventory = { observedAt: '2026-01-01T00:00:00Z', tables: [], otherDatabases: [], otherDeleters: [] };

describe('the inventory of a store', () => {
  test('is read once for all who ask at the same time', async () => {
    const { facts, counts } = stage(async () => inventory);
    await Promise.all([facts.inventory(store(1), 1_000), facts.inventory(store(1), 1_000), facts.inventory(store(1), 1_000)]);
    expect(counts).toEqual({ opened: 1, closed: 1 });
  });

  test('is read again when it is too old, and when the object changed', async () => {
    const { facts, counts, clock } = stage(async () => inventory);
    await facts.inventory(store(1), 1_000);
    clock.now = 1_000;
    await facts.inventory(store(1), 1_000);
    expect(counts.opened).toBe(1);
    clock.now = 1_001;
    await facts.inventory(store(1), 1_000);
    expect(counts.opened).toBe(2);
    await facts.inventory(store(2), 1_000);
    expect(counts.opened).toBe(3);
  });

  test('is not that of another store that answers under the name', async () => {
    const { facts, counts } = stage(async () => inventory);
    const known = { ...store(1), status: { identity: { fingerprint: 'sha256:of before' } } } as DataStore;
    await expect(facts.inventory(known, 1_000)).rejects.toMatchObject({ reason: 'TargetChanged' });
    expect(counts).toEqual({ opened: 1, closed: 1 });
  });

  test('is never a failure remembered', async () => {
    let calls = 0;
    const { facts, counts } = stage(async () => {
      calls += 1;
      if (calls === 1) throw new Error('away');
      return inventory;
    });
    await expect(facts.inventory(store(1), 1_000)).rejects.toThrow('away');
    await expect(facts.inventory(store(1), 1_000)).resolves.toBe(inventory);
    expect(counts).toEqual({ opened: 2, closed: 2 });
  });
});
