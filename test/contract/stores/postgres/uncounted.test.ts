import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CollectionRule } from '../../../../src/stores/counting.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { countRows } from '../../../../src/stores/postgres/count.ts';
import { readInventory } from '../../../../src/stores/postgres/inventory.ts';
import { planPurge } from '../../../../src/stores/postgres/planning.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { before, NOW, request, rule, table } from './purge-support.ts';
import { login } from './support.ts';

const rows = (name: string, extra = ''): string => `CREATE TABLE ${name} (id int PRIMARY KEY, created_at timestamptz DEFAULT '2020-01-01Z', secret text${extra}); INSERT INTO ${name} SELECT i FROM generate_series(1, 5) i;`;

/** Four groups: `visits` alone; `parents` with `children` of which single columns may be read; `clocks` with another type; a copy. */
const SCHEMA = `
  ${rows('visits')} ${rows('parents')} ${rows('children', ', parent int REFERENCES parents')} CREATE INDEX ON children (parent);
  CREATE TABLE clocks (id int PRIMARY KEY, created_at timestamp DEFAULT '2020-01-01'); INSERT INTO clocks VALUES (1);
  CREATE MATERIALIZED VIEW copies AS SELECT id, created_at FROM visits;
  CREATE TABLE tools (id int PRIMARY KEY, visit int REFERENCES visits, hidden text); INSERT INTO tools VALUES (1, NULL);
  CREATE VIEW seen AS SELECT * FROM visits; CREATE DOMAIN instant AS timestamptz; CREATE DOMAIN moment AS instant; CREATE TABLE domains (at moment, plain int);
  GRANT SELECT ON visits, parents, clocks, copies, tools TO observer; GRANT SELECT (id, created_at) ON children TO observer`;

describe('one collection that cannot be counted', () => {
  let server: TestPostgres;
  let connection: Connection;
  const all: CollectionRule[] = ['visits', 'parents', 'children', 'clocks'].map((name) => rule(name));
  const asked = (rules: CollectionRule[] = all): ReturnType<typeof request> => request(rules, { nonPersonal: [table('tools')] });
  const refusals = async (rules?: CollectionRule[]): Promise<string[]> => (await planPurge(connection, asked(rules))).refusals.map(({ collection, reason, cause }) => `${collection} ${reason}${cause ? ` ${cause}` : ''}`);

  beforeAll(async () => {
    server = await startPostgres();
    const identity = await server.createRole('observer');
    await server.query(SCHEMA);
    connection = await login(server, { identity });
  });
  afterAll(async () => {
    await connection?.close();
    await server?.stop();
  });

  test('leaves the others counted, and says why it and what hangs on it are not', async () => {
    const counts = await countRows(connection, { rules: all, now: NOW, budgetMs: 10_000 });
    expect(counts.map(({ collection, due, exact, uncounted }) => [collection, due, exact, uncounted?.reason])).toEqual([
      ['visits', 5, true, undefined],
      ['parents', 0, false, 'PermissionDenied'],
      ['children', 0, false, 'PermissionDenied'],
      ['clocks', 0, false, 'Conflict'],
    ]);
    expect(counts.map(({ uncounted }) => uncounted?.message)).toEqual([undefined, expect.stringContaining('children'), expect.stringContaining('children'), expect.stringContaining('public.clocks.created_at is of type timestamp without time zone')]);
  });

  test('is refused by a plan with what stands in the way, and the plan of the others stands', async () => {
    const plan = await planPurge(connection, asked());
    expect(plan.refusals.map(({ collection, reason, cause }) => `${collection} ${reason} ${cause}`)).toEqual(['children NotCounted PermissionDenied', 'clocks NotCounted Conflict', 'parents NotCounted PermissionDenied']);
    expect(plan.forecast).toMatchObject([{ collection: 'visits', due: 5, exact: true }]);
    expect(plan.steps.map(({ collection }) => collection).toSorted()).toEqual(['children', 'clocks', 'parents', 'visits']);
  });

  test('whose table is gone is one of them', async () => {
    const counts = await countRows(connection, { rules: [rule('visits'), rule('gone')], now: NOW, budgetMs: 10_000 });
    expect(counts).toMatchObject([{ collection: 'visits', due: 5, exact: true }, { collection: 'gone', exact: false, uncounted: { reason: 'NotFound', message: expect.stringContaining('no table public.gone') } }]);
  });

  test('whose values cannot be compared is one of them', async () => {
    const odd = rule('parents', { due: { op: 'and', of: [before(), { op: 'compare', field: { via: [], field: 'id' }, operator: 'LessThan', value: '7' }] }, times: [{ path: { via: [], field: 'created_at' }, type: 'Timestamp', timeZone: 'No/Where' }] });
    expect(await countRows(connection, { rules: [rule('visits'), odd], now: NOW, budgetMs: 10_000 })).toMatchObject([{ due: 5, exact: true }, { exact: false, uncounted: { reason: 'Conflict' } }]);
  });

  test('of tables free of personal data that may not be read, refuses what they refer to and nothing else', async () => {
    await server.query('REVOKE SELECT ON tools FROM observer');
    expect(await refusals([rule('visits'), rule('parents', { guards: [] })])).toEqual(['parents UnmappedReference', 'visits NotCounted']);
    await server.query('GRANT SELECT ON tools TO observer');
    expect(await refusals([rule('visits')])).toEqual([]);
  });

  test('cannot be deleted from where it is a materialized view, and is told what to do', async () => {
    const { refusals: found } = await planPurge(connection, asked([rule('visits'), rule('copies')]));
    expect(found).toEqual([{ collection: 'copies', reason: 'MaterializedView', message: expect.stringMatching(/^public\.copies is a materialized view.*REFRESH MATERIALIZED VIEW public\.copies/) }]);
  });

  test('that ends the connection is no matter of one: the count fails', async () => {
    const doomed = await login(server);
    const { rows: [own] } = await doomed.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await server.query(`SELECT pg_terminate_backend(${own?.pid})`);
    await expect(countRows(doomed, { rules: all, now: NOW, budgetMs: 10_000 })).rejects.toMatchObject({ reason: 'Unreachable' });
    await doomed.close();
  });

  test('is known from the inventory where it can be: views by name, and what a domain is in the end', async () => {
    const { tables, views } = await readInventory(connection);
    expect(views).toEqual([table('seen')]);
    expect(tables.find(({ name }) => name === 'domains')?.columns).toEqual([
      { name: 'at', type: 'public.moment', base: 'timestamp with time zone', number: 1, notNull: false },
      { name: 'plain', type: 'integer', number: 2, notNull: false },
    ]);
  });
});
