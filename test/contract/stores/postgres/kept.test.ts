import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { FieldPath, Predicate, TableAddress } from '../../../../src/stores/predicate.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { readFingerprint } from '../../../../src/stores/postgres/fingerprint.ts';
import { countKept, readMisread } from '../../../../src/stores/postgres/kept.ts';
import { startPostgres, type TestPostgres } from '../../../support/postgres.ts';
import { login } from './support.ts';

const people: TableAddress = { schema: 'public', name: 'people' };
const own = (field: string): FieldPath => ({ via: [], field });
const oneOf = (field: string, ...values: string[]): Predicate => ({ op: 'oneOf', field: own(field), values });
const viaGone: Predicate = { op: 'oneOf', field: { via: [{ field: 'id', table: { schema: 'public', name: 'gone' }, toField: 'id' }], field: 'x' }, values: ['v1'] };

describe('the rows a guard keeps', () => {
  let server: TestPostgres;
  let connection: Connection;

  beforeAll(async () => {
    server = await startPostgres();
    await server.query(`
      CREATE TABLE people (id int PRIMARY KEY, client text NOT NULL, visitor text, serial int);
      INSERT INTO people SELECT n, 'client-' || n % 2, CASE WHEN n % 10 > 0 THEN 'v' || n % 10 END, n FROM generate_series(1, 1000) n;
      CREATE TABLE large (id int NOT NULL, note text NOT NULL, slow text);
      ALTER TABLE large ALTER note SET STORAGE PLAIN;
      INSERT INTO large SELECT n, repeat('x', 1000), 'x' FROM generate_series(1, 40000) n`);
    connection = await login(server);
  });
  afterAll(async () => {
    await connection?.close();
    await server?.stop();
  });

  test.each<[string, Predicate, number]>([
    ['are those it names, where it is never unknown', oneOf('client', 'client-1'), 500],
    ['are those it names and those of nobody knows whom', oneOf('visitor', 'v1'), 200],
    ['are all others where it is turned round, and again those of nobody knows whom', { op: 'not', of: oneOf('visitor', 'v1') }, 900],
    ['are those either part of it keeps', { op: 'or', of: [oneOf('client', 'client-1'), oneOf('visitor', 'v2')] }, 700],
    ['are those both parts of it keep', { op: 'and', of: [oneOf('client', 'client-1'), oneOf('visitor', 'v1')] }, 100],
    ['are none where it names nobody', oneOf('client', 'client-9'), 0],
    ['are all where a value is none of its column', oneOf('serial', '1', 'no number'), 1000],
    ['are all where it names a column that is gone', oneOf('surname', 'x'), 1000],
    ['are all where it looks into a table that is gone', viaGone, 1000],
  ])('%s', async (_, where, rows) => {
    expect(await countKept(connection, people, where, { budgetMs: 10_000 })).toEqual({ rows, exact: true });
    expect((await readFingerprint(connection, people, where)).rows).toBe(rows);
  });

  test('are those no DELETE behind the guard takes', async () => {
    const { rows } = await countKept(connection, people, oneOf('visitor', 'v1'), { budgetMs: 10_000 });
    const [left] = await server.query<{ rows: number }>(`SELECT count(*)::int AS rows FROM people WHERE NOT ((visitor = ANY ('{v1}')) IS FALSE)`);
    expect(left?.rows).toBe(rows);
  });

  test('change the fingerprint when one that is kept as unknown goes', async () => {
    const before = await readFingerprint(connection, people, oneOf('visitor', 'v1'));
    await server.query(`DELETE FROM people WHERE id = 10`);
    const after = await readFingerprint(connection, people, oneOf('visitor', 'v1'));
    expect(after.rows).toBe(before.rows - 1);
    expect(after.sum).not.toBe(before.sum);
  });

  test('have one fingerprint whether they are read at once or in runs of pages', async () => {
    const inRuns = await readFingerprint(connection, { schema: 'public', name: 'large' }, oneOf('slow', 'x'));
    const atOnce = await readFingerprint(connection, { schema: 'public', name: 'large' }, { op: 'true' });
    expect(inRuns).toEqual(atOnce);
    expect(inRuns.rows).toBe(40_000);
  });

  test.each<[string, Predicate]>([
    ['read at once', { op: 'true' }],
    ['read in runs of pages', oneOf('slow', 'x')],
  ])('that cannot be %s in time are a lower bound, and no fingerprint', async (_, where) => {
    const large = { schema: 'public', name: 'large' };
    const { rows, exact } = await countKept(connection, large, where, { budgetMs: 1 });
    expect(exact).toBe(false);
    expect(rows).toBeLessThan(40_000);
    await expect(readFingerprint(connection, large, where, 1)).rejects.toMatchObject({ reason: 'LimitReached', message: expect.stringContaining('held rows of public.large') });
    expect(await countKept(connection, people, { op: 'true' }, { budgetMs: 10_000 })).toMatchObject({ exact: true });
  });

  test('are all of the table for these items, which says why and no value', async () => {
    const items = [oneOf('client', 'client-1'), oneOf('serial', '1', 'Jane Doe', 'John Doe'), oneOf('surname', 'Jane Doe'), viaGone].map((predicate) => ({ table: people, predicate }));
    const misread = await readMisread(connection, [...items, { table: { schema: 'public', name: 'gone' }, predicate: { op: 'true' } }]);
    expect(misread.map(({ because }) => because)).toEqual(["2 of its values cannot be read in the column's type", expect.stringContaining('no column surname'), expect.stringContaining('no table public.gone')]);
    expect(misread.every(({ table }) => table.name === 'people')).toBe(true);
    expect(JSON.stringify(misread)).not.toContain('Doe');
  });
});
