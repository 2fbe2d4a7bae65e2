import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fc, runs } from '../../../support/properties.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import type { Guard, Predicate } from '../../../../src/stores/predicate.ts';
import { resolveTables } from '../../../../src/stores/postgres/catalogue.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { lookForDrop } from '../../../../src/stores/postgres/drop-look.ts';
import { countForDrop } from '../../../../src/stores/postgres/statements.ts';
import type { Deletable } from '../../../../src/stores/postgres/statements.ts';
import { partitionStores } from './partition-support.ts';
import { table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';
import { login } from './support.ts';

let server: TestPostgres;
let store: TestStore;
let connection: Connection;
const { storeWith, close } = partitionStores(() => server);
beforeAll(async () => {
  server = await startPostgres();
  store = await storeWith('CREATE TABLE part (client text NOT NULL, subject text, level int)');
  connection = await login(server, { identity: server.superuser, database: store.database });
});
afterAll(async () => {
  await connection.close();
  await close();
  await server.stop();
});

const column = fc.constantFrom('client', 'subject');
const value = fc.constantFrom('a', 'b');
const predicate: fc.Arbitrary<Predicate> = fc.letrec<{ any: Predicate }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 2 },
    fc.record({ op: fc.constant('oneOf' as const), field: column.map((field) => ({ via: [], field })), values: fc.array(value, { maxLength: 2 }) }),
    fc.record({ op: fc.constant('compare' as const), field: fc.constant('level').map((field) => ({ via: [], field })), operator: fc.constantFrom('Equals' as const, 'LessThan' as const), value: fc.constantFrom('1', '2') }),
    fc.record({ op: fc.constant('isNull' as const), field: fc.constant('subject').map((field) => ({ via: [], field })) }),
    fc.record({ op: fc.constantFrom('and' as const, 'or' as const), of: fc.array(tie('any'), { maxLength: 2 }) }),
    fc.record({ op: fc.constant('not' as const), of: tie('any') }),
  ),
})).any;
const row = fc.tuple(value, fc.option(value), fc.option(fc.constantFrom(1, 2, 3)));

test('a look finds that a row must stay where, and only where, the count under the lock does', async () => {
  const seen = { kept: 0, free: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 3 }), predicate, fc.array(predicate, { maxLength: 2 }), async (rows, due, guards) => {
      await store.sql(`TRUNCATE part; ${rows.map(([client, subject, level]) => `INSERT INTO part VALUES ('${client}', ${subject === null ? 'NULL' : `'${subject}'`}, ${level ?? 'NULL'})`).join('; ')}`);
      const lookup = await resolveTables(connection, [table('part')]);
      const resolver = { lookup, readable: () => true };
      const what: Deletable = { due, guards: guards.map((each, index): Guard => ({ kind: 'Hold', name: `h${index}`, predicate: each })), edges: [] };
      const ask = async ({ text, values }: { text: string; values: readonly unknown[] }): Promise<{ rows: string; kept: string } | undefined> => (await connection.query<{ rows: string; kept: string }>(text, values)).rows[0];
      const [looked, counted] = [await ask(lookForDrop(what, lookup(table('part')), resolver)), await ask(countForDrop(what, lookup(table('part')), resolver))];
      expect([Number(looked?.rows) > 0, Number(looked?.kept) > 0]).toEqual([rows.length > 0, Number(counted?.kept) > 0]);
      if (rows.length > 0) seen[Number(counted?.kept) > 0 ? 'kept' : 'free'] += 1;
    }),
    { numRuns: runs(120) },
  );
  expect(Math.min(seen.kept, seen.free)).toBeGreaterThan(0);
}, 60_000);

test('a look reads an index instead of the rows where a hold asks for a column that has one', async () => {
  await store.sql(`TRUNCATE part; INSERT INTO part SELECT 'c' || i, NULL, 1 FROM generate_series(1, 20000) i; CREATE INDEX ON part (client); ANALYZE part`);
  const lookup = await resolveTables(connection, [table('part')]);
  const what: Deletable = { due: { op: 'true' }, guards: [{ kind: 'Hold', name: 'h', predicate: { op: 'oneOf', field: { via: [], field: 'client' }, values: ['c10000', 'none'] } }], edges: [] };
  const { text, values } = lookForDrop(what, lookup(table('part')), { lookup, readable: () => true });
  expect((await connection.query<{ kept: number }>(text, values)).rows[0]?.kept).toBe(1);
  const plan = (await connection.query<{ 'QUERY PLAN': string }>(`EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ${text}`, values)).rows.map((line) => line['QUERY PLAN']);
  expect(plan.filter((line) => line.includes('Index'))).not.toEqual([]);
  expect(plan.filter((line) => /Rows Removed/.test(line))).toEqual([]);
});
