import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Inventory, TableFact } from '../../../../src/stores/facts.ts';
import { resolveTables } from '../../../../src/stores/postgres/catalogue.ts';
import type { Connection } from '../../../../src/stores/postgres/connection.ts';
import { readInventory } from '../../../../src/stores/postgres/inventory.ts';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { login } from './support.ts';

const schema = `
CREATE EXTENSION citext;
CREATE SCHEMA "Shop; DROP";
CREATE TYPE "Shop; DROP"."Colour" AS ENUM ('red', 'blue');
CREATE DOMAIN visitor AS uuid CHECK (VALUE IS NOT NULL);
CREATE TABLE "Shop; DROP"."Order" ("select" bigint PRIMARY KEY, "Group" "Shop; DROP"."Colour", short char(3), mail citext, who visitor, flags bit(4), price numeric(10,2), at timestamp(0) with time zone NOT NULL, tags text[]);
ALTER TABLE "Shop; DROP"."Order" DROP COLUMN price;
CREATE TABLE accounts (tenant int, id int, at timestamptz, PRIMARY KEY (tenant, id));
CREATE TABLE visits (id bigint GENERATED ALWAYS AS IDENTITY, tenant int, account int, at timestamptz,
  CONSTRAINT visits_account FOREIGN KEY (tenant, account) REFERENCES accounts ON DELETE CASCADE);
CREATE INDEX ON visits (account, tenant, at);
CREATE TABLE notes (id int, tenant int, account int, parent int,
  CONSTRAINT notes_account FOREIGN KEY (tenant, account) REFERENCES accounts ON DELETE SET NULL);
CREATE INDEX ON notes (tenant, id, account);
CREATE INDEX ON notes (tenant, account) WHERE account > 0;
CREATE TABLE logs (id bigint, account_tenant int, account_id int, at timestamptz, PRIMARY KEY (id, at), CONSTRAINT logs_account FOREIGN KEY (account_tenant, account_id) REFERENCES accounts) PARTITION BY RANGE (at);
CREATE INDEX ON logs (account_tenant, account_id);
CREATE TABLE logs_2023 PARTITION OF logs FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE logs_rest PARTITION OF logs DEFAULT;
CREATE TABLE lines (log bigint, at timestamptz, CONSTRAINT lines_log FOREIGN KEY (log, at) REFERENCES logs);
CREATE TABLE animals (id int); CREATE TABLE cats () INHERITS (animals);
CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep BEFORE DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION noop();
CREATE TRIGGER quiet AFTER INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION noop('argument');
ALTER TABLE accounts DISABLE TRIGGER quiet;
CREATE RULE soft AS ON DELETE TO notes DO INSTEAD UPDATE notes SET parent = 1 WHERE id = OLD.id;
ALTER TABLE visits ENABLE ROW LEVEL SECURITY; ALTER TABLE visits FORCE ROW LEVEL SECURITY;
CREATE PUBLICATION all_deletes FOR TABLE notes, logs, accounts;
CREATE TABLE lonely (id int);
CREATE MATERIALIZED VIEW copies AS SELECT id, 'x'::text AS mail FROM lonely;
CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing; CREATE FOREIGN TABLE far (id int) SERVER elsewhere;
CREATE SCHEMA dataward; CREATE TABLE dataward.fence (id int);
INSERT INTO logs SELECT n, NULL, NULL, '2023-06-01' FROM generate_series(1, 500) n;
INSERT INTO accounts SELECT 1, n, now() FROM generate_series(1, 100) n;
ANALYZE logs_2023; ANALYZE logs_rest; ANALYZE accounts;
`;

