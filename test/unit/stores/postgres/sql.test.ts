import { describe, expect, test } from '@jest/globals';
import { StoreError } from '../../../../src/stores/errors.ts';
import type { Cutoff, FieldPath, Predicate, TableAddress, TimeField } from '../../../../src/stores/predicate.ts';
import { compilePredicate, isFalse, literalsOf, notFalse, Parameters, quoteIdentifier, quoteTable } from '../../../../src/stores/postgres/sql.ts';
import type { CompileContext, ResolvedTable } from '../../../../src/stores/postgres/sql.ts';
import { fc } from '../../../support/properties.ts';

const views = tableOf('views', { id: 'bigint', who: 'uuid', client: 'integer', state: '"shop"."state"', mail: 'citext', tags: 'text[]', at: 'timestamp with time zone', local: 'timestamp without time zone', day: 'date', seconds: 'integer', millis: 'numeric', note: 'text' });
const clients = tableOf('clients', { id: 'integer', ended: 'date', country: 'integer' });
const countries = tableOf('countries', { id: 'integer', code: 'bpchar' });

function tableOf(name: string, columns: Record<string, string>): ResolvedTable {
  return { schema: 'public', name, oid: '1', kind: 'Table', columns: new Map(Object.entries(columns).map(([column, type]) => [column, { type, notNull: false, number: 1, ...(type === 'citext' ? { operators: 'public' } : {}) }])), columnsHash: '' };
}
function lookup({ name }: TableAddress): ResolvedTable {
  const table = [views, clients, countries].find((candidate) => candidate.name === name);
  if (table === undefined) throw new StoreError('NotFound', `no table ${name}`);
  return table;
}
const context: CompileContext = { table: views, alias: 't', lookup, readable: (_type, value) => value !== 'unreadable' };
function compiled(predicate: Predicate): [string, unknown[]] {
  const parameters = new Parameters();
  return [compilePredicate(predicate, context, parameters), parameters.values];
}

const own = (field: string): FieldPath => ({ via: [], field });
const toClient: FieldPath['via'] = [{ field: 'client', table: clients, toField: 'id' }];
const toCountry: FieldPath['via'] = [...toClient, { field: 'country', table: countries, toField: 'id' }];
const cutoff: Cutoff = { instant: '2024-10-23T00:00:00+02:00', localDate: '2024-10-23', timeZone: 'Europe/Paris' };
const timed = (field: string, type: TimeField['type'], more: Partial<TimeField> = {}): TimeField => ({ path: own(field), type, ...more });

describe('values of a statement', () => {
  test.each<[string, unknown[], string | undefined, string]>([
    ['stands there already', ['a', 'b'], 'text[]', '$1::text[]'],
    ['begins like one that stands there', ['a'], 'text[]', '$2::text[]'],
    ['goes on where one that stands there ends', ['a', 'b', 'c'], 'text[]', '$2::text[]'],
    ['has another item', ['a', 'c'], 'text[]', '$2::text[]'],
    ['is of another type', ['a', 'b'], 'uuid[]', '$2::uuid[]'],
    ['has no type', ['a', 'b'], undefined, '$2'],
  ])('are sent once: a list that %s', (_, list, cast, placeholder) => {
    const parameters = new Parameters();
    expect(parameters.add(['a', 'b'], 'text[]')).toBe('$1::text[]');
    expect(parameters.add(list, cast)).toBe(placeholder);
    expect(parameters.values).toHaveLength(placeholder.startsWith('$1') ? 1 : 2);
  });

  test('are never one for another where they are no lists', () => {
    const parameters = new Parameters();
    expect([parameters.add('a', 'text'), parameters.add('a', 'text')]).toEqual(['$1::text', '$2::text']);
  });
});

describe('a value within a document', () => {
  const within = (field: string): Predicate => ({ op: 'jsonOneOf', field: own(field), keys: ['id'], values: ['v1', '7', ' +8 ', '7.5'] });

  test('is compared as text with each, and as a number with those that are whole', () => {
    const parameters = new Parameters();
    const table = tableOf('views', { body: 'jsonb' });
    compilePredicate(within('body'), { ...context, table }, parameters);
    expect(parameters.values).toEqual([['id'], ['v1', '7', ' +8 ', '7.5'], ['7', '8']]);
  });

  test('is not looked for in a column that is none', () => {
    expect(() => compiled(within('note'))).toThrow(/Column note is not of type jsonb/);
  });
});

