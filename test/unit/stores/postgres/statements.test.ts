import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { StoreError } from '../../../../src/stores/errors.ts';
import type { Guard, Predicate, TableAddress } from '../../../../src/stores/predicate.ts';
import type { Edge } from '../../../../src/stores/postgres/closure.ts';
import type { ResolvedTable } from '../../../../src/stores/postgres/sql.ts';
import { DESTRUCTIVE_STATEMENTS, unreadableGuard } from '../../../../src/stores/postgres/statements.ts';
import type { Deletable, Resolver } from '../../../../src/stores/postgres/statements.ts';

const columns = new Map(['id', 'client_id', 'created_at', 'parent_id', 'a', 'b'].map((name) => [name, { type: name === 'created_at' ? 'timestamp with time zone' : 'text', notNull: false, number: 1 }]));
const tableOf = ({ schema, name }: TableAddress): ResolvedTable => ({ schema, name, oid: '1', kind: 'Table', columns, columnsHash: '' });
const leaf = tableOf({ schema: 'public', name: 'events' });
const resolver: Resolver = { lookup: tableOf, readable: () => true };

const oneOf = (field: string, value: string): Predicate => ({ op: 'oneOf', field: { via: [], field }, values: [value] });
const guard = (name: string, kind: Guard['kind'], field: string): Guard => ({ kind, name, predicate: oneOf(field, name) });
const edge = (name: string, changes: Partial<Edge> = {}): Edge => ({
  constraint: `${name}_fk`,
  child: { schema: 'public', name },
  childRoot: { schema: 'public', name },
  columns: ['a', 'b'],
  parent: leaf,
  referencedColumns: ['id', 'client_id'],
  onDelete: 'Cascade',
  indexed: true,
  self: false,
  ...changes,
});

const what: Deletable = {
  due: oneOf('id', 'due'),
  guards: [guard('minimum', 'Minimum', 'a'), guard('client', 'Client', 'b'), guard('hold', 'Hold', 'client_id')],
  edges: [edge('items'), edge('events', { columns: ['parent_id'], referencedColumns: ['id'], self: true })],
  client: { field: 'client_id' },
};

/** What has to hold for every row that goes; each `$` is a bound value. */
const conditions = [
  '(("r"."id" = ANY ($::text[])))',
  '((("r"."a" = ANY ($::text[]))) IS FALSE)',
  '((("r"."b" = ANY ($::text[]))) IS FALSE)',
  '((("r"."client_id" = ANY ($::text[]))) IS FALSE)',
  'NOT EXISTS (SELECT FROM "public"."items" AS "r_by" WHERE "r_by"."a" = "r"."id" AND "r_by"."b" = "r"."client_id")',
  'NOT EXISTS (SELECT FROM "public"."events" AS "r_by" WHERE "r_by"."parent_id" = "r"."id" AND ("r_by".tableoid, "r_by".ctid) <> ("r".tableoid, "r".ctid))',
];

/** The parts AND-ed at the top of the condition that starts at `start`, up to the parenthesis or word that ends it. */
function conjuncts(sql: string, start: number): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = start;
  for (let index = start; index < sql.length; index += 1) {
    if (sql[index] === '(') depth += 1;
    else if (sql[index] === ')') depth -= 1;
    if (depth < 0 || (depth === 0 && sql.startsWith(' RETURNING', index))) return [...parts, sql.slice(from, index)];
    if (depth === 0 && sql.startsWith(' AND ', index)) {
      parts.push(sql.slice(from, index));
      from = index + 5;
    }
  }
  return [...parts, sql.slice(from)];
}

const unnumbered = (sql: string): string => sql.replaceAll(/\$\d+/g, '$');

describe.each(Object.entries(DESTRUCTIVE_STATEMENTS))('the statement %s', (name, build) => {
  const { text, values } = build('created_at')(what, leaf, resolver);

  test.each(conditions)('asks of every row: %s', (condition) => {
    // For a DELETE it has to stand in the DELETE itself; for a drop, where the rows that must stay are counted.
    const marker = text.includes('DELETE FROM') ? text.indexOf(' WHERE ', text.indexOf('DELETE FROM ONLY')) + 7 : text.indexOf('FILTER (WHERE (') + 15;
    const ringed = name === 'deleteRing' && condition.includes('tableoid') ? 'NOT EXISTS (SELECT FROM "r_below" WHERE stays)' : condition;
    expect(conjuncts(text, marker).map(unnumbered)).toContain(ringed);
  });

  test('addresses one heap table only', () => {
    expect(text).toMatch(name === 'countForDrop' ? /FROM ONLY "public"\."events" AS "r" GROUP BY/ : /DELETE FROM ONLY "public"\."events" AS "r" WHERE "r"\.ctid/);
  });

  test('binds every value', () => {
    const used = new Set([...text.matchAll(/\$(\d+)/g)].map((match) => Number(match[1])));
    expect([...used].toSorted((a, b) => a - b)).toEqual(values.map((_value, index) => index + 1));
    expect(text).not.toMatch(/'(due|minimum|client|hold)'/);
  });
});

