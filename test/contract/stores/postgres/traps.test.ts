import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import type { CollectionRule } from '../../../../src/stores/counting.ts';
import { before, countRows, deletedBy, guard, oneOf, openStore, pace, purgeAll, request, rule, runPlan, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';

let server: TestPostgres;
let store: TestStore;
beforeAll(async () => {
  server = await startPostgres({ settings: { wal_level: 'logical' } });
  store = await openStore(server, 'traps', 'SELECT 1');
  await store.sql('GRANT USAGE, CREATE ON SCHEMA public TO PUBLIC');
});
afterAll(async () => {
  await store.close();
  await server.stop();
});

const refusals = async (rules: CollectionRule[], nonPersonal: string[] = []): Promise<string[]> =>
  (await store.writer.planPurge(request(rules, { nonPersonal: nonPersonal.map((name) => table(name)) }))).refusals.map(({ reason }) => reason);

let runs = 0;
const purgeRules = async (rules: CollectionRule[], changes: { targets?: string[]; workers?: number } = {}): Promise<Record<string, number>> => {
  runs += 1;
  const { workers, ...rest } = changes;
  return deletedBy((await purgeAll(store, request(rules, rest), { run: `trap-${runs}`, pace: { lockTimeoutMillis: 500, ...(workers === undefined ? {} : { workers }) } })).batches);
};

describe('names and shapes of tables', () => {
  test('quoted, mixed-case, reserved and other-schema names are the ones that were declared', async () => {
    await store.sql(`
      CREATE SCHEMA "Select"; GRANT USAGE ON SCHEMA "Select" TO PUBLIC;
      CREATE TABLE "Select"."Order ""x""" ("Id" int PRIMARY KEY, "created at" timestamptz, "group" text);
      CREATE TABLE "Select"."order ""x""" ("Id" int PRIMARY KEY, "created at" timestamptz, "group" text);
      INSERT INTO "Select"."Order ""x""" SELECT i, '2020-01-01Z', 'g' || i % 2 FROM generate_series(1, 10) i;
      INSERT INTO "Select"."order ""x""" SELECT * FROM "Select"."Order ""x""";
      GRANT SELECT, DELETE ON ALL TABLES IN SCHEMA "Select" TO dataward_enforce`);
    const target = rule('orders', { table: { schema: 'Select', name: 'Order "x"' }, due: before('created at'), guards: [guard('keep', oneOf('group', 'g0'))], client: { field: 'group' } });
    expect(await purgeRules([target])).toEqual({ orders: 5 });
    expect([await countRows(store, '"Select"."Order ""x"""'), await countRows(store, '"Select"."order ""x"""')]).toEqual([5, 10]);
  });

  test('a table without a primary key, with equal rows, loses the due ones only', async () => {
    await store.sql(`CREATE TABLE bag (v int, created_at timestamptz); INSERT INTO bag SELECT 1, '2020-01-01Z' FROM generate_series(1, 50); INSERT INTO bag SELECT 1, '2025-01-01Z' FROM generate_series(1, 50)`);
    expect(await purgeRules([rule('bag')])).toEqual({ bag: 50 });
    expect(await countRows(store, 'bag')).toBe(50);
  });

  test('inheritance children are purged as part of their parent, each in its own heap', async () => {
    await store.sql(`CREATE TABLE base (id int, created_at timestamptz); CREATE TABLE derived (extra text) INHERITS (base);
      INSERT INTO base SELECT i, '2020-01-01Z' FROM generate_series(1, 5) i; INSERT INTO base SELECT i, '2025-01-01Z' FROM generate_series(6, 10) i;
      INSERT INTO derived SELECT i, '2020-01-01Z' FROM generate_series(11, 15) i; INSERT INTO derived SELECT i, '2025-01-01Z' FROM generate_series(16, 20) i`);
    expect(await purgeRules([rule('base')])).toEqual({ base: 10 });
    expect(await store.sql('SELECT count(*)::int AS base, count(*) FILTER (WHERE id > 10)::int AS derived FROM base')).toEqual([{ base: 10, derived: 5 }]);
  });

  test('an inheritance child that has a rule of its own is not emptied by the rule of its parent, also where that rule came after the plan', async () => {
    await store.sql(`CREATE TABLE ev (id int, created_at timestamptz); CREATE TABLE ev_tax () INHERITS (ev); INSERT INTO ev VALUES (1, '2020-01-01Z'); INSERT INTO ev_tax VALUES (2, '2020-01-01Z')`);
    const alone = request([rule('ev')]);
    const planned = await store.writer.planPurge(alone);
    const { due: _none, ...kept } = rule('ev_tax', { guards: [guard('ten-years', { op: 'true' })] });
    const both = request([rule('ev'), kept], { targets: ['ev'] });
    expect((await store.writer.planPurge(both)).refusals).toMatchObject([{ reason: 'MapOverlap', collection: 'ev' }]);
    await expect(runPlan(store.writer, planned, both, { run: 'child' })).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringContaining('ev_tax declares the table public.ev_tax') });
    expect(await countRows(store, 'ev')).toBe(2);
  });

  test('rows of an inheritance child that stay block what they refer to, in the forecast as in the purge', async () => {
    await store.sql(`
      CREATE TABLE shops (id int PRIMARY KEY, created_at timestamptz DEFAULT '2020-01-01Z'); INSERT INTO shops SELECT generate_series(1, 5);
      CREATE TABLE sales (id int, shop int, created_at timestamptz); CREATE TABLE sales_eu (FOREIGN KEY (shop) REFERENCES shops) INHERITS (sales); CREATE INDEX ON sales_eu (shop);
      INSERT INTO sales_eu VALUES (1, 1, '2020-01-01Z'), (2, 2, '2025-01-01Z')`);
    const asked = request([rule('shops'), rule('sales')], { targets: ['shops'] });
    expect((await store.writer.planPurge(asked)).forecast).toMatchObject([{ collection: 'sales', due: 1 }, { collection: 'shops', due: 4, blocked: 1 }]);
    expect(await purgeRules([rule('shops'), rule('sales')], { targets: ['shops'] })).toEqual({ sales: 1, shops: 4 });
  });

  test('NULL, infinite and future times are never due', async () => {
    await store.sql(`CREATE TABLE odd (id int, created_at timestamptz); INSERT INTO odd VALUES (1, NULL), (2, '-infinity'), (3, 'infinity'), (4, '2999-01-01Z'), (5, '2020-01-01Z')`);
    expect(await purgeRules([rule('odd')])).toEqual({ odd: 1 });
    expect(await countRows(store, 'odd')).toBe(4);
  });
});

