import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { COMPARE_OPERATORS } from '../../../../src/stores/predicate.ts';
import type { Cutoff, FieldPath, Predicate, TimeField } from '../../../../src/stores/predicate.ts';
import { resolveTables } from '../../../../src/stores/postgres/catalogue.ts';
import type { TableLookup } from '../../../../src/stores/postgres/catalogue.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { checkLiterals } from '../../../../src/stores/postgres/literals.ts';
import { compilePredicate, Parameters } from '../../../../src/stores/postgres/sql.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { truthOf } from './predicate-model.ts';
import type { Row, Truth } from './predicate-model.ts';
import { login } from './support.ts';

const facts = { schema: 'public', name: 'facts' };
const owners = { schema: 'public', name: 'owners' };
const zone = 'Europe/Berlin';
/** Its summer time ends at 01:00, so the day of 3 November 2024 begins twice. */
const doubledMidnight = 'America/Havana';

/** Around the day summer time ends in Berlin (27 October 2024, 03:00 becomes 02:00) and the day it begins. */
const instants = ['2024-10-26T21:59:59Z', '2024-10-26T22:00:00Z', '2024-10-27T00:30:00Z', '2024-10-27T01:30:00Z', '2024-10-27T23:00:00Z', '2024-03-31T00:59:59Z', '2024-03-31T01:00:00Z', '1999-12-31T23:00:00Z', '1969-12-31T23:59:59Z', '2024-11-03T04:30:00Z', '2025-06-01T12:00:00Z', '2031-01-01T00:00:00Z'];
const walls = ['2024-10-27T00:00:00', '2024-10-27T01:59:59', '2024-10-27T02:30:00', '2024-10-27T03:00:00', '2024-10-28T00:00:00', '2024-03-31T02:30:00', '2024-03-31T03:00:00', '1999-12-31T23:59:59', '2000-01-01T00:00:00', '2024-11-03T00:30:00', '2025-06-01T14:00:00', '2031-01-01T00:00:00'];
const dates = ['2024-10-26', '2024-10-27', '2024-10-28', '2024-03-31', '1999-12-31', '2000-01-01', '2025-06-01', '2025-06-02', '2025-06-03', '2024-11-03', '2031-01-01', '1969-12-31'];
const uuids = ['6f9619ff-8b86-d011-b42d-00cf4fc964ff', '00000000-0000-0000-0000-000000000001'];

const now = '2025-06-01T12:00:00Z';
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
    };
  });
}
const tables = { facts: rowsOf(), owners: rowsOf().slice(0, 4).map((row, index) => ({ ...row, id: index, tz: [...instants, ...ends].at(-1 - index) ?? null })) };
const columns = 'id int, n int, u uuid, txt text, owner int, tz timestamptz, ts timestamp, d date, es bigint, em bigint';

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

function cutoffOn(localDate: string, timeZone = zone): Cutoff {
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
  fc.record({ op: fc.constant('compare' as const), field: paths('n'), operator: fc.constantFrom(...COMPARE_OPERATORS), value: fc.constantFrom('0', '1', '2', 'x') }),
  fc.constantFrom('n', 'txt', 'tz').chain(paths).map((field): Predicate => ({ op: 'isNull', field })),
  fc.record({ op: fc.constantFrom('before' as const, 'notBefore' as const), time: times, cutoff: fc.oneof(cutoffs, fc.constant(odd)) }),
  times.map((time): Predicate => ({ op: 'indeterminate', time, now })),
);
const trees: fc.Arbitrary<Predicate> = fc.letrec<{ tree: Predicate }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaves,
    fc.record({ op: fc.constantFrom('and' as const, 'or' as const), of: fc.array(tie('tree'), { maxLength: 3 }) }),
    tie('tree').map((of): Predicate => ({ op: 'not', of })),
  ),
})).tree;

