import { describe, expect, test } from '@jest/globals';
import { Temporal } from 'temporal-polyfill';
import { cutoff, daysBetween, dueSince, nextMidnight, periodEnd, ROUND_UP, type RoundUp } from '../../../src/rules/cutoff.ts';
import { parsePeriod } from '../../../src/rules/period.ts';
import { fc, runs } from '../../support/properties.ts';

const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/Sao_Paulo', 'Africa/Cairo', 'Africa/Monrovia', 'Asia/Kathmandu', 'Pacific/Kiritimati'];

const zone = fc.constantFrom(...ZONES);
const roundUp = fc.constantFrom(...ROUND_UP);
const period = fc.constantFrom('P1D', 'P30D', 'P1M', 'P2W', 'P13M', 'P25M', 'P1Y', 'P1M1D', 'P8Y', 'P60Y', 'P6M');
const now = fc.date({ min: new Date('2009-01-01T00:00:00Z'), max: new Date('2031-12-31T00:00:00Z'), noInvalidDate: true }).map((date) => date.toISOString());

const today = (at: string, timeZone: string): Temporal.PlainDate => Temporal.Instant.from(at).toZonedDateTimeISO(timeZone).toPlainDate();

/** The rule in its own words, for one start. */
function isDue(start: Temporal.PlainDate, at: string, periodText: string, timeZone: string, rounding: RoundUp): boolean {
  let end = start.add(parsePeriod(periodText));
  if (rounding === 'EndOfMonth') end = Temporal.PlainYearMonth.from(end).add({ months: 1 }).toPlainDate({ day: 1 }).subtract({ days: 1 });
  if (rounding === 'EndOfYear') end = Temporal.PlainDate.from({ year: end.year + 1, month: 1, day: 1 }).subtract({ days: 1 });
  return Temporal.PlainDate.compare(end, today(at, timeZone)) < 0;
}