describe('foreign keys', () => {
  test('a composite key blocks exactly the parents a kept child refers to', async () => {
    await store.sql(`
      CREATE TABLE visits (tenant int, id int, created_at timestamptz DEFAULT '2020-01-01Z', PRIMARY KEY (tenant, id));
      CREATE TABLE views (id int, tenant int, visit int, kept boolean DEFAULT false, created_at timestamptz DEFAULT '2020-01-01Z', FOREIGN KEY (tenant, visit) REFERENCES visits (tenant, id) ON DELETE CASCADE);
      CREATE INDEX ON views (tenant, visit);
      INSERT INTO visits SELECT t, i FROM generate_series(1, 2) t, generate_series(1, 20) i;
      INSERT INTO views SELECT i, 1, i, i = 7 FROM generate_series(1, 20) i;
      INSERT INTO views VALUES (100, NULL, 3)`);
    const views = rule('views', { guards: [guard('kept', { op: 'compare', field: { via: [], field: 'kept' }, operator: 'Equals', value: 't' })] });
    expect(await purgeRules([rule('visits'), views], { targets: ['visits'] })).toEqual({ views: 20, visits: 39 });
    expect(await store.sql('SELECT tenant, id FROM visits')).toEqual([{ tenant: 1, id: 7 }]);
  });

  test.each(['CASCADE', 'SET NULL', 'RESTRICT'])('a held child behind ON DELETE %s keeps its parent and its own reference', async (action) => {
    const name = action.replace(' ', '_').toLowerCase();
    await store.sql(`
      CREATE TABLE p_${name} (id int PRIMARY KEY, created_at timestamptz DEFAULT '2020-01-01Z');
      CREATE TABLE c_${name} (id int PRIMARY KEY, p_id int REFERENCES p_${name} ON DELETE ${action}, client_id text, created_at timestamptz DEFAULT '2020-01-01Z');
      CREATE INDEX ON c_${name} (p_id);
      INSERT INTO p_${name} SELECT i FROM generate_series(1, 10) i; INSERT INTO c_${name} SELECT i, i, 'client-' || i % 2 FROM generate_series(1, 10) i`);
    await store.writer.putHold({ uid: `held-${name}`, name: 'legal/held', revision: 1, items: [{ table: table(`c_${name}`), predicate: oneOf('client_id', 'client-1') }] });
    const fingerprint = `SELECT md5(string_agg(c::text, ',' ORDER BY id)) AS sum FROM c_${name} c WHERE client_id = 'client-1'`;
    const held = await store.sql(fingerprint);
    expect(await purgeRules([rule(`p_${name}`), rule(`c_${name}`)], { targets: [`p_${name}`] })).toEqual({ [`p_${name}`]: 5, [`c_${name}`]: 5 });
    expect(await store.sql(fingerprint)).toEqual(held);
    expect(await countRows(store, `p_${name} p JOIN c_${name} c ON c.p_id = p.id`)).toBe(5);
  });

  test('a table that refers to itself is taken leaf by leaf, but never under a row that stays', async () => {
    await store.sql(`
      CREATE TABLE comments (id int PRIMARY KEY, parent_id int REFERENCES comments, created_at timestamptz DEFAULT '2020-01-01Z');
      CREATE INDEX ON comments (parent_id);
      INSERT INTO comments SELECT i, CASE WHEN i % 10 = 1 THEN NULL ELSE i - 1 END FROM generate_series(1, 100) i;
      UPDATE comments SET created_at = '2025-01-01Z' WHERE id = 35;
      UPDATE comments SET parent_id = 1 WHERE id = 1`);
    // 31 to 34 are the ancestors of 35, which is not due. 1 refers to itself.
    expect(await purgeRules([rule('comments')])).toEqual({ comments: 95 });
    expect((await store.sql<{ id: number }>('SELECT id FROM comments ORDER BY id')).map(({ id }) => id)).toEqual([31, 32, 33, 34, 35]);
  });

  /** Two, three and one in a ring; a ring with a row that stays; one that a row which is not due refers to; one a held row is in; one that refers to a row beside it. */
  const rings = (name: string, action: string): string => `
    CREATE TABLE ${name} (id int PRIMARY KEY, next_id int, root_id int REFERENCES ${name}, client text NOT NULL DEFAULT 'a', created_at timestamptz NOT NULL DEFAULT '2020-01-01Z');
    CREATE INDEX ON ${name} (next_id); CREATE INDEX ON ${name} (root_id);
    INSERT INTO ${name} (id, next_id, client) VALUES (1, 2, 'a'), (2, 1, 'b'), (3, 4, 'a'), (4, 5, 'a'), (5, 3, 'b'), (6, 6, 'a'), (10, 11, 'a'), (11, 10, 'a'), (20, 21, 'a'), (21, 20, 'a'), (22, 21, 'a'), (30, 31, 'a'), (31, 30, 'held'), (40, 3, 'a'), (41, 40, 'a');
    INSERT INTO ${name} (id, next_id, root_id) VALUES (52, NULL, NULL), (50, 51, 52), (51, 50, 52);
    UPDATE ${name} SET created_at = '2025-01-01Z' WHERE id IN (11, 22);
    ALTER TABLE ${name} ADD FOREIGN KEY (next_id) REFERENCES ${name} ${action}`;
  const staying = [10, 11, 20, 21, 22, 30, 31];
  const idsOf = async (name: string): Promise<number[]> => (await store.sql<{ id: number }>(`SELECT id FROM ${name} ORDER BY id`)).map(({ id }) => id);

  test.each([['no action', ''], ['restrict', 'ON DELETE RESTRICT'], ['cascade', 'ON DELETE CASCADE'], ['set null', 'ON DELETE SET NULL'], ['deferred', 'DEFERRABLE INITIALLY DEFERRED']])('rows in a ring go together in a sweep, where all of them may: %s', async (how, action) => {
    const name = `ring_${how.replace(' ', '_')}`;
    await store.sql(rings(name, action));
    await store.writer.putHold({ uid: name, name: 'legal/ring', revision: 1, items: [{ table: table(name), predicate: oneOf('client', 'held') }] });
    const asked = request([rule(name, { client: { field: 'client' } })]);
    const plan = await store.writer.planPurge(asked);
    expect(plan.forecast).toMatchObject([{ due: 11, held: 1, blocked: 4 }]);
    const claim = await store.writer.claim(name);
    const deleted: Record<string, number> = {};
    const go = async (sweep: boolean): Promise<number> => {
      let rows = 0;
      for await (const batch of store.writer.purge(plan.steps[0]!, { request: asked, claim, pace: { ...pace, lockTimeoutMillis: 500 }, sweep, signal: AbortSignal.timeout(30_000) })) {
        rows += batch.deleted;
        for (const [client, count] of Object.entries(batch.clients)) deleted[client] = (deleted[client] ?? 0) + count;
      }
      return rows;
    };
    // 6 refers to itself only, and nothing refers to 41 and then 40.
    expect([await go(false), await go(true)]).toEqual([3, 8]);
    expect(deleted).toEqual({ a: 9, b: 2 });
    expect(await idsOf(name)).toEqual(staying);
    expect((await store.writer.planPurge(asked)).forecast).toMatchObject([{ due: 0, held: 1, blocked: 4 }]);
    expect(await store.writer.journalTotals(name, 1_000)).toMatchObject({ deleted: 11, collections: [{ collection: name, method: 'BlockRange', deleted: 11 }] });
  });

  test('tables that refer to each other are refused, whatever the depth of the circle', async () => {
    await store.sql(`CREATE TABLE ring_a (id int PRIMARY KEY, next int, created_at timestamptz); CREATE TABLE ring_b (id int PRIMARY KEY, next int REFERENCES ring_a, created_at timestamptz);
      CREATE TABLE ring_c (id int PRIMARY KEY, next int REFERENCES ring_b, created_at timestamptz); ALTER TABLE ring_a ADD FOREIGN KEY (next) REFERENCES ring_c;
      CREATE INDEX ON ring_a (next); CREATE INDEX ON ring_b (next); CREATE INDEX ON ring_c (next)`);
    expect(await refusals([rule('ring_a'), rule('ring_b'), rule('ring_c')])).toEqual(['CycleNotSupported']);
  });

  test('a deferred constraint cannot fail the commit', async () => {
    await store.sql(`
      CREATE TABLE late_p (id int PRIMARY KEY, created_at timestamptz DEFAULT '2020-01-01Z');
      CREATE TABLE late_c (id int PRIMARY KEY, p_id int REFERENCES late_p DEFERRABLE INITIALLY DEFERRED, created_at timestamptz DEFAULT '2025-01-01Z');
      CREATE INDEX ON late_c (p_id); INSERT INTO late_p SELECT i FROM generate_series(1, 10) i; INSERT INTO late_c SELECT i, i FROM generate_series(1, 3) i`);
    expect(await purgeRules([rule('late_p'), rule('late_c')], { targets: ['late_p'] })).toEqual({ late_p: 7 });
  });

  test('from a table nobody mapped, or without an index, is refused; from an empty one declared free of personal data it is not', async () => {
    await store.sql(`CREATE TABLE ref_p (id int PRIMARY KEY, created_at timestamptz); CREATE TABLE ref_c (p_id int REFERENCES ref_p ON DELETE CASCADE); INSERT INTO ref_p VALUES (1, '2020-01-01Z')`);
    expect(await refusals([rule('ref_p')])).toEqual(['UnmappedReference']);
    expect(await refusals([rule('ref_p'), rule('ref_c', { due: { op: 'false' } })])).toEqual(['ForeignKeyWithoutIndex']);
    expect(await refusals([rule('ref_p')], ['ref_c'])).toEqual([]);
    await store.sql('INSERT INTO ref_c VALUES (1)');
    expect(await refusals([rule('ref_p')], ['ref_c'])).toEqual(['UnmappedReference']);
  });
});

