import { StoreError } from '../errors.ts';
import type { Claim } from '../fence.ts';
import { JOURNAL_PAGE_ROWS, type JournalTotals } from '../journal.ts';
import type { JournalRow, PurgeMethod } from '../purging.ts';
import type { TableAddress } from '../predicate.ts';
import { columnsHashSql } from './catalogue.ts';
import type { Connection } from './connection.ts';
import { countersOf, countersSql } from './counters.ts';
import type { CountedTables, CounterRow, Counters } from './counters.ts';
import { utcText } from './sql.ts';
import type { ResolvedTable } from './sql.ts';
import type { BlockRange } from './statements.ts';
import { shapeSql } from './target.ts';

/** A batch, or a stage of a partition drop, which cannot run inside one transaction. */
export type JournalKind = 'Batch' | 'DropIntent' | 'Drop' | 'Reattach';

export interface JournalEntry {
  collection: string;
  table: TableAddress;
  method: PurgeMethod;
  kind: JournalKind;
  position: BatchPosition | DropPosition;
  deleted: number;
  clients: Record<string, number>;
}

/** How far the first pass over one heap table came: everything in [from, next) was visited. */
export interface BatchPosition {
  leaf: string;
  pass: number;
  from: number;
  next: number;
}

/** What is needed to finish or undo a drop after a crash. */
export interface DropPosition {
  leaf: string;
  name: TableAddress;
  parent: TableAddress;
  /** Catalogue identity of the parent, which it keeps under another name. Absent in entries of older versions. */
  parentOid?: string;
  /** `FOR VALUES …` as the catalogue writes it. */
  bounds: string;
  /** Of a `Reattach` that attached nothing, because there was nothing of ours any more. */
  lost?: 'moved' | 'gone';
}

/**
 * Writes the record of what the current transaction deletes and returns its sequence number. Must be the last
 * thing before COMMIT: it locks the claim, which workers of one run share.
 *
 * @throws StoreError `Fenced` when the claim is not the newest
 */
export async function appendJournal(connection: Connection, claim: Claim, entry: JournalEntry): Promise<number> {
  const { rows } = await connection.query<{ seq: string }>(insertSql('0', ''), valuesOf(claim, entry));
  return Number((rows[0] ?? takenOver(claim)).seq);
}

/**
 * The same for a batch, in the same round trip as the server's word of what the transaction did up to now.
 *
 * @param before the counters before it deleted anything
 * @param reads tables it looked into
 * @returns `walBytes`: log written since then; `columns`: the `columnsHash` of each of `reads`, with commas between them;
 *   `named`: catalogue identities of the tables that have the names of the entry's and of `reads`, with commas between them
 */
export async function appendBatch(connection: Connection, claim: Claim, entry: JournalEntry, counted: CountedTables, before: Counters, reads: readonly ResolvedTable[]): Promise<{ seq: number; walBytes: number; counters: Counters; shape: string; columns: string; named: string }> {
  const { rows } = await connection.query<CounterRow & { seq: string; wal_bytes: string; shape: string; columns: string; named: string }>(
    insertSql('pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $11::pg_lsn)', `, wal_bytes, ${countersSql('$12', '$13')}, ${shapeSql('$13::oid')} AS shape, ${columnsOfAllSql('$14')} AS columns, ${namedSql('$15', '$16')} AS named`),
    [...valuesOf(claim, entry), before.lsn, counted.referring, counted.own, reads.map(({ oid }) => oid), [entry.table, ...reads].map(({ schema }) => schema), [entry.table, ...reads].map(({ name }) => name)],
    'journal',
  );
  const row = rows[0] ?? takenOver(claim);
  return { seq: Number(row.seq), walBytes: Number(row.wal_bytes), counters: countersOf(row), shape: row.shape, columns: row.columns, named: row.named };
}

function columnsOfAllSql(oids: string): string {
  return `coalesce((SELECT string_agg(coalesce(${columnsHashSql('u.o')}, ''), ',' ORDER BY u.n) FROM unnest(${oids}::oid[]) WITH ORDINALITY AS u(o, n)), '')`;
}

function namedSql(schemas: string, names: string): string {
  return `(SELECT string_agg(coalesce(to_regclass(format('%I.%I', u.s, u.t))::oid::text, ''), ',' ORDER BY u.n) FROM unnest(${schemas}::text[], ${names}::text[]) WITH ORDINALITY AS u(s, t, n))`;
}

function insertSql(walBytes: string, also: string): string {
  return `WITH claimed AS (UPDATE dataward.claim SET last_seq = last_seq + 1 WHERE run = $1 AND epoch = $2 RETURNING last_seq)
     INSERT INTO dataward.journal (run, seq, epoch, collection, table_schema, table_name, method, kind, position, deleted, clients, wal_bytes)
     SELECT $1, last_seq, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10::jsonb, ${walBytes} FROM claimed RETURNING seq${also}`;
}

function valuesOf(claim: Claim, entry: JournalEntry): unknown[] {
  return [claim.run, claim.epoch, entry.collection, entry.table.schema, entry.table.name, entry.method, entry.kind, JSON.stringify(entry.position), entry.deleted, JSON.stringify(entry.clients)];
}

function takenOver(claim: Claim): never {
  throw new StoreError('Fenced', `Run ${claim.run} was taken over; epoch ${claim.epoch} is no longer the newest.`);
}

