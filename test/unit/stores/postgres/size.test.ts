import { describe, expect, test } from '@jest/globals';
import { adaptSize, firstSize, halveSize, remainingRanges, retryDelay } from '../../../../src/stores/postgres/size.ts';
import type { BatchSize } from '../../../../src/stores/postgres/size.ts';
import { fc } from '../../../support/properties.ts';

const bounds = { min: 1, max: 1_500, perMs: 3 };

describe('the size of a batch', () => {
  test.each<[string, BatchSize, number, number]>([
    ['doubles far below the limit', { size: 100 }, 20, 200],
    ['grows by a fifth while there is room', { size: 100 }, 30, 120],
    ['shrinks by a fifth above the limit', { size: 100 }, 60, 80],
    ['stays a little under the limit', { size: 100 }, 45, 100],
    ['does not jump at one slow batch', { size: 100, smoothedMs: 20 }, 80, 100],
    ['has an upper bound', { size: 1_400 }, 1, 1_500],
    ['has a lower bound', { size: 1 }, 1_000, 1],
    ['grows again from a single page', { size: 1 }, 1, 2],
  ])('%s', (_name, size, millis, expected) => {
    expect(adaptSize(size, millis, 50, bounds).size).toBe(expected);
  });

  test.each([[50, 150], [0.1, 1], [10_000, 1_500]])('begins with what a batch of %d ms is likely to hold', (maxBatchMillis, expected) => {
    expect(firstSize(maxBatchMillis, bounds)).toEqual({ size: expected });
  });

  test('is halved by a roll back and starts to learn anew', () => {
    expect(halveSize({ size: 100, smoothedMs: 40 }, bounds)).toEqual({ size: 50 });
    expect(halveSize({ size: 1 }, bounds)).toEqual({ size: 1 });
  });

  test('settles under the limit for any steady cost per page', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.05, max: 20, noNaN: true }), (msPerPage) => {
        let size: BatchSize = { size: 150 };
        for (let batch = 0; batch < 200; batch += 1) size = adaptSize(size, size.size * msPerPage, 50, bounds);
        expect(size.size * msPerPage).toBeLessThanOrEqual(Math.max(50, msPerPage));
        expect(size.size === bounds.max || (size.size + 1) * msPerPage * 1.2 >= 45).toBe(true);
      }),
    );
  });
});

test('retries wait longer each time, up to 1.6 s, and not all equally long', () => {
  expect([0, 1, 2, 6, 50].map((attempt) => [retryDelay(attempt, () => 0), retryDelay(attempt, () => 1)])).toEqual([[12.5, 25], [25, 50], [50, 100], [800, 1600], [800, 1600]]);
});

describe('the pages that are left', () => {
  test.each<[string, number, { from: number; to: number }[], number, { from: number; to: number }[]]>([
    ['are all of them at the start', 10, [], 1, [{ from: 0, to: 10 }]],
    ['are shared among the workers', 10, [], 2, [{ from: 0, to: 5 }, { from: 5, to: 10 }]],
    ['leave out what was visited', 10, [{ from: 0, to: 4 }], 1, [{ from: 4, to: 10 }]],
    ['leave out what several workers visited', 10, [{ from: 5, to: 7 }, { from: 0, to: 2 }], 1, [{ from: 2, to: 5 }, { from: 7, to: 10 }]],
    ['are none after all were visited', 10, [{ from: 0, to: 12 }], 2, []],
    ['are none in an empty table', 0, [], 2, []],
  ])('%s', (_name, pages, visited, workers, expected) => {
    expect(remainingRanges(pages, visited, workers)).toEqual(expected);
  });

  test('are each given out once, whatever was visited by however many workers', () => {
    const range = fc.tuple(fc.nat(120), fc.nat(40)).map(([from, length]) => ({ from, to: from + length }));
    fc.assert(
      fc.property(fc.nat(100), fc.array(range, { maxLength: 6 }), fc.integer({ min: 1, max: 5 }), (pages, visited, workers) => {
        const given = remainingRanges(pages, visited, workers).flatMap(({ from, to }) => Array.from({ length: to - from }, (_, index) => from + index));
        const wanted = Array.from({ length: pages }, (_, page) => page).filter((page) => !visited.some(({ from, to }) => page >= from && page < to));
        expect(given).toEqual(wanted);
      }),
    );
  });
});
