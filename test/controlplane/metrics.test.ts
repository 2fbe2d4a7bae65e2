import { afterAll, describe, expect, test } from '@jest/globals';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { promlint } from '../support/promlint.ts';

const lint = await promlint();

(lint === undefined ? describe.skip : describe)('what promtool says', () => {
  const { registry, domain, runtime } = createMetrics({ version: '1.2.3', commit: 'abc', processMetrics: true });
  afterAll(() => registry.clear());

  test.each([
    ['a gauge named like a counter', '# HELP x_total X.\n# TYPE x_total gauge\nx_total 1\n', 'x_total non-counter metrics should not have "_total" suffix'],
    ['a metric without help', '# TYPE x gauge\nx 1\n', 'x no help text'],
    ['a unit that is no base unit', '# HELP x_milliseconds X.\n# TYPE x_milliseconds gauge\nx_milliseconds 1\n', 'use base unit "seconds" instead of "milliseconds"'],
  ])('of %s is a fault', (_what, text, says) => {
    expect(lint?.(text).join('\n')).toContain(says);
  });

  test('of every metric there is, is nothing', async () => {
    runtime.reconcileSeconds.observe({ controller: 'datastore' }, 0.2);
    domain.purgeBlocked.set({ resource_namespace: 'shop', name: 'a "quoted"\nname', reason: 'Frozen' }, 1);
    const text = await registry.metrics();
    const told = [...text.matchAll(/^# TYPE (\S+) /gm)].map((match) => match[1] ?? '');
    expect(told.toSorted()).toEqual(registry.getMetricsAsArray().map(({ name }) => name).toSorted());
    expect(told.length).toBeGreaterThan(60);
    expect(lint?.(text)).toEqual([]);
  });
});
