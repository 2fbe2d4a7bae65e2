import { Temporal } from 'temporal-polyfill';
import { COMPARE_OPERATORS } from '../../../../src/stores/predicate.ts';
import type { Cutoff, FieldPath, Predicate, TimeField } from '../../../../src/stores/predicate.ts';
import type { Row } from './predicate-model.ts';
import { fc } from '../../../support/properties.ts';

export const facts = { schema: 'public', name: 'facts' };
export const owners = { schema: 'public', name: 'owners' };
export const zone = 'Europe/Berlin';
/** Its summer time ends at 01:00, so the day of 3 November 2024 begins twice. */
export const doubledMidnight = 'America/Havana';

/** Around the day summer time ends in Berlin (27 October 2024, 03:00 becomes 02:00) and the day it begins. */
const instants = ['2024-10-26T21:59:59Z', '2024-10-26T22:00:00Z', '2024-10-27T00:30:00Z', '2024-10-27T01:30:00Z', '2024-10-27T23:00:00Z', '2024-03-31T00:59:59Z', '2024-03-31T01:00:00Z', '1999-12-31T23:00:00Z', '1969-12-31T23:59:59Z', '2024-11-03T04:30:00Z', '2025-06-01T12:00:00Z', '2031-01-01T00:00:00Z'];
const walls = ['2024-10-27T00:00:00', '2024-10-27T01:59:59', '2024-10-27T02:30:00', '2024-10-27T03:00:00', '2024-10-28T00:00:00', '2024-03-31T02:30:00', '2024-03-31T03:00:00', '1999-12-31T23:59:59', '2000-01-01T00:00:00', '2024-11-03T00:30:00', '2025-06-01T14:00:00', '2031-01-01T00:00:00'];
const dates = ['2024-10-26', '2024-10-27', '2024-10-28', '2024-03-31', '1999-12-31', '2000-01-01', '2025-06-01', '2025-06-02', '2025-06-03', '2024-11-03', '2031-01-01', '1969-12-31'];
const uuids = ['6f9619ff-8b86-d011-b42d-00cf4fc964ff', '00000000-0000-0000-0000-000000000001'];

export const now = '2025-06-01T12:00:00Z';
const documents = ['{"a": "v1"}', '{"a": {"b": "v1"}}', '{"a": 1}', '{"a": 1.5}', '{"a": ["v1", 1]}', '{"a": null}', '"v1"', '["v1", {"a": "v2"}]', '{"a": {"b": [1]}, "0": "v1"}', '{"a": "1"}', 'null', '7'];
const ends = [null, 'infinity', '-infinity'];

function rowsOf(): Row[] {
  return [...instants, ...ends].map((tz, index): Row => {
    const at = typeof tz === 'string' && !tz.includes('inf') ? Date.parse(tz) : null;
    return {
      id: index,
      n: index % 4 === 3 ? null : index % 3,
      u: index % 5 === 4 ? null : (uuids[index % 2] ?? null),
      txt: index % 6 === 5 ? null : ['a', 'A', '', 'it\'s "quoted" \\ %', '{a,b}'][index % 5] ?? null,
      owner: index % 7 === 6 ? null : index % 5,
      tz,
      ts: [...walls, ...ends][index] ?? null,
      d: [...dates, ...ends][index] ?? null,
      es: at === null ? null : at / 1000,
      em: at,
      j: [...documents, null][index % (documents.length + 1)] ?? null,
    };
  });
}
export const tables = { facts: rowsOf(), owners: rowsOf().slice(0, 4).map((row, index) => ({ ...row, id: index, tz: [...instants, ...ends].at(-1 - index) ?? null })) };
export const columns = 'id int, n int, u uuid, txt text, owner int, tz timestamptz, ts timestamp, d date, es bigint, em bigint, j jsonb';

const toOwner: FieldPath['via'] = [{ field: 'owner', table: owners, toField: 'id' }];
const paths = (field: string): fc.Arbitrary<FieldPath> =>
  fc.constantFrom<FieldPath>({ via: [], field }, { via: toOwner, field }, { via: [...toOwner, { field: 'owner', table: owners, toField: 'id' }], field });

