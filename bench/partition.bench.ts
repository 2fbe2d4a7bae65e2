/**
 * Dropping the partitions whose every row is due, all checks included, beside a DELETE of the same rows: of one table, with
 * a hold that has to be looked for in every row, or in an index, or without one; of one whose rows are counted by client,
 * and of one that partitions of a child table refer to.
 *
 *     npx tsx bench/partition.bench.ts [rows] [rounds]
 */
import { request, rule } from '../test/contract/stores/postgres/purge-support.ts';
import type { Measurement } from './support/report.ts';
import { report } from './support/report.ts';
import { costOf, createTemplate, DUE, onCopy, partitionedItemsSql, partitionsSql, runPurge, startBenchServer } from './support/stores.ts';

const ROWS = Number(process.argv[2] ?? 2_000_000);
const ROUNDS = Number(process.argv[3] ?? 3);
const BARE = `DELETE FROM events WHERE ${DUE}`;
const COUNTED = `WITH gone AS (DELETE FROM events WHERE ${DUE} RETURNING client_id) SELECT client_id, count(*) FROM gone GROUP BY client_id`;

const client = { client: { field: 'client_id' } };
const cases = [
  { name: 'one table', template: 'partitions', rules: [rule('events')], bare: BARE, goal: 0.15 },
  { name: 'the hold on an indexed column', template: 'indexed', rules: [rule('events')], bare: BARE },
  { name: 'no hold', template: 'free', rules: [rule('events')], bare: BARE },
  { name: 'counted by client', template: 'partitions', rules: [rule('events', client)], bare: COUNTED },
  { name: 'with a child table', template: 'divided', rules: [rule('events'), rule('items')], bare: `DELETE FROM items WHERE ${DUE}; DELETE FROM events WHERE ${DUE}`, goal: 0.15 },
];

const server = await startBenchServer();
try {
  await createTemplate(server, 'partitions', partitionsSql(ROWS), ['events']);
  await createTemplate(server, 'indexed', `${partitionsSql(ROWS)}; CREATE INDEX ON events (client_id)`, ['events']);
  await createTemplate(server, 'free', partitionsSql(ROWS), []);
  await createTemplate(server, 'divided', `${partitionsSql(ROWS)}; ${partitionedItemsSql()}`, ['events', 'items']);
  const measured: Measurement[] = [];
  for (const { name, template, rules, bare, goal } of cases) {
    const asked = request(rules, { budgetMs: 60_000 });
    const wall: Record<'drop' | 'delete', number[]> = { drop: [], delete: [] };
    const cpu: Record<'drop' | 'delete', number[]> = { drop: [], delete: [] };
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const how of ['delete', 'drop'] as const) {
        await onCopy(server, template, async (store) => {
          const plan = await store.writer.planPurge(asked);
          for (const { method, because } of plan.steps) if (method !== 'DropPartition') throw new Error(`planned is ${method}: ${because}`);
          if (plan.steps.length !== rules.length) throw new Error(plan.refusals.map(({ message }) => message).join());
          const cost = await costOf(server, async () => (how === 'drop' ? runPurge(store.writer, asked, plan) : store.sql(bare)));
          for (const { table } of rules) {
            const [left] = await store.sql<{ left: number; partitions: number }>(`SELECT (SELECT count(*)::int FROM ${table.name} WHERE ${DUE}) AS left, (SELECT count(*)::int FROM pg_inherits WHERE inhparent = '${table.name}'::regclass) AS partitions`);
            if (left?.left !== 0 || left.partitions !== (how === 'drop' ? 2 : 4)) throw new Error(`${how} left ${JSON.stringify(left)}`);
          }
          wall[how].push(cost.wallMs);
          cpu[how].push(cost.serverMs);
        });
      }
    }
    const what = name === 'counted by client' ? 'DELETE counted by client' : 'DELETE';
    const measure = `${name}: two of four partitions dropped`;
    measured.push({ measure: `${measure}, wall`, unit: 'ms', samples: wall.drop, beside: { what, samples: wall.delete }, ...(goal === undefined ? {} : { goal: { most: goal } }) });
    measured.push({ measure: `${measure}, CPU of the server`, unit: 'ms', samples: cpu.drop, beside: { what, samples: cpu.delete } });
  }
  await report('partition', measured, { rows: ROWS, due: '1/2', rounds: ROUNDS, server: server.version });
} finally {
  await server.stop();
}
