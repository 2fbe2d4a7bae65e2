import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { loadDataset } from '../../examples/demo/load.ts';
import { startPostgres } from '../support/postgres.ts';
import type { TestPostgres } from '../support/postgres.ts';

interface MappedTable {
  readonly table: { readonly name: string };
  readonly subjectKeys?: readonly { readonly field: string }[];
  readonly times?: readonly { readonly field?: string; readonly via?: string }[];
  readonly references?: readonly { readonly field: string }[];
  readonly fields?: readonly { readonly name: string }[];
  readonly client?: { readonly field: string };
  readonly acknowledge?: readonly { readonly trigger: string }[];
}

interface MapManifest {
  readonly spec: { readonly client: { readonly field: string }; readonly collections: readonly MappedTable[]; readonly nonPersonal: readonly MappedTable[] };
}

const now = new Date('2026-11-24T10:30:00Z');
const fingerprint = `SELECT md5(string_agg(t::text, '' ORDER BY id)) AS sum FROM page_views AS t`;

describe('the data of the demo', () => {
  let server: TestPostgres;
  let loadedInMillis: number;
  const rows = <Row extends Record<string, unknown>>(sql: string) => server.query<Row>(sql, undefined, 'analytics');
  beforeAll(async () => {
    server = await startPostgres();
    await server.createDatabase('analytics');
    const started = performance.now();
    await loadDataset((sql) => server.query(sql, undefined, 'analytics'), now);
    loadedInMillis = performance.now() - started;
  });
  afterAll(() => server.stop('immediate'));

  test('is about 300,000 rows, loads within seconds, and 40 % of the page views are older than 25 months', async () => {
    const tables = ['clients', 'visitors', 'sessions', 'page_views', 'page_view_items', 'custom_events', 'invoices', 'schema_migrations', 'tmp_upload'];
    const counts = tables.map((table) => `(SELECT count(*) FROM ${table})`);
    const [total] = await rows<{ n: number }>(`SELECT (${counts.join(' + ')})::int AS n`);
    expect(Math.abs((total?.n ?? 0) - 300_000)).toBeLessThan(10_000);
    const [old] = await rows<{ share: number }>(
      `SELECT avg((viewed_at < timestamptz '${now.toISOString()}' - interval '25 months')::int)::float AS share FROM page_views`,
    );
    expect(old?.share).toBeCloseTo(0.4, 2);
    expect(loadedInMillis).toBeLessThan(30_000); // 3 s on an idle machine
  });

  test('has moments nobody can believe: missing, in the future, and from 1970', async () => {
    const implausible = (table: string, field: string) => rows<Record<string, number>>(
      `SELECT count(*) FILTER (WHERE ${field} IS NULL)::int AS missing, count(*) FILTER (WHERE ${field} > '${now.toISOString()}')::int AS future,
         count(*) FILTER (WHERE ${field} < '2005-01-01')::int AS ancient FROM ${table}`,
    );
    expect(await implausible('page_views', 'viewed_at')).toEqual([{ missing: 0, future: 1, ancient: 1 }]);
    expect(await implausible('custom_events', 'occurred_at')).toEqual([{ missing: 1, future: 1, ancient: 1 }]);
  });

  test('is the same for the same moment, whatever the time zone of the connection', async () => {
    await server.createDatabase('again');
    await loadDataset((sql) => server.query(`SET TIME ZONE 'Pacific/Auckland'; ${sql}`, undefined, 'again'), now);
    const [second] = await server.query<{ sum: string }>(fingerprint, undefined, 'again');
    const [first] = await rows<{ sum: string }>(fingerprint);
    expect(second?.sum).toBe(first?.sum);
  });

  test('has an index for every foreign key, without which deleting 100 rows takes seconds', async () => {
    const unindexed = await rows(`
      SELECT conname FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid
      WHERE contype = 'f' AND NOT t.relispartition AND NOT EXISTS (
        SELECT FROM pg_index AS i WHERE i.indrelid = c.conrelid AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)`);
    expect(unindexed).toEqual([]);
  });

  test('is described by the data map down to every column, but for the upload nobody owns up to', async () => {
    const map = parse(await readFile(new URL('../../examples/datamap-analytics-web.yaml', import.meta.url), 'utf8')) as MapManifest;
    const columns = await rows<{ relname: string; attname: string; is_key: boolean }>(`
      SELECT relname, attname, EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND attnum = ANY(conkey)) AS is_key FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped`);
    const collections = new Map(map.spec.collections.map((collection) => [collection.table.name, collection]));
    const nonPersonal = new Set(map.spec.nonPersonal.map(({ table }) => table.name));
    const described = (table: string) => describedColumns(map, collections.get(table));
    const open = columns.filter(({ relname, attname, is_key }) => !nonPersonal.has(relname) && !is_key && !described(relname).has(attname));
    expect([...new Set(open.map(({ relname }) => relname))]).toEqual(['tmp_upload']);
    const existing = new Set(columns.map(({ relname, attname }) => `${relname}.${attname}`));
    const invented = [...collections.keys()].flatMap((table) => [...described(table)].map((column) => `${table}.${column}`)).filter((column) => !existing.has(column));
    expect(invented).toEqual([]);
  });

  test('its one trigger is acknowledged by the map, and writes a count for somebody with no right to write', async () => {
    const triggers = await rows<{ tgname: string }>('SELECT DISTINCT tgname FROM pg_trigger WHERE NOT tgisinternal');
    expect(triggers).toEqual([{ tgname: 'page_views_audit' }]);
    const role = await server.createRole('housekeeper');
    await rows('GRANT SELECT, DELETE ON page_views, page_view_items TO housekeeper');
    await rows('SET ROLE housekeeper; DELETE FROM page_view_items WHERE page_view_id = 2; DELETE FROM page_views WHERE id = 2');
    expect(role.user).toBe('housekeeper');
    expect(await rows('SELECT rows::int FROM page_view_deletions')).toEqual([{ rows: 1 }]);
  });
});

function describedColumns(map: MapManifest, collection: MappedTable | undefined): Set<string> {
  if (collection === undefined) return new Set();
  const named = [
    (collection.client ?? map.spec.client).field,
    ...(collection.fields ?? []).map(({ name }) => name),
    ...(collection.subjectKeys ?? []).map(({ field }) => field),
    ...(collection.references ?? []).map(({ field }) => field),
    ...(collection.times ?? []).flatMap(({ field, via }) => [field, via]),
  ];
  return new Set(named.filter((name) => name !== undefined));
}
