import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CollectionRule, DeclaredReference } from '../../../../src/stores/counting.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { countRows, deletedBy, guard, NOW, oneOf, openStore, purgeAll, request, rule, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';

let server: TestPostgres;
let store: TestStore;
const to = (name: string, field: string, toField = 'id'): DeclaredReference => ({ field, table: table(name), toField });
const withoutDue = ({ due: _due, ...rest }: CollectionRule): CollectionRule => rest;

beforeAll(async () => {
  server = await startPostgres();
  store = await openStore(server, 'references', '');
});
afterAll(async () => {
  await store.close();
  await server.stop();
});

const due = async (rules: CollectionRule[]): Promise<Record<string, { due: number; held: number; blocked: number; blockedForever: number }>> => {
  const counts = await store.writer.count({ rules, now: NOW, budgetMs: 10_000 });
  return Object.fromEntries(counts.map((count) => [count.collection, { due: count.due, held: count.held, blocked: count.blocked, blockedForever: count.blockedForever }]));
};
const refusals = async (rules: CollectionRule[]): Promise<string[]> => (await store.writer.planPurge(request(rules))).refusals.map(({ reason, message }) => `${reason}: ${message}`);

/** Orders of 2020 and lines of them, line n of order n; lines are as old as `lineAge` says. */
async function orders(suffix: string, key: string, lineAge = '2020-01-01Z'): Promise<void> {
  await store.sql(`
    CREATE TABLE orders_${suffix} (id int PRIMARY KEY, created_at timestamptz DEFAULT '2020-01-01Z');
    CREATE TABLE lines_${suffix} (id int PRIMARY KEY, order_id int ${key}, client_id text, created_at timestamptz DEFAULT '${lineAge}');
    CREATE INDEX ON lines_${suffix} (order_id);
    INSERT INTO orders_${suffix} SELECT i FROM generate_series(1, 10) i;
    INSERT INTO lines_${suffix} SELECT i, i, 'client-' || i FROM generate_series(1, 5) i`);
}

describe.each<[string, string, boolean]>([
  ['a foreign key without an action', 'REFERENCES orders_no_action', false],
  ['ON DELETE RESTRICT', 'REFERENCES orders_restrict ON DELETE RESTRICT', false],
  ['a reference that a map declares', '', true],
])('by %s', (_name, key, declared) => {
  const suffix = declared ? 'declared' : key.endsWith('RESTRICT') ? 'restrict' : 'no_action';
  const links = declared ? { references: [to(`orders_${suffix}`, 'order_id')] } : {};
  const order = rule(`orders_${suffix}`);

  test('a held child keeps its parent, which is blocked and not due when all is done', async () => {
    await orders(suffix, key);
    const line = rule(`lines_${suffix}`, links);
    await store.writer.putHold({ uid: suffix, name: 'legal/matter', revision: 1, items: [{ table: line.table, predicate: oneOf('client_id', 'client-1', 'client-2') }] });
    expect(await due([order, line])).toEqual({ [order.collection]: { due: 8, held: 0, blocked: 2, blockedForever: 0 }, [line.collection]: { due: 3, held: 2, blocked: 0, blockedForever: 0 } });
    const { plan, batches } = await purgeAll(store, request([order, line], { targets: [order.collection] }), { run: suffix });
    expect(plan.steps.map(({ collection }) => collection)).toEqual([line.collection, order.collection]);
    expect(deletedBy(batches)).toEqual({ [order.collection]: 8, [line.collection]: 3 });
    expect(await due([order, line])).toEqual({ [order.collection]: { due: 0, held: 0, blocked: 2, blockedForever: 0 }, [line.collection]: { due: 0, held: 2, blocked: 0, blockedForever: 0 } });
  });

  test('a child that is not due keeps its parent, and the run neither fails nor touches it', async () => {
    await store.sql(`DROP TABLE lines_${suffix}; DROP TABLE orders_${suffix}`);
    await orders(suffix, key, '2025-06-01Z');
    const line = rule(`lines_${suffix}`, links);
    const { plan, batches } = await purgeAll(store, request([order, line], { targets: [order.collection] }), { run: `${suffix}-live` });
    expect(plan.forecast.find(({ collection }) => collection === order.collection)).toMatchObject({ due: 5, blocked: 5, exact: true });
    expect(deletedBy(batches)).toEqual({ [order.collection]: 5 });
    expect(await countRows(store, `lines_${suffix} JOIN orders_${suffix} o ON o.id = order_id`)).toBe(5);
    expect(await due([order, line])).toMatchObject({ [order.collection]: { due: 0, blocked: 5, blockedForever: 0 } });
  });

  test('a child without any maximum keeps it for ever, unless something else keeps the child', async () => {
    // The hold of before covers the new table of that name: it keeps the lines 1 and 2, the minimum line 3, and nothing 4 and 5.
    const line = withoutDue(rule(`lines_${suffix}`, { ...links, guards: [guard('some', oneOf('client_id', 'client-3'))] }));
    expect(await due([order, line])).toMatchObject({ [order.collection]: { due: 0, blocked: 5, blockedForever: 2 } });
  });
});

