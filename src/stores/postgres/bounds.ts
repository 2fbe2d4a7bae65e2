import type { Cutoff, Predicate, TimeField, TimeType } from '../predicate.ts';
import type { PartitionState } from './partition-catalogue.ts';

const dayMs = 86_400_000;

/** How the catalogue writes a bound in a session of ours (ISO dates, UTC). Infinity, MINVALUE, years before 1 and beyond 9999 and fractions are none of these. */
const literals: Record<TimeType, { columns: readonly string[]; bound: RegExp; ms: (text: string) => number }> = {
  TimestampTZ: { columns: ['timestamp with time zone'], bound: /^'(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\+00'$/, ms: wallMs },
  Timestamp: { columns: ['timestamp without time zone'], bound: /^'(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)'$/, ms: wallMs },
  Date: { columns: ['date'], bound: /^'(\d{4}-\d\d-\d\d)'$/, ms: Date.parse },
  EpochSeconds: { columns: ['smallint', 'integer', 'bigint', 'numeric'], bound: /^'?(-?\d{1,12})'?$/, ms: (text) => Number(text) * 1_000 },
  EpochMillis: { columns: ['bigint', 'numeric'], bound: /^'?(-?\d{1,15})'?$/, ms: Number },
};

/**
 * True when the bounds of a partition prove of every row it can hold that it is due, so that nobody need look at the times
 * of its rows to know. A RANGE partition between two finite bounds holds no NULL and no infinity.
 *
 * Whatever is not understood proves nothing, nor does a rule that asks for anything beside the time the table is
 * partitioned by. Whether something keeps a row all the same is another question.
 *
 * @param columnType base type of the partition key
 */
export function boundsProveDue({ bounds, rangeColumn }: Pick<PartitionState, 'bounds' | 'rangeColumn'>, columnType: string | undefined, due: Predicate): boolean {
  if (rangeColumn === undefined || columnType === undefined) return false;
  const [, lower, upper] = /^FOR VALUES FROM \(([^()]+)\) TO \(([^()]+)\)$/.exec(bounds) ?? [];
  if (lower === undefined || upper === undefined) return false;
  const spanOf = ({ path, type }: TimeField): Span | undefined => {
    const { columns, bound, ms } = literals[type];
    if (path.via.length > 0 || path.field !== rangeColumn || !columns.includes(columnType)) return undefined;
    const [from, to] = [bound.exec(lower)?.[1], bound.exec(upper)?.[1]];
    return from === undefined || to === undefined ? undefined : known({ fromMs: ms(from), toMs: ms(to) });
  };
  return proves(due, spanOf);
}

/** From, inclusive, to, exclusive; of times without a zone the wall clock as if it were UTC. */
interface Span {
  fromMs: number;
  toMs: number;
}

function known(span: Span): Span | undefined {
  return Number.isFinite(span.fromMs) && Number.isFinite(span.toMs) ? span : undefined;
}

function proves(due: Predicate, spanOf: (time: TimeField) => Span | undefined): boolean {
  if (due.op === 'true') return true;
  if (due.op === 'and') return due.of.every((part) => proves(part, spanOf));
  if (due.op === 'before') {
    const span = spanOf(due.time);
    return span !== undefined && span.toMs <= latestBound(due.time, due.cutoff);
  }
  if (due.op !== 'not' || due.of.op !== 'indeterminate') return false;
  const { time, now } = due.of;
  const span = spanOf(time);
  // No civil time is a day away from UTC, so a day to spare needs no zone.
  return span !== undefined && span.toMs + dayMs <= Date.parse(now) && (time.plausibleFrom === undefined || span.fromMs >= Date.parse(time.plausibleFrom) + dayMs);
}

/** The latest upper bound before which every time lies before the cutoff. */
function latestBound({ type }: TimeField, { instant, localDate }: Cutoff): number {
  if (type === 'Date') return Date.parse(localDate);
  // Where clocks go back or skip an hour, or a day, later wall clocks are earlier instants.
  return type === 'Timestamp' ? Date.parse(instant) - dayMs : Date.parse(instant);
}

function wallMs(text: string): number {
  return Date.parse(`${text.replace(' ', 'T')}Z`);
}
