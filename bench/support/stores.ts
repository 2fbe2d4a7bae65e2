import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { StoreHold } from '../../src/stores/fence.ts';
import type { StoreWriter } from '../../src/stores/port.ts';
import type { Pace, PurgePlan, PurgeRequest } from '../../src/stores/purging.ts';
import { connect } from '../../src/stores/postgres/connection.ts';
import type { Connection } from '../../src/stores/postgres/connection.ts';
import { createReader } from '../../src/stores/postgres/reader.ts';
import { createWriter } from '../../src/stores/postgres/writer.ts';
import { openStore } from '../../test/contract/stores/postgres/purge-support.ts';
import { targetOf } from '../../test/contract/stores/postgres/support.ts';
import { startPostgres } from '../../test/support/postgres.ts';
import type { TestPostgres } from '../../test/support/postgres.ts';

/** The defaults of a policy, with limits no benchmark reaches. */
export const PACE: Pace = { maxBatchMillis: 50, workers: 1, maxReplicaLagSeconds: 10, lockTimeoutMillis: 500, maxWalMegabytesPerRun: 20_480, maxUnarchivedWalMegabytes: 1_024 };
/** Half of all rows of the tables below lie before it. */
export const CUTOFF = '2024-01-01Z';
/** Rows of this client are under a hold; there are a thousand of them in two million. */
const HELD = 'client-held';
/** What a careful person would write by hand for the same rows. */
export const DUE = `created_at > '-infinity' AND created_at < '${CUTOFF}' AND (client_id = '${HELD}') IS FALSE`;
const EVERY = 1_999;

export type Order = 'ordered' | 'random';
/** Spreads times over the heap: row i has the i-th time times this prime, modulo the number of rows. */
export const SPREAD = 7_919;

/** Time of row `i` of `rows`, as SQL: four years around the cutoff. */
function timeOf(order: Order, rows: number): string {
  const position = order === 'ordered' ? 'i' : `(i::bigint * ${SPREAD} % ${rows})`;
  return `timestamptz '2022-01-01Z' + ${position} * (interval '1461 days' / ${rows})`;
}

const COLUMNS = 'id bigint, client_id text NOT NULL, created_at timestamptz NOT NULL, note text';
const valuesOf = (order: Order, rows: number): string =>
  `SELECT i, CASE WHEN i % ${EVERY} = 0 THEN '${HELD}' ELSE 'client-' || (i % 5) END, ${timeOf(order, rows)}, repeat('x', 60) FROM generate_series(1, ${rows}) i`;

/** One table `events`. */
export function eventsSql(order: Order, rows: number): string {
  return `CREATE TABLE events (${COLUMNS}, PRIMARY KEY (id)); INSERT INTO events ${valuesOf(order, rows)}; CREATE INDEX ON events (created_at)`;
}

/** `items` refers to every second event, and has its time and client. */
export function itemsSql(): string {
  return `CREATE TABLE items (id bigint PRIMARY KEY, event_id bigint REFERENCES events ON DELETE CASCADE, client_id text NOT NULL, created_at timestamptz NOT NULL);
    INSERT INTO items SELECT id, id, client_id, created_at FROM events WHERE id % 2 = 0; CREATE INDEX ON items (event_id)`;
}

/** One partition of a table for each of the four years. */
function yearsOf(table: string): string {
  return [2022, 2023, 2024, 2025].map((year) => `CREATE TABLE ${table}_${year} PARTITION OF ${table} FOR VALUES FROM ('${year}-01-01Z') TO ('${year + 1}-01-01Z')`).join('; ');
}

/** `items` refers to every second event of `partitionsSql`, in partitions of the same years. */
export function partitionedItemsSql(): string {
  return `CREATE TABLE items (id bigint, event_id bigint, client_id text NOT NULL, created_at timestamptz NOT NULL, PRIMARY KEY (id, created_at),
      FOREIGN KEY (event_id, created_at) REFERENCES events (id, created_at) ON DELETE CASCADE) PARTITION BY RANGE (created_at); ${yearsOf('items')};
    INSERT INTO items SELECT id, id, client_id, created_at FROM events WHERE id % 2 = 0; CREATE INDEX ON items (event_id, created_at)`;
}

