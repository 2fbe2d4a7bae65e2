import { Temporal } from 'temporal-polyfill';
import type { Cutoff } from '../stores/predicate.ts';
import { parsePeriod, type Period } from './period.ts';

/** Lengthens a period to the end of the month or year it ends in (German commercial law counts from the year's end). */
export const ROUND_UP = ['None', 'EndOfMonth', 'EndOfYear'] as const;
export type RoundUp = (typeof ROUND_UP)[number];

/**
 * The first local day that is not due yet.
 *
 * A row is due when the whole local day on which its period ends is over: `roundUp(date + period) < today`.
 * That is a forward rule; calendar arithmetic has no inverse (on 28 February, "one month back" would take
 * rows of 28 to 30 January a day early), so the last due date is searched for from a first guess.
 * Two calls on one local day give the same cutoff; a skipped or doubled midnight moves nothing.
 *
 * @param now instant, RFC 3339; the earlier of the operator's and the store's clock.
 * @param timeZone IANA name; decides what a local day is.
 */
export function cutoff(now: string, period: Period, timeZone: string, roundUp: RoundUp = 'None'): Cutoff {
  const duration = parsePeriod(period);
  const today = Temporal.Instant.from(now).toZonedDateTimeISO(timeZone).toPlainDate();
  const isDue = (date: Temporal.PlainDate): boolean => Temporal.PlainDate.compare(periodEnd(date, duration, roundUp), today) < 0;

  let last = lastPossibleEnd(today, roundUp).subtract(duration);
  while (!isDue(last)) last = last.subtract({ days: 1 });
  while (isDue(last.add({ days: 1 }))) last = last.add({ days: 1 });

  const first = last.add({ days: 1 });
  return {
    instant: rfc3339(first.toZonedDateTime(timeZone).startOfDay()),
    localDate: first.toString(),
    timeZone,
  };
}

/** With the local offset, unless that has seconds (before about 1972): rounded to minutes it would name another instant. */
function rfc3339(time: Temporal.ZonedDateTime): string {
  const text = time.toString({ timeZoneName: 'never' });
  return Temporal.Instant.from(text).equals(time.toInstant()) ? text : time.toInstant().toString();
}

/** The local date on which a period that starts on `date` ends. Month ends clamp: 31 January + P1M is 28 or 29 February. */
export function periodEnd(date: Temporal.PlainDate, period: Temporal.Duration, roundUp: RoundUp): Temporal.PlainDate {
  const end = date.add(period);
  switch (roundUp) {
    case 'None':
      return end;
    case 'EndOfMonth':
      return end.with({ day: end.daysInMonth });
    case 'EndOfYear':
      return end.with({ month: 12, day: 31 });
  }
}

/**
 * The instant a row that started then became due: the start of the day after its period ended.
 *
 * @param start RFC 3339.
 */
export function dueSince(start: string, period: Period, timeZone: string, roundUp: RoundUp = 'None'): string {
  const date = Temporal.Instant.from(start).toZonedDateTimeISO(timeZone).toPlainDate();
  return periodEnd(date, parsePeriod(period), roundUp).add({ days: 1 }).toZonedDateTime(timeZone).startOfDay().toInstant().toString();
}

function lastPossibleEnd(today: Temporal.PlainDate, roundUp: RoundUp): Temporal.PlainDate {
  switch (roundUp) {
    case 'None':
      return today.subtract({ days: 1 });
    case 'EndOfMonth':
      return today.with({ day: 1 }).subtract({ days: 1 });
    case 'EndOfYear':
      return today.with({ month: 1, day: 1 }).subtract({ days: 1 });
  }
}

/** The calendar days from one cutoff to a later one; negative when it moved back. */
export function daysBetween(from: string, to: string): number {
  return Temporal.PlainDate.from(from).until(Temporal.PlainDate.from(to), { largestUnit: 'day' }).days;
}

/** Instant (milliseconds) at which the next local day begins: until then no further row becomes due. */
export function nextMidnight(now: number, timeZone: string): number {
  return Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(timeZone).toPlainDate().add({ days: 1 }).toZonedDateTime(timeZone).startOfDay().epochMilliseconds;
}
