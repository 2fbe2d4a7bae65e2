import { describe, expect, test } from '@jest/globals';
import type { DataStoreStatus, StoreRetention } from '../../../src/api/generated/dataStore.ts';
import { recordStore } from '../../../src/datastore/metrics.ts';
import type { Observation } from '../../../src/datastore/observe.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { aStore } from '../../support/declared.ts';

const NOW = Date.parse('2026-03-02T12:00:00Z');
const retention: StoreRetention = { due: 4, held: 3, blockedByMinimum: 2, blockedByReference: 1, indeterminate: 0, oldestDue: '2026-03-02T11:00:00Z' };
const known: DataStoreStatus = {
  retention,
  coverage: { tables: 4, mapped: 2, nonPersonal: 1 },
  transport: { plaintextRefused: true, certificate: { notAfter: '2026-04-01T00:00:00Z' } },
};
const looked = { identity: {}, logins: {} } as Observation;

/** What /metrics shows of the store after looks that gave these statuses: `name{what tells the series apart} value`. */
async function shown(...statuses: DataStoreStatus[]): Promise<string[]> {
  const metrics = createMetrics({ version: '1', commit: 'c' });
  for (const status of statuses) recordStore(metrics.domain, aStore({}, {}, status), looked, NOW);
  const lines = (await metrics.registry.metrics()).split('\n').filter((line) => /^dataward_(?:retention|coverage|tls)\w*\{/.test(line));
  return lines.map((line) => line.replace('dataward_', '').replace(/resource_namespace="platform-db",name="analytics",?/, '').replace('{}', '')).toSorted();
}

describe('the metrics of a store', () => {
  test('show what is known of it', async () => {
    expect(await shown(known)).toEqual([
      'coverage_ratio 0.75',
      'retention_oldest_due_age_seconds 3600',
      'retention_rows{state="blocked"} 1',
      'retention_rows{state="due"} 4',
      'retention_rows{state="held"} 3',
      'retention_rows{state="indeterminate"} 0',
      'retention_rows{state="minimum"} 2',
      'tls_not_after_timestamp_seconds 1775001600',
      'tls_plaintext_accepted 0',
    ]);
  });

  test('show of each identity whether it can do its work; of one that was not tried, or got no answer, nothing', async () => {
    const metrics = createMetrics({ version: '1', commit: 'c' });
    const after = async (logins: Observation['logins']): Promise<string[]> => {
      recordStore(metrics.domain, aStore({}, {}, known), { ...looked, logins }, NOW);
      return (await metrics.registry.metrics()).split('\n').flatMap((line) => /^dataward_store_identity_ok\{.*identity="(\w+)"\} (\d)$/.exec(line)?.slice(1).join(' ') ?? []);
    };
    expect(await after({ observe: 'Works', enforce: { reason: 'PermissionMissing', message: 'lacks DELETE' }, verify: 'Works' })).toEqual(['observe 1', 'enforce 0', 'verify 1']);
    expect(await after({ observe: 'Works', enforce: { reason: 'Unreachable', message: 'no answer' } })).toEqual(['observe 1']);
    expect(await after({ observe: 'LoggedIn' })).toEqual([]);
  });

  test('lose what is not known any longer: the last value would go on looking like a fact', async () => {
    expect(await shown(known, {})).toEqual([]);
    expect(await shown(known, { ...known, transport: {} })).toEqual((await shown(known)).filter((line) => !line.startsWith('tls_')));
  });

  test.each<{ what: string; of: Partial<StoreRetention>; age: string[] }>([
    { what: 'is 0 when no row is due', of: { due: 0 }, age: ['0'] },
    { what: 'is absent when rows are due and nobody knows since when', of: { due: 4 }, age: [] },
    { what: 'is absent when nobody knows whether rows are due', of: {}, age: [] },
    { what: 'is not negative when the store is ahead', of: { due: 4, oldestDue: '2026-03-02T12:00:01Z' }, age: ['0'] },
  ])('the age of the oldest due row $what', async ({ of, age }) => {
    expect((await shown({ retention: of })).flatMap((line) => /^retention_oldest_due_age_seconds (\S+)$/.exec(line)?.[1] ?? [])).toEqual(age);
  });

  test('a store that accepts plaintext is 1, and tables that are none have no ratio', async () => {
    expect(await shown({ transport: { plaintextRefused: false }, coverage: { tables: 0 } })).toEqual(['tls_plaintext_accepted 1']);
  });
});
