import type { ForeignKeyFact, Inventory, TableFact } from '../facts.ts';
import type { TableAddress } from '../predicate.ts';
import type { Connection } from './connection.ts';
import { deleterExtensions, foreignKeysSql, parentsSql, primaryKeysSql, rulesSql, tablesSql, triggersSql, viewsSql } from './inventory-queries.ts';
import type { ForeignKeyRow, KeyRow, ParentRow, RuleRow, SurroundingsRow, TableRow, TriggerRow } from './inventory-queries.ts';
import { utcText } from './sql.ts';

interface CatalogueRows {
  tables: readonly TableRow[];
  parents: readonly ParentRow[];
  primaryKeys: readonly KeyRow[];
  foreignKeys: readonly ForeignKeyRow[];
  triggers: readonly TriggerRow[];
  rules: readonly RuleRow[];
}

/** Everything in the database that can hold, delete or refer to rows, as of one moment. Needs no privilege on any table. */
export async function readInventory(connection: Connection): Promise<Inventory> {
  return connection.transaction(async () => {
    const read = async <Row extends object>(sql: string): Promise<Row[]> => (await connection.query<Row>(sql)).rows;
    const rows: CatalogueRows = {
      tables: await read<TableRow>(tablesSql(connection.serverVersion)),
      parents: await read<ParentRow>(parentsSql),
      primaryKeys: await read<KeyRow>(primaryKeysSql),
      foreignKeys: await read<ForeignKeyRow>(foreignKeysSql(connection.serverVersion)),
      triggers: await read<TriggerRow>(triggersSql),
      rules: await read<RuleRow>(rulesSql),
    };
    const views = await read<TableAddress>(viewsSql);
    const around = (await connection.query<SurroundingsRow>(surroundingsSql, [deleterExtensions])).rows[0];
    if (around === undefined) throw new TypeError('The surroundings query gives one row.');
    return { observedAt: around.now, tables: assembleTables(rows), views, otherDatabases: around.databases, otherDeleters: around.deleters };
  }, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
}

const surroundingsSql = `
SELECT ${utcText('now()')} AS now,
  array(SELECT datname::text FROM pg_database WHERE NOT datistemplate AND datname <> current_database() ORDER BY datname) AS databases,
  array(SELECT extname::text FROM pg_extension WHERE extname = ANY ($1)
    UNION SELECT 'pg_cron in database ' || current_setting('cron.database_name', true) WHERE current_setting('cron.database_name', true) NOT IN ('', current_database())
    ORDER BY 1) AS deleters`;

/** Puts the catalogue's rows together by table. */
function assembleTables(rows: CatalogueRows): TableFact[] {
  const parents = groupBy(rows.parents, (row) => row.child);
  const primaryKeys = new Map(rows.primaryKeys.map((row) => [row.oid, row.columns]));
  const foreignKeys = groupBy(rows.foreignKeys, (row) => row.oid);
  const triggers = groupBy(rows.triggers, (row) => row.oid);
  const rules = groupBy(rows.rules, (row) => row.oid);
  const estimates = estimateRows(rows);
  const sizes = sumBytes(rows);
  return rows.tables.map((row): TableFact => {
    const estimate = estimates(row.oid);
    return {
      schema: row.schema,
      name: row.name,
      oid: row.oid,
      kind: row.kind,
      columns: row.columns,
      primaryKey: primaryKeys.get(row.oid) ?? [],
      parents: (parents.get(row.oid) ?? []).map(({ schema, name }) => ({ schema, name })),
      ...(estimate === undefined ? {} : { estimatedRows: estimate }),
      bytes: sizes(row.oid),
      foreignKeys: (foreignKeys.get(row.oid) ?? []).map(toForeignKey),
      triggers: (triggers.get(row.oid) ?? []).map(({ name, runs, onDelete, before, enabled }) => ({ name, runs, onDelete, before, enabled })),
      rules: (rules.get(row.oid) ?? []).map(({ name, onDelete, instead }) => ({ name, onDelete, instead })),
      rowSecurity: { enabled: row.enabled, forced: row.forced },
      deletesUnpublishable: row.unpublishable,
    };
  });
}

const actions: Record<ForeignKeyRow['action'], ForeignKeyFact['onDelete']> = { a: 'NoAction', r: 'Restrict', c: 'Cascade', n: 'SetNull', d: 'SetDefault' };

function toForeignKey(row: ForeignKeyRow): ForeignKeyFact {
  return {
    name: row.name,
    columns: row.columns,
    references: { schema: row.schema, name: row.table },
    referencedColumns: row.referenced,
    onDelete: actions[row.action],
    indexed: row.indexed,
    validated: row.validated,
    ...(row.temporal ? { temporal: true } : {}),
  };
}

/** A partitioned table is not analysed by autovacuum; its rows are then those of its partitions, when all of them are known. */
function estimateRows({ tables, parents }: CatalogueRows): (oid: string) => number | undefined {
  const byOid = new Map(tables.map((row) => [row.oid, row]));
  const children = groupBy(parents, (row) => row.parent);
  const estimate = (oid: string): number | undefined => {
    const row = byOid.get(oid);
    if (row === undefined) return undefined;
    if (row.kind !== 'PartitionedTable') return row.rows ?? undefined;
    const parts = (children.get(oid) ?? []).map(({ child }) => estimate(child));
    const known = parts.filter((part) => part !== undefined);
    if (known.length === parts.length) return known.reduce((sum, part) => sum + part, 0);
    return row.rows ?? undefined;
  };
  return estimate;
}

/** A partitioned table has no pages of its own. */
function sumBytes({ tables, parents }: CatalogueRows): (oid: string) => number {
  const byOid = new Map(tables.map((row) => [row.oid, row]));
  const children = groupBy(parents, (row) => row.parent);
  const bytes = (oid: string): number => {
    const row = byOid.get(oid);
    if (row?.kind !== 'PartitionedTable') return row?.bytes ?? 0;
    return (children.get(oid) ?? []).reduce((sum, { child }) => sum + bytes(child), 0);
  };
  return bytes;
}

function groupBy<Row>(rows: readonly Row[], key: (row: Row) => string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(key(row));
    if (group === undefined) groups.set(key(row), [row]);
    else group.push(row);
  }
  return groups;
}
