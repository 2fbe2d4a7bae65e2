import { describe, expect, test } from '@jest/globals';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const create = (maxSeries?: number) => createMetrics({ version: '1.2.3', commit: 'abc', ...(maxSeries === undefined ? {} : { maxSeries }) });

describe('metrics', () => {
  test('two registries do not know of each other', async () => {
    const [a, b] = [create(), create()];
    a.domain.purgeRows.inc({ action: 'delete', engine: 'postgres' }, 5);
    expect(await b.registry.metrics()).not.toContain('dataward_purge_rows_total{');
    expect(await a.registry.metrics()).toContain('dataward_purge_rows_total{action="delete",engine="postgres"} 5');
  });

  test('the build is told', async () => {
    expect(await create().registry.metrics()).toContain('dataward_build_info{version="1.2.3",commit="abc"} 1');
  });

  test.each(['controller_runtime_reconcile_total', 'controller_runtime_reconcile_errors_total', 'controller_runtime_reconcile_time_seconds', 'controller_runtime_active_workers', 'controller_runtime_max_concurrent_reconciles', 'workqueue_depth', 'workqueue_adds_total', 'workqueue_queue_duration_seconds', 'workqueue_unfinished_work_seconds', 'workqueue_longest_running_processor_seconds', 'workqueue_retries_total', 'rest_client_requests_total', 'rest_client_request_duration_seconds', 'leader_election_master_status'])('%s exists, as the dashboards of other operators expect', (name) => {
    expect(create().registry.getSingleMetric(name)).toBeDefined();
  });

  test('every name follows the rules: counters end in _total, durations in _seconds, no label is called namespace', async () => {
    const all = await create().registry.getMetricsAsJSON();
    for (const metric of all) {
      expect(metric.help).not.toBe('');
      expect(metric.name).toMatch(/^(dataward|controller_runtime|workqueue|rest_client|leader_election|reflector)_[a-z0-9_]+$/);
      expect(metric.name.endsWith('_total')).toBe(String(metric.type) === 'counter');
    }
    for (const name of all.map((metric) => metric.name)) {
      const declared = create().registry.getSingleMetric(name) as unknown as { labelNames: string[] };
      expect(declared.labelNames.filter((label) => ['namespace', 'subject', 'table', 'row', 'message', 'error'].includes(label))).toEqual([]);
    }
  });

  test('the series of a store go when the store goes, those of others stay', async () => {
    const { domain, registry } = create();
    for (const name of ['a', 'b']) {
      domain.storeUp.set({ resource_namespace: 'shop', name, engine: 'postgres' }, 1);
      domain.retentionRows.set({ resource_namespace: 'shop', name, state: 'due' }, 7);
      domain.compliance.set({ kind: 'DataStore', resource_namespace: 'shop', name }, 1);
    }
    domain.forgetStore('shop', 'a');
    domain.forgetResource('DataStore', 'shop', 'a');
    const text = await registry.metrics();
    expect(text).not.toContain('name="a"');
    expect(text.match(/name="b"/g)).toHaveLength(3);
  });

  test('series beyond the cap are dropped and told of, and room made by a deletion is used again', async () => {
    const { domain, registry } = create(2);
    const set = (name: string): void => domain.storeUp.set({ resource_namespace: 'shop', name, engine: 'postgres' }, 1);
    ['a', 'b', 'c'].forEach(set);
    expect(await registry.metrics()).toContain('dataward_metrics_truncated{metric="dataward_store_up"} 1');
    expect(await registry.metrics()).not.toContain('name="c"');
    domain.forgetStore('shop', 'a');
    set('c');
    expect(await registry.metrics()).toContain('name="c"');
  });
});
