import { describe, expect, test } from '@jest/globals';
import type { Cutoff, TimeField, TimeType } from '../../../../src/stores/predicate.ts';
import { asInstantSql, beforeSql, determinateSql } from '../../../../src/stores/postgres/times.ts';

const now = '2026-03-01T12:00:00Z';
const cutoff: Cutoff = { instant: now, localDate: '2026-03-01', timeZone: 'Europe/Paris' };
const field = (type: TimeType, changes: Partial<TimeField> = {}): TimeField => ({ path: { via: [], field: 'at' }, type, ...changes });
const column = (type: string) => ({ sql: 'c', type, name: 'public.views.at' });

/** SQL with its values in their places, as a server reads it. */
function read(write: (bind: (value: unknown, cast: string) => string) => string): string {
  return write((value, cast) => `'${String(value)}'::${cast}`);
}

/** Which column types may hold a time declared as one of ours; of all others the rows cannot be judged. */
const holds: [TimeType, string[]][] = [
  ['TimestampTZ', ['timestamp with time zone']],
  ['Timestamp', ['timestamp without time zone']],
  ['Date', ['date']],
  ['EpochSeconds', ['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision']],
  ['EpochMillis', ['bigint', 'numeric', 'double precision']],
];
const types = [...new Set(holds.flatMap(([, each]) => each)), 'text', 'time without time zone'];

describe('a column declared', () => {
  test.each(holds.flatMap(([time, fit]) => types.map((type): [TimeType, string, boolean] => [time, type, fit.includes(type)])))('as %s and of type %s can be judged: %s', (time, type, fits) => {
    const declared = field(time, { timeZone: 'Europe/Paris' });
    const uses: (() => string)[] = [() => read((bind) => beforeSql(column(type), declared, cutoff, bind)), () => read((bind) => determinateSql(column(type), declared, now, bind)), () => read((bind) => asInstantSql(column(type), declared, bind))];
    for (const use of uses) {
      if (fits) expect(use).not.toThrow();
      else expect(use).toThrow(`public.views.at is of type ${type}, but the data map declares it as ${time}`);
    }
  });
});

describe('a time can be believed', () => {
  const from = { plausibleFrom: '2000-01-01', timeZone: 'Europe/Paris' };
  test.each<[string, string, TimeField, string]>([
    ['that is not later than now', 'timestamp with time zone', field('TimestampTZ'), `(c > '-infinity'::timestamp with time zone AND c <= '${now}'::timestamptz)`],
    ['nor before the day its map says, where that begins in its zone', 'timestamp with time zone', field('TimestampTZ', from), `(c > '-infinity'::timestamp with time zone AND c <= '${now}'::timestamptz AND c >= ('2000-01-01'::date::timestamp AT TIME ZONE 'Europe/Paris'::text))`],
    ['where that begins in UTC, when there is no zone', 'timestamp with time zone', field('TimestampTZ', { plausibleFrom: '2000-01-01' }), `(c > '-infinity'::timestamp with time zone AND c <= '${now}'::timestamptz AND c >= ('2000-01-01'::date::timestamp AT TIME ZONE 'UTC'::text))`],
    ['on the wall of its zone', 'timestamp without time zone', field('Timestamp', from), `(c > '-infinity'::timestamp without time zone AND c <= ('${now}'::timestamptz AT TIME ZONE 'Europe/Paris'::text) AND c >= '2000-01-01'::date)`],
    ['as a day of its zone', 'date', field('Date', from), `(c > '-infinity'::date AND c <= ('${now}'::timestamptz AT TIME ZONE 'Europe/Paris'::text)::date AND c >= '2000-01-01'::date)`],
    ['as the latest day anywhere, when there is no zone', 'date', field('Date'), `(c > '-infinity'::date AND c <= '2026-03-02'::date)`],
    ['as whole seconds', 'integer', field('EpochSeconds', from), `(c <= '1772366400'::bigint AND c >= (extract(epoch FROM ('2000-01-01'::date::timestamp AT TIME ZONE 'Europe/Paris'::text))))`],
    ['as milliseconds', 'bigint', field('EpochMillis', from), `(c <= '1772366400000'::bigint AND c >= (extract(epoch FROM ('2000-01-01'::date::timestamp AT TIME ZONE 'Europe/Paris'::text)) * 1000))`],
    ['as seconds with parts', 'numeric', field('EpochSeconds'), `(c > '-infinity'::numeric AND c <= '1772366400'::numeric)`],
    ['as seconds in a short float', 'real', field('EpochSeconds'), `(c > '-infinity'::real AND c <= '1772366400'::double precision)`],
    ['as seconds in a long float', 'double precision', field('EpochSeconds'), `(c > '-infinity'::double precision AND c <= '1772366400'::double precision)`],
  ])('%s: %s', (_, type, time, sql) => {
    expect(read((bind) => determinateSql(column(type), time, now, bind))).toBe(sql);
  });

  test('of no instant and from no day that is none', () => {
    const judge = (time: TimeField, at: string) => (): string => read((bind) => determinateSql(column('timestamp with time zone'), time, at, bind));
    expect(judge(field('TimestampTZ'), '2026-03-01T12:00:00')).toThrow('is not an RFC 3339 instant with an offset');
    for (const plausibleFrom of ['2000-13-01', '1 Jan 2000', '2000-01-01T00:00:00Z']) expect(judge(field('TimestampTZ', { plausibleFrom }), now)).toThrow('is not a date such as');
  });

  test('only in a zone that is told, where its column has none', () => {
    expect(() => read((bind) => determinateSql(column('timestamp without time zone'), field('Timestamp'), now, bind))).toThrow('public.views.at has no time zone of its own and none is declared');
  });
});

test.each<[string, string, TimeField, string]>([
  ['as it is', 'timestamp with time zone', field('TimestampTZ'), 'c'],
  ['by its zone', 'timestamp without time zone', field('Timestamp', { timeZone: 'Europe/Paris' }), `(c AT TIME ZONE 'Europe/Paris'::text)`],
  ['by the begin of the day in its zone', 'date', field('Date', { timeZone: 'Europe/Paris' }), `(c::timestamp AT TIME ZONE 'Europe/Paris'::text)`],
  ['by the begin of the day in UTC, when there is no zone', 'date', field('Date'), `(c::timestamp AT TIME ZONE 'UTC'::text)`],
  ['from seconds', 'bigint', field('EpochSeconds'), 'to_timestamp(c::double precision)'],
  ['from milliseconds', 'bigint', field('EpochMillis'), 'to_timestamp(c::double precision / 1000)'],
])('a time becomes an instant %s', (_, type, time, sql) => {
  expect(read((bind) => asInstantSql(column(type), time, bind))).toBe(sql);
});

test.each<[string, string]>([
  ['2026-03-01T12:00:00.400Z', "c < '1772366401'::bigint"],
  ['2026-03-01T12:00:00Z', "c < '1772366400'::bigint"],
])('whole seconds lie before %s where they end before it', (instant, sql) => {
  expect(read((bind) => beforeSql(column('bigint'), field('EpochSeconds'), { ...cutoff, instant }, bind))).toBe(`(${sql})`);
});