const times: fc.Arbitrary<TimeField> = fc
  .constantFrom<[string, TimeField['type']]>(['tz', 'TimestampTZ'], ['ts', 'Timestamp'], ['d', 'Date'], ['es', 'EpochSeconds'], ['em', 'EpochMillis'])
  .chain(([field, type]) =>
    fc.record({ path: paths(field), plausibleFrom: fc.constantFrom(undefined, '2000-01-01', '1970-01-01'), timeZone: type === 'Timestamp' ? fc.constantFrom(zone, doubledMidnight) : fc.constantFrom(undefined, zone) }).map(({ path, plausibleFrom, timeZone }) => ({
      path,
      type,
      ...(plausibleFrom === undefined ? {} : { plausibleFrom }),
      ...(timeZone === undefined ? {} : { timeZone }),
    })),
  );

export function cutoffOn(localDate: string, timeZone = zone): Cutoff {
  const start = Temporal.PlainDate.from(localDate).toZonedDateTime(timeZone);
  return { instant: start.toString({ timeZoneName: 'never' }), localDate, timeZone };
}
const cutoffs = fc.constantFrom('2024-10-27', '2024-10-28', '2024-03-31', '2000-01-01', '2025-06-02', '2024-11-03').chain((date) => fc.constantFrom(zone, doubledMidnight).map((timeZone) => cutoffOn(date, timeZone)));
const odd: Cutoff = { instant: '2024-10-27T00:45:00.250Z', localDate: '2024-10-27', timeZone: zone };

const uuidSpellings = uuids.flatMap((uuid) => [uuid, uuid.toUpperCase(), uuid.replaceAll('-', ''), `{${uuid}}`]);
const leaves: fc.Arbitrary<Predicate> = fc.oneof(
  fc.constantFrom<Predicate>({ op: 'true' }, { op: 'false' }),
  paths('u').chain((field) => fc.array(fc.constantFrom(...uuidSpellings, 'jane', '6f9619ff', ''), { maxLength: 4 }).map((values): Predicate => ({ op: 'oneOf', field, values }))),
  paths('n').chain((field) => fc.array(fc.constantFrom('0', '1', ' 2 ', '+1', '99999999999', 'x', '1.5'), { maxLength: 4 }).map((values): Predicate => ({ op: 'oneOf', field, values }))),
  paths('txt').chain((field) => fc.array(fc.constantFrom('a', 'A', '', 'it\'s "quoted" \\ %', '{a,b}', 'NULL'), { maxLength: 3 }).map((values): Predicate => ({ op: 'oneOf', field, values }))),
  paths('j').chain((field) =>
    fc.record({ keys: fc.constantFrom<string[]>(['a'], ['a', 'b'], ['a', '0'], ['0'], ['1', 'a'], ['a', 'b', '0']), values: fc.array(fc.constantFrom('v1', 'v2', '1', '+1', ' 01', '1.5', '["v1", 1]'), { maxLength: 3 }) }).map((at): Predicate => ({ op: 'jsonOneOf', field, ...at })),
  ),
  fc.record({ op: fc.constant('compare' as const), field: paths('n'), operator: fc.constantFrom(...COMPARE_OPERATORS), value: fc.constantFrom('0', '1', '2', 'x') }),
  fc.constantFrom('n', 'txt', 'tz').chain(paths).map((field): Predicate => ({ op: 'isNull', field })),
  fc.record({ op: fc.constantFrom('before' as const, 'notBefore' as const), time: times, cutoff: fc.oneof(cutoffs, fc.constant(odd)) }),
  times.map((time): Predicate => ({ op: 'indeterminate', time, now })),
);
export const trees: fc.Arbitrary<Predicate> = fc.letrec<{ tree: Predicate }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaves,
    fc.record({ op: fc.constantFrom('and' as const, 'or' as const), of: fc.array(tie('tree'), { maxLength: 3 }) }),
    tie('tree').map((of): Predicate => ({ op: 'not', of })),
  ),
})).tree;