describe('what a table does by itself', () => {
  test('rules, triggers and publications that change what a DELETE means are refused', async () => {
    await store.sql(`
      CREATE TABLE ruled (id int, created_at timestamptz); CREATE RULE soft AS ON DELETE TO ruled DO INSTEAD NOTHING;
      CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
      CREATE TABLE watched (id int, created_at timestamptz); CREATE TRIGGER audit BEFORE DELETE ON watched FOR EACH ROW EXECUTE FUNCTION watch();
      CREATE TABLE published (id int, created_at timestamptz); CREATE PUBLICATION out FOR TABLE published`);
    expect(await refusals([rule('ruled'), rule('watched'), rule('published')])).toEqual(['ReplicaIdentity', 'RuleOnDelete', 'TriggerNotAcknowledged']);
    await store.sql('DROP PUBLICATION out');
  });

  test('a trigger of one partition is not acknowledged by the name that another has, unless it runs the same', async () => {
    await store.sql(`
      CREATE TABLE parts (id int, created_at timestamptz) PARTITION BY RANGE (created_at);
      CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM ('2019-01-01Z') TO ('2020-01-01Z'); CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM ('2020-01-01Z') TO ('2021-01-01Z');
      CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'; CREATE FUNCTION copies() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
      CREATE TRIGGER audit BEFORE DELETE ON parts_a FOR EACH ROW EXECUTE FUNCTION counts(); CREATE TRIGGER audit BEFORE DELETE ON parts_b FOR EACH ROW EXECUTE FUNCTION copies()`);
    const acknowledged = [rule('parts', { acknowledged: ['audit'] })];
    expect(await refusals(acknowledged)).toEqual(['TriggerNotAcknowledged']);
    await store.sql('DROP TRIGGER audit ON parts_b; CREATE TRIGGER audit BEFORE DELETE ON parts_b FOR EACH ROW EXECUTE FUNCTION counts()');
    expect(await refusals(acknowledged)).toEqual([]);
    await store.sql('DROP TRIGGER audit ON parts_a; DROP TRIGGER audit ON parts_b; CREATE TRIGGER audit BEFORE DELETE ON parts FOR EACH ROW EXECUTE FUNCTION counts()');
    expect(await refusals(acknowledged)).toEqual([]);
  });

  test('a trigger that keeps rows silently does not make the purge run for ever or count them', async () => {
    await store.sql(`
      CREATE FUNCTION keep_odd() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.id % 2 = 1 THEN RETURN NULL; END IF; RETURN OLD; END';
      CREATE TABLE sticky (id int, created_at timestamptz); INSERT INTO sticky SELECT i, '2020-01-01Z' FROM generate_series(1, 100) i;
      CREATE TRIGGER keep BEFORE DELETE ON sticky FOR EACH ROW EXECUTE FUNCTION keep_odd()`);
    expect(await purgeRules([rule('sticky', { acknowledged: ['keep'] })])).toEqual({ sticky: 50 });
    expect(await countRows(store, 'sticky')).toBe(50);
  });

  test('an acknowledged trigger that deletes from a referring table all the same is caught by the counters', async () => {
    await store.sql(`
      CREATE TABLE side_p (id int PRIMARY KEY, created_at timestamptz DEFAULT '2020-01-01Z');
      CREATE TABLE side_c (id int PRIMARY KEY, p_id int REFERENCES side_p, created_at timestamptz DEFAULT '2025-01-01Z'); CREATE INDEX ON side_c (p_id);
      CREATE FUNCTION sweep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN DELETE FROM public.side_c WHERE p_id <> OLD.id; RETURN NULL; END';
      CREATE TRIGGER sweep AFTER DELETE ON side_p FOR EACH ROW EXECUTE FUNCTION sweep();
      INSERT INTO side_p SELECT i FROM generate_series(1, 5) i; INSERT INTO side_c VALUES (1, 1)`);
    await expect(purgeRules([rule('side_p', { acknowledged: ['sweep'] }), rule('side_c')], { targets: ['side_p'] })).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringMatching(/1 rows of the tables that refer to public.side_p/) });
    expect([await countRows(store, 'side_p'), await countRows(store, 'side_c')]).toEqual([5, 1]);
  });

  test.each<[string, string, string, RegExp]>([
    ['refuses with the code of a missing privilege is not answered by asking for one', `BEGIN RAISE EXCEPTION 'no reader %', OLD.who USING ERRCODE = '42501'; END`, 'Failed', /a function of the store, such as a trigger, refuses it/],
    ['uses a table that we may not is told to be what lacks the privilege', 'BEGIN INSERT INTO public.bin VALUES (OLD.who); RETURN NULL; END', 'PermissionDenied', /a function of the store, such as a trigger, lacks a privilege.*Grant it to/],
  ])('a trigger that %s', async (_what, body, reason, message) => {
    const name = `refused_${reason.toLowerCase()}`;
    await store.sql(`
      CREATE TABLE IF NOT EXISTS bin (who text); REVOKE ALL ON bin FROM PUBLIC, "${store.enforce.user}";
      CREATE TABLE ${name} (who text, created_at timestamptz); INSERT INTO ${name} VALUES ('jane@example.com', '2020-01-01Z');
      CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $f$${body}$f$;
      CREATE TRIGGER audit AFTER DELETE ON ${name} FOR EACH ROW EXECUTE FUNCTION ${name}()`);
    const error: unknown = await purgeRules([rule(name, { acknowledged: ['audit'] })]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason, message: expect.stringMatching(message) });
    expect(String(error)).not.toContain('jane');
    expect(await countRows(store, name)).toBe(1);
  });

  test('row security that hides rows from this login is refused, not taken for an empty table', async () => {
    await store.sql(`CREATE TABLE guarded (id int, created_at timestamptz); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; INSERT INTO guarded VALUES (1, '2020-01-01Z')`);
    expect(await refusals([rule('guarded')])).toEqual(['RowSecurity']);
    await expect(purgeRules([rule('guarded')])).rejects.toThrow(/RowSecurity/);
    expect(await countRows(store, 'guarded')).toBe(1);
  });
});