/** How rows or tables can go, or change, however it is written; our own tables are not the user's. */
const TAKES_AWAY = /\b(?:delete\s+from|update\s+(?:only\s+)?(?:\S+|\$\{[^}]*\})\s+(?:as\s+\S+\s+)?set|merge\s+into|truncate|drop\s+(?:table|schema|column|database|owned)|alter\s+table)\b(?:\s+only)?(?:\s+[\w.$]+)?/gi;

test('nowhere in the sources is another statement that takes rows or tables of the user away, or changes them', async () => {
  const folder = new URL('../../../../src/', import.meta.url);
  const found: string[] = [];
  for (const file of (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts') && !name.startsWith('local/'))) {
    const source = (await readFile(new URL(file, folder), 'utf8')).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    // Statements are texts: what stands in quotes of any kind.
    for (const [text] of source.matchAll(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g)) {
      for (const [statement] of text.matchAll(TAKES_AWAY)) if (!/\bdataward\./.test(statement)) found.push(`${file}: ${statement.replaceAll(/\s+/g, ' ').trim()}`);
    }
  }
  expect(found.toSorted()).toEqual([
    'stores/postgres/detach.ts: ALTER TABLE $',
    'stores/postgres/drop-stages.ts: ALTER TABLE $',
    'stores/postgres/drop-transaction.ts: ALTER TABLE $',
    'stores/postgres/drop-transaction.ts: DROP TABLE $',
    // Two sentences that tell people what to do.
    'stores/postgres/plan.ts: ALTER TABLE $',
    'stores/postgres/plan.ts: ALTER TABLE ...',
    'stores/postgres/statements.ts: DELETE FROM ONLY $',
  ]);
});

test.each(['delete from x', 'DELETE  FROM ${table} WHERE true', 'UPDATE only x SET a = 1', 'update ${quoteTable(leaf)} AS r SET a = NULL', 'MERGE\n INTO x', 'truncate x', 'Drop Table x', 'ALTER TABLE x DETACH PARTITION y'])('%j would be found', (statement) => {
  expect(statement.match(TAKES_AWAY)).toHaveLength(1);
});

test('every exported statement that deletes is in the list that is walked here', async () => {
  const source = await readFile(new URL('../../../../src/stores/postgres/statements.ts', import.meta.url), 'utf8');
  const bodies = source.split(/\n(?=(?:export )?function )/).filter((body) => /(bareDelete|countedDelete)\(/.test(body));
  const exported = bodies.flatMap((body) => /^export function (\w+)/.exec(body)?.[1] ?? []);
  expect(Object.keys(DESTRUCTIVE_STATEMENTS)).toEqual(expect.arrayContaining(exported));
  expect(exported.length).toBeGreaterThan(0);
});

describe('a guard that cannot be understood', () => {
  const unknownTable: Resolver = {
    ...resolver,
    lookup: (address) => {
      throw new StoreError('NotFound', `no table ${address.name}`);
    },
  };
  const via: Guard = { kind: 'Hold', name: 'hold', predicate: { op: 'oneOf', field: { via: [{ field: 'a', table: { schema: 'public', name: 'gone' }, toField: 'id' }], field: 'x' }, values: ['v'] } };
  test.each<[string, Guard, Resolver, RegExp]>([
    ['names a column that is gone', guard('hold', 'Hold', 'gone'), resolver, /no column gone/],
    ['looks into a table that is gone', via, unknownTable, /no table gone/],
    ['has a value the column cannot hold', guard('hold', 'Hold', 'a'), { ...resolver, readable: () => false }, /1 of its values cannot be read/],
  ])('because it %s keeps every row', (_name, broken, with_, why) => {
    expect(unreadableGuard(broken, leaf, with_)).toMatch(why);
    const { text, values } = DESTRUCTIVE_STATEMENTS.deleteBlocks('created_at')({ due: { op: 'true' }, guards: [broken], edges: [] }, leaf, with_);
    expect(text).toBe('DELETE FROM ONLY "public"."events" AS "r" WHERE "r".ctid >= $1::tid AND "r".ctid < $2::tid AND (TRUE) AND ((TRUE) IS FALSE)');
    expect(values).toHaveLength(2);
  });

  test('never puts its values into the reason', () => {
    expect(unreadableGuard(guard('jane@example.com', 'Hold', 'a'), leaf, { ...resolver, readable: () => false })).not.toMatch(/jane/);
  });
});
