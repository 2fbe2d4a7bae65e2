import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { StoreHold } from '../../../../src/stores/fence.ts';
import type { FieldPath, Predicate } from '../../../../src/stores/predicate.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { before, countRows, oneOf, openStore, pace, purgeAll, request, rule, runPlan, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';

let server: TestPostgres;
const open: TestStore[] = [];
let made = 0;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await Promise.all(open.map((store) => store.close()));
  await server.stop();
});

async function storeWith(schema: string): Promise<TestStore> {
  const store = await openStore(server, `held_columns_${(made += 1)}`, `${schema}; GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC`);
  open.push(store);
  return store;
}

/** 100 rows that are due, 10 of each person; who is also told by a number, by an alias, and by the owner that a row refers to. */
const COLUMNS = `id bigint, tenant int NOT NULL DEFAULT 1, person text NOT NULL, alias text, owner_id bigint, other_id bigint, details jsonb, seen_at timestamptz, created_at timestamptz NOT NULL`;
const ROWS = `SELECT i AS id, 1, 'p' || i % 10, 'q' || i % 10, i % 10, (i + 5) % 10, jsonb_build_object('who', 'p' || i % 10), '2020-01-01Z'::timestamptz, '2020-01-01Z'::timestamptz FROM generate_series(1, 100) i`;
const PLAIN = `CREATE TABLE v (${COLUMNS}, PRIMARY KEY (tenant, id)); INSERT INTO v ${ROWS};
  CREATE TABLE owners (id bigint, code bigint, person text); INSERT INTO owners SELECT i, i, 'p' || i FROM generate_series(0, 9) i`;
/** One partition was a table of its own before, so that no column has the same number in it. */
const PARTED = `CREATE TABLE v (${COLUMNS}) PARTITION BY RANGE (id); CREATE TABLE v1 PARTITION OF v FOR VALUES FROM (0) TO (51);
  CREATE TABLE v2 (gone int, created_at timestamptz NOT NULL, person text NOT NULL, alias text, gone_too int, tenant int NOT NULL DEFAULT 1, owner_id bigint, other_id bigint, details jsonb, seen_at timestamptz, id bigint);
  ALTER TABLE v2 DROP gone, DROP gone_too; ALTER TABLE v ATTACH PARTITION v2 FOR VALUES FROM (51) TO (200); INSERT INTO v ${ROWS}`;
/** The rows of one person are in a child that alone knows him by a number; the parent is empty. */
const CHILD = `CREATE TABLE v (${COLUMNS}); CREATE TABLE w (gone int, ssn uuid, other uuid) INHERITS (v); ALTER TABLE w DROP gone;
  INSERT INTO w SELECT r.*, ('00000000-0000-0000-0000-00000000000' || r.id % 10)::uuid, ('00000000-0000-0000-0000-00000000001' || r.id % 10)::uuid FROM (${ROWS}) r`;
const PERSON_1 = '00000000-0000-0000-0000-000000000001';

const through = (field: string, toField: string, last: string): FieldPath => ({ via: [{ field, table: table('owners'), toField }], field: last });
const OWNED: Predicate = { op: 'oneOf', field: through('owner_id', 'id', 'person'), values: ['p1'] };
const hold = (predicate: Predicate, of = 'v', changes: Partial<StoreHold> = {}): StoreHold => ({ uid: 'h', name: 'legal/h', revision: 1, items: [{ table: table(of), predicate }], ...changes });
const because = async (store: TestStore): Promise<string[]> => (await store.writer.misread((await store.writer.fence())?.holds.flatMap(({ items }) => items) ?? [])).map((each) => each.because);
const replace = (column: string, of = 'v', type = 'text'): string => `ALTER TABLE ${of} RENAME ${column} TO ${column}_before; ALTER TABLE ${of} ADD ${column} ${type}`;
const swap = (one: string, other: string, of = 'v'): string => `ALTER TABLE ${of} RENAME ${one} TO aside; ALTER TABLE ${of} RENAME ${other} TO ${one}; ALTER TABLE ${of} RENAME aside TO ${other}`;

