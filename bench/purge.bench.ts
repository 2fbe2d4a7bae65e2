/**
 * A purge of half of all rows beside one bare DELETE with the same predicates, and beside the loops people usually
 * write, on a real PostgreSQL of this machine. Fence, journal, proof of each batch and a hold are all on.
 *
 *     npx tsx bench/purge.bench.ts [rows] [rounds]
 */
import pg from 'pg';
import type { PurgePlan, PurgeRequest } from '../src/stores/purging.ts';
import { request, rule } from '../test/contract/stores/postgres/purge-support.ts';
import type { TestPostgres } from '../test/support/postgres.ts';
import { quantile, report } from './support/report.ts';
import type { Measurement } from './support/report.ts';
import { costOf, createTemplate, DUE, eventsSql, itemsSql, onCopy, runPurge, startBenchServer } from './support/stores.ts';
import type { BenchStore, Cost } from './support/stores.ts';

const ROWS = Number(process.argv[2] ?? 2_000_000);
const ROUNDS = Number(process.argv[3] ?? 3);
/** About as many as a purge with two workers makes batches. */
const PIECES = 28;
/** Rows of a batch of the loops. */
const LOOP_ROWS = 5_000;

const ONE_DELETE = [`DELETE FROM events WHERE ${DUE}`];
/** Set by set, children first: the fastest that deletes no row somebody refers to. */
const TWO_DELETES = [`DELETE FROM items WHERE ${DUE}`, `DELETE FROM events e WHERE ${DUE} AND NOT EXISTS (SELECT FROM items i WHERE i.event_id = e.id)`];

interface Contestant {
  readonly name: string;
  /** Whom it is compared with; the first one of the shape when left out. */
  readonly beside?: string;
  run(server: TestPostgres, store: BenchStore, asked: PurgeRequest, plan: PurgePlan): Promise<number[]>;
}

const bare = (statements: readonly string[]): Contestant => ({
  name: 'DELETE',
  async run(_server, store) {
    for (const statement of statements) await store.sql(statement);
    return [];
  },
});
/** What a purge does where rows belong to clients: it writes into its journal whose rows they were. */
const COUNTED = 'counted by client';
const countedDelete: Contestant = {
  name: `DELETE ${COUNTED}`,
  async run(_server, store) {
    await store.sql(`WITH gone AS (${ONE_DELETE[0]} RETURNING client_id) SELECT client_id, count(*) FROM gone GROUP BY client_id`);
    return [];
  },
};
/** As two workers without a protocol: each takes the next piece of the table and commits it. What no purge can be faster than. */
const twoDeletes: Contestant = {
  name: 'two DELETEs at once, in pieces',
  async run(server, store) {
    const [table] = await store.sql<{ pages: number }>(`SELECT (pg_relation_size('events') / current_setting('block_size')::int)::int AS pages`);
    const pieces = piecesOf(table?.pages ?? 0);
    const workers = [1, 2].map(async () => {
      const client = new pg.Client(server.connection(undefined, store.database));
      await client.connect();
      try {
        for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) await client.query(`DELETE FROM events WHERE ctid >= '(${piece.from},0)' AND ctid < '(${piece.to},0)' AND ${DUE}`);
      } finally {
        await client.end();
      }
    });
    await Promise.all(workers);
    return [];
  },
};
const purge = (name: string, workers: number): Contestant => ({ name, run: (_server, store, asked, plan) => runPurge(store.writer, asked, plan, { workers }) });
const countedPurge: Contestant = { ...purge(`purge ${COUNTED}`, 1), beside: countedDelete.name };

/** Deletes in batches until one finds nothing; returns the milliseconds of each. */
async function loop(server: TestPostgres, store: BenchStore, next: (client: pg.Client) => Promise<number>): Promise<number[]> {
  const client = new pg.Client(server.connection(undefined, store.database));
  await client.connect();
  const batches: number[] = [];
  try {
    for (;;) {
      const started = performance.now();
      if ((await next(client)) === 0) return batches;
      batches.push(performance.now() - started);
    }
  } finally {
    await client.end();
  }
}

const limitLoop: Contestant = {
  name: 'id IN (SELECT .. LIMIT) loop',
  run: (server, store) => loop(server, store, async (client) => (await client.query(`DELETE FROM events WHERE id IN (SELECT id FROM events WHERE ${DUE} LIMIT ${LOOP_ROWS})`)).rowCount ?? 0),
};
const keysetLoop: Contestant = {
  name: 'keyset loop by the index',
  run(server, store) {
    let after = '-infinity';
    return loop(server, store, async (client) => {
      const { rows } = await client.query<{ count: number; last: string }>(
        `WITH picked AS (SELECT id, created_at FROM events WHERE ${DUE} AND created_at >= $1 ORDER BY created_at LIMIT ${LOOP_ROWS}),
              gone AS (DELETE FROM events WHERE id IN (SELECT id FROM picked) RETURNING 1)
         SELECT (SELECT count(*)::int FROM gone) AS count, (SELECT max(created_at)::text FROM picked) AS last`,
        [after],
      );
      after = rows[0]?.last ?? after;
      return rows[0]?.count ?? 0;
    });
  },
};

