import type { TestPostgres } from '../../../support/postgres.ts';
import { openStore } from './purge-support.ts';
import type { TestStore } from './purge-support.ts';

/** October 2023 to March 2024, 100 rows each; three months are due. */
export const months = ['2023-10', '2023-11', '2023-12', '2024-01', '2024-02', '2024-03'];
export const views = `
  CREATE TABLE views (id bigint, client_id text, created_at timestamptz NOT NULL) PARTITION BY RANGE (created_at);
  ${months.map((month, index) => `CREATE TABLE "views_${month}" PARTITION OF views FOR VALUES FROM ('${month}-01Z') TO ('${months[index + 1] ?? '2024-04'}-01Z');`).join('\n')}
  INSERT INTO views SELECT i, 'client-' || i % 2, timestamptz '2023-10-01Z' + make_interval(months => ((i - 1) / 100)::int, hours => (i % 100)::int) FROM generate_series(1, 600) i;`;
/** The partitions that are not due. */
export const kept = months.slice(3).map((month) => `views_${month}`);

/** Stores in databases of their own, whose tables the enforce login owns unless something else is said. */
export function partitionStores(server: () => TestPostgres): { storeWith(schema: string, options?: { enforceOwnsTables?: boolean }): Promise<TestStore>; close(): Promise<void> } {
  const open: TestStore[] = [];
  return {
    storeWith: async (schema, options = { enforceOwnsTables: true }) => {
      const store = await openStore(server(), `parts_${open.length + 1}`, `${schema}; GRANT USAGE, CREATE ON SCHEMA public TO PUBLIC`, options);
      open.push(store);
      return store;
    },
    close: async () => {
      await Promise.all(open.map((store) => store.close()));
    },
  };
}

/** Partitions of `views` that are attached. */
export async function partitionsOf(store: TestStore): Promise<string[]> {
  const rows = await store.sql<{ name: string }>(`SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'views'::regclass AND NOT inhdetachpending ORDER BY 1`);
  return rows.map(({ name }) => name.replaceAll('"', ''));
}

/** What a run deleted, by table and method. */
export async function methodsOf(store: TestStore, run: string): Promise<string[]> {
  return (await store.writer.journal(run, 0)).filter(({ deleted }) => deleted > 0).map(({ method, table: { name }, deleted }) => `${method} ${name} ${deleted}`);
}

/** What a process leaves in the journal that is killed after it decided to drop a partition of `views`. */
export async function leaveIntent(store: TestStore, partition: string): Promise<void> {
  await store.sql(`
    INSERT INTO dataward.claim (run, epoch, owner, last_seq) VALUES ('killed', 1, 'cluster-a', 1);
    INSERT INTO dataward.journal (run, seq, epoch, collection, table_schema, table_name, method, kind, position, deleted, clients)
    SELECT 'killed', 1, 1, 'views', 'public', c.relname, 'DropPartition', 'DropIntent',
      jsonb_build_object('leaf', c.oid::text, 'name', jsonb_build_object('schema', 'public', 'name', c.relname), 'parent', jsonb_build_object('schema', 'public', 'name', 'views'), 'parentOid', 'views'::regclass::oid::text, 'bounds', pg_get_expr(c.relpartbound, c.oid)), 0, '{}'
    FROM pg_class c WHERE c.relname = '${partition}'`);
}
