import type { TableFact } from '../facts.ts';
import { tableKindSql } from './catalogue.ts';

/**
 * The catalogue queries of the inventory. They read pg_catalog only: no table is locked, so neither a running
 * migration nor a lock held by somebody else can make an inventory late or incomplete. Sizes therefore come
 * from the statistics as well.
 */

/** Relations that can hold rows of people: everything but the server's own, temporary tables, and our schema. */
const relations = `
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'm') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'dataward')`;

/** A domain may be over a domain. */
const baseSql = `WITH RECURSIVE domains(base, under) AS (SELECT t.oid, t.typbasetype UNION ALL SELECT b.oid, b.typbasetype FROM domains d JOIN pg_type b ON b.oid = d.under)
    SELECT format_type(base, -1) FROM domains WHERE under = 0`;

/** Views of people, that is none of the server's own. */
export const viewsSql = `
SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'dataward') ORDER BY 1, 2`;

export interface TableRow {
  oid: string;
  schema: string;
  name: string;
  kind: TableFact['kind'];
  /** Null: never analysed. */
  rows: number | null;
  bytes: number;
  enabled: boolean;
  forced: boolean;
  unpublishable: boolean;
  columns: TableFact['columns'];
}

/** @param serverVersion as `server_version_num`; publications of whole schemas exist since 15 */
export function tablesSql(serverVersion: number): string {
  const schemaPublished =
    serverVersion >= 150_000 ? `OR EXISTS (SELECT 1 FROM pg_publication_namespace s JOIN pg_class o ON o.relnamespace = s.pnnspid WHERE s.pnpubid = p.oid AND o.oid IN (SELECT oid FROM line))` : '';
  // A DELETE on a table published for deletes fails unless its rows can be told apart by the subscriber.
  const unpublishable = `
    c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
    AND NOT (c.relreplident = 'f'
      OR c.relreplident = 'd' AND EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate)
      OR c.relreplident = 'i' AND EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid))
    AND EXISTS (
      WITH line AS (SELECT relid::oid AS oid FROM pg_partition_ancestors(c.oid) UNION SELECT c.oid)
      SELECT 1 FROM pg_publication p
      WHERE p.pubdelete AND (p.puballtables OR EXISTS (SELECT 1 FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid IN (SELECT oid FROM line)) ${schemaPublished}))`;
  return `
WITH sizes AS (
  SELECT heap.oid, greatest(heap.relpages, 0) + coalesce(greatest(toast.relpages, 0), 0) + coalesce(indexes.pages, 0) AS pages
  FROM pg_class heap
  LEFT JOIN pg_class toast ON toast.oid = heap.reltoastrelid
  LEFT JOIN (
    SELECT i.indrelid, sum(greatest(x.relpages, 0)) AS pages FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid GROUP BY i.indrelid
  ) indexes ON indexes.indrelid = heap.oid
), columns AS (
  SELECT a.attrelid, json_agg(json_strip_nulls(json_build_object('name', a.attname, 'type', format_type(a.atttypid, -1), 'base', CASE WHEN t.typtype = 'd' THEN (${baseSql}) END, 'number', a.attnum, 'notNull', a.attnotnull)) ORDER BY a.attnum) AS list
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attrelid
)
SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS name, ${tableKindSql} AS kind,
  CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::float8 END AS rows,
  (sizes.pages * current_setting('block_size')::int)::float8 AS bytes,
  c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
  (${unpublishable}) AS unpublishable,
  coalesce(columns.list, '[]'::json) AS columns
${relations.replace('\nWHERE', '\nJOIN sizes ON sizes.oid = c.oid LEFT JOIN columns ON columns.attrelid = c.oid\nWHERE')}
ORDER BY n.nspname, c.relname`;
}

export interface ParentRow {
  child: string;
  schema: string;
  name: string;
  parent: string;
}