describe('a compiled predicate', () => {
  let server: TestPostgres;
  let connection: Connection;
  let lookup: TableLookup;

  beforeAll(async () => {
    // The store's own zone must not move anything.
    server = await startPostgres({ settings: { timezone: "'Pacific/Chatham'" } });
    for (const [name, rows] of Object.entries(tables)) {
      await server.query(`CREATE TABLE ${name} (${columns})`);
      await server.query(`INSERT INTO ${name} SELECT * FROM json_populate_recordset(NULL::${name}, $1)`, [JSON.stringify(rows)]);
    }
    connection = await login(server);
    lookup = await resolveTables(connection, [facts, owners]);
  });
  afterAll(async () => {
    await connection?.close();
    await server?.stop();
  });

  const evaluate = async (predicate: Predicate): Promise<Truth[]> => {
    const table = lookup(facts);
    const { readable } = await checkLiterals(connection, [{ predicate, table }], lookup);
    const parameters = new Parameters();
    const sql = compilePredicate(predicate, { table, alias: 't', lookup, readable }, parameters);
    const { rows } = await connection.query<{ truth: Truth }>(`SELECT ${sql} AS truth FROM public.facts AS t ORDER BY id`, parameters.values);
    return rows.map(({ truth }) => truth);
  };

  test('says about every row what the plain model says, in three values', async () => {
    await fc.assert(
      fc.asyncProperty(trees, async (predicate) => {
        expect(await evaluate(predicate)).toEqual(tables.facts.map((row) => truthOf(predicate, row, tables)));
      }),
      { numRuns: 1500 },
    );
  });

  test('each time type is judged alike around the cutoff, and infinity is never before it', async () => {
    const cutoff = cutoffOn('2024-10-27');
    for (const [field, type] of [['tz', 'TimestampTZ'], ['ts', 'Timestamp'], ['d', 'Date'], ['es', 'EpochSeconds'], ['em', 'EpochMillis']] as const) {
      const time: TimeField = { path: { via: [], field }, type, timeZone: zone };
      const predicate: Predicate = { op: 'before', time, cutoff };
      const truths = await evaluate(predicate);
      expect(truths.slice(-3)).toEqual(field === 'es' || field === 'em' ? [null, null, null] : [null, false, false]);
      expect(truths.filter((truth) => truth === true).length).toBeGreaterThan(0);
      expect(truths).toEqual(tables.facts.map((row) => truthOf(predicate, row, tables)));
    }
  });

  test('a time at the end of the type\'s range fails no statement', async () => {
    await server.query(`CREATE TABLE extremes (id int, ts timestamp, tz timestamptz, d date, em bigint, es double precision, price numeric);
      INSERT INTO extremes VALUES
        (1, '294276-12-31 23:59:59', '294276-12-31 23:59:59+00', '5874897-12-31', 9223372036854775807, 'NaN', 'NaN'),
        (2, '4713-01-01 00:00:00 BC', '4713-01-01 00:00:00+00 BC', '4713-01-01 BC', -9223372036854775808, '-Infinity', '-Infinity'),
        (3, '2020-01-01', '2020-01-01+00', '2020-01-01', 1577836800000, 1577836800, 1577836800)`);
    const address = { schema: 'public', name: 'extremes' };
    const resolved = await resolveTables(connection, [address]);
    const outcomes: Record<string, Truth[]> = {};
    for (const [field, type] of [['ts', 'Timestamp'], ['tz', 'TimestampTZ'], ['d', 'Date'], ['em', 'EpochMillis'], ['es', 'EpochSeconds'], ['price', 'EpochSeconds']] as const) {
      const time: TimeField = { path: { via: [], field }, type, timeZone: 'America/Los_Angeles', plausibleFrom: '2000-01-01' };
      for (const predicate of [{ op: 'before', time, cutoff: cutoffOn('2024-10-27') }, { op: 'indeterminate', time, now }] as const) {
        const parameters = new Parameters();
        const sql = compilePredicate(predicate, { table: resolved(address), alias: 't', lookup: resolved, readable: () => true }, parameters);
        const { rows } = await connection.query<{ truth: Truth }>(`SELECT ${sql} AS truth FROM public.extremes AS t ORDER BY id`, parameters.values);
        outcomes[`${field} ${predicate.op}`] = rows.map(({ truth }) => truth);
      }
    }
    expect(outcomes).toEqual({
      'ts before': [false, true, true],
      'ts indeterminate': [true, true, false],
      'tz before': [false, true, true],
      'tz indeterminate': [true, true, false],
      'd before': [false, true, true],
      'd indeterminate': [true, true, false],
      'em before': [false, true, true],
      'em indeterminate': [true, true, false],
      'es before': [false, false, true],
      'es indeterminate': [true, true, false],
      'price before': [false, false, true],
      'price indeterminate': [true, true, false],
    });
  });

  test('compares citext in its own way although the search path is empty', async () => {
    await server.query(`CREATE EXTENSION citext; CREATE TABLE people (mail citext, owner citext); INSERT INTO people VALUES ('Jane@Example.com', 'JANE@example.COM')`);
    const address = { schema: 'public', name: 'people' };
    const resolved = await resolveTables(connection, [address]);
    const context = { table: resolved(address), alias: 't', lookup: resolved, readable: () => true };
    const hop: FieldPath['via'] = [{ field: 'owner', table: address, toField: 'mail' }];
    for (const via of [[], hop]) {
      const predicates: Predicate[] = [
        { op: 'oneOf', field: { via, field: 'mail' }, values: ['x', 'jane@example.com'] },
        { op: 'compare', field: { via, field: 'mail' }, operator: 'Equals', value: 'jane@example.com' },
      ];
      for (const predicate of predicates) {
        const parameters = new Parameters();
        const sql = compilePredicate(predicate, context, parameters);
        expect((await connection.query(`SELECT ${sql} AS truth FROM public.people AS t`, parameters.values)).rows).toEqual([{ truth: true }]);
      }
    }
  });

  test('neither truncates nor rounds the value it looks for to the column\'s length', async () => {
    await server.query(`CREATE TABLE short (c char(3), v varchar(3), p numeric(4,1), b bit(4)); INSERT INTO short VALUES ('abc', 'abc', 1.5, B'1010')`);
    const address = { schema: 'public', name: 'short' };
    const resolved = await resolveTables(connection, [address]);
    const truths: Record<string, unknown> = {};
    for (const [field, value] of [['c', 'abcd'], ['c', 'a'], ['c', 'abc'], ['v', 'abcd'], ['v', 'abc'], ['p', '1.46'], ['p', '1.50'], ['b', '10100'], ['b', '1010']] as const) {
      const parameters = new Parameters();
      const sql = compilePredicate({ op: 'oneOf', field: { via: [], field }, values: [value] }, { table: resolved(address), alias: 't', lookup: resolved, readable: () => true }, parameters);
      truths[`${field} ${value}`] = (await connection.query<{ truth: Truth }>(`SELECT ${sql} AS truth FROM public.short AS t`, parameters.values)).rows[0]?.truth;
    }
    expect(truths).toEqual({ 'c abcd': false, 'c a': false, 'c abc': true, 'v abcd': false, 'v abc': true, 'p 1.46': false, 'p 1.50': true, 'b 10100': false, 'b 1010': true });
  });

  test('a reference that finds two rows is an error of the declaration, not a guess', async () => {
    await server.query('CREATE TABLE twice (id int, n int); INSERT INTO twice VALUES (1, 1), (1, 2); CREATE TABLE refs (twice int); INSERT INTO refs VALUES (1)');
    const [refs, twice] = [{ schema: 'public', name: 'refs' }, { schema: 'public', name: 'twice' }];
    const resolved = await resolveTables(connection, [refs, twice]);
    const parameters = new Parameters();
    const sql = compilePredicate({ op: 'compare', field: { via: [{ field: 'twice', table: twice, toField: 'id' }], field: 'n' }, operator: 'Equals', value: '1' }, { table: resolved(refs), alias: 't', lookup: resolved, readable: () => true }, parameters);
    await expect(connection.query(`SELECT ${sql} FROM public.refs AS t`, parameters.values)).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringContaining('unique') });
  });
});
