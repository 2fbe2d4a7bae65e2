/**
 * What an application notices of a purge: the p99 of its small transactions on the table that is purged, beside the
 * same without a purge just before; and what it notices of one bare DELETE.
 *
 *     npx tsx bench/oltp.bench.ts [rows] [rounds]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { request, rule } from '../test/contract/stores/postgres/purge-support.ts';
import type { TestPostgres } from '../test/support/postgres.ts';
import type { OltpOrder } from './support/oltp.ts';
import { quantile, report } from './support/report.ts';
import type { Measurement } from './support/report.ts';
import { createTemplate, DUE, eventsSql, onCopy, runPurge, startBenchServer } from './support/stores.ts';
import type { BenchStore, Order } from './support/stores.ts';

const ROWS = Number(process.argv[2] ?? 2_000_000);
const ROUNDS = Number(process.argv[3] ?? 3);
/** Of the load alone: 200 transactions each second. */
const ALONE_MS = 6_000;

interface Load {
  /** Milliseconds of the transactions since the last call. */
  latencies(): Promise<number[]>;
  stop(): Promise<void>;
}

async function startLoad(server: TestPostgres, database: string, order: Order): Promise<Load> {
  const child = fork(fileURLToPath(new URL('support/oltp.ts', import.meta.url)));
  const ended = once(child, 'exit');
  // As a message, because arguments of a process can be read by everybody.
  child.send({ connection: server.connection(undefined, database), rows: ROWS, order } satisfies OltpOrder);
  const latencies = async (): Promise<number[]> => {
    child.send('latencies');
    return ((await Promise.race([once(child, 'message'), ended.then(() => { throw new Error('the load ended'); })])) as [number[]])[0];
  };
  await delay(2_000); // plans, caches and the code itself get warm
  await latencies();
  return {
    latencies,
    async stop() {
      child.disconnect();
      await ended;
    },
  };
}

type Work = (store: BenchStore) => Promise<unknown>;
const asked = request([rule('events', { client: { field: 'client_id' } })], { budgetMs: 60_000 });
const works: Readonly<Record<string, Work>> = {
  'one DELETE': (store) => store.sql(`DELETE FROM events WHERE ${DUE}`),
  purge: async (store) => runPurge(store.writer, asked, await store.writer.planPurge(asked)),
  'purge, two workers': async (store) => runPurge(store.writer, asked, await store.writer.planPurge(asked), { workers: 2 }),
};

const server = await startBenchServer();
try {
  const measurements: Measurement[] = [];
  for (const order of ['ordered', 'random'] as const) {
    await createTemplate(server, order, eventsSql(order, ROWS), ['events']);
    const p99: Record<string, { beside: number[]; alone: number[] }> = {};
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [name, work] of Object.entries(works)) {
        await onCopy(server, order, async (store) => {
          await server.query('CHECKPOINT');
          const load = await startLoad(server, store.database, order);
          await delay(ALONE_MS);
          const alone = await load.latencies();
          await work(store);
          const beside = await load.latencies();
          await load.stop();
          const entry = (p99[name] ??= { beside: [], alone: [] });
          entry.alone.push(quantile(alone, 0.99));
          entry.beside.push(quantile(beside, 0.99));
        });
      }
    }
    await server.query(`DROP DATABASE ${order}`);
    for (const [name, { beside, alone }] of Object.entries(p99)) {
      measurements.push({ measure: `${order}: p99 of an application beside ${name}`, unit: 'ms', samples: beside, beside: { what: 'alone', samples: alone }, ...(name === 'purge' ? { goal: { most: 2 } } : {}) });
    }
  }
  await report('oltp', measurements, { rows: ROWS, due: '1/2', rounds: ROUNDS, transactionsPerSecond: 200, server: server.version });
} finally {
  await server.stop();
}
