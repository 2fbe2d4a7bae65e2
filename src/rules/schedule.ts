import { createHash } from 'node:crypto';
import { CronExpressionParser } from 'cron-parser';
import { Temporal } from 'temporal-polyfill';

export interface Schedule {
  /** Five fields. */
  cron: string;
  /** IANA name. */
  timeZone: string;
  /** How long after its start a run may still begin and go on; ISO 8601, hours and minutes allowed. Absent: no end. */
  window?: string;
}

const MAX_SPREAD_MS = 5 * 60_000;
const FIVE_FIELDS = /^\S+( \S+){4}$/;

/**
 * @throws RangeError when the expression does not have exactly five fields or does not parse. cron-parser on
 * its own reads `""` and `"* * * *"` as every minute.
 */
export function parseCron(schedule: Schedule, from: number): ReturnType<typeof CronExpressionParser.parse> {
  if (!FIVE_FIELDS.test(schedule.cron)) throw new RangeError(`cron ${JSON.stringify(schedule.cron)} must have five fields: minute hour day month weekday`);
  try {
    return CronExpressionParser.parse(schedule.cron, { currentDate: new Date(from), tz: schedule.timeZone });
  } catch (error) {
    throw new RangeError(`cron ${JSON.stringify(schedule.cron)}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

export interface Slot {
  /** The scheduled time, milliseconds since the epoch. */
  at: number;
  /** When the run may begin: the slot plus a stable share of the spread, so that not every policy starts at once. */
  startsAt: number;
  /** After this no batch of the run begins; Infinity without a window. */
  endsAt: number;
}

/** Next slot strictly after `after`. */
export function nextSlot(schedule: Schedule, after: number, uid: string): Slot {
  return slotAt(schedule, parseCron(schedule, after).next().getTime(), uid);
}

/** The next time after `after` at which a run may begin, milliseconds; within the spread of a slot that of this very slot. */
export function nextStart(schedule: Schedule, after: number, uid: string): number {
  let slot = nextSlot(schedule, after - MAX_SPREAD_MS, uid);
  while (slot.startsAt <= after) slot = nextSlot(schedule, slot.at, uid);
  return slot.startsAt;
}

/**
 * The slot that is owed: the latest one that has begun and was not attempted yet. However many were missed,
 * one catch-up run happens. Undefined when nothing is owed.
 *
 * @param lastAttempt slot time of the last attempt, or the time the schedule was first seen.
 */
export function owedSlot(schedule: Schedule, lastAttempt: number, now: number, uid: string): Slot | undefined {
  const latest = latestSlot(schedule, lastAttempt, now);
  if (latest === undefined) return undefined;
  const slot = slotAt(schedule, latest, uid);
  return slot.startsAt <= now ? slot : undefined;
}

/**
 * Goes forward from two slots ago: backwards, cron-parser leaves out a time that the change to summer time moved,
 * and finds twice one that the change back doubles.
 */
function latestSlot(schedule: Schedule, after: number, now: number): number | undefined {
  const behind = parseCron(schedule, now + 1);
  behind.prev();
  const ahead = parseCron(schedule, Math.max(after, behind.prev().getTime()));
  let latest: number | undefined;
  for (let at = ahead.next().getTime(); at <= now; at = ahead.next().getTime()) latest = at;
  return latest;
}

/** At most five minutes and a tenth of the window, so that a run never loses much of its time to politeness. */
function slotAt(schedule: Schedule, at: number, uid: string): Slot {
  const window = schedule.window === undefined ? Infinity : windowMillis(schedule.window);
  const spread = Math.min(MAX_SPREAD_MS, window / 10);
  const share = createHash('sha256').update(uid).digest().readUInt32BE(0) / 2 ** 32;
  return { at, startsAt: at + Math.floor(spread * share), endsAt: at + window };
}

/** @throws RangeError for anything that is not a positive duration of at most a day's parts. */
export function windowMillis(window: string): number {
  const duration = Temporal.Duration.from(window);
  const millis = duration.total({ unit: 'millisecond', relativeTo: Temporal.PlainDate.from('2001-01-01') });
  if (millis <= 0) throw new RangeError(`window ${window} must be longer than nothing`);
  return millis;
}