export const parentsSql = `
SELECT i.inhrelid::text AS child, n.nspname AS schema, c.relname AS name, c.oid::text AS parent
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f')
ORDER BY i.inhrelid, i.inhseqno`;

export interface KeyRow {
  oid: string;
  columns: string[];
}

export const primaryKeysSql = `
SELECT k.conrelid::text AS oid, array(
  SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS key(number, place)
  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = key.number ORDER BY key.place) AS columns
FROM pg_constraint k WHERE k.contype = 'p'`;

export interface ForeignKeyRow {
  oid: string;
  name: string;
  columns: string[];
  schema: string;
  table: string;
  referenced: string[];
  action: 'a' | 'r' | 'c' | 'n' | 'd';
  indexed: boolean;
  validated: boolean;
  temporal: boolean;
}

/**
 * Every foreign key once per referencing table, partitions included. For a key to a partitioned table the catalogue
 * also has one entry per partition referred to; those repeat the key and are left out.
 *
 * An index serves when its leading columns are those of the key, in any order, over all rows; the period of a temporal
 * key, which is its last column, may be left out.
 *
 * @param serverVersion as `server_version_num`; keys over a period exist since 18
 */
export function foreignKeysSql(serverVersion: number): string {
  const period = serverVersion >= 180_000 ? 'k.conperiod' : 'false';
  return `
SELECT k.conrelid::text AS oid, k.conname AS name, n.nspname AS schema, c.relname AS "table", k.confdeltype AS action, k.convalidated AS validated, ${period} AS temporal,
  array(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS key(number, place)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = key.number ORDER BY key.place) AS columns,
  array(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS key(number, place)
    JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = key.number ORDER BY key.place) AS referenced,
  EXISTS (
    SELECT 1 FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
    WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL AND m.amname = ANY (CASE WHEN ${period} THEN '{btree,hash,gist}'::name[] ELSE '{btree,hash}' END)
      AND i.indnkeyatts >= e.columns
      AND (i.indkey::int2[])[0:e.columns - 1] @> k.conkey[1:e.columns]
  ) AS indexed
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_constraint above ON above.oid = k.conparentid
CROSS JOIN LATERAL (SELECT cardinality(k.conkey) - (${period})::int AS columns) e
WHERE k.contype = 'f' AND (above.oid IS NULL OR above.confrelid = k.confrelid)
ORDER BY k.conrelid, k.conname`;
}

export interface TriggerRow {
  oid: string;
  name: string;
  runs: string;
  onDelete: boolean;
  before: boolean;
  enabled: boolean;
}

/** tgtype is a bit field: 2 BEFORE, 8 DELETE, 64 INSTEAD OF. Arguments may be anything, an address with a password for one. */
export const triggersSql = `
SELECT t.tgrelid::text AS oid, t.tgname AS name,
  n.nspname || '.' || p.proname || CASE WHEN t.tgnargs = 0 THEN '' ELSE '#' || left(encode(sha256(t.tgargs), 'hex'), 8) END AS runs,
  (t.tgtype & 8) <> 0 AS "onDelete", (t.tgtype & 66) <> 0 AS before, t.tgenabled IN ('O', 'A') AS enabled
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace WHERE NOT t.tgisinternal ORDER BY t.tgrelid, t.tgname`;

export interface RuleRow {
  oid: string;
  name: string;
  onDelete: boolean;
  instead: boolean;
}

export const rulesSql = `
SELECT r.ev_class::text AS oid, r.rulename AS name, r.ev_type = '4' AS "onDelete", r.is_instead AS instead
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE c.relkind IN ('r', 'p', 'f') AND r.ev_enabled IN ('O', 'A') ORDER BY r.ev_class, r.rulename`;

export interface SurroundingsRow {
  now: string;
  databases: string[];
  deleters: string[];
}

/** Known extensions that delete rows or drop partitions by a schedule of their own; pg_cron may be run from another database. */
export const deleterExtensions = ['pg_cron', 'pg_partman', 'pgagent', 'pg_ttl_index', 'timescaledb'];
