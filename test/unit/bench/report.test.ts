import { describe, expect, test } from '@jest/globals';
import { judge, quantile, tableOf } from '../../../bench/support/report.ts';
import type { Measurement } from '../../../bench/support/report.ts';

const measured = (changes: Partial<Measurement>): Measurement => ({ measure: 'a purge', unit: 'ms', samples: [120], ...changes });
const beside = (...samples: number[]): NonNullable<Measurement['beside']> => ({ what: 'one DELETE', samples });

describe('a measurement is judged', () => {
  const cases: { name: string; given: Measurement; met: boolean | undefined; ratio?: number }[] = [
    { name: 'by its value where nothing stands beside it', given: measured({ goal: { most: 119 } }), met: false },
    { name: 'as met at the bound itself', given: measured({ goal: { most: 120 } }), met: true },
    { name: 'by its ratio where something stands beside it', given: measured({ beside: beside(100), goal: { most: 1.1 } }), met: false, ratio: 1.2 },
    { name: 'from below where more is better', given: measured({ beside: beside(100), goal: { least: 1.1 } }), met: true, ratio: 1.2 },
    { name: 'round by round, so that one slow round of both decides nothing', given: measured({ samples: [100, 900, 110], beside: beside(100, 1_000, 100), goal: { most: 1 } }), met: true, ratio: 1 },
    { name: 'not at all without a goal', given: measured({ beside: beside(60) }), met: undefined, ratio: 2 },
  ];
  test.each(cases)('$name', ({ given, met, ratio }) => {
    const result = judge(given);
    expect(result.met).toBe(met);
    expect(result.ratio).toBe(ratio);
  });

  const mistakes: { name: string; given: Measurement }[] = [
    { name: 'nothing was measured', given: measured({ samples: [] }) },
    { name: 'a sample is no number', given: measured({ samples: [1, Number.NaN] }) },
    { name: 'a round has no counterpart', given: measured({ samples: [1, 2], beside: beside(1) }) },
  ];
  test.each(mistakes)('and refused where $name', ({ given }) => {
    expect(() => judge({ ...given, goal: { most: 1_000 } })).toThrow(RangeError);
  });
});

test('the table says which goals are missed', () => {
  const table = tableOf([judge(measured({ beside: beside(100), goal: { most: 1.1 } })), judge(measured({ measure: 'memory', unit: 'MB', samples: [170], goal: { most: 180 } }))]);
  expect(table.split('\n').slice(2)).toEqual([
    '| a purge  | 120 ms | one DELETE: 100 ms | 1.20 x | <= 1.1 x  | NOT MET |',
    '| memory   | 170 MB |                    |        | <= 180 MB | met     |',
  ]);
});

test('a quantile is one of the values', () => {
  const values = Array.from({ length: 100 }, (_each, index) => 100 - index);
  expect([quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)]).toEqual([51, 100, 100]);
});