describe('a hold keeps all rows of its table, and says why, where a name of it belongs to another column than when it was put', () => {
  test.each<[string, string, Predicate, string, RegExp]>([
    ['one that was added after the column got another name', PLAIN, oneOf('person', 'p1'), `${replace('person')} NOT NULL DEFAULT ''`, /^person of public\.v is another column than when the hold was put \(number 10, then 3\)$/],
    ['one it changed names with', PLAIN, oneOf('person', 'p1'), swap('person', 'alias'), /^person of public\.v is another column/],
    ['one that was added after the column was dropped', PLAIN, oneOf('person', 'p1'), `ALTER TABLE v DROP person; ALTER TABLE v ADD person text`, /^person of public\.v is another column/],
    ['one of several, of a key of two columns', PLAIN, { op: 'and', of: [oneOf('id', '1', '11'), oneOf('tenant', '1')] }, `ALTER TABLE v DROP CONSTRAINT v_pkey; ${replace('tenant', 'v', 'int NOT NULL DEFAULT 2')}`, /^tenant of public\.v is another column/],
    ['one with the persons in its jsonb', PLAIN, { op: 'jsonOneOf', field: { via: [], field: 'details' }, keys: ['who'], values: ['p1'] }, `${replace('details', 'v', `jsonb DEFAULT '{"who":"p7"}'`)}`, /^details of public\.v is another column/],
    ['one with a time', PLAIN, { op: 'not', of: before('seen_at') }, `UPDATE v SET seen_at = '2025-01-01Z' WHERE person = 'p1'; ${replace('seen_at', 'v', `timestamptz NOT NULL DEFAULT '2020-01-01Z'`)}`, /^seen_at of public\.v is another column/],
    ['the one that refers to a table it is asked for in', PLAIN, OWNED, swap('owner_id', 'other_id'), /^owner_id of public\.v is another column/],
    ['the one of that table that is referred to', PLAIN, OWNED, `UPDATE owners SET code = 9 - id; ${swap('id', 'code', 'owners')}`, /^id of public\.owners is another column/],
    ['the one of that table', PLAIN, OWNED, `${replace('person', 'owners', `text NOT NULL DEFAULT 'p7'`)}`, /^person of public\.owners is another column/],
    ['one of another table that took the name of that', PLAIN, OWNED, `ALTER TABLE owners RENAME TO owners_before; CREATE TABLE owners AS SELECT id, code, 'p7' AS person FROM owners_before; GRANT ALL ON owners TO PUBLIC`, /^public\.owners is another table than when the hold was put \(oid \d+, then \d+\)$/],
    ['one of a partitioned table and its partitions', PARTED, oneOf('person', 'p1'), replace('person'), /^person of public\.v is another column/],
    ['one of a partition that was out of its table meanwhile', PARTED, oneOf('person', 'p1'), `ALTER TABLE v DETACH PARTITION v2; ${swap('person', 'alias', 'v2')}; ALTER TABLE v2 ALTER alias DROP NOT NULL; UPDATE v2 SET person = '' WHERE person IS NULL; ALTER TABLE v2 ALTER person SET NOT NULL; ALTER TABLE v ATTACH PARTITION v2 FOR VALUES FROM (51) TO (200)`, /^person of public\.v is another column than when the hold was put \(number 4, then 3\)$/],
  ])('%s', async (_what, schema, predicate, change, expected) => {
    const store = await storeWith(schema);
    const { items } = await store.writer.putHold(hold(predicate));
    const held = await store.writer.countKept(table('v'), predicate, { budgetMs: 10_000 });
    expect([items, await because(store), (await store.writer.planPurge(request([rule('v')]))).forecast[0]?.held]).toEqual([hold(predicate).items, [], held.rows]);
    await store.sql(change);
    expect(await because(store)).toEqual([expect.stringMatching(expected)]);
    expect((await store.writer.planPurge(request([rule('v')]))).forecast).toMatchObject([{ due: 0, held: 100 }]);
    await purgeAll(store, request([rule('v')]));
    expect(await countRows(store, 'v')).toBe(100);
    // Looked at again it knows what the column is called since, and goes on to mean it.
    const again = await store.writer.putHold(hold(predicate));
    expect(again.items[0]?.predicate).toEqual(predicate);
    expect(again.items[0]?.widened).toMatch(new RegExp(expected.source.replace(/\\\)\$$/, '').replace(/\$$/, '')));
  });

  test.each([
    ['a child that alone has the column', 'v', 'ssn'],
    ['a child it is put on', 'w', 'ssn'],
  ])('of %s', async (_what, of, column) => {
    const store = await storeWith(CHILD);
    await store.writer.putHold(hold(oneOf(column, PERSON_1), of));
    const left = async (): Promise<number> => (await store.sql<{ rows: number }>(`SELECT count(*)::int AS rows FROM w WHERE '${PERSON_1}' IN (ssn, other)`))[0]?.rows ?? 0;
    await store.sql(`${swap('ssn', 'other', 'w')}`);
    expect(await because(store)).toContainEqual(expect.stringMatching(new RegExp(`^${column} of public\\.${of} is another column than when the hold was put \\(number 12, then 11\\)`)));
    await purgeAll(store, request([rule('v')]));
    expect([await left(), await countRows(store, 'v')]).toEqual([10, 100]);
  });

  test('which it does not, in the same table, of columns that it does not ask for', async () => {
    const store = await storeWith(PARTED);
    await store.writer.putHold(hold(oneOf('person', 'p1')));
    await store.sql(`${swap('owner_id', 'other_id')}; ALTER TABLE v DROP details; ALTER TABLE v ADD note text; CREATE TABLE v3 PARTITION OF v FOR VALUES FROM (200) TO (300)`);
    await store.sql('VACUUM FULL v1');
    await store.writer.putHold(hold(oneOf('person', 'p1')));
    await store.sql('ALTER TABLE v RENAME TO visits; ALTER TABLE visits RENAME TO v; ALTER TABLE v RENAME person TO who; ALTER TABLE v RENAME who TO person');
    expect(await because(store)).toEqual([]);
    await purgeAll(store, request([rule('v')]));
    expect(await countRows(store, 'v')).toBe(10);
  });
});

