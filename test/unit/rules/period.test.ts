import { describe, expect, test } from '@jest/globals';
import { Temporal } from 'temporal-polyfill';
import { dayBounds, neverShorter, parsePeriod } from '../../../src/rules/period.ts';
import { fc, runs } from '../../support/properties.ts';

const refused: [string, string][] = [
  ['P', 'is not an ISO 8601 calendar duration'],
  ['PT', 'is not an ISO 8601 calendar duration'],
  ['', 'is not an ISO 8601 calendar duration'],
  ['25 months', 'is not an ISO 8601 calendar duration'],
  ['P1.5D', 'is not an ISO 8601 calendar duration'],
  ['P0D', 'not longer than nothing'],
  ['P0Y0M', 'not longer than nothing'],
  ['-P1D', 'not longer than nothing'],
  ['PT24H', 'a part below a day'],
  ['P1DT1M', 'a part below a day'],
  ['P1DT1S', 'a part below a day'],
  ['P1DT0.001S', 'a part below a day'],
  ['P1DT0.000001S', 'a part below a day'],
  ['P1DT0.000000001S', 'a part below a day'],
];

const periodArbitrary = fc
  .record({ y: fc.integer({ min: 0, max: 3 }), m: fc.integer({ min: 0, max: 14 }), w: fc.integer({ min: 0, max: 5 }), d: fc.integer({ min: 0, max: 70 }) })
  .filter(({ y, m, w, d }) => y + m + w + d > 0)
  .map(({ y, m, w, d }) => `P${y ? `${y}Y` : ''}${m ? `${m}M` : ''}${w ? `${w}W` : ''}${d ? `${d}D` : ''}`);

/** Every day of eight years, leap day and the leap year a century skips included. */
const starts = [...days('2019-12-20', 800), ...days('1899-11-01', 160), ...days('2099-11-01', 160)];

function days(from: string, count: number): Temporal.PlainDate[] {
  const first = Temporal.PlainDate.from(from);
  return Array.from({ length: count }, (_, index) => first.add({ days: index }));
}

describe('a period', () => {
  test.each(refused)('%j is refused, saying why', (text, why) => {
    expect(() => parsePeriod(text)).toThrow(why);
    expect(() => parsePeriod(text)).toThrow(RangeError);
  });

  test.each(['P1D', 'P25M', 'P8Y', 'P2W', 'P1Y6M', 'P1M15D'])('%s is read', (text) => {
    expect(parsePeriod(text).toString()).toBe(text);
  });

  test('lies between its bounds in days, from whatever date it starts', () => {
    fc.assert(
      fc.property(periodArbitrary, fc.constantFrom(...starts), (period, start) => {
        const { least, most } = dayBounds(period);
        const length = start.until(start.add(parsePeriod(period)), { largestUnit: 'day' }).days;
        expect(length).toBeGreaterThanOrEqual(least);
        expect(length).toBeLessThanOrEqual(most);
      }),
      { numRuns: runs(500) },
    );
  });
});

describe('that one period is never shorter than another', () => {
  const cases: [string, string, boolean][] = [
    ['P1M', 'P1M', true],
    ['P12M', 'P1Y', true],
    ['P1Y', 'P12M', true],
    ['P2W', 'P14D', true],
    ['P26M', 'P25M', true],
    ['P25M', 'P26M', false],
    ['P1M', 'P30D', false],
    ['P30D', 'P1M', false],
    ['P31D', 'P1M', false],
    ['P35D', 'P1M', true],
    ['P1Y', 'P365D', false],
    ['P366D', 'P365D', true],
    ['P1M5D', 'P1M', true],
    ['P1M', 'P1M1D', false],
    ['P1M40D', 'P2M', true],
    ['P1M4W12D', 'P2M', true],
  ];
  test.each(cases)('%s against %s: %s', (a, b, expected) => {
    expect(neverShorter(a, b)).toBe(expected);
  });

  test('is only said when it holds from every start', () => {
    fc.assert(
      fc.property(periodArbitrary, periodArbitrary, (a, b) => {
        if (!neverShorter(a, b)) return;
        const [left, right] = [parsePeriod(a), parsePeriod(b)];
        expect(starts.filter((start) => Temporal.PlainDate.compare(start.add(left), start.add(right)) < 0).map(String)).toEqual([]);
      }),
      { numRuns: runs(150) },
    );
  });
});
