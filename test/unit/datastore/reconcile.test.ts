import { describe, expect, test } from '@jest/globals';
import { getCondition } from '../../../src/api/conditions.ts';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import { DATA_STORE } from '../../../src/api/kinds.ts';
import { createStoreFacts } from '../../../src/connect/facts.ts';
import type { Readings } from '../../../src/connect/readings.ts';
import { createRegister } from '../../../src/connect/register.ts';
import type { StoreConnections } from '../../../src/connect/stores.ts';
import { createDataStoreReconcile } from '../../../src/datastore/reconcile.ts';
import type { Result } from '../../../src/runtime/result.ts';
import type { CollectionCount } from '../../../src/stores/counting.ts';
import { StoreError } from '../../../src/stores/errors.ts';
import type { StoreReader } from '../../../src/stores/port.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { aMap, aMaximum, anInventory, aPolicy, aStore, aTable } from '../../support/declared.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { memoryClient } from '../../support/memory-client.ts';
import { aReplica } from '../../support/scripted-replicas.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const REF = { namespace: 'platform-db', name: 'analytics' };

/** A store that is looked at as often as time is let pass; `away` makes it answer no more. */
function watched() {
  const clock = createFakeClock(Date.parse('2026-03-02T12:00:00Z'));
  const store = aStore({ credentials: { observe: { secretName: 'observe' } } });
  const client = memoryClient([[DATA_STORE, store]]);
  const metrics = createMetrics({ version: '1', commit: 'c' });
  const script = { away: false };
  const answer = async <T>(value: T): Promise<T> => {
    if (script.away) throw new StoreError('Unreachable', 'no answer');
    return value;
  };
  const times = [{ event: 'Created', field: 'created_at', type: 'TimestampTZ' as const }];
  const reader: Partial<StoreReader> = {
    identity: async () => ({ ...aReplica().identity, replica: false }),
    clock: async () => new Date(clock.now()).toISOString(),
    sessions: async () => ({ total: 1, plaintext: 0, complete: true, own: { tls: true, serverAddressMatches: true } }),
    inventory: async () => anInventory([aTable('views', ['id', 'created_at'])]),
    fence: async () => undefined,
    missingRights: async () => [],
    count: async () => [{ collection: 'platform-db/web/views', due: 0, held: 0, floored: 0, blocked: 0, blockedForever: 0, indeterminate: 0, exact: true } as CollectionCount],
    close: async () => {},
  };
  const connections = {
    probe: () => answer({ observedAt: '2026-03-02T12:00:00Z', version: 'TLSv1.3', accepted: ['TLSv1.3'], refused: ['TLSv1.0', 'TLSv1.1'], plaintextRefused: true }),
    reader: () => answer(reader as StoreReader),
  } as unknown as StoreConnections;
  const reconcile = createDataStoreReconcile({
    client,
    connections,
    facts: createStoreFacts({ connections, now: () => clock.now() }),
    readings: createRegister<Readings>(),
    stores: () => [],
    declarations: { read: async () => ({ maps: [aMap([{ times }])], policies: [aPolicy('general', { maximum: aMaximum('P1Y') })], holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' }) },
    runs: () => [],
    owner: 'us',
    clock,
    metrics: metrics.domain,
    barrier: { wrote: () => {}, passed: async () => true },
    events: { event: () => {}, flush: async () => {}, stop: async () => {} },
  });
  return {
    script,
    /** Lets time pass, looks, and gives what status and metrics say. */
    async after(ms: number): Promise<{ shown: string[]; status: DataStore['status']; again: Result }> {
      await clock.advance(ms);
      const again = await reconcile(REF, { signal: new AbortController().signal });
      const lines = (await metrics.registry.metrics()).split('\n').filter((line) => /^dataward_(?:store_up|retention_rows|retention_oldest_due_age_seconds|coverage_ratio|tls_plaintext_accepted)\{/.test(line));
      const names = lines.map((line) => `${/^dataward_(\w+)\{/.exec(line)?.[1]} ${line.split(' ').at(-1)}`);
      return { shown: [...new Set(names)].toSorted(), status: client.read<DataStore>(DATA_STORE, REF)?.status, again };
    },
  };
}

describe('a store that stops to answer', () => {
  test('shows what was read of it only as long as each group counts, and is looked at again soon', async () => {
    const { script, after } = watched();
    expect((await after(0)).shown).toEqual(['coverage_ratio 1', 'retention_oldest_due_age_seconds 0', 'retention_rows 0', 'store_up 1', 'tls_plaintext_accepted 0']);
    script.away = true;
    const soon = await after(6 * MINUTE);
    expect([soon.shown, soon.again]).toEqual([['coverage_ratio 1', 'retention_oldest_due_age_seconds 0', 'retention_rows 0', 'store_up 0'], { kind: 'requeueAfter', ms: 30_000 }]);
    expect(getCondition(soon.status?.conditions, 'Covered')?.status).toBe('True');
    const later = await after(40 * MINUTE);
    expect(later.shown).toEqual(['retention_oldest_due_age_seconds 0', 'retention_rows 0', 'store_up 0']);
    expect(getCondition(later.status?.conditions, 'Covered')).toMatchObject({ status: 'Unknown', reason: 'FactsExpired' });
    const { shown, status } = await after(2 * DAY);
    expect([shown, status?.retention, status?.coverage, status?.transport]).toEqual([['store_up 0'], undefined, undefined, undefined]);
  });

  test('is known again with its first answer', async () => {
    const { script, after } = watched();
    const { shown, status } = await after(0);
    script.away = true;
    await after(3 * DAY);
    script.away = false;
    const back = await after(30_000);
    expect([back.shown, getCondition(back.status?.conditions, 'Covered')?.reason, back.status?.retention]).toEqual([shown, 'FullyCovered', status?.retention]);
  });
});