describe('a column that has another type by now', () => {
  test.each<[string, string, Predicate, number]>([
    ['is the same where numbers became larger', 'ALTER TABLE v ALTER tenant TYPE bigint', oneOf('tenant', '01'), 10],
    ['is the same where texts lost their length', 'ALTER TABLE v ALTER code TYPE text', oneOf('code', 'A1'), 10],
    ['is the same where it became text and each value was written as the store writes it', 'ALTER TABLE v ALTER ssn TYPE text', oneOf('ssn', PERSON_1), 10],
    ['is the same where texts became numbers', 'ALTER TABLE v ALTER number TYPE int USING number::int', oneOf('number', '1'), 10],
    ['is another one where a value would be written in another way', 'ALTER TABLE v ALTER tenant TYPE text', oneOf('tenant', '01'), 100],
    ['is another one where no two types have the same values', 'ALTER TABLE v ALTER ssn TYPE uuid[] USING ARRAY[ssn]', oneOf('ssn', PERSON_1), 100],
  ])('%s', async (_what, change, predicate, left) => {
    const store = await storeWith(`CREATE TABLE v (id int, tenant int, code varchar(9), ssn uuid, number text, created_at timestamptz NOT NULL);
      INSERT INTO v SELECT i, i % 10, 'A' || i % 10, ('00000000-0000-0000-0000-00000000000' || i % 10)::uuid, i % 10, '2020-01-01Z' FROM generate_series(1, 100) i`);
    await store.writer.putHold(hold(predicate));
    await store.sql(change);
    await store.writer.putHold(hold(predicate));
    expect((await because(store)).length).toBe(left === 100 ? 1 : 0);
    await purgeAll(store, request([rule('v')]));
    expect(await countRows(store, 'v')).toBe(left);
  });
});