describe('a predicate becomes SQL', () => {
  const cases: [string, Predicate, string, unknown[]][] = [
    ['constants', { op: 'and', of: [{ op: 'true' }, { op: 'not', of: { op: 'false' } }] }, '(TRUE AND (NOT FALSE))', []],
    ['all of nothing is true', { op: 'and', of: [] }, 'TRUE', []],
    ['any of nothing is false', { op: 'or', of: [] }, 'FALSE', []],
    ['one of some keys, in the column\'s type', { op: 'oneOf', field: own('who'), values: ['a', 'b'] }, '("t"."who" = ANY ($1::uuid[]))', [['a', 'b']]],
    ['one of none', { op: 'oneOf', field: own('who'), values: [] }, 'FALSE', []],
    ['one of values that are all unreadable is unknown for NULL only', { op: 'oneOf', field: own('who'), values: ['unreadable'] }, '("t"."who" IS NULL AND NULL::boolean)', []],
    ['unreadable values are left out', { op: 'oneOf', field: own('id'), values: ['unreadable', '7'] }, '("t"."id" = ANY ($1::bigint[]))', [['7']]],
    ['an enum in a schema', { op: 'oneOf', field: own('state'), values: ['open'] }, '("t"."state" = ANY ($1::"shop"."state"[]))', [['open']]],
    ['a type with operators of its own', { op: 'oneOf', field: own('mail'), values: ['x'] }, '("t"."mail" OPERATOR("public".=) ANY ($1::citext[]))', [['x']]],
    ['an array column', { op: 'oneOf', field: own('tags'), values: ['{a}', '{b}'] }, '("t"."tags" = $1::text[] OR "t"."tags" = $2::text[])', ['{a}', '{b}']],
    ['a comparison', { op: 'compare', field: own('id'), operator: 'GreaterOrEqual', value: '7' }, '("t"."id" >= $1::bigint)', ['7']],
    ['a comparison with an unreadable value', { op: 'compare', field: own('id'), operator: 'Equals', value: 'unreadable' }, 'NULL::boolean', []],
    ['no value', { op: 'isNull', field: own('note') }, '("t"."note" IS NULL)', []],
    ['a referenced row', { op: 'compare', field: { via: toClient, field: 'country' }, operator: 'NotEquals', value: '1' }, '(SELECT ("t_via1"."country" <> $1::integer) FROM "public"."clients" "t_via1" WHERE "t_via1"."id" = "t"."client")', ['1']],
    [
      'a row referenced by a referenced row',
      { op: 'isNull', field: { via: toCountry, field: 'code' } },
      '((SELECT (SELECT "t_via2"."code" FROM "public"."countries" "t_via2" WHERE "t_via2"."id" = "t_via1"."country") FROM "public"."clients" "t_via1" WHERE "t_via1"."id" = "t"."client") IS NULL)',
      [],
    ],
    ['an instant before the cutoff', { op: 'before', time: timed('at', 'TimestampTZ'), cutoff }, `("t"."at" > '-infinity'::timestamp with time zone AND "t"."at" < $1::timestamptz)`, ['2024-10-23T00:00:00+02:00']],
    ['an instant not before the cutoff', { op: 'notBefore', time: timed('at', 'TimestampTZ'), cutoff }, `(NOT ("t"."at" > '-infinity'::timestamp with time zone AND "t"."at" < $1::timestamptz))`, ['2024-10-23T00:00:00+02:00']],
    ['a date by the local date', { op: 'before', time: timed('day', 'Date'), cutoff }, `("t"."day" > '-infinity'::date AND "t"."day" < $1::date)`, ['2024-10-23']],
    [
      'a wall clock in its zone, asked only near the cutoff',
      { op: 'before', time: timed('local', 'Timestamp', { timeZone: 'Europe/Berlin' }), cutoff },
      `("t"."local" > '-infinity'::timestamp without time zone AND "t"."local" < $2::timestamp AND CASE WHEN "t"."local" < $1::timestamp THEN TRUE WHEN "t"."local" >= $2::timestamp THEN FALSE ELSE "t"."local" AT TIME ZONE $3::text < $4::timestamptz END)`,
      ['2024-10-21T22:00:00.000', '2024-10-23T22:00:00.000', 'Europe/Berlin', '2024-10-23T00:00:00+02:00'],
    ],
    ['whole seconds', { op: 'before', time: timed('seconds', 'EpochSeconds'), cutoff: { ...cutoff, instant: '2024-10-22T22:00:00.001Z' } }, '("t"."seconds" < $1::bigint)', ['1729634401']],
    ['milliseconds as numeric', { op: 'before', time: timed('millis', 'EpochMillis'), cutoff }, `("t"."millis" > '-infinity'::numeric AND "t"."millis" < $1::numeric)`, ['1729634400000']],
    [
      'a time that says nothing',
      { op: 'indeterminate', time: timed('at', 'TimestampTZ', { plausibleFrom: '2005-01-01' }), now: '2025-01-01T00:00:00Z' },
      `(("t"."at" > '-infinity'::timestamp with time zone AND "t"."at" <= $1::timestamptz AND "t"."at" >= ($2::date::timestamp AT TIME ZONE $3::text)) IS NOT TRUE)`,
      ['2025-01-01T00:00:00Z', '2005-01-01', 'UTC'],
    ],
    [
      'a date without a zone is not late anywhere',
      { op: 'indeterminate', time: timed('day', 'Date'), now: '2025-01-01T11:00:00Z' },
      `(("t"."day" > '-infinity'::date AND "t"."day" <= $1::date) IS NOT TRUE)`,
      ['2025-01-02'],
    ],
  ];
  test.each(cases)('%s', (_name, predicate, text, values) => {
    expect(compiled(predicate)).toEqual([text, values]);
  });

  const refused: [string, Predicate, RegExp][] = [
    ['a column that is not there', { op: 'isNull', field: own('gone') }, /Table public\.views has no column gone/],
    ['one of nothing in a column that is not there', { op: 'oneOf', field: own('gone'), values: [] }, /no column gone/],
    ['a hop over a column that is not there', { op: 'isNull', field: { via: [{ field: 'gone', table: clients, toField: 'id' }], field: 'id' } }, /Table public\.views has no column gone/],
    ['a table that is not there', { op: 'isNull', field: { via: [{ field: 'id', table: { schema: 'public', name: 'nowhere' }, toField: 'id' }], field: 'id' } }, /no table nowhere/],
    ['text as a time', { op: 'before', time: timed('note', 'TimestampTZ'), cutoff }, /public\.views\.note is of type text, but the data map declares it as TimestampTZ/],
    ['a wall clock without a zone', { op: 'before', time: timed('local', 'Timestamp'), cutoff }, /give timeZone/],
    ['an instant without an offset', { op: 'before', time: timed('at', 'TimestampTZ'), cutoff: { ...cutoff, instant: '2024-10-23T00:00:00' } }, /not an RFC 3339 instant/],
    ['a date that is none', { op: 'before', time: timed('day', 'Date'), cutoff: { ...cutoff, localDate: 'yesterday' } }, /not a date/],
  ];
  test.each(refused)('%s is refused with words for its owner', (_name, predicate, message) => {
    expect(() => compiled(predicate)).toThrow(message);
  });

  test('values never stand in the text', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 3, unit: 'grapheme' }), (value) => {
        fc.pre(value !== 'unreadable');
        const marked = `§${value}§`;
        const [text, values] = compiled({ op: 'or', of: [{ op: 'oneOf', field: own('note'), values: [marked] }, { op: 'compare', field: own('note'), operator: 'LessThan', value: marked }] });
        expect(text).not.toContain('§');
        expect(values).toEqual([[marked], marked]);
      }),
    );
  });
});

