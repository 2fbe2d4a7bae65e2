import { Temporal } from 'temporal-polyfill';

/** A calendar period as people write it in law and contracts, e.g. `P25M`, `P8Y`, `P2W`. */
export type Period = string;

/**
 * Reads an ISO 8601 calendar duration of whole years, months, weeks and days.
 *
 * @throws RangeError for anything else: zero, negative, fractions, times of day. Zero would mean "delete
 * everything now", which several date libraries read out of a bare `P`.
 */
export function parsePeriod(period: Period): Temporal.Duration {
  let duration: Temporal.Duration;
  try {
    duration = Temporal.Duration.from(period);
  } catch {
    throw new RangeError(`${JSON.stringify(period)} is not an ISO 8601 calendar duration; write for example P25M, P8Y or P90D`);
  }
  const subDay = duration.hours || duration.minutes || duration.seconds || duration.milliseconds || duration.microseconds || duration.nanoseconds;
  if (subDay) throw new RangeError(`${period} has a part below a day; retention counts whole local days`);
  if (duration.sign <= 0) throw new RangeError(`${period} is not longer than nothing; a retention period must be at least P1D`);
  return duration;
}

/** The least and the most days a period can mean, whatever date it starts on. */
export function dayBounds(period: Period): { least: number; most: number } {
  const { years, months, weeks, days } = parsePeriod(period);
  const monthCount = years * 12 + months;
  const fixed = weeks * 7 + days;
  if (monthCount === 0) return { least: fixed, most: fixed };
  // Any run of n months lies between these bounds: 400 Gregorian years have 4,800 months and 146,097 days.
  const mean = (monthCount * 146_097) / 4_800;
  return { least: Math.floor(mean) - 3 + fixed, most: Math.ceil(mean) + 3 + fixed };
}

/** True only when `a` can never end before `b`, from whatever date both start. */
export function neverShorter(a: Period, b: Period): boolean {
  const left = parsePeriod(a);
  const right = parsePeriod(b);
  const monthsLeft = left.years * 12 + left.months;
  const monthsRight = right.years * 12 + right.months;
  const daysLeft = left.weeks * 7 + left.days;
  const daysRight = right.weeks * 7 + right.days;
  if (monthsLeft >= monthsRight && daysLeft >= daysRight) return true;
  return dayBounds(a).least >= dayBounds(b).most;
}
