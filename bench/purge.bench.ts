/**
 * A purge beside one bare DELETE with the same predicates, on a real PostgreSQL of this machine.
 *
 * Run: npx tsx bench/purge.bench.ts [rows…]   (default 500000 2000000)
 */
import { startPostgres } from '../test/support/postgres.ts';
import type { TestPostgres } from '../test/support/postgres.ts';
import { openStore, request, rule } from '../test/contract/stores/postgres/purge-support.ts';
import type { TestStore } from '../test/contract/stores/postgres/purge-support.ts';

const ROUNDS = 3;

function tables(rows: number): string {
  return `
    CREATE TABLE events (id bigint PRIMARY KEY, client_id text, created_at timestamptz NOT NULL, note text);
    INSERT INTO events SELECT i, 'client-' || (i % 5), timestamptz '2022-01-01Z' + i * (interval '4 years' / ${rows}), repeat('x', 60) FROM generate_series(1, ${rows}) i;
    CREATE INDEX ON events (created_at);
    CREATE TABLE items (id bigint PRIMARY KEY, event_id bigint REFERENCES events ON DELETE CASCADE, created_at timestamptz NOT NULL);
    INSERT INTO items SELECT id, id, created_at FROM events WHERE id % 2 = 0;
    CREATE INDEX ON items (event_id);
    VACUUM ANALYZE events; VACUUM ANALYZE items; CHECKPOINT`;
}

const due = `created_at > '-infinity' AND created_at < '2024-01-01Z'`;
const bareDeletes = [`DELETE FROM items WHERE ${due}`, `DELETE FROM events e WHERE ${due} AND NOT EXISTS (SELECT FROM items i WHERE i.event_id = e.id)`];

async function fresh(server: TestPostgres, rows: number, name: string): Promise<TestStore> {
  const store = await openStore(server, name, 'SELECT 1');
  // VACUUM cannot run in the one transaction of a multi-statement query.
  for (const statement of tables(rows).split(';')) await store.sql(statement);
  return store;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const server = await startPostgres({ durable: true, settings: { shared_buffers: "'1GB'", max_wal_size: "'4GB'", autovacuum: 'off' } });
try {
  for (const rows of process.argv.length > 2 ? process.argv.slice(2).map(Number) : [500_000, 2_000_000]) {
    const times = { bare: [] as number[], ours: [] as number[], two: [] as number[] };
    const batches: number[] = [];
    const rules = request([rule('events'), rule('items')]);
    for (let round = 0; round < ROUNDS; round += 1) {
      const bare = await fresh(server, rows, `bare_${rows}_${round}`);
      times.bare.push(await timed(async () => {
        for (const statement of bareDeletes) await bare.sql(statement);
      }));
      await bare.close();
      for (const [workers, name] of [[1, 'ours'], [2, 'two']] as const) {
        const store = await fresh(server, rows, `${name}_${rows}_${round}`);
        const plan = await store.writer.planPurge(rules);
        times[name].push(await timed(async () => {
          const claim = await store.writer.claim('bench');
          for (const step of plan.steps) {
            for await (const batch of store.writer.purge(step, { request: rules, claim, pace: { maxBatchMillis: 50, workers, maxReplicaLagSeconds: 10, lockTimeoutMillis: 500, maxWalMegabytesPerRun: 20_480, maxUnarchivedWalMegabytes: 1_024 }, signal: AbortSignal.timeout(600_000) })) {
              if (workers === 1) batches.push(batch.millis);
            }
          }
        }));
        const [left] = await store.sql<{ events: number; items: number }>(`SELECT (SELECT count(*)::int FROM events WHERE ${due}) AS events, (SELECT count(*)::int FROM items WHERE ${due}) AS items`);
        if (left?.events !== 0 || left.items !== 0) throw new Error(`The purge left rows: ${JSON.stringify(left)}`);
        await store.close();
        await server.query(`DROP DATABASE ${name}_${rows}_${round}`);
      }
      await server.query(`DROP DATABASE bare_${rows}_${round}`);
    }
    const [bare, ours, two] = [median(times.bare), median(times.ours), median(times.two)];
    const p = (q: number): number => Math.round(batches.toSorted((a, b) => a - b)[Math.floor(batches.length * q)] ?? 0);
    console.log(`${rows} events + ${rows / 2} items, half due: bare ${Math.round(bare)} ms, purge ${Math.round(ours)} ms (${(ours / bare).toFixed(2)}x), 2 workers ${Math.round(two)} ms (${(two / bare).toFixed(2)}x); batches p50 ${p(0.5)} p95 ${p(0.95)} max ${p(0.9999)} ms`);
  }
} finally {
  await server.stop();
}
