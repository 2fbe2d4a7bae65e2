import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { createObjectGauge, type ObjectGauge } from '../../../src/telemetry/object-gauge.ts';

function create(maxSeries = 10): { gauge: ObjectGauge; lines: () => Promise<string[]>; truncated: string[] } {
  const registry = new Registry();
  const truncated: string[] = [];
  const gauge = createObjectGauge(registry, { name: 'g', help: 'A gauge.', labelNames: ['name', 'reason'], maxSeries, onTruncated: (metric) => truncated.push(metric) });
  return { gauge, truncated, lines: async () => (await registry.metrics()).split('\n').filter((line) => line.startsWith('g{')) };
}

test('replaced series are the ones given, and no others', async () => {
  const { gauge, lines } = create();
  gauge.set({ name: 'a', reason: 'Old' }, 1);
  gauge.set({ name: 'b', reason: 'Stays' }, 1);
  gauge.replace([[{ name: 'b', reason: 'Stays' }, 2], [{ name: 'c', reason: 'New' }, 3]]);
  expect(await lines()).toEqual(['g{name="b",reason="Stays"} 2', 'g{name="c",reason="New"} 3']);
  gauge.replace([]);
  expect(await lines()).toEqual([]);
});

test('series that make room are gone before new ones are counted against the cap', async () => {
  const { gauge, lines, truncated } = create(1);
  gauge.replace([[{ name: 'a', reason: 'x' }, 1]]);
  gauge.replace([[{ name: 'b', reason: 'x' }, 1]]);
  expect([await lines(), truncated]).toEqual([['g{name="b",reason="x"} 1'], []]);
});

test('removed are all series that carry the labels given', async () => {
  const { gauge, lines } = create();
  for (const [name, reason] of [['a', 'x'], ['a', 'y'], ['b', 'x']] as const) gauge.set({ name, reason }, 1);
  gauge.remove({ name: 'a' });
  expect(await lines()).toEqual(['g{name="b",reason="x"} 1']);
});