/**
 * Rows of one run after a sequence number, in order: at most `JOURNAL_PAGE_ROWS` of them, and no more than about
 * `PAGE_BYTES`, but at least one. Empty: there are no more. A run that was at work for a night has a row for each batch.
 */
export async function readJournal(connection: Connection, run: string, afterSeq: number): Promise<JournalRow[]> {
  const { rows } = await connection.query<{ seq: string; epoch: string; collection: string; table_schema: string; table_name: string; method: PurgeMethod; deleted: string; clients: Record<string, number>; at: string }>(
    `SELECT seq, epoch, collection, table_schema, table_name, method, deleted, clients, ${utcText('at')} AS at
     FROM (SELECT page.*, row_number() OVER (ORDER BY seq) AS place, sum(pg_column_size(clients)) OVER (ORDER BY seq) AS bytes
           FROM (SELECT * FROM dataward.journal WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT $3) page) sized
     WHERE place = 1 OR bytes <= $4 ORDER BY seq`,
    [run, afterSeq, JOURNAL_PAGE_ROWS, PAGE_BYTES],
  );
  return rows.map((row) => ({
    run,
    seq: Number(row.seq),
    epoch: Number(row.epoch),
    collection: row.collection,
    table: { schema: row.table_schema, name: row.table_name },
    method: row.method,
    deleted: Number(row.deleted),
    clients: row.clients,
    at: row.at,
  }));
}

/** A batch may have named every one of its rows' clients: a page of such rows would not fit into memory. */
const PAGE_BYTES = 1_048_576;

/** What a run deleted by its rows up to `throughSeq`, added up where the rows are. */
export async function readTotals(connection: Connection, run: string, throughSeq: number): Promise<JournalTotals> {
  const { rows } = await connection.query<{ collection: string; method: PurgeMethod; deleted: string; last: string; rows: string }>(
    `SELECT collection, method, sum(deleted) AS deleted, max(seq) AS last, count(*) AS rows FROM dataward.journal WHERE run = $1 AND seq <= $2
     GROUP BY collection, method ORDER BY collection, method`,
    [run, throughSeq],
  );
  const collections = rows.map(({ collection, method, deleted }) => ({ collection, method, deleted: Number(deleted) }));
  return { lastSeq: Math.max(0, ...rows.map(({ last }) => Number(last))), rows: rows.reduce((sum, group) => sum + Number(group.rows), 0), deleted: collections.reduce((sum, { deleted }) => sum + deleted, 0), collections };
}

/** Rows a run deleted of each client, by its rows up to `throughSeq`. */
export async function readClients(connection: Connection, run: string, throughSeq: number): Promise<Map<string, number>> {
  const { rows } = await connection.query<{ client: string; deleted: string }>(
    `SELECT client, sum(rows::bigint) AS deleted FROM dataward.journal, jsonb_each_text(clients) AS c (client, rows)
     WHERE run = $1 AND seq <= $2 GROUP BY client ORDER BY client`,
    [run, throughSeq],
  );
  return new Map(rows.map(({ client, deleted }) => [client, Number(deleted)]));
}

export interface RunProgress {
  /** By leaf (catalogue identity): heap pages the first pass has visited. */
  visited: ReadonlyMap<string, readonly BlockRange[]>;
  /** True when the first pass was over and later ones were under way. */
  firstPassDone: boolean;
  /** WAL written so far by all steps of the run, bytes. */
  walBytes: number;
}

/** Where a run stands in one collection, from the rows that were committed with the deletions. */
export async function readProgress(connection: Connection, run: string, collection: string): Promise<RunProgress> {
  const { rows } = await connection.query<{ leaf: string; pass: number; from: string; next: string }>(
    `SELECT position->>'leaf' AS leaf, (position->>'pass')::int AS pass, position->>'from' AS "from", max((position->>'next')::bigint) AS next
     FROM dataward.journal WHERE run = $1 AND collection = $2 AND kind = 'Batch' GROUP BY 1, 2, 3`,
    [run, collection],
  );
  const visited = new Map<string, BlockRange[]>();
  for (const row of rows.filter(({ pass }) => pass === 1)) {
    visited.set(row.leaf, [...(visited.get(row.leaf) ?? []), { from: Number(row.from), to: Number(row.next) }]);
  }
  const wal = await connection.query<{ bytes: string }>('SELECT coalesce(sum(wal_bytes), 0) AS bytes FROM dataward.journal WHERE run = $1', [run]);
  return { visited, firstPassDone: rows.some(({ pass }) => pass > 1), walBytes: Number(wal.rows[0]?.bytes ?? 0) };
}

/** SQL: the newest row of a journal `alias` first, whichever run it is of. A schema that an older release made may lack the number. */
export const newestFirst = (alias: string): string => `(to_jsonb(${alias})->>'ordinal')::bigint DESC NULLS LAST, ${alias}.at DESC, ${alias}.seq DESC`;

/** Drops that were begun, by any run, and neither finished nor undone; `run`: which one began it last. */
export async function readOpenDrops(connection: Connection): Promise<(DropPosition & { run: string })[]> {
  const { rows } = await connection.query<{ position: DropPosition; kind: JournalKind; run: string }>(
    `SELECT DISTINCT ON (j.position->>'leaf') j.position, j.kind, j.run FROM dataward.journal j
     WHERE j.kind IN ('DropIntent', 'Drop', 'Reattach') ORDER BY j.position->>'leaf', ${newestFirst('j')}`,
  );
  return rows.filter(({ kind }) => kind === 'DropIntent').map(({ position, run }) => ({ ...position, run }));
}
