import { describe, expect, test } from '@jest/globals';
import type { Cutoff, Predicate, TimeField, TimeType } from '../../../../src/stores/predicate.ts';
import { boundsProveDue } from '../../../../src/stores/postgres/bounds.ts';

const now = '2026-06-01T00:00:00Z';
/** The first of January in Paris. */
const cutoff: Cutoff = { instant: '2023-12-31T23:00:00Z', localDate: '2024-01-01', timeZone: 'Europe/Paris' };
const time = (type: TimeType, changes: Partial<TimeField> = {}): TimeField => ({ path: { via: [], field: 'at' }, type, ...(type === 'Timestamp' ? { timeZone: 'Europe/Paris' } : {}), ...changes });
const before = (of: TimeField): Predicate => ({ op: 'before', time: of, cutoff });
const clear = (of: TimeField): Predicate => ({ op: 'not', of: { op: 'indeterminate', time: of, now } });
const due = (of: TimeField): Predicate => ({ op: 'and', of: [before(of), clear(of)] });
const range = (from: string, to: string): string => `FOR VALUES FROM (${from}) TO (${to})`;

const COLUMNS: Record<TimeType, string> = { TimestampTZ: 'timestamp with time zone', Timestamp: 'timestamp without time zone', Date: 'date', EpochSeconds: 'bigint', EpochMillis: 'bigint' };
const proves = (type: TimeType, bounds: string, { rule, column = COLUMNS[type], key = { rangeColumn: 'at' } }: { rule?: Predicate; column?: string; key?: { rangeColumn?: string } } = {}): boolean =>
  boundsProveDue({ bounds, ...key }, column, rule ?? due(time(type)));

const OLD = range(`'2023-11-01 00:00:00+00'`, `'2023-12-01 00:00:00+00'`);
const field = { via: [], field: 'client' };

