/**
 * A purge beside one bare DELETE with the same predicates, on a real PostgreSQL of this machine.
 *
 * Run: npx tsx bench/purge.bench.ts [rows…]   (default 500000 2000000)
 *
 * Wall time says little on a busy machine; the CPU time of the server's processes and of this one hardly depends
 * on what else runs.
 */
import { readFile } from 'node:fs/promises';
import type { Pace, PurgePlan, PurgeRequest, StoreWriter } from '../src/stores/port.ts';
import { startPostgres } from '../test/support/postgres.ts';
import type { TestPostgres } from '../test/support/postgres.ts';
import { openStore, request, rule } from '../test/contract/stores/postgres/purge-support.ts';
import type { TestStore } from '../test/contract/stores/postgres/purge-support.ts';

const ROUNDS = 3;
const pace: Pace = { maxBatchMillis: 50, workers: 1, maxReplicaLagSeconds: 10, lockTimeoutMillis: 500, maxWalMegabytesPerRun: 20_480, maxUnarchivedWalMegabytes: 1_024 };
const due = `created_at > '-infinity' AND created_at < '2024-01-01Z'`;

interface Shape {
  name: string;
  tables(rows: number): string;
  bare: string[];
  collections: string[];
}

const events = (rows: number): string => `
  CREATE TABLE events (id bigint PRIMARY KEY, client_id text, created_at timestamptz NOT NULL, note text);
  INSERT INTO events SELECT i, 'client-' || (i % 5), timestamptz '2022-01-01Z' + i * (interval '4 years' / ${rows}), repeat('x', 60) FROM generate_series(1, ${rows}) i;
  CREATE INDEX ON events (created_at); VACUUM ANALYZE events`;

const shapes: Shape[] = [
  { name: 'one table', tables: events, bare: [`DELETE FROM events WHERE ${due}`], collections: ['events'] },
  {
    name: 'parent and half as many children',
    tables: (rows) => `${events(rows)};
      CREATE TABLE items (id bigint PRIMARY KEY, event_id bigint REFERENCES events ON DELETE CASCADE, created_at timestamptz NOT NULL);
      INSERT INTO items SELECT id, id, created_at FROM events WHERE id % 2 = 0;
      CREATE INDEX ON items (event_id); VACUUM ANALYZE items`,
    bare: [`DELETE FROM items WHERE ${due}`, `DELETE FROM events e WHERE ${due} AND NOT EXISTS (SELECT FROM items i WHERE i.event_id = e.id)`],
    collections: ['events', 'items'],
  },
];

interface Cost {
  wallMs: number;
  serverCpuMs: number;
  ownCpuMs: number;
}

/** CPU of the server: the postmaster's and that of its ended children, in which every session of ours is by then. */
async function serverCpuMs(server: TestPostgres): Promise<number> {
  const stat = await readFile(`/proc/${server.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
  return fields.slice(11, 15).reduce((sum, ticks) => sum + ticks * 10, 0);
}

async function measured(server: TestPostgres, work: () => Promise<unknown>): Promise<Cost> {
  await server.query('CHECKPOINT');
  const server0 = await serverCpuMs(server);
  const own0 = process.cpuUsage();
  const started = performance.now();
  await work();
  const wallMs = performance.now() - started;
  const own = process.cpuUsage(own0);
  // The postmaster counts a session's time once it has collected it.
  await new Promise((resolve) => setTimeout(resolve, 200));
  return { wallMs, serverCpuMs: (await serverCpuMs(server)) - server0, ownCpuMs: (own.user + own.system) / 1000 };
}

async function fresh(server: TestPostgres, database: string, tables: string): Promise<TestStore> {
  const store = await openStore(server, database, 'SELECT 1');
  // One by one: VACUUM cannot run in the transaction of a multi-statement query.
  for (const statement of tables.split(';')) await store.sql(statement);
  return store;
}

async function purge(writer: StoreWriter, asked: PurgeRequest, plan: PurgePlan, workers: number, batches: number[]): Promise<void> {
  const claim = await writer.claim('bench');
  for (const step of plan.steps) {
    for await (const batch of writer.purge({ ...step, method: 'BlockRange' }, { request: asked, claim, pace: { ...pace, workers }, signal: AbortSignal.timeout(600_000) })) batches.push(batch.millis);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const server = await startPostgres({ durable: true, settings: { shared_buffers: "'1GB'", max_wal_size: "'4GB'", autovacuum: 'off' } });
try {
  for (const rows of process.argv.length > 2 ? process.argv.slice(2).map(Number) : [500_000, 2_000_000]) {
    for (const shape of shapes) {
      const costs: Record<'bare' | 'purge' | 'two workers', Cost[]> = { bare: [], purge: [], 'two workers': [] };
      const batches: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const name of Object.keys(costs) as (keyof typeof costs)[]) {
          const store = await fresh(server, `bench`, shape.tables(rows));
          const asked = request(shape.collections.map((collection) => rule(collection)));
          const plan = await store.writer.planPurge(asked);
          const cost = await measured(server, async () => {
            if (name === 'bare') for (const statement of shape.bare) await store.sql(statement);
            else await purge(store.writer, asked, plan, name === 'purge' ? 1 : 2, name === 'purge' ? batches : []);
          });
          costs[name].push(cost);
          for (const table of shape.collections) {
            const [left] = await store.sql<{ left: number }>(`SELECT count(*)::int AS left FROM ${table} WHERE ${due}`);
            if (left?.left !== 0) throw new Error(`${name} left ${left?.left} rows in ${table}`);
          }
          await store.close();
          await server.query('DROP DATABASE bench');
        }
      }
      const of = (name: keyof typeof costs, what: keyof Cost): number => median(costs[name].map((cost) => cost[what]));
      const percentile = (share: number): number => Math.round(batches.toSorted((a, b) => a - b)[Math.min(batches.length - 1, Math.floor(batches.length * share))] ?? 0);
      console.log(`${shape.name}, ${rows} rows, half due (medians of ${ROUNDS})`);
      for (const name of Object.keys(costs) as (keyof typeof costs)[]) {
        const ratio = (what: 'wallMs' | 'serverCpuMs'): string => (of(name, what) / of('bare', what)).toFixed(2);
        console.log(`  ${name.padEnd(12)} wall ${Math.round(of(name, 'wallMs'))} ms (${ratio('wallMs')}x), server CPU ${Math.round(of(name, 'serverCpuMs'))} ms (${ratio('serverCpuMs')}x), own CPU ${Math.round(of(name, 'ownCpuMs'))} ms`);
      }
      console.log(`  batches p50 ${percentile(0.5)} p95 ${percentile(0.95)} max ${percentile(1)} ms`);
    }
  }
} finally {
  await server.stop();
}
