import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readMissingRights } from '../../../../src/stores/postgres/rights.ts';
import type { TableAddress } from '../../../../src/stores/predicate.ts';
import { ensureRoles, type DatawardRoles } from '../../../support/postgres-roles.ts';
import { startPostgres, type TestPostgres } from '../../../support/postgres.ts';
import { login } from './support.ts';

describe('what a login lacks for its work', () => {
  let server: TestPostgres;
  let roles: DatawardRoles;

  beforeAll(async () => {
    server = await startPostgres({});
    await server.query(`
      CREATE TABLE visits (id int, at timestamptz) PARTITION BY RANGE (at);
      CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
      CREATE TABLE "Odd ""one""" (id int);
      CREATE TABLE guarded (id int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON guarded USING (id = 1);
      CREATE SCHEMA other; CREATE TABLE other.a (id int); CREATE TABLE other.b (id int);`);
    roles = await ensureRoles(server, 'postgres');
  });
  afterAll(() => server.stop());

  const ask = async (role: keyof DatawardRoles, right: 'Read' | 'Delete', names: string[]): Promise<string[]> => {
    const connection = await login(server, { identity: roles[role] });
    try {
      return await readMissingRights(connection, names.map((name): TableAddress => ({ schema: name.startsWith('other.') ? 'other' : 'public', name: name.replace('other.', '') })), right);
    } finally {
      await connection.close();
    }
  };

  test.each<[string, keyof DatawardRoles, 'Read' | 'Delete', string[]]>([
    ['the observing login reads', 'observe', 'Read', ['visits', 'visits_1', 'Odd "one"']],
    ['the verifying login reads', 'verify', 'Read', ['visits', 'visits_1', 'Odd "one"']],
    ['the enforcing login deletes', 'enforce', 'Delete', ['visits', 'visits_1', 'Odd "one"']],
    ['of a table that is gone nothing is lacking', 'enforce', 'Delete', ['gone']],
  ])('nothing, with the documented rights: %s', async (_, role, right, names) => {
    expect(await ask(role, right, names)).toEqual([]);
  });

  test.each<[string, string, keyof DatawardRoles, 'Read' | 'Delete', string[], string[]]>([
    ['DELETE on a partition', 'REVOKE DELETE ON visits_1 FROM dataward_enforce', 'enforce', 'Delete', ['visits', 'visits_1'], ['dataward_enforce lacks DELETE on public.visits_1: GRANT DELETE ON "public"."visits_1" TO "dataward_enforce"']],
    ['SELECT, which rights on single columns do not stand for', 'REVOKE SELECT ON visits FROM dataward_verify; GRANT SELECT (id, at) ON visits TO dataward_verify', 'verify', 'Read', ['visits'], ['dataward_verify lacks SELECT on public.visits: GRANT SELECT ON "public"."visits" TO "dataward_verify"']],
    ['the right to look into a schema, said once', '', 'verify', 'Read', ['other.a', 'other.b'], ['dataward_verify lacks USAGE on schema other: GRANT USAGE ON SCHEMA "other" TO "dataward_verify"', 'dataward_verify lacks SELECT on other.a, other.b: GRANT SELECT ON "other"."a", "other"."b" TO "dataward_verify"']],
    ['sight of all rows', '', 'verify', 'Read', ['guarded'], ['row security hides rows of public.guarded from dataward_verify: ALTER ROLE "dataward_verify" BYPASSRLS']],
    ['a right on a name that has to be quoted', 'REVOKE DELETE ON "Odd ""one""" FROM dataward_enforce', 'enforce', 'Delete', ['Odd "one"'], ['dataward_enforce lacks DELETE on public."Odd ""one""": GRANT DELETE ON "public"."Odd ""one""" TO "dataward_enforce"']],
  ])('%s', async (_, change, role, right, names, said) => {
    if (change !== '') await server.query(change);
    expect(await ask(role, right, names)).toEqual(said);
    // What is advised helps.
    for (const sentence of said) await server.query(sentence.slice(sentence.indexOf(': ') + 2));
    expect(await ask(role, right, names)).toEqual([]);
  });
});
