import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import type { CollectionRule, DeclaredReference } from '../../../../src/stores/counting.ts';
import { before, guard, NOW, oneOf, openStore, purgeAll, request, rule, table } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';
import { fc, runs } from '../../../support/properties.ts';

let server: TestPostgres;
let store: TestStore;
/** What the key does when its row goes; the last is no foreign key, and a map declares it. */
const DECLARED = 'DECLARED';
const actions = ['CASCADE', 'SET NULL', 'RESTRICT', 'NO ACTION', 'NO ACTION DEFERRABLE INITIALLY DEFERRED', DECLARED];
const actionOf = (suffix: number, key: number): string => actions[(suffix + key) % actions.length] ?? '';

/** Grandparents, parents, children; parents also refer to parents. Each key has its own action, by `suffix`. */
const KEYS: readonly [from: Name, field: 'up' | 'self', to: Name][] = [['p', 'up', 'g'], ['p', 'self', 'p'], ['c', 'up', 'p'], ['c', 'self', 'g']];
const keyOf = (suffix: number, key: number): string => (actionOf(suffix, key) === DECLARED ? '' : `REFERENCES ${KEYS[key]?.[2]}${suffix} ON DELETE ${actionOf(suffix, key)}`);
const declaredBy = (suffix: number, name: Name): DeclaredReference[] => KEYS.flatMap(([from, field, to], key) => (from === name && actionOf(suffix, key) === DECLARED ? [{ field, table: table(`${to}${suffix}`), toField: 'id' }] : []));
const tables = (suffix: number, action: (key: number) => string): string => `
  CREATE TABLE g${suffix} (id int PRIMARY KEY, client_id text, created_at timestamptz, up int, self int);
  CREATE TABLE p${suffix} (id int PRIMARY KEY, client_id text, created_at timestamptz, up int ${action(0)}, self int ${action(1)});
  CREATE TABLE c${suffix} (id int PRIMARY KEY, client_id text, created_at timestamptz, up int ${action(2)}, self int ${action(3)});
  ${['p', 'c'].flatMap((name) => [`CREATE INDEX ON ${name}${suffix} (up);`, `CREATE INDEX ON ${name}${suffix} (self);`]).join('\n')}`;

beforeAll(async () => {
  server = await startPostgres();
  store = await openStore(server, 'model', actions.map((_action, suffix) => tables(suffix, (key) => keyOf(suffix, key))).join(';\n'));
});
afterAll(async () => {
  await store.close();
  await server.stop();
});

type Name = 'g' | 'p' | 'c';
interface Row {
  table: Name;
  id: number;
  client: string | null;
  due: boolean | null;
  up: number | null;
  self: number | null;
}

/** A row refers to any row of the table above, or to one of its own table that may come later. */
const rowsOf = (name: Name, count: number, above: number, self: number): fc.Arbitrary<Row[]> => {
  const reference = (limit: number): fc.Arbitrary<number | null> => (limit === 0 ? fc.constant(null) : fc.option(fc.nat(limit - 1), { freq: 3 }));
  const row = fc.record({
    client: fc.constantFrom('a', 'b', 'held', 'floor', null),
    due: fc.constantFrom(true, true, true, false, null),
    up: reference(above),
    self: reference(self),
  });
  return fc.array(row, { minLength: count, maxLength: count }).map((rows) => rows.map((each, id) => ({ ...each, table: name, id })));
};
const world = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 15 }))
  .chain(([g, p, c]) => fc.tuple(rowsOf('g', g, 0, 0), rowsOf('p', p, g, p), rowsOf('c', c, p, g)))
  .map((parts) => parts.flat());

const refers = (to: Row, from: Row): boolean =>
  from !== to && ((from.table === 'p' && ((to.table === 'g' && from.up === to.id) || (to.table === 'p' && from.self === to.id))) || (from.table === 'c' && ((to.table === 'p' && from.up === to.id) || (to.table === 'g' && from.self === to.id))));

/** Kept by neither the hold nor the minimum; a missing client may be the one they mean. */
const unguarded = (row: Row): boolean => row.client !== null && !['held', 'floor'].includes(row.client);

/** What a purge must leave, said without SQL: it takes away, as long as there is any, a row that may go and that nothing left refers to. */
function leftBy(rows: readonly Row[], goes: (row: Row) => boolean): Row[] {
  let left = [...rows];
  for (;;) {
    const next = left.filter((row) => !goes(row) || left.some((other) => refers(row, other)));
    if (next.length === left.length) return left;
    left = next;
  }
}