test('a column that changes names between two batches lifts nothing of a hold', async () => {
  const store = await storeWith(`CREATE TABLE v (id int, person text, alias text, created_at timestamptz, filler text); INSERT INTO v SELECT i, 'p' || i % 10, '', '2020-01-01Z', repeat('x', 400) FROM generate_series(1, 3000) i`);
  await store.writer.putHold(hold(oneOf('person', 'p1')));
  const asked = request([rule('v')]);
  const plan = await store.writer.planPurge(asked);
  const claim = await store.writer.claim('run-1');
  let batches = 0;
  const working = (async () => {
    for (const step of plan.steps) {
      for await (const { deleted } of store.writer.purge(step, { request: asked, claim, pace, signal: AbortSignal.timeout(30_000) })) {
        if (deleted > 0 && (batches += 1) === 1) await store.sql(swap('person', 'alias'));
      }
    }
  })();
  // A purge whose names mean other columns than when it began ends by itself.
  await expect(working).rejects.toMatchObject({ reason: 'Conflict', message: expect.stringContaining('is another column than when this began') });
  expect((await store.sql(`SELECT count(*)::int AS rows FROM v WHERE alias = 'p1'`))[0]).toEqual({ rows: 300 });
});

test('a table it looks into that another takes the name of between two batches lifts nothing of a hold either', async () => {
  const store = await storeWith(`CREATE TABLE owners (id int PRIMARY KEY, person text); INSERT INTO owners SELECT i, 'p' || i FROM generate_series(0, 9) i;
    CREATE TABLE v (id int, owner_id int, created_at timestamptz, filler text); INSERT INTO v SELECT i, i % 10, '2020-01-01Z', repeat('x', 400) FROM generate_series(1, 3000) i`);
  await store.writer.putHold(hold(OWNED));
  const asked = request([rule('v')]);
  const plan = await store.writer.planPurge(asked);
  const claim = await store.writer.claim('run-1');
  let deleted = 0;
  for (const step of plan.steps) {
    for await (const batch of store.writer.purge(step, { request: asked, claim, pace, signal: AbortSignal.timeout(30_000) })) {
      if (deleted === 0 && batch.deleted > 0) await store.sql(`ALTER TABLE owners RENAME TO owners_before; CREATE TABLE owners AS SELECT id, 'p7' AS person FROM owners_before; GRANT ALL ON owners TO PUBLIC`);
      deleted += batch.deleted;
    }
  }
  // After the swap nobody knows whose row is whose, so all that were left then stay.
  expect([deleted, await countRows(store, 'v')]).toEqual([expect.any(Number), 3_000 - deleted]);
  expect(deleted).toBeLessThan(2_700);
  expect((await store.sql(`SELECT count(*)::int AS rows FROM v WHERE owner_id = 1`))[0]).toEqual({ rows: 300 });
});

test('a column that changes names while the statements are compiled lifts nothing of a hold', async () => {
  const store = await storeWith(PLAIN);
  await store.writer.putHold(hold(oneOf('person', 'p1')));
  const plan = await store.writer.planPurge(request([rule('v')]));
  let done = false;
  // Right after the holds were read, and before anything else is.
  const writer = await store.another(undefined, (connection) => ({
    ...connection,
    query: async (text, ...rest) => {
      if (!done && text.startsWith('WITH RECURSIVE family')) {
        done = true;
        await store.sql(swap('person', 'alias'));
      }
      return connection.query(text, ...rest);
    },
  }));
  await runPlan(writer, plan, request([rule('v')]));
  expect([done, await countRows(store, 'v')]).toEqual([true, 100]);
});