describe('pieces of SQL', () => {
  test.each([
    ['order', '"order"'],
    ['Mixed Case', '"Mixed Case"'],
    ['a"; DROP TABLE x; --', '"a""; DROP TABLE x; --"'],
    ['ä.b', '"ä.b"'],
  ])('the identifier %s is quoted', (name, quoted) => {
    expect(quoteIdentifier(name)).toBe(quoted);
  });

  test('whatever a name is, its quotes are balanced, so it cannot end early', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }).filter((name) => !name.includes('\0')), (name) => {
        const quoted = quoteIdentifier(name);
        expect(quoted.slice(1, -1).replaceAll('""', '')).not.toContain('"');
        expect(quoted.slice(1, -1).replaceAll('""', '"')).toBe(name);
      }),
    );
  });

  test.each([[''], ['a\0b']])('the identifier %j is refused', (name) => {
    expect(() => quoteIdentifier(name)).toThrow(RangeError);
  });

  test('a table is quoted in both parts', () => {
    expect(quoteTable({ schema: 'a.b', name: 'c' })).toBe('"a.b"."c"');
  });

  test('guards say what unknown means', () => {
    expect([isFalse('x OR y'), notFalse('x OR y')]).toEqual(['((x OR y) IS FALSE)', '((x OR y) IS NOT FALSE)']);
  });

  test('parameters count from one and carry their cast', () => {
    const parameters = new Parameters();
    expect([parameters.add('a'), parameters.add(['b'], 'uuid[]')]).toEqual(['$1', '$2::uuid[]']);
    expect(parameters.values).toEqual(['a', ['b']]);
  });

  test('the literals of a predicate are found with their column\'s type, also behind a reference', () => {
    const predicate: Predicate = { op: 'not', of: { op: 'or', of: [{ op: 'oneOf', field: own('who'), values: ['a', 'b'] }, { op: 'compare', field: { via: toCountry, field: 'code' }, operator: 'Equals', value: 'DE' }, { op: 'true' }] } };
    expect(literalsOf(predicate, context)).toEqual([
      { type: 'uuid', value: 'a' },
      { type: 'uuid', value: 'b' },
      { type: 'bpchar', value: 'DE' },
    ]);
  });
});

test('a list that stands in a statement several times is sent once, unless its type or one item differs', () => {
  const parameters = new Parameters();
  const placeholders = [['a', 'b'], ['a', 'b'], ['a', 'c'], ['a']].map((list) => parameters.add(list, 'text[]'));
  expect([...placeholders, parameters.add(['a', 'b'], 'uuid[]'), parameters.add('a', 'text'), parameters.add('a', 'text')]).toEqual(['$1::text[]', '$1::text[]', '$2::text[]', '$3::text[]', '$4::uuid[]', '$5::text', '$6::text']);
  expect(parameters.values).toEqual([['a', 'b'], ['a', 'c'], ['a'], ['a', 'b'], 'a', 'a']);
});
