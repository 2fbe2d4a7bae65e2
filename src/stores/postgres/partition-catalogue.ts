import type { TableAddress } from '../predicate.ts';
import type { Connection } from './connection.ts';

/** A partition as the catalogue has it now. */
export interface PartitionState {
  oid: string;
  name: TableAddress;
  parent: TableAddress;
  parentOid: string;
  /** `FOR VALUES …`. */
  bounds: string;
  /** The single column of a RANGE key; undefined for other keys. */
  rangeColumn?: string;
  /** The parent has a default partition; then a partition cannot be detached concurrently. */
  hasDefault: boolean;
  /** This login may detach and drop it. */
  owned: boolean;
  /** Half detached: a concurrent detach of it was begun and has not ended. */
  detachPending: boolean;
  /** Its parent has a half detached partition, this or another; until that is detached no other can be, concurrently. */
  detachUnderWay: boolean;
  /** Size of the heap. */
  bytes: number;
  /** Rows by the statistics and the present size; undefined when never analysed. */
  estimatedRows?: number;
}

interface PartitionRow extends Omit<PartitionState, 'name' | 'parent' | 'rangeColumn' | 'bytes' | 'estimatedRows'> {
  schema: string;
  table: string;
  parent_schema: string;
  parent_name: string;
  range_column: string | null;
  bytes: string;
  estimated_rows: number | null;
}

/** SQL of partitions, of those heap tables `c` that `where` names. */
const partitionsSql = (where: string): string => `
     SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS table, pn.nspname AS parent_schema, p.relname AS parent_name, p.oid::text AS "parentOid",
            coalesce(pg_get_expr(c.relpartbound, c.oid), '') AS bounds,
            (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = p.oid AND a.attnum = k.partattrs[0] AND k.partstrat = 'r' AND k.partnatts = 1) AS range_column,
            k.partdefid <> 0 AS "hasDefault",
            pg_has_role(c.relowner, 'USAGE') AND pg_has_role(p.relowner, 'USAGE') AS owned,
            i.inhdetachpending AS "detachPending",
            EXISTS (SELECT FROM pg_inherits s WHERE s.inhparent = p.oid AND s.inhdetachpending) AS "detachUnderWay",
            pg_relation_size(c.oid, 'main') AS bytes,
            CASE WHEN c.reltuples >= 0 AND c.relpages > 0 THEN c.reltuples::float8 / c.relpages * pg_relation_size(c.oid, 'main') / current_setting('block_size')::int END AS estimated_rows
     FROM pg_inherits i
     JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
     JOIN pg_partitioned_table k ON k.partrelid = p.oid
     WHERE c.relkind = 'r' AND ${where} ORDER BY n.nspname, c.relname`;

const belowSql = `i.inhrelid IN (
       WITH RECURSIVE tree(oid) AS (
         SELECT r.oid FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace WHERE rn.nspname = $1 AND r.relname = $2
         UNION SELECT b.inhrelid FROM tree t JOIN pg_inherits b ON b.inhparent = t.oid)
       SELECT oid FROM tree)`;

/** Partitions that are attached (or half detached) to a table, by name. */
export async function readPartitions(connection: Connection, root: TableAddress): Promise<PartitionState[]> {
  const { rows } = await connection.query<PartitionRow>(partitionsSql(belowSql), [root.schema, root.name]);
  return rows.map(toState);
}

/** A partition by its catalogue identity; undefined when there is none, or when it is no partition any more. */
export async function readPartition(connection: Connection, oid: string): Promise<PartitionState | undefined> {
  const { rows } = await connection.query<PartitionRow>(partitionsSql('i.inhrelid = $1::oid'), [oid], 'partition');
  return rows[0] && toState(rows[0]);
}

function toState({ schema, table, parent_schema, parent_name, range_column, bytes, estimated_rows, ...row }: PartitionRow): PartitionState {
  return {
    ...row,
    bytes: Number(bytes),
    ...(estimated_rows === null ? {} : { estimatedRows: estimated_rows }),
    name: { schema, name: table },
    parent: { schema: parent_schema, name: parent_name },
    ...(range_column === null ? {} : { rangeColumn: range_column }),
  };
}

/** Whether something has to be told of each row that goes: a trigger or rule would not see those of a dropped table, and a subscriber of a publication would keep them. */
export async function deletesAreWatched(connection: Connection, oids: readonly string[]): Promise<boolean> {
  const { rows } = await connection.query<{ watched: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = ANY ($1::oid[]) AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype::int & 8 <> 0)
         OR EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = ANY ($1::oid[]) AND w.ev_type = '4' AND w.ev_enabled <> 'D')
         OR EXISTS (SELECT FROM pg_publication_rel r WHERE r.prrelid = ANY ($1::oid[]))
         OR EXISTS (SELECT FROM pg_publication p WHERE p.puballtables)
         OR EXISTS (SELECT FROM pg_publication_tables p JOIN pg_class c ON c.relname = p.tablename JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = p.schemaname
                    WHERE c.oid = ANY ($1::oid[])) AS watched`,
    [oids],
    'watched',
  );
  return rows[0]?.watched !== false;
}