describe('the inventory', () => {
  let server: TestPostgres;
  let connection: Connection;
  let inventory: Inventory;
  const table = (name: string, inSchema = 'public'): TableFact => {
    const found = inventory.tables.find((fact) => fact.schema === inSchema && fact.name === name);
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  };

  beforeAll(async () => {
    server = await startPostgres();
    await server.createDatabase('shop');
    await server.createDatabase('legacy');
    await server.query(schema, undefined, 'shop');
    // The least a login can be: it may read no table, and still sees what there is.
    connection = await login(server, { identity: await server.createRole('observer'), database: 'shop' });
    inventory = await readInventory(connection);
  });
  afterAll(async () => {
    await connection?.close();
    await server?.stop();
  });

  test('names the tables of people and neither the server\'s nor our own', () => {
    expect(inventory.tables.map((fact) => `${fact.schema}.${fact.name} ${fact.kind}`)).toEqual([
      'Shop; DROP.Order Table',
      'public.accounts Table',
      'public.animals Table',
      'public.cats Table',
      'public.copies MaterializedView',
      'public.far ForeignTable',
      'public.lines Table',
      'public.logs PartitionedTable',
      'public.logs_2023 Partition',
      'public.logs_rest Partition',
      'public.lonely Table',
      'public.notes Table',
      'public.visits Table',
    ]);
    expect(inventory.observedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(Math.abs(Date.parse(inventory.observedAt) - Date.now())).toBeLessThan(60_000);
  });

  test('keeps the case of names and the order of columns, without the dropped ones', () => {
    expect(table('Order', 'Shop; DROP').columns.map(({ name, type, notNull }) => [name, type, notNull])).toEqual([
      ['select', 'bigint', true],
      ['Group', '"Shop; DROP"."Colour"', false],
      ['short', 'bpchar', false],
      ['mail', 'public.citext', false],
      ['who', 'public.visitor', false],
      ['flags', '"bit"', false],
      ['at', 'timestamp with time zone', true],
      ['tags', 'text[]', false],
    ]);
    expect(table('accounts').primaryKey).toEqual(['tenant', 'id']);
    expect(table('visits').primaryKey).toEqual([]);
  });

  test('resolves a table to types that a value can be cast to without loss, and to the type\'s own operators', async () => {
    const lookup = await resolveTables(connection, [{ schema: 'Shop; DROP', name: 'Order' }, { schema: 'public', name: 'gone' }]);
    const order = lookup({ schema: 'Shop; DROP', name: 'Order' });
    expect(order.oid).toBe(table('Order', 'Shop; DROP').oid);
    expect(order.columns.get('who')).toEqual({ type: 'uuid', notNull: false, number: expect.any(Number) });
    expect(order.columns.get('mail')).toEqual({ type: 'public.citext', notNull: false, number: expect.any(Number), operators: 'public' });
    expect(order.columns.get('Group')).toEqual({ type: '"Shop; DROP"."Colour"', notNull: false, number: expect.any(Number) });
    expect(() => lookup({ schema: 'public', name: 'gone' })).toThrow(/no table public.gone in database shop/);
  });

  test('reads foreign keys with the action and whether an index leads with their columns', () => {
    expect(table('visits').foreignKeys).toEqual([
      {
        name: 'visits_account',
        columns: ['tenant', 'account'],
        references: { schema: 'public', name: 'accounts' },
        referencedColumns: ['tenant', 'id'],
        onDelete: 'Cascade',
        indexed: true,
        validated: true,
      },
    ]);
    // One index has another column in between, the other leaves rows out.
    expect(table('notes').foreignKeys).toMatchObject([{ name: 'notes_account', onDelete: 'SetNull', indexed: false }]);
    expect(table('lonely').foreignKeys).toEqual([]);
  });

  test('reads a key of a partitioned table on each partition, and a key to one only once', () => {
    for (const name of ['logs', 'logs_2023', 'logs_rest']) {
      expect(table(name).foreignKeys).toMatchObject([{ columns: ['account_tenant', 'account_id'], references: { name: 'accounts' }, onDelete: 'NoAction', indexed: true }]);
    }
    expect(table('lines').foreignKeys.map(({ name, references }) => [name, references.name])).toEqual([['lines_log', 'logs']]);
  });

  test('reads parents of partitions and of inheritance', () => {
    expect(table('logs_2023').parents).toEqual([{ schema: 'public', name: 'logs' }]);
    expect(table('cats').parents).toEqual([{ schema: 'public', name: 'animals' }]);
  });

  test('estimates by statistics, a partitioned table by its partitions, and says nothing where nothing is known', () => {
    expect(table('accounts').estimatedRows).toBe(100);
    expect(table('logs').estimatedRows).toBe(500);
    expect(table('lonely')).not.toHaveProperty('estimatedRows');
    expect(table('logs').bytes).toBe(table('logs_2023').bytes + table('logs_rest').bytes);
    expect(table('accounts').bytes).toBeGreaterThanOrEqual(8192);
  });

  test('reads what can keep a deleted row or do more than delete it', () => {
    expect(table('accounts').triggers).toEqual([
      { name: 'keep', runs: 'public.noop', onDelete: true, before: true, enabled: true },
      { name: 'quiet', runs: expect.stringMatching(/^public\.noop#[0-9a-f]{8}$/), onDelete: false, before: false, enabled: false },
    ]);
    expect(table('notes').rules).toEqual([{ name: 'soft', onDelete: true, instead: true }]);
    expect(table('visits').rowSecurity).toEqual({ enabled: true, forced: true });
    expect(table('notes').rowSecurity).toEqual({ enabled: false, forced: false });
  });

  test('says which tables fail every DELETE because a subscriber could not find the row', async () => {
    const failing = inventory.tables.filter((fact) => fact.deletesUnpublishable).map((fact) => fact.name);
    expect(failing).toEqual(['notes']);
    await expect(server.query('ALTER TABLE notes DISABLE RULE soft; DELETE FROM notes WHERE false', undefined, 'shop')).rejects.toThrow(/replica identity/);
    await server.query('ALTER TABLE notes ENABLE RULE soft', undefined, 'shop');
  });

  test('sees a table published through all tables, or through its schema', async () => {
    const publications = ['FOR ALL TABLES', ...(connection.serverVersion >= 150_000 ? ['FOR TABLES IN SCHEMA public'] : [])];
    for (const scope of publications) {
      await server.query(`CREATE PUBLICATION wide ${scope}`, undefined, 'shop');
      const failing = (await readInventory(connection)).tables.filter((fact) => fact.deletesUnpublishable).map((fact) => fact.name);
      await server.query('DROP PUBLICATION wide', undefined, 'shop');
      // A foreign table is never published; accounts and logs have a primary key.
      expect(failing).toEqual(['animals', 'cats', 'lines', 'lonely', 'notes', 'visits']);
    }
  });

  test('names the other databases of the server and no deleter where there is none', () => {
    expect(inventory.otherDatabases).toEqual(['legacy', 'postgres']);
    expect(inventory.otherDeleters).toEqual([]);
  });

  test('does not wait for a table that somebody has locked', async () => {
    const other = await login(server, { database: 'shop', settings: { readOnly: false } });
    await other.query('BEGIN');
    await other.query('LOCK TABLE public.accounts IN ACCESS EXCLUSIVE MODE');
    const started = Date.now();
    const { tables } = await readInventory(connection);
    expect(Date.now() - started).toBeLessThan(1_500);
    await other.close();
    expect(tables).toHaveLength(inventory.tables.length);
  });
});
