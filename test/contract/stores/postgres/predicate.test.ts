import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { FieldPath, Predicate, TimeField } from '../../../../src/stores/predicate.ts';
import { resolveTables } from '../../../../src/stores/postgres/catalogue.ts';
import type { TableLookup } from '../../../../src/stores/postgres/catalogue.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { checkLiterals } from '../../../../src/stores/postgres/literals.ts';
import { countRows } from '../../../../src/stores/postgres/count.ts';
import { compilePredicate, Parameters } from '../../../../src/stores/postgres/sql.ts';
import { unreadableGuard } from '../../../../src/stores/postgres/statements.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { hasUnreadable, truthOf } from './predicate-model.ts';
import type { Row, Truth } from './predicate-model.ts';
import { columns, cutoffOn, facts, now, owners, tables, trees, zone } from './predicate-samples.ts';
import { login } from './support.ts';
import { fc, runs } from '../../../support/properties.ts';

describe('a compiled predicate', () => {
  let server: TestPostgres;
  let connection: Connection;
  let lookup: TableLookup;

  beforeAll(async () => {
    // The store's own zone must not move anything.
    server = await startPostgres({ settings: { timezone: "'Pacific/Chatham'" } });
    for (const [name, rows] of Object.entries(tables)) {
      await server.query(`CREATE TABLE ${name} (${columns})`);
      await server.query(`INSERT INTO ${name} SELECT * FROM json_populate_recordset(NULL::${name}, $1)`, [JSON.stringify(rows.map((row: Row) => ({ ...row, j: JSON.parse(String(row['j'] ?? null)) as unknown })))]);
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
      { numRuns: runs(1500) },
    );
  });

  test('a count puts every row where the model puts it: due only what every guard certainly lets go', async () => {
    const guards = fc.array(fc.record({ kind: fc.constantFrom('Hold' as const, 'Minimum' as const, 'Client' as const), name: fc.constant('guard'), predicate: trees }), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(trees, guards, async (due, guarding) => {
        const expected = { due: 0, held: 0, floored: 0 };
        for (const row of tables.facts) {
          if (truthOf(due, row, tables) !== true) continue;
          const keeping = guarding.filter(({ predicate }) => hasUnreadable(predicate) || truthOf(predicate, row, tables) !== false).map(({ kind }) => kind);
          expected[keeping.includes('Hold') ? 'held' : keeping.length > 0 ? 'floored' : 'due'] += 1;
        }
        const rule = { collection: 'c', table: facts, due, guards: guarding, times: [], acknowledged: [] };
        expect(await countRows(connection, { rules: [rule], now, budgetMs: 10_000 })).toMatchObject([{ ...expected, exact: true }]);
      }),
      { numRuns: runs(150) },
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

  describe('of a path within JSON', () => {
    const address = { schema: 'public', name: 'events' };
    const at = (column: string, changes: Partial<Extract<Predicate, { op: 'jsonOneOf' }>> = {}): Predicate => ({ op: 'jsonOneOf', field: { via: [], field: column }, keys: ['user', 'id'], values: ['v1', '042'], ...changes });
    let table: TableLookup;

    beforeAll(async () => {
      await server.query('CREATE TABLE events (id int, payload jsonb, plain json, note text)');
      table = await resolveTables(connection, [address]);
    });

    const says = async (payload: string | null, predicate = at('payload')): Promise<Truth> => {
      await server.query('TRUNCATE events');
      await server.query('INSERT INTO events VALUES (1, $1::text::jsonb, NULL, $1::text)', [payload]);
      const { readable } = await checkLiterals(connection, [{ predicate, table: table(address) }], table);
      const parameters = new Parameters();
      const sql = compilePredicate(predicate, { table: table(address), alias: 't', lookup: table, readable }, parameters);
      return (await connection.query<{ truth: Truth }>(`SELECT ${sql} AS truth FROM public.events AS t`, parameters.values)).rows[0]?.truth ?? null;
    };

    test.each<[string, string | null, Truth]>([
      ['a text of the list is found', '{"user": {"id": "v1"}}', true],
      ['another text is not', '{"user": {"id": "v2"}}', false],
      ['a text is compared letter by letter', '{"user": {"id": "42"}}', false],
      ['a whole number is found however the list writes it', '{"user": {"id": 42}}', true],
      ['another number is not', '{"user": {"id": 43}}', false],
      ['a number beyond those of JavaScript is not rounded', '{"user": {"id": 90071992547409931}}', false],
      ['a broken number is nobody knows whom', '{"user": {"id": 42.0}}', null],
      ['a list may hold any of them', '{"user": {"id": ["v1"]}}', null],
      ['and so may an object', '{"user": {"id": {"is": "v1"}}}', null],
      ['null is nobody knows whom', '{"user": {"id": null}}', null],
      ['a list of users is not looked through', '{"user": [{"id": "v1"}]}', null],
      ['a path that is not there names nobody', '{"visitor": "v1"}', null],
      ['JSON that is a text of its own names nobody', '"v1"', null],
      ['no JSON names nobody', null, null],
    ])('%s', async (_, payload, truth) => {
      expect(await says(payload)).toBe(truth);
    });

    test('takes keys as they are', async () => {
      const key = 'it\'s "a" key';
      expect(await says(JSON.stringify({ [key]: 'v1' }), at('payload', { keys: [key] }))).toBe(true);
    });

    test.each(['plain', 'note'])('in column %s, whose rows may be no JSON, cannot be said, so that a hold keeps all', async (column) => {
      await expect(says('{}', at(column))).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringContaining(`Column ${column} is not of type jsonb`) });
      const guard = { kind: 'Hold' as const, name: 'legal/matter', predicate: at(column) };
      expect(unreadableGuard(guard, table(address), { lookup: table, readable: () => true })).toContain('is not of type jsonb');
    });
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
