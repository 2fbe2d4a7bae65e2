import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Predicate } from '../../../../src/stores/predicate.ts';
import { resolveTables } from '../../../../src/stores/postgres/catalogue.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { checkLiterals } from '../../../../src/stores/postgres/literals.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { login } from './support.ts';

const address = { schema: 'public', name: 'keys' };
const oneOf = (field: string, values: string[]): Predicate => ({ op: 'oneOf', field: { via: [], field }, values });
const uuid = '6f9619ff-8b86-d011-b42d-00cf4fc964ff';

describe('values are read in their column\'s type beforehand', () => {
  let server: TestPostgres;
  let connection: Connection;

  beforeAll(async () => {
    server = await startPostgres();
    await server.query(`CREATE TYPE state AS ENUM ('open', 'closed'); CREATE DOMAIN short AS text CHECK (length(VALUE) < 4);
      CREATE TABLE keys (u uuid, i integer, s smallint, b bigint, d date, n numeric, e state, t text, a integer[], o boolean, at timestamptz, net inet, dom short)`);
    connection = await login(server, { identity: await server.createRole('observer') });
  });
  afterAll(async () => {
    await connection?.close();
    await server?.stop();
  });

  const readable = async (field: string, values: string[]): Promise<string[]> => {
    const lookup = await resolveTables(connection, [address]);
    const literals = await checkLiterals(connection, [{ predicate: oneOf(field, values), table: lookup(address) }], lookup);
    const type = lookup(address).columns.get(field)?.type ?? '';
    const good = values.filter((value) => literals.readable(type, value));
    expect(literals.unreadable).toBe(new Set(values).size - new Set(good).size);
    return good;
  };

  const cases: [string, string[], string[]][] = [
    ['u', [uuid, uuid.toUpperCase(), `{${uuid}}`, uuid.replaceAll('-', ''), '6f96-19ff-8b86-d011-b42d-00cf-4fc9-64ff'], ['', 'jane', ` ${uuid}`, `{${uuid}`, `${uuid}0`, '6-f9619ff8b86d011b42d00cf4fc964ff']],
    ['i', ['0', ' 7 ', '+1', '-2147483648', '2147483647', '007'], ['', '-', '1.0', '2147483648', 'jane', '1 2', '--1']],
    ['s', ['32767'], ['32768']],
    ['b', ['9223372036854775807'], ['9223372036854775808', '1e3']],
    ['d', ['2024-02-29', 'infinity', '20240229'], ['2023-02-29', 'jane', '']],
    ['n', ['1.50', '1e5', 'NaN'], ['1,5', 'jane']],
    ['e', ['open', 'closed'], ['Open', '']],
    ['t', ['', 'anything', 'ö', '😀'], ['a\0b', '\ud83d']],
    ['a', ['{}', '{1,2}'], ['1', '{x}']],
    ['o', ['yes', 'f'], ['maybe']],
    ['at', ['2024-01-01T00:00:00Z', 'infinity'], ['2024-13-01', 'jane']],
    ['net', ['10.0.0.1', '::1/64'], ['10.0.0.256']],
    ['dom', ['abc', 'longer than the domain lets in'], ['\0']],
  ];
  test.each(cases)('in column %s', async (field, good, bad) => {
    expect(await readable(field, [...good, ...bad])).toEqual(good);
    // The server agrees with every verdict of ours: a value it cannot read fails the whole statement.
    const lookup = await resolveTables(connection, [address]);
    const type = lookup(address).columns.get(field)?.type ?? '';
    for (const value of good) await connection.query(`SELECT $1::${type}`, [value]);
    for (const value of bad.filter((each) => !/\p{Surrogate}/u.test(each))) await expect(connection.query(`SELECT $1::${type}`, [value])).rejects.toMatchObject({ reason: 'Failed' });
  });

  test('one bad value among thousands is found', async () => {
    const many = Array.from({ length: 5_000 }, (_, index) => `10.${Math.floor(index / 250)}.${index % 250}.1`);
    const values = [...many.slice(0, 3_210), 'jane', ...many.slice(3_210)];
    expect(await readable('net', values)).toEqual(many);
  });

  test.each([['d'], ['at']])('a word in column %s that means another day tomorrow is no value', async (field) => {
    expect(await readable(field, ['today', ' NOW ', 'yesterday', '2024-01-01', 'infinity'])).toEqual(['2024-01-01', 'infinity']);
    expect(await readable('t', ['today'])).toEqual(['today']);
  });

  test('an open transaction survives, with what it did', async () => {
    await connection.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    const before = (await connection.query<{ now: string }>('SELECT now()::text AS now')).rows;
    expect(await readable('d', ['jane', '2024-01-01'])).toEqual(['2024-01-01']);
    expect(connection.inTransaction()).toBe(true);
    expect((await connection.query('SELECT now()::text AS now')).rows).toEqual(before);
    await connection.query('COMMIT');
    expect(connection.inTransaction()).toBe(false);
  });

  test('a predicate about a column that is gone is left to whoever compiles it', async () => {
    const lookup = await resolveTables(connection, [address]);
    const literals = await checkLiterals(connection, [{ predicate: oneOf('gone', ['1']), table: lookup(address) }, { predicate: oneOf('i', ['x']), table: lookup(address) }], lookup);
    expect(literals.unreadable).toBe(1);
  });
});
