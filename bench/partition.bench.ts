/**
 * Dropping the partitions whose every row is due, all checks included, beside a DELETE of the same rows.
 *
 *     npx tsx bench/partition.bench.ts [rows] [rounds]
 */
import { request, rule } from '../test/contract/stores/postgres/purge-support.ts';
import { report } from './support/report.ts';
import { costOf, createTemplate, DUE, onCopy, partitionsSql, runPurge, startBenchServer } from './support/stores.ts';

const ROWS = Number(process.argv[2] ?? 2_000_000);
const ROUNDS = Number(process.argv[3] ?? 3);

const server = await startBenchServer();
try {
  await createTemplate(server, 'partitions', partitionsSql(ROWS), ['events']);
  const asked = request([rule('events', { client: { field: 'client_id' } })], { budgetMs: 60_000 });
  const wall: Record<'drop' | 'delete', number[]> = { drop: [], delete: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const how of ['delete', 'drop'] as const) {
      await onCopy(server, 'partitions', async (store) => {
        const plan = await store.writer.planPurge(asked);
        if (plan.steps[0]?.method !== 'DropPartition') throw new Error(`planned is ${plan.steps[0]?.method}: ${plan.steps[0]?.because} ${plan.refusals.map(({ message }) => message).join()}`);
        const cost = await costOf(server, async () => (how === 'drop' ? runPurge(store.writer, asked, plan) : store.sql(`DELETE FROM events WHERE ${DUE}`)));
        const [left] = await store.sql<{ left: number; partitions: number }>(`SELECT (SELECT count(*)::int FROM events WHERE ${DUE}) AS left, (SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'events'::regclass) AS partitions`);
        if (left?.left !== 0 || left.partitions !== (how === 'drop' ? 2 : 4)) throw new Error(`${how} left ${JSON.stringify(left)}`);
        wall[how].push(cost.wallMs);
      });
    }
  }
  await report('partition', [{ measure: 'two of four partitions dropped, wall', unit: 'ms', samples: wall.drop, beside: { what: 'DELETE', samples: wall.delete }, goal: { most: 0.15 } }], { rows: ROWS, due: '1/2', rounds: ROUNDS, server: server.version });
} finally {
  await server.stop();
}
