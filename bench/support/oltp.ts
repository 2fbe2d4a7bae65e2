/**
 * A process of its own that does small transactions on the table `events` at a fixed rate, as an application would
 * beside a purge: reads a recent row by its key and changes it. Latency counts from when a transaction was due, so
 * that one that waits behind a slow one counts as slow too.
 *
 * The first message says where and what; each later one is answered with the milliseconds since the one before.
 */
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { SPREAD } from './stores.ts';
import type { Order } from './stores.ts';

export interface OltpOrder {
  readonly connection: pg.ClientConfig;
  readonly rows: number;
  readonly order: Order;
}

const CLIENTS = 4;
/** Of each client. */
const PER_SECOND = 50;
let latencies: number[] = [];

/** An id whose row is younger than the cutoff: nothing a purge would take. */
function youngId({ order, rows }: OltpOrder): number {
  for (;;) {
    const id = 1 + Math.floor(Math.random() * rows);
    if ((order === 'ordered' ? id : (id * SPREAD) % rows) > 0.51 * rows) return id;
  }
}

async function client(order: OltpOrder, index: number): Promise<never> {
  const login = new pg.Client(order.connection);
  await login.connect();
  const intervalMs = 1_000 / PER_SECOND;
  for (let due = performance.now() + (intervalMs * index) / CLIENTS; ; due += intervalMs) {
    await delay(Math.max(0, due - performance.now()));
    const id = youngId(order);
    await login.query('BEGIN');
    await login.query({ name: 'read', text: 'SELECT note FROM events WHERE id = $1', values: [id] });
    await login.query({ name: 'write', text: 'UPDATE events SET note = $2 WHERE id = $1', values: [id, `note ${due}`] });
    await login.query('COMMIT');
    latencies.push(performance.now() - due);
  }
}

process.once('message', (order: OltpOrder) => {
  for (let index = 0; index < CLIENTS; index += 1) {
    client(order, index).catch((error: unknown) => {
      process.stderr.write(`the load ended: ${String(error)}\n`);
      process.exit(1);
    });
  }
  process.on('message', () => {
    process.send?.(latencies);
    latencies = [];
  });
});
process.on('disconnect', () => process.exit());
