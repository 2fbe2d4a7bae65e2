import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startPostgres } from '../../../support/postgres.ts';
import type { TestPostgres } from '../../../support/postgres.ts';
import { before, countRows, deletedBy, guard, oneOf, openStore, pace, purgeAll, request, rule, runPlan, table } from './purge-support.ts';

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await server.stop();
});

/** 10,000 rows, half of them due, in four clients. */
const events = `
  CREATE TABLE events (id bigint PRIMARY KEY, client_id text, created_at timestamptz, note text);
  INSERT INTO events SELECT i, 'client-' || (i % 4), timestamptz '2023-12-31 12:00Z' + (i % 2) * interval '1 day', repeat('x', 60) FROM generate_series(1, 10000) i;
  ANALYZE events`;

describe('a purge', () => {
  test('deletes exactly the due rows, in small batches, and counts them per client', async () => {
    const store = await openStore(server, 'exact', events);
    const rules = request([rule('events', { client: { field: 'client_id' } })]);
    const { plan, batches } = await purgeAll(store, rules, { pace: { maxBatchMillis: 2 } });
    expect(plan.steps.map(({ collection, method }) => [collection, method])).toEqual([['events', 'BlockRange']]);
    expect(plan.forecast).toEqual([{ collection: 'events', due: 5000, held: 0, floored: 0, indeterminate: 0, blocked: 0, exact: true }]);
    expect(deletedBy(batches)).toEqual({ events: 5000 });
    const clients: Record<string, number> = {};
    for (const batch of batches) for (const [client, rows] of Object.entries(batch.clients)) clients[client] = (clients[client] ?? 0) + rows;
    expect(clients).toEqual({ 'client-0': 2500, 'client-2': 2500 });
    expect(await store.sql('SELECT count(*)::int AS left, count(*) FILTER (WHERE id % 2 = 0)::int AS due FROM events')).toEqual([{ left: 5000, due: 0 }]);
    const journal = await store.writer.journal('run-1', 0);
    expect(journal.reduce((sum, row) => sum + row.deleted, 0)).toBe(5000);
    expect(journal.map(({ seq }) => seq)).toEqual(batches.filter(({ seq }) => seq > 0).map(({ seq }) => seq));
    await store.close();
  });
});