describe('the cutoff', () => {
  const table: [string, string, string, string, RoundUp, string, string][] = [
    ['a month ago, the day after', '2026-03-16T12:00:00Z', 'P1M', 'UTC', 'None', '2026-02-16', '2026-02-16T00:00:00+00:00'],
    ['on 28 February, P1M does not reach the end of January early', '2026-02-28T12:00:00Z', 'P1M', 'UTC', 'None', '2026-01-28', '2026-01-28T00:00:00+00:00'],
    ['on 1 March the clamped ends of January are all due', '2026-03-01T12:00:00Z', 'P1M', 'UTC', 'None', '2026-02-01', '2026-02-01T00:00:00+00:00'],
    ['a leap day plus a year ends on 28 February', '2025-03-01T12:00:00Z', 'P1Y', 'UTC', 'None', '2024-03-01', '2024-03-01T00:00:00+00:00'],
    ['and is not due on that day itself', '2025-02-28T12:00:00Z', 'P1Y', 'UTC', 'None', '2024-02-28', '2024-02-28T00:00:00+00:00'],
    ['EndOfYear: on 31 December the year is not over', '2025-12-31T22:00:00Z', 'P8Y', 'Europe/Berlin', 'EndOfYear', '2017-01-01', '2017-01-01T00:00:00+01:00'],
    ['EndOfYear: due on 1 January', '2025-12-31T23:00:00Z', 'P8Y', 'Europe/Berlin', 'EndOfYear', '2018-01-01', '2018-01-01T00:00:00+01:00'],
    ['EndOfMonth: due on the first of the next month', '2026-04-01T00:00:00Z', 'P1M', 'UTC', 'EndOfMonth', '2026-03-01', '2026-03-01T00:00:00+00:00'],
    ['EndOfMonth: not before', '2026-03-31T23:59:59Z', 'P1M', 'UTC', 'EndOfMonth', '2026-02-01', '2026-02-01T00:00:00+00:00'],
    ['the local day decides, not that of UTC', '2026-03-16T23:30:00Z', 'P1D', 'Europe/Berlin', 'None', '2026-03-16', '2026-03-16T00:00:00+01:00'],
    ['a day whose midnight was skipped begins an hour later', '2018-11-06T12:00:00Z', 'P1D', 'America/Sao_Paulo', 'None', '2018-11-05', '2018-11-05T00:00:00-02:00'],
    ['the skipped midnight itself', '2018-11-05T12:00:00Z', 'P1D', 'America/Sao_Paulo', 'None', '2018-11-04', '2018-11-04T01:00:00-02:00'],
    ['a doubled midnight begins at the first', '2014-09-27T12:00:00Z', 'P1D', 'Africa/Cairo', 'None', '2014-09-26', '2014-09-26T00:00:00+02:00'],
    ['a whole day that never was begins with the next', '2012-01-02T00:00:00Z', 'P3D', 'Pacific/Apia', 'None', '2011-12-30', '2011-12-31T00:00:00+14:00'],
    ['an offset with seconds is not rounded to minutes', '2026-03-16T12:00:00Z', 'P60Y', 'Africa/Monrovia', 'None', '1966-03-16', '1966-03-16T00:44:30Z'],
  ];
  test.each(table)('%s', (_, at, periodText, timeZone, rounding, localDate, instant) => {
    expect(cutoff(at, periodText, timeZone, rounding)).toEqual({ localDate, instant, timeZone });
  });

  test('is the first local day that is not due, by the rule in its own words', () => {
    fc.assert(
      fc.property(now, period, zone, roundUp, fc.integer({ min: -40, max: 40 }), (at, periodText, timeZone, rounding, offset) => {
        const first = Temporal.PlainDate.from(cutoff(at, periodText, timeZone, rounding).localDate);
        expect(isDue(first, at, periodText, timeZone, rounding)).toBe(false);
        expect(isDue(first.subtract({ days: 1 }), at, periodText, timeZone, rounding)).toBe(true);
        const near = first.add({ days: offset });
        expect(isDue(near, at, periodText, timeZone, rounding)).toBe(offset < 0);
      }),
      { numRuns: runs(250) },
    );
  });

  test('is the start of that day: no row of the day lies before it, every row of the day before does', () => {
    fc.assert(
      fc.property(now, period, zone, roundUp, (at, periodText, timeZone, rounding) => {
        const { instant, localDate } = cutoff(at, periodText, timeZone, rounding);
        const start = Temporal.Instant.from(instant);
        expect(Temporal.PlainDate.compare(today(start.toString(), timeZone), localDate)).toBeGreaterThanOrEqual(0);
        expect(Temporal.PlainDate.compare(today(start.subtract({ milliseconds: 1 }).toString(), timeZone), localDate)).toBeLessThan(0);
      }),
      { numRuns: runs(250) },
    );
  });

  test('is the same all day long', () => {
    fc.assert(
      fc.property(now, period, zone, roundUp, fc.double({ min: 0, max: 0.999, noNaN: true }), (at, periodText, timeZone, rounding, share) => {
        const day = Temporal.Instant.from(at).toZonedDateTimeISO(timeZone);
        const begin = day.startOfDay().epochMilliseconds;
        const end = day.startOfDay().add({ days: 1 }).startOfDay().epochMilliseconds;
        const other = new Date(begin + Math.floor((end - begin) * share)).toISOString();
        expect(cutoff(other, periodText, timeZone, rounding)).toEqual(cutoff(at, periodText, timeZone, rounding));
      }),
      { numRuns: runs(150) },
    );
  });

  test('never moves back while time goes on', () => {
    fc.assert(
      fc.property(now, now, period, zone, roundUp, (a, b, periodText, timeZone, rounding) => {
        const [early, late] = a < b ? [a, b] : [b, a];
        expect(cutoff(early, periodText, timeZone, rounding).localDate <= cutoff(late, periodText, timeZone, rounding).localDate).toBe(true);
      }),
      { numRuns: runs(150) },
    );
  });

  test('rounding up never makes a row due earlier', () => {
    fc.assert(
      fc.property(now, period, zone, (at, periodText, timeZone) => {
        const [none, month, year] = ROUND_UP.map((rounding) => cutoff(at, periodText, timeZone, rounding).localDate) as [string, string, string];
        expect(year <= month && month <= none).toBe(true);
      }),
    );
  });

  test('a row became due at the first instant at which the cutoff lies behind it', () => {
    fc.assert(
      fc.property(now, period, zone, roundUp, (start, periodText, timeZone, rounding) => {
        const since = Temporal.Instant.from(dueSince(start, periodText, timeZone, rounding));
        const isPast = (at: Temporal.Instant): boolean => Date.parse(start) < Date.parse(cutoff(at.toString(), periodText, timeZone, rounding).instant);
        expect(isPast(since)).toBe(true);
        expect(isPast(since.subtract({ milliseconds: 1 }))).toBe(false);
      }),
      { numRuns: runs(200) },
    );
  });

  test('refuses a zone nobody knows', () => {
    expect(() => cutoff('2026-01-01T00:00:00Z', 'P1D', 'Europe/Atlantis')).toThrow(RangeError);
  });
});

test('month ends clamp', () => {
  const ends = ['2026-01-31', '2026-01-29', '2028-01-31', '2026-03-31'].map((date) => periodEnd(Temporal.PlainDate.from(date), parsePeriod('P1M'), 'None').toString());
  expect(ends).toEqual(['2026-02-28', '2026-02-28', '2028-02-29', '2026-04-30']);
});

test('days between two cutoffs count the calendar, and are negative backwards', () => {
  expect([daysBetween('2026-02-27', '2026-03-01'), daysBetween('2026-03-01', '2026-02-27'), daysBetween('2024-01-01', '2025-01-01')]).toEqual([2, -2, 366]);
});

test.each([
  ['the middle of a day', '2026-03-02T12:00:00Z', 'UTC', '2026-03-03T00:00:00Z'],
  ['midnight itself', '2026-03-02T00:00:00Z', 'UTC', '2026-03-03T00:00:00Z'],
  ['an evening that is the next day elsewhere', '2026-03-02T23:30:00Z', 'Europe/Paris', '2026-03-03T23:00:00Z'],
  ['the day on which summer time begins', '2026-03-29T00:30:00Z', 'Europe/Paris', '2026-03-29T22:00:00Z'],
])('the next midnight after %s', (_name, now, timeZone, expected) => {
  expect(nextMidnight(Date.parse(now), timeZone)).toBe(Date.parse(expected));
});