test('over partitions on both sides, within one table and by a key that only one partition has, the count says what a purge leaves', async () => {
  await store.sql(`
    CREATE TABLE threads (id int, created_at timestamptz, up int, up_at timestamptz, PRIMARY KEY (id, created_at), FOREIGN KEY (up, up_at) REFERENCES threads) PARTITION BY RANGE (created_at);
    CREATE TABLE threads_2020 PARTITION OF threads FOR VALUES FROM ('2020-01-01Z') TO ('2021-01-01Z');
    CREATE TABLE threads_2025 PARTITION OF threads FOR VALUES FROM ('2025-01-01Z') TO ('2026-01-01Z');
    CREATE INDEX ON threads (up, up_at);
    CREATE TABLE marks (thread int, thread_at timestamptz, created_at timestamptz) PARTITION BY LIST (thread);
    CREATE TABLE marks_9 PARTITION OF marks FOR VALUES IN (9); CREATE TABLE marks_rest PARTITION OF marks DEFAULT;
    ALTER TABLE marks_9 ADD FOREIGN KEY (thread, thread_at) REFERENCES threads; CREATE INDEX ON marks_9 (thread, thread_at);
    INSERT INTO threads SELECT i, '2020-03-01Z', CASE WHEN i IN (1, 4, 9) THEN NULL ELSE i - 1 END, CASE WHEN i IN (1, 4, 9) THEN NULL ELSE '2020-03-01Z'::timestamptz END FROM generate_series(1, 12) i;
    INSERT INTO threads VALUES (20, '2025-03-01Z', 3, '2020-03-01Z');
    INSERT INTO marks VALUES (9, '2020-03-01Z', '2025-03-01Z'), (4, '2020-03-01Z', '2025-03-01Z')`);
  const rules = [rule('threads'), rule('marks')];
  // 20 is new and answers 3, which answers 2, which answers 1. 9 has a new mark; the mark of 4 has no key.
  const { plan, batches } = await purgeAll(store, request(rules, { targets: ['threads'] }), { run: 'threads' });
  expect(plan.forecast.find(({ collection }) => collection === 'threads')).toMatchObject({ due: 8, blocked: 4, exact: true });
  expect(deletedBy(batches)).toEqual({ threads: 8 });
  expect(await due(rules)).toMatchObject({ threads: { due: 0, blocked: 4, blockedForever: 0 } });
});

describe('a reference that a map declares', () => {
  test('within its own table keeps every row above one that stays', async () => {
    await store.sql(`
      CREATE TABLE notes (id int PRIMARY KEY, answers int, created_at timestamptz DEFAULT '2020-01-01Z'); CREATE INDEX ON notes (answers);
      INSERT INTO notes SELECT i, i - 1 FROM generate_series(1, 10) i; UPDATE notes SET created_at = '2025-06-01Z' WHERE id = 7`);
    const notes = rule('notes', { references: [to('notes', 'answers')] });
    const { plan, batches } = await purgeAll(store, request([notes]), { run: 'notes' });
    expect(plan.forecast).toMatchObject([{ due: 3, blocked: 6 }]);
    expect(deletedBy(batches)).toEqual({ notes: 3 });
    expect(await due([notes])).toMatchObject({ notes: { due: 0, blocked: 6 } });
  });

  test('is compared as the type of its column means, and over partitions', async () => {
    await store.sql(`
      CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
      CREATE TABLE people (mail public.citext PRIMARY KEY, created_at timestamptz DEFAULT '2020-01-01Z');
      CREATE TABLE letters (id int, mail public.citext, created_at timestamptz) PARTITION BY RANGE (created_at);
      CREATE TABLE letters_now PARTITION OF letters FOR VALUES FROM ('2025-01-01Z') TO ('2026-01-01Z');
      CREATE INDEX ON letters (mail);
      INSERT INTO people VALUES ('a@x'), ('b@x'); INSERT INTO letters VALUES (1, 'A@X', '2025-06-01Z')`);
    const { plan, batches } = await purgeAll(store, request([rule('people'), rule('letters', { references: [to('people', 'mail', 'mail')] })], { targets: ['people'] }), { run: 'letters' });
    expect(plan.forecast.find(({ collection }) => collection === 'people')).toMatchObject({ due: 1, blocked: 1 });
    expect(deletedBy(batches)).toEqual({ people: 1 });
  });

  test('that says what a foreign key says is that foreign key', async () => {
    await orders('both', 'REFERENCES orders_both');
    const [line] = (await store.writer.planPurge(request([rule('orders_both'), rule('lines_both', { references: [to('orders_both', 'order_id')] })], { targets: ['orders_both'] }))).steps;
    expect(line?.because).toBe('refers to orders_both (lines_both_order_id_fkey); walks the heap');
  });

  test.each<[string, DeclaredReference, RegExp]>([
    ['without an index', to('parents', 'plain'), /^ForeignKeyWithoutIndex: No index on public\.children leads with plain, by which a data map declares that its rows refer to public\.parents/],
    ['from a column that is gone', to('parents', 'gone'), /^ReferenceNotUsable: .*public\.children has no column gone\. Correct or remove/],
    ['to a column that is gone', to('parents', 'parent_id', 'gone'), /^ReferenceNotUsable: .*public\.parents has no column gone/],
    ['between types that cannot be compared', to('parents', 'word'), /^ReferenceNotUsable: .*word of public\.children is of type text and id of public\.parents of type integer, which cannot be compared/],
  ])('%s is refused before anything goes, and the rows count as due', async (_case, reference, message) => {
    await store.sql(`CREATE TABLE IF NOT EXISTS parents (id int PRIMARY KEY, created_at timestamptz DEFAULT '2020-01-01Z');
      CREATE TABLE IF NOT EXISTS children (plain int, parent_id int, word text, created_at timestamptz DEFAULT '2020-01-01Z'); CREATE INDEX IF NOT EXISTS by_word ON children (word);
      TRUNCATE parents, children; INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1, 1, '1')`);
    const rules = [rule('parents'), withoutDue(rule('children', { references: [reference] }))];
    expect(await refusals(rules)).toEqual([expect.stringMatching(message)]);
    expect(await due(rules)).toMatchObject({ parents: { due: 1, blocked: 0 } });
    await expect(purgeAll(store, request(rules))).rejects.toThrow(/ForeignKeyWithoutIndex|ReferenceNotUsable/);
  });
});
