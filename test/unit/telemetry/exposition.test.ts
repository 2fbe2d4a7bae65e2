import { afterAll, describe, expect, test } from '@jest/globals';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { exposed, lintMetric, parseExposition, type ExposedMetric } from '../../support/metric-lint.ts';

const good: ExposedMetric = { name: 'dataward_purge_rows_total', help: 'Rows.', type: 'counter', labels: ['action'] };
const problemsOf = (change: Partial<ExposedMetric>): string[] => lintMetric({ ...good, ...change }).map(({ problem }) => problem);

describe('the lint finds', () => {
  test('nothing in a metric that is in order', () => {
    expect(problemsOf({})).toEqual([]);
  });

  test.each<[string, Partial<ExposedMetric>, string]>([
    ['no help', { help: '' }, 'no help text'],
    ['no type', { type: undefined }, 'no type, or one that says nothing'],
    ['a counter that does not say so', { name: 'dataward_purge_rows' }, 'counters end in _total'],
    ['a gauge that says it is a counter', { type: 'gauge' }, 'only counters end in _total'],
    ['milliseconds', { type: 'gauge', name: 'dataward_lag_milliseconds' }, 'use the base unit seconds'],
    ['megabytes', { type: 'gauge', name: 'dataward_wal_megabytes' }, 'use the base unit bytes'],
    ['percent', { type: 'gauge', name: 'dataward_coverage_percent' }, 'use the base unit ratio'],
    ['a short unit', { type: 'gauge', name: 'dataward_lag_ms' }, 'write the unit ms out'],
    ['the suffix of a histogram', { type: 'gauge', name: 'dataward_rows_count' }, '_count belongs to histograms and summaries'],
    ['the label of a histogram', { labels: ['le'] }, 'the label le belongs to histograms'],
    ['a type in the name', { type: 'gauge', name: 'dataward_rows_gauge' }, 'the name says the type gauge'],
    ['camelCase in the name', { name: 'dataward_purgeRows_total' }, 'the name is in camelCase'],
    ['camelCase in a label', { labels: ['resourceNamespace'] }, 'the label resourceNamespace is in camelCase'],
  ])('%s', (_what, change, problem) => {
    expect(problemsOf(change)).toContain(problem);
  });

  test.each([
    ['a sample of a metric nobody told of', 'lonely 1\n', 'a sample without HELP and TYPE'],
    ['a metric told twice', '# HELP a A.\n# HELP a A.\n', 'told twice'],
    ['a line of no format', '# HELP a A.\n# TYPE a gauge\na{b="c" 1\n', 'not a line of the text format'],
    ['a value that is none', '# HELP a A.\n# TYPE a gauge\na one\n', 'not a value'],
  ])('%s', (_what, text, says) => {
    expect(() => parseExposition(text)).toThrow(says);
  });
});

describe('what /metrics tells', () => {
  const { registry, domain, runtime } = createMetrics({ version: '1.2.3', commit: 'abc', processMetrics: true });
  afterAll(() => registry.clear());

  test('is every metric there is, and promtool would find nothing in any of them', async () => {
    runtime.reconcileSeconds.observe({ controller: 'datastore' }, 0.2);
    domain.purgeBlocked.set({ resource_namespace: 'shop', name: 'a "quoted"\nname', reason: 'Frozen' }, 1);
    const all = await exposed(registry);
    expect(all.map(({ name }) => name).toSorted()).toEqual(registry.getMetricsAsArray().map(({ name }) => name).toSorted());
    expect(all.length).toBeGreaterThan(60);
    expect(all.flatMap(lintMetric)).toEqual([]);
  });
});
