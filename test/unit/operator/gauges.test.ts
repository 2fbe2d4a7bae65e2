import { describe, expect, test } from '@jest/globals';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import type { LegalHold } from '../../../src/api/generated/legalHold.ts';
import type { PurgeRun } from '../../../src/api/generated/purgeRun.ts';
import { refreshGauges } from '../../../src/operator/gauges.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const NOW = Date.parse('2026-03-01T00:10:00Z');
const store = { metadata: { namespace: 'db', name: 'analytics' } } as DataStore;
const hold = (reviewAt: string, released = false): LegalHold => ({ metadata: { namespace: 'db', name: reviewAt }, spec: { reviewAt, ...(released ? { release: { request: { by: 'a', reason: 'r' }, approval: { by: 'b' } } } : {}) }, status: { state: released ? 'Released' : 'Active' } }) as LegalHold;
const run = (state: string, reason: string): PurgeRun =>
  ({ metadata: { namespace: 'db', name: state, creationTimestamp: '2026-03-01T00:00:00Z' }, spec: { store: 'analytics', plan: { steps: [{ collection: 'shop/web/views' }] } }, status: { state, conditions: [{ type: 'Ready', status: 'Unknown', reason, message: '', lastTransitionTime: '' }] } }) as PurgeRun;

async function shown(runs: PurgeRun[], holds: LegalHold[], before?: { runs: PurgeRun[]; holds: LegalHold[] }): Promise<string[]> {
  const metrics = createMetrics({ version: '1', commit: 'c' });
  const refresh = (each: { runs: PurgeRun[]; holds: LegalHold[] }): void => refreshGauges(metrics.domain, { runs: { list: () => each.runs }, holds: { list: () => each.holds }, stores: { list: () => [store] } } as unknown as Parameters<typeof refreshGauges>[1], NOW);
  if (before) refresh(before);
  refresh({ runs, holds });
  const text = await metrics.registry.metrics();
  return text.split('\n').filter((line) => /^dataward_(purge_runs|legal_holds|purge_blocked|plan_pending)/.test(line));
}

describe('gauges over all objects', () => {
  test('count runs by state, and holds that are in force or overdue', async () => {
    const lines = await shown([run('Running', 'Running'), run('Succeeded', 'Succeeded')], [hold('2026-02-01'), hold('2026-09-01'), hold('2026-02-01', true)]);
    expect(lines).toEqual(expect.arrayContaining(['dataward_purge_runs{state="Running"} 1', 'dataward_purge_runs{state="Succeeded"} 1', 'dataward_legal_holds_active{resource_namespace="db"} 2', 'dataward_legal_holds_review_overdue{resource_namespace="db"} 1']));
  });

  test('count a hold that is released and waits for its successor as in force', async () => {
    const waiting = { ...hold('2026-02-01', true), status: { state: 'Active' } } as LegalHold;
    expect(await shown([], [waiting])).toEqual(['dataward_legal_holds_active{resource_namespace="db"} 1', 'dataward_legal_holds_review_overdue{resource_namespace="db"} 1']);
  });

  test('count no hold as in force that stands in no store yet, and one that stands in some', async () => {
    const pending = { ...hold('2026-09-01'), status: { state: 'Pending', stores: [{ namespace: 'db', name: 'analytics' }] } } as LegalHold;
    const some = { ...pending, status: { state: 'Pending', stores: [{ namespace: 'db', name: 'analytics', enforcedSince: '2026-01-01T00:00:00Z' }] } } as LegalHold;
    expect(await shown([], [pending])).toContain('dataward_legal_holds_active{resource_namespace="db"} 0');
    expect(await shown([], [pending, some])).toContain('dataward_legal_holds_active{resource_namespace="db"} 1');
  });

  test.each<[string, string, string | undefined]>([
    ['Running', 'PermissionMissing', 'PermissionMissing'],
    ['Verifying', 'Unreachable', 'Unreachable'],
    ['Running', 'Throttled', 'Throttled'],
    ['Running', 'Running', undefined],
    ['Verifying', 'Verifying', undefined],
    ['Running', 'ResidualRows', undefined],
    ['Succeeded', 'Succeeded', undefined],
  ])('name what a run at work waits for: %s, %s', async (state, reason, blocked) => {
    const lines = (await shown([run(state, reason)], [])).filter((line) => line.startsWith('dataward_purge_blocked'));
    expect(lines).toEqual(blocked === undefined ? [] : [`dataward_purge_blocked{resource_namespace="db",name="analytics",reason="${blocked}"} 1`]);
  });

  test('name what a run waits for, and how long a plan has waited for a person', async () => {
    const lines = await shown([run('Paused', 'Frozen'), run('AwaitingApproval', 'AwaitingApproval')], []);
    expect(lines).toContain('dataward_purge_blocked{resource_namespace="db",name="analytics",reason="Frozen"} 1');
    expect(lines).toContain('dataward_plan_pending_approval_seconds{resource_namespace="db",name="analytics"} 600');
    expect(lines.some((line) => line.includes('reason="AwaitingApproval"'))).toBe(false);
  });

  const ended = (state: string, at: string, collection: string, policy = 'p0'): PurgeRun =>
    ({ metadata: { namespace: 'db', name: `${state}-${at}-${collection}`, creationTimestamp: at, labels: { 'dataward.io/policy-uid': policy } }, spec: { store: 'analytics', plan: { steps: [{ collection }] } }, status: { state, finishedAt: at } }) as unknown as PurgeRun;

  test.each<[string, PurgeRun[], string[]]>([
    ['call a store well after its last run succeeded', [ended('Failed', '2026-03-01T00:00:00Z', 'views'), ended('Succeeded', '2026-03-01T00:01:00Z', 'views')], ['ok 1', 'success 60']],
    ['do not let another group of tables hide one that failed', [ended('Failed', '2026-03-01T00:00:00Z', 'views'), ended('Succeeded', '2026-03-01T00:01:00Z', 'orders')], ['ok 0', 'success 60']],
    ['do not let another policy over the same rows hide one that failed', [ended('Failed', '2026-03-01T00:00:00Z', 'views'), ended('Succeeded', '2026-03-01T00:01:00Z', 'views', 'p1')], ['ok 0', 'success 60']],
    ['leave out runs that have not ended', [ended('Running', '2026-03-01T00:00:00Z', 'views')], []],
  ])('of the last attempts %s', async (_name, runs, expected) => {
    const metrics = createMetrics({ version: '1', commit: 'c' });
    refreshGauges(metrics.domain, { runs: { list: () => runs }, holds: { list: () => [] }, stores: { list: () => [store] } } as unknown as Parameters<typeof refreshGauges>[1], NOW);
    const text = await metrics.registry.metrics();
    const value = (name: string): string | undefined => new RegExp(`^${name}\\{.*\\} (.*)$`, 'm').exec(text)?.[1];
    const ok = value('dataward_purge_last_attempt_ok');
    const success = value('dataward_purge_last_success_timestamp_seconds');
    expect([...(ok === undefined ? [] : [`ok ${ok}`]), ...(success === undefined ? [] : [`success ${Number(success) - Date.parse('2026-03-01T00:00:00Z') / 1000}`])]).toEqual(expected);
  });

  test('forget what is no more', async () => {
    expect(await shown([], [], { runs: [run('Paused', 'Frozen'), run('AwaitingApproval', 'AwaitingApproval')], holds: [hold('2026-02-01')] })).toEqual([]);
  });
});