function piecesOf(pages: number): { from: number; to: number }[] {
  const size = Math.ceil(pages / PIECES);
  return Array.from({ length: PIECES }, (_, piece) => ({ from: piece * size, to: (piece + 1) * size }));
}

interface Shape {
  readonly name: string;
  readonly template: string;
  readonly schema: string;
  readonly tables: readonly string[];
  readonly contestants: readonly [Contestant, ...Contestant[]];
  readonly goals: Readonly<Record<string, number>>;
}

const oneTable = { tables: ['events'], contestants: [bare(ONE_DELETE), twoDeletes, purge('purge', 1), purge('purge, two workers', 2), countedDelete, countedPurge, limitLoop, keysetLoop], goals: { purge: 1.25, 'purge, two workers': 0.75, [countedPurge.name]: 1.25 } } as const;
const shapes: readonly Shape[] = [
  { name: 'times in order', template: 'ordered', schema: eventsSql('ordered', ROWS), ...oneTable },
  { name: 'times at random', template: 'random', schema: eventsSql('random', ROWS), ...oneTable },
  { name: 'with a child table', template: 'child', schema: `${eventsSql('ordered', ROWS)}; ${itemsSql()}`, tables: ['events', 'items'], contestants: [bare(TWO_DELETES), purge('purge', 1), purge('purge, two workers', 2)], goals: { purge: 1.5 } },
];

/** All contestants of a shape, in turns. */
async function compete(server: TestPostgres, shape: Shape): Promise<Measurement[]> {
  await createTemplate(server, shape.template, shape.schema, shape.tables);
  const costs = new Map<string, Cost[]>(shape.contestants.map(({ name }) => [name, []]));
  const batches = new Map<string, number[]>(shape.contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const contestant of shape.contestants) {
      const client = contestant.name.endsWith(COUNTED) ? { client: { field: 'client_id' } } : {};
      const asked = request(shape.tables.map((table) => rule(table, client)));
      await onCopy(server, shape.template, async (store) => {
        const plan = await store.writer.planPurge({ ...asked, budgetMs: 60_000 });
        if (plan.refusals.length > 0) throw new Error(plan.refusals.map(({ message }) => message).join('\n'));
        costs.get(contestant.name)?.push(await costOf(server, async () => batches.get(contestant.name)?.push(...(await contestant.run(server, store, asked, plan)))));
        for (const table of shape.tables) {
          const [left] = await store.sql<{ left: number }>(`SELECT count(*)::int AS left FROM ${table} WHERE ${DUE}`);
          if (left?.left !== 0) throw new Error(`${contestant.name}, ${shape.name}: ${left?.left} rows are left in ${table}`);
        }
      });
    }
  }
  await server.query(`DROP DATABASE ${shape.template}`);
  const [reference, ...others] = shape.contestants;
  const of = (name: string, what: keyof Cost): number[] => (costs.get(name) ?? []).map((cost) => cost[what]);
  return others.flatMap(({ name, beside = reference.name }): Measurement[] => {
    const measure = `${shape.name}: ${name}`;
    const most = shape.goals[name];
    const compared = (what: keyof Cost): NonNullable<Measurement['beside']> => ({ what: beside, samples: of(beside, what) });
    return [
      { measure: `${measure}, wall`, unit: 'ms', samples: of(name, 'wallMs'), beside: compared('wallMs'), ...(most === undefined ? {} : { goal: { most } }) },
      { measure: `${measure}, CPU of the server`, unit: 'ms', samples: of(name, 'serverMs'), beside: compared('serverMs') },
      ...(batches.get(name)?.length === 0 ? [] : [{ measure: `${measure}, p99 of a batch`, unit: 'ms', samples: [quantile(batches.get(name) ?? [], 0.99)], ...(name.startsWith('purge') ? { goal: { most: 100 } } : {}) }]),
    ];
  });
}

const server = await startBenchServer();
try {
  const measurements: Measurement[] = [];
  for (const shape of shapes) measurements.push(...(await compete(server, shape)));
  await report('purge', measurements, { rows: ROWS, due: '1/2', rounds: ROUNDS, server: server.version });
} finally {
  await server.stop();
}
