import type { CollectionRule } from '../counting.ts';
import type { Predicate, TableAddress } from '../predicate.ts';
import { keysetColumn } from './facts.ts';
import type { Connection } from './connection.ts';

/** A partition as the catalogue has it now. */
export interface PartitionState {
  oid: string;
  name: TableAddress;
  parent: TableAddress;
  /** `FOR VALUES …`. */
  bounds: string;
  /** The single column of a RANGE key; undefined for other keys. */
  rangeColumn?: string;
  /** The parent has a default partition; then a partition cannot be detached concurrently. */
  hasDefault: boolean;
  /** This login may detach and drop it. */
  owned: boolean;
  detachPending: boolean;
  /** Size of the heap. */
  bytes: number;
  /** Rows by the statistics and the present size; undefined when never analysed. */
  estimatedRows?: number;
}

/** Partitions that are attached (or half detached) to a table, by name. */
export async function readPartitions(connection: Connection, root: TableAddress): Promise<PartitionState[]> {
  const { rows } = await connection.query<Omit<PartitionState, 'name' | 'parent' | 'rangeColumn' | 'bytes' | 'estimatedRows'> & { bytes: string; estimated_rows: number | null; schema: string; table: string; parent_schema: string; parent_name: string; range_column: string | null }>(
    `WITH RECURSIVE tree(oid) AS (
       SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
       UNION SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid)
     SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS table, pn.nspname AS parent_schema, p.relname AS parent_name,
            coalesce(pg_get_expr(c.relpartbound, c.oid), '') AS bounds,
            (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = p.oid AND a.attnum = k.partattrs[0] AND k.partstrat = 'r' AND k.partnatts = 1) AS range_column,
            k.partdefid <> 0 AS "hasDefault",
            pg_has_role(c.relowner, 'USAGE') AND pg_has_role(p.relowner, 'USAGE') AS owned,
            i.inhdetachpending AS "detachPending", pg_relation_size(c.oid, 'main') AS bytes,
            CASE WHEN c.reltuples >= 0 AND c.relpages > 0 THEN c.reltuples::float8 / c.relpages * pg_relation_size(c.oid, 'main') / current_setting('block_size')::int END AS estimated_rows
     FROM tree t JOIN pg_inherits i ON i.inhrelid = t.oid
     JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
     JOIN pg_partitioned_table k ON k.partrelid = p.oid
     WHERE c.relkind = 'r' ORDER BY n.nspname, c.relname`,
    [root.schema, root.name],
  );
  return rows.map(({ schema, table, parent_schema, parent_name, range_column, bytes, estimated_rows, ...row }) => ({
    ...row,
    bytes: Number(bytes),
    ...(estimated_rows === null ? {} : { estimatedRows: estimated_rows }),
    name: { schema, name: table },
    parent: { schema: parent_schema, name: parent_name },
    ...(range_column === null ? {} : { rangeColumn: range_column }),
  }));
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
  );
  return rows[0]?.watched !== false;
}

/**
 * True when nothing can be inserted into the partition any more that is not due: its key is the time the rule
 * starts from, and its upper bound is not after the cutoff. A partition of another key (a client, a hash) is
 * still needed when all of its present rows are due.
 */
export async function liesBeforeCutoff(connection: Connection, partition: PartitionState, rule: Pick<CollectionRule, 'due'>): Promise<boolean> {
  const upper = /^FOR VALUES FROM \(.*\) TO \('?([^'()]+)'?\)$/.exec(partition.bounds)?.[1];
  if (upper === undefined || upper === 'MAXVALUE' || partition.rangeColumn === undefined || partition.rangeColumn !== keysetColumn(rule)) return false;
  const due = firstBefore(rule.due);
  if (due === undefined) return false;
  const { time, cutoff } = due;
  switch (time.type) {
    case 'TimestampTZ':
      return holds(connection, '$1::timestamptz <= $2::timestamptz', [upper, cutoff.instant]);
    case 'Timestamp':
      return holds(connection, '($1::timestamp AT TIME ZONE $3) <= $2::timestamptz', [upper, cutoff.instant, time.timeZone ?? 'UTC']);
    case 'Date':
      return holds(connection, '$1::date <= $2::date', [upper, cutoff.localDate]);
    case 'EpochSeconds':
      return holds(connection, '$1::numeric <= $2::numeric', [upper, String(Date.parse(cutoff.instant) / 1000)]);
    case 'EpochMillis':
      return holds(connection, '$1::numeric <= $2::numeric', [upper, String(Date.parse(cutoff.instant))]);
  }
}

async function holds(connection: Connection, condition: string, values: readonly string[]): Promise<boolean> {
  const { rows } = await connection.query<{ holds: boolean }>(`SELECT ${condition} AS holds`, values);
  return rows[0]?.holds === true;
}

function firstBefore(predicate: Predicate | undefined): Extract<Predicate, { op: 'before' }> | undefined {
  if (predicate?.op === 'before' && predicate.time.path.via.length === 0) return predicate;
  return predicate?.op === 'and' ? predicate.of.map(firstBefore).find((found) => found !== undefined) : undefined;
}