describe('the bounds of a partition', () => {
  test.each<[string, TimeType, string, boolean]>([
    ['a month before the cutoff', 'TimestampTZ', OLD, true],
    ['up to the very cutoff, which is exclusive', 'TimestampTZ', range(`'2023-12-01 00:00:00+00'`, `'2023-12-31 23:00:00+00'`), true],
    ['a second beyond the cutoff', 'TimestampTZ', range(`'2023-12-01 00:00:00+00'`, `'2023-12-31 23:00:01+00'`), false],
    ['a fraction of a second, which is not looked into', 'TimestampTZ', range(`'2023-11-01 00:00:00+00'`, `'2023-12-01 00:00:00.5+00'`), false],
    ['from MINVALUE, which holds minus infinity', 'TimestampTZ', range('MINVALUE', `'2023-12-01 00:00:00+00'`), false],
    ['from minus infinity, which it holds', 'TimestampTZ', range(`'-infinity'`, `'2023-12-01 00:00:00+00'`), false],
    ['up to MAXVALUE', 'TimestampTZ', range(`'2023-11-01 00:00:00+00'`, 'MAXVALUE'), false],
    ['up to infinity', 'TimestampTZ', range(`'2023-11-01 00:00:00+00'`, `'infinity'`), false],
    ['from before the first year', 'TimestampTZ', range(`'0044-03-15 00:00:00+00 BC'`, `'2023-12-01 00:00:00+00'`), false],
    ['up to the year 12023, which begins like an old one', 'TimestampTZ', range(`'2023-11-01 00:00:00+00'`, `'12023-12-01 00:00:00+00'`), false],
    ['in another zone than that of our sessions', 'TimestampTZ', range(`'2023-11-01 00:00:00+01'`, `'2023-12-01 00:00:00+01'`), false],
    ['of wall clocks a day and more before the cutoff', 'Timestamp', range(`'2023-11-01 00:00:00'`, `'2023-12-30 23:00:00'`), true],
    ['of wall clocks nearer to the cutoff than a zone may be wide', 'Timestamp', range(`'2023-12-01 00:00:00'`, `'2023-12-31 00:00:00'`), false],
    ['of dates up to the first that is not due', 'Date', range(`'2023-12-01'`, `'2024-01-01'`), true],
    ['of dates beyond it', 'Date', range(`'2023-12-01'`, `'2024-01-02'`), false],
    ['of seconds up to the cutoff', 'EpochSeconds', range(`'1701388800'`, `'1704063600'`), true],
    ['of seconds beyond it', 'EpochSeconds', range(`'1701388800'`, `'1704063601'`), false],
    ['of seconds without quotes, as of an integer', 'EpochSeconds', range('1701388800', '1704063600'), true],
    ['of milliseconds up to the cutoff', 'EpochMillis', range(`'1701388800000'`, `'1704063600000'`), true],
    ['of milliseconds beyond it', 'EpochMillis', range(`'1701388800000'`, `'1704063600001'`), false],
    ['of numbers too large to be exact', 'EpochMillis', range(`'-9007199254740993'`, `'0'`), false],
    ['of two columns', 'TimestampTZ', range(`'2023-11-01 00:00:00+00', 'a'`, `'2023-12-01 00:00:00+00', 'b'`), false],
    ['of a list', 'TimestampTZ', `FOR VALUES IN ('2023-11-01 00:00:00+00')`, false],
    ['of a hash', 'TimestampTZ', 'FOR VALUES WITH (modulus 4, remainder 0)', false],
    ['that is the default one', 'TimestampTZ', 'DEFAULT', false],
  ])('prove of one %s: %#', (_which, type, bounds, expected) => {
    expect(proves(type, bounds)).toBe(expected);
  });

  const tz = time('TimestampTZ');
  test.each<[string, Predicate]>([
    ['a rule for some rows', { op: 'and', of: [due(tz), { op: 'oneOf', field, values: ['a'] }] }],
    ['a rule that leaves out a client with one of its own', { op: 'and', of: [due(tz), { op: 'not', of: { op: 'oneOf', field, values: ['a'] } }] }],
    ['either of two rules', { op: 'or', of: [due(tz), { op: 'false' }] }],
    ['the opposite of a rule', { op: 'not', of: before(tz) }],
    ['a rule for young rows', { op: 'notBefore', time: tz, cutoff }],
    ['no rule', { op: 'false' }],
    ['a rule about another column', due(time('TimestampTZ', { path: { via: [], field: 'closed_at' } }))],
    ['a rule about the row it refers to', due(time('TimestampTZ', { path: { via: [{ field: 'at', table: { schema: 'public', name: 'owners' }, toField: 'id' }], field: 'at' } }))],
    ['times that may not be older than the partition', due(time('TimestampTZ', { plausibleFrom: '2023-11-01' }))],
    ['an operator whose clock is behind the partition', { op: 'and', of: [before(tz), { op: 'not', of: { op: 'indeterminate', time: tz, now: '2023-12-01T00:00:00Z' } }] }],
  ])('prove nothing with %s', (_what, rule) => {
    expect(proves('TimestampTZ', OLD)).toBe(true);
    expect(proves('TimestampTZ', OLD, { rule })).toBe(false);
  });

  test('prove it with a plausible time a day before the partition, and with rules within rules', () => {
    expect(proves('TimestampTZ', OLD, { rule: due(time('TimestampTZ', { plausibleFrom: '2023-10-31' })) })).toBe(true);
    expect(proves('TimestampTZ', OLD, { rule: { op: 'and', of: [{ op: 'true' }, { op: 'and', of: [due(tz), before(tz)] }] } })).toBe(true);
  });

  test.each<[string, { column?: string; key?: { rangeColumn?: string } }]>([
    ['is of another type than declared', { column: 'text' }],
    ['has no zone, though one is declared', { column: 'timestamp without time zone' }],
    ['is an expression, or one of several', { key: {} }],
    ['is another column', { key: { rangeColumn: 'client' } }],
  ])('prove nothing where the key %s', (_what, changes) => {
    expect(proves('TimestampTZ', OLD, changes)).toBe(false);
  });

  test('prove nothing of numbers that are text, which sorts in another way', () => {
    expect(proves('EpochSeconds', range(`'1'`, `'2'`), { column: 'text' })).toBe(false);
  });
});