describe('what the columns of a hold are', () => {
  test('is found out at the next look for one that an older release put', async () => {
    const store = await storeWith(PLAIN);
    await store.writer.putHold(hold(oneOf('person', 'p1')));
    await store.sql('ALTER TABLE dataward.hold_item DROP columns');
    expect([(await store.writer.fence())?.holds[0]?.items, await because(store)]).toEqual([hold(oneOf('person', 'p1')).items, []]);
    const { holdsRevision } = await store.writer.putHold(hold(oneOf('person', 'p1')));
    expect(holdsRevision).toBe(1);
    await store.sql(replace('person'));
    expect(await because(store)).toEqual([expect.stringMatching(/^person of public\.v is another column/)]);
  });

  test('has its place in a schema that an older release made, from the next look at the store on', async () => {
    const store = await storeWith(PLAIN);
    await store.sql('ALTER TABLE dataward.hold_item DROP columns');
    await store.writer.install({ owner: 'cluster-a', readers: [] });
    expect(await store.sql(`SELECT attname AS name FROM pg_attribute WHERE attrelid = 'dataward.hold_item'::regclass AND attnum > 0 AND NOT attisdropped AND attname = 'columns'`)).toEqual([{ name: 'columns' }]);
  });

  test('goes on under another uid, by which the hold is put in its place', async () => {
    const store = await storeWith(PLAIN);
    const { items } = await store.writer.putHold(hold(oneOf('person', 'p1')));
    await store.sql(replace('person'));
    await store.writer.putHold(hold(oneOf('person', 'p1'), 'v', { uid: 'copy', items }), ['h']);
    await store.writer.releaseHold('h');
    expect(await because(store)).toEqual([expect.stringMatching(/^person of public\.v is another column.*called person_before since/)]);
  });

  test('is what they are called now for a hold that is put anew', async () => {
    const store = await storeWith(PLAIN);
    await store.writer.putHold(hold(oneOf('person', 'p1')));
    await store.sql(`${replace('person')}; UPDATE v SET person = person_before`);
    await store.writer.putHold(hold(oneOf('person', 'p1'), 'v', { uid: 'anew' }));
    await store.writer.releaseHold('h');
    expect(await because(store)).toEqual([]);
    await purgeAll(store, request([rule('v')]));
    expect(await countRows(store, 'v')).toBe(10);
  });

  /** The rows of the store, as a dump brings them into another database. */
  async function restore(from: TestStore, schema: string): Promise<TestStore> {
    const into = await storeWith(schema);
    for (const name of ['hold', 'hold_item']) {
      const [dump] = await from.sql<{ rows: unknown }>(`SELECT jsonb_agg(to_jsonb(h)) AS rows FROM dataward.${name} h`);
      await into.sql(`INSERT INTO dataward.${name} SELECT * FROM jsonb_populate_recordset(NULL::dataward.${name}, $1::jsonb)`, [JSON.stringify(dump?.rows)]);
    }
    return into;
  }
  const OTHER_ORDER = `CREATE TABLE v (person text, id int, created_at timestamptz, alias text, person_before text); INSERT INTO v SELECT 'p' || i % 10, i, '2020-01-01Z', '', 'p' || i % 10 FROM generate_series(1, 100) i`;

  test('is what they are called in a store that was restored from a dump', async () => {
    const store = await storeWith(PLAIN);
    await store.writer.putHold(hold(oneOf('person', 'p1')));
    const restored = await restore(store, OTHER_ORDER);
    expect(await because(restored)).toEqual([]);
    await restored.writer.putHold(hold(oneOf('person', 'p1')));
    expect([await because(restored), (await restored.writer.planPurge(request([rule('v')]))).forecast[0]?.held]).toEqual([[], 10]);
    await restored.sql(swap('person', 'alias'));
    expect(await because(restored)).toEqual([expect.stringMatching(/^person of public\.v is another column than when the hold was put \(number 4, then 1\)/)]);
  });

  test('is what they are called there also where another column had the name before', async () => {
    const store = await storeWith(PLAIN);
    await store.writer.putHold(hold(oneOf('person', 'p1')));
    await store.sql(replace('person'));
    await store.writer.putHold(hold(oneOf('person', 'p1')));
    const restored = await restore(store, OTHER_ORDER);
    expect(await because(restored)).toEqual([expect.stringMatching(/^person of public\.v is another column.*that one was called person_before before the table was made anew/)]);
    await restored.writer.putHold(hold(oneOf('person', 'p1')));
    expect(await because(restored)).toEqual([expect.stringMatching(/^person of public\.v is another column than when the hold was put \(number 1, then 5, called person_before since\)/)]);
    await restored.sql('ALTER TABLE v DROP person; ALTER TABLE v RENAME person_before TO person');
    expect(await because(restored)).toEqual([]);
  });

  test('and the table of it is what that was called in a store that was restored from a dump, not one that has its number there', async () => {
    const store = await storeWith(PLAIN);
    const put = (into: TestStore): Promise<unknown> => into.writer.putHold(hold({ op: 'true' }, 'v', { items: [{ table: table('v'), predicate: { op: 'true' } }, { table: table('v'), predicate: oneOf('person', 'p1') }] }));
    await put(store);
    await store.sql('ALTER TABLE v RENAME TO visits; CREATE TABLE v (id int, person text)');
    await put(store);
    const restored = await restore(store, `${OTHER_ORDER}; CREATE TABLE visits AS TABLE v; CREATE TABLE stranger (person text)`);
    await restored.sql(`UPDATE dataward.hold_item SET table_oid = 'stranger'::regclass`);
    const named = async (): Promise<string[]> => [...new Set((await restored.writer.fence())?.holds.flatMap(({ items }) => items.map((item) => item.table.name)))].toSorted();
    expect(await named()).toEqual(['stranger', 'v']);
    const revision = (await restored.writer.fence())?.holdsRevision ?? 0;
    await put(restored);
    // Statements that were compiled before know nothing of it.
    expect([await named(), await because(restored), (await restored.writer.fence())?.holdsRevision]).toEqual([['v', 'visits'], [], revision + 1]);
    await restored.sql(swap('person', 'alias', 'visits'));
    await put(restored);
    expect([await named(), await because(restored)]).toEqual([['v', 'visits'], [expect.stringMatching(/^person of public\.v is another column than when the hold was put \(number 4, then 1/)]]);
  });

  test('is what they are called in a table that was dropped and made anew', async () => {
    const store = await storeWith(PLAIN);
    await store.writer.putHold(hold(oneOf('person', 'p1')));
    await store.sql(`DROP TABLE v; ${OTHER_ORDER}; GRANT ALL ON v TO PUBLIC`);
    expect(await because(store)).toEqual([]);
    await store.writer.putHold(hold(oneOf('person', 'p1')));
    await store.sql(swap('person', 'alias'));
    expect(await because(store)).toEqual([expect.stringMatching(/^person of public\.v is another column/)]);
  });
});

test('a value that is none of the type of a column that a child alone has keeps all of that child, and batches go on in the others', async () => {
  const store = await storeWith(`${CHILD}; CREATE TABLE x (ssn text) INHERITS (v); INSERT INTO x SELECT r.*, CASE WHEN r.id % 10 = 1 THEN 'no uuid' ELSE 'x' END FROM (${ROWS}) r`);
  await store.writer.putHold(hold(oneOf('ssn', 'no uuid'), 'w'));
  expect(await because(store)).toEqual([expect.stringMatching(/^1 of its values cannot be read/)]);
  await purgeAll(store, request([rule('v')]));
  expect([await countRows(store, 'w'), await countRows(store, 'x')]).toEqual([100, 10]);
});