/** `events` in one partition a year, without held rows before the cutoff, since no partition with one is dropped. */
export function partitionsSql(rows: number): string {
  return `CREATE TABLE events (${COLUMNS}, PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at); ${yearsOf('events')};
    INSERT INTO events SELECT i, 'client-' || (i % 5), ${timeOf('ordered', rows)}, repeat('x', 60) FROM generate_series(1, ${rows - 1}) i;
    CREATE INDEX ON events (created_at)`;
}

export interface BenchStore {
  readonly database: string;
  readonly writer: StoreWriter;
  sql<Row extends Record<string, unknown>>(text: string): Promise<Row[]>;
}

/** A server that really writes, with room for the tables, and without an autovacuum that comes when it likes. */
export function startBenchServer(): Promise<TestPostgres> {
  return startPostgres({ durable: true, settings: { shared_buffers: "'1GB'", max_wal_size: "'8GB'", checkpoint_timeout: "'30min'", autovacuum: 'off' } });
}

/** A filled database to be copied for each round, so that every round begins on the same pages; with a hold in force, if on any table. */
export async function createTemplate(server: TestPostgres, name: string, schema: string, held: readonly string[]): Promise<void> {
  const store = await openStore(server, name, schema, { enforceOwnsTables: true });
  const hold: StoreHold = { uid: 'bench', name: 'legal/bench', revision: 1, items: held.map((table) => ({ table: { schema: 'public', name: table }, predicate: { op: 'oneOf', field: { via: [], field: 'client_id' }, values: [HELD] } })) };
  if (held.length > 0) await store.writer.putHold(hold);
  await store.sql('VACUUM ANALYZE');
  await store.close();
}

/** Runs `use` on a fresh copy of a template, and drops it. */
export async function onCopy<T>(server: TestPostgres, template: string, use: (store: BenchStore) => Promise<T>): Promise<T> {
  const database = `${template}_copy`;
  await server.query(`CREATE DATABASE ${database} TEMPLATE ${template} STRATEGY FILE_COPY`);
  const { user, password } = server.identityOf('dataward_enforce');
  const login = (signal?: AbortSignal): Promise<Connection> =>
    connect(targetOf(server, { database }), { type: 'password', username: user, password }, { purpose: 'enforce', ...(signal === undefined ? {} : { signal }) }, { readOnly: false });
  const connection = await login();
  const writer = createWriter({ reader: createReader(connection), connection, connect: login });
  try {
    return await use({ database, writer, sql: (text) => server.query(text, undefined, database) });
  } finally {
    await writer.close();
    await server.query(`DROP DATABASE ${database} WITH (FORCE)`);
  }
}

/** Claims and runs the steps of a plan as the operator does; returns the milliseconds of each batch. */
export async function runPurge(writer: StoreWriter, asked: PurgeRequest, plan: PurgePlan, pace: Partial<Pace> = {}): Promise<number[]> {
  const claim = await writer.claim('bench');
  const batches: number[] = [];
  for (const step of plan.steps) {
    for await (const batch of writer.purge(step, { request: asked, claim, pace: { ...PACE, ...pace }, signal: AbortSignal.timeout(600_000) })) if (batch.seq > 0) batches.push(batch.millis);
  }
  return batches;
}

export interface Cost {
  readonly wallMs: number;
  /** Processor time of the server, which other work on the machine hardly changes. */
  readonly serverMs: number;
  /** Processor time of this process. */
  readonly ownMs: number;
}

/** What `work` costs, from a checkpoint on, so that each piece of work pays for its own first touch of every page. */
export async function costOf(server: TestPostgres, work: () => Promise<unknown>): Promise<Cost> {
  await server.query('CHECKPOINT');
  const server0 = await serverMs(server);
  const own0 = process.cpuUsage();
  const started = performance.now();
  await work();
  const wallMs = performance.now() - started;
  const own = process.cpuUsage(own0);
  // The postmaster counts a login's time once it has collected it.
  await delay(200);
  return { wallMs, serverMs: (await serverMs(server)) - server0, ownMs: (own.user + own.system) / 1000 };
}

/** Of the postmaster and its ended children. */
async function serverMs(server: TestPostgres): Promise<number> {
  const stat = await readFile(`/proc/${server.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
  return fields.slice(11, 15).reduce((sum, ticks) => sum + ticks * 10, 0);
}