describe('a hold that cannot be understood keeps the whole table', () => {
  test.each<[string, string, string]>([
    ['when the value is not of the column’s type', 'numbers', 'n'],
    ['when the column is gone', 'columns', 'gone'],
  ])('%s', async (_why, name, field) => {
    await store.sql(`CREATE TABLE hold_${name} (n int, created_at timestamptz); INSERT INTO hold_${name} SELECT i, '2020-01-01Z' FROM generate_series(1, 10) i`);
    await store.writer.putHold({ uid: `odd-${name}`, name: 'legal/odd', revision: 1, items: [{ table: table(`hold_${name}`), predicate: oneOf(field, 'client-1') }] });
    expect(await purgeRules([rule(`hold_${name}`)])).toEqual({});
    expect(await countRows(store, `hold_${name}`)).toBe(10);
  });

  test('but one that is spelled in another way is understood', async () => {
    const id = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
    await store.sql(`CREATE TABLE hold_uuid (u uuid, created_at timestamptz DEFAULT '2020-01-01Z'); INSERT INTO hold_uuid VALUES ('${id}'), (gen_random_uuid())`);
    await store.writer.putHold({ uid: 'uuid', name: 'legal/uuid', revision: 1, items: [{ table: table('hold_uuid'), predicate: oneOf('u', `{${id.toUpperCase()}}`) }] });
    expect(await purgeRules([rule('hold_uuid')])).toEqual({ hold_uuid: 1 });
    expect(await store.sql('SELECT u FROM hold_uuid')).toEqual([{ u: id }]);
  });
});