/** Rows that may go but for one that refers to them, through others maybe, and may not. A mere circle of rows that may go is not among them. */
function blockedIn(rows: readonly Row[], goes: (row: Row) => boolean): Row[] {
  const staying = new Set(rows.filter((row) => !goes(row)));
  for (let before = -1; before < staying.size; ) {
    before = staying.size;
    for (const row of rows) if ([...staying].some((other) => refers(row, other))) staying.add(row);
  }
  return [...staying].filter(goes);
}

const text = (row: Row): string => `${row.table} ${row.id} ${row.client} ${row.due} ${row.up} ${row.self}`;

async function insert(suffix: number, rows: readonly Row[]): Promise<void> {
  const statements = (['g', 'p', 'c'] as const).map((name) => {
    const values = rows.filter((row) => row.table === name).map((row) => `(${row.id}, ${row.client === null ? 'NULL' : `'${row.client}'`}, ${row.due === null ? 'NULL' : row.due ? `'2020-01-01Z'` : `'2025-01-01Z'`}::timestamptz, ${row.up ?? 'NULL'}::int, ${row.self ?? 'NULL'}::int)`);
    return values.length === 0 ? '' : `INSERT INTO ${name}${suffix} VALUES ${values.join(', ')};`;
  });
  await store.sql(`TRUNCATE g${suffix}, p${suffix}, c${suffix}; ${statements.join('\n')}`);
}

async function readBack(suffix: number): Promise<Row[]> {
  return store.sql<Row & Record<string, unknown>>(
    (['g', 'p', 'c'] as const).map((name) => `SELECT '${name}' AS table, id, client_id AS client, created_at < '2024-01-01Z' AS due, up, self FROM ${name}${suffix}`).join(' UNION ALL '),
  );
}

test('whatever the rows, the references and their actions, a purge leaves exactly what the model leaves', async () => {
  let run = 0;
  for (const [suffix] of actions.entries()) {
    const items = ['g', 'p', 'c'].map((name) => ({ table: table(`${name}${suffix}`), predicate: oneOf('client_id', 'held') }));
    await store.writer.putHold({ uid: `hold-${suffix}`, name: 'legal/h', revision: 1, items });
  }
  await fc.assert(
    fc.asyncProperty(world, fc.nat(actions.length - 1), fc.boolean(), async (rows, suffix, childrenToo) => {
      run += 1;
      await insert(suffix, rows);
      const kept = guard('floor', oneOf('client_id', 'floor'));
      const { due: _due, ...protecting } = rule(`c${suffix}`, { guards: [kept], references: declaredBy(suffix, 'c') });
      const c: CollectionRule = childrenToo ? { ...protecting, due: before() } : protecting;
      const rules = [rule(`g${suffix}`, { guards: [kept] }), rule(`p${suffix}`, { guards: [kept], references: declaredBy(suffix, 'p') }), c];
      const goes = (row: Row): boolean => (childrenToo || row.table !== 'c') && row.due === true && unguarded(row);
      const blocked = blockedIn(rows, goes);
      // Without a rule that makes them due, rows stay for a reason only where a guard keeps them.
      const forGoodReason = blockedIn(rows, (row) => goes(row) || (!childrenToo && row.table === 'c' && unguarded(row)));
      const counted = await store.writer.count({ rules, now: NOW, budgetMs: 10_000 });
      const { plan } = await purgeAll(store, request(rules, { targets: [`g${suffix}`, `p${suffix}`] }), { run: `model-${run}` });
      const expected = leftBy(rows, goes);
      for (const name of ['g', 'p', 'c'] as const) {
        const own = rows.filter((row) => row.table === name && row.due === true && (childrenToo || name !== 'c'));
        const ownBlocked = blocked.filter((row) => own.includes(row));
        const figures = {
          due: own.filter((row) => goes(row)).length - ownBlocked.length,
          held: own.filter((row) => row.client === null || row.client === 'held').length,
          floored: own.filter((row) => row.client === 'floor').length,
          blocked: ownBlocked.length,
        };
        expect(counted.find(({ collection }) => collection === `${name}${suffix}`)).toMatchObject({ ...figures, blockedForever: ownBlocked.filter((row) => !forGoodReason.includes(row)).length, exact: true });
        const forecast = plan.forecast.find(({ collection }) => collection === `${name}${suffix}`);
        if (forecast !== undefined) expect(forecast).toMatchObject({ ...figures, exact: true });
      }
      expect((await readBack(suffix)).map(text).toSorted()).toEqual(expected.map(text).toSorted());
      // A purge that did all it may shows nothing due, except rows that refer to each other in a circle: those nothing keeps.
      const after = await store.writer.count({ rules, now: NOW, budgetMs: 10_000 });
      const circles = expected.filter((row) => goes(row) && !blockedIn(expected, goes).includes(row));
      expect(after.reduce((sum, { due }) => sum + due, 0)).toBe(circles.length);
    }),
    { numRuns: runs(40) },
  );
}, 9_000 * runs(40));
