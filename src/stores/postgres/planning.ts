import type { CollectionCount } from '../counting.ts';
import type { PurgePlan, PurgeRequest, StepForecast } from '../purging.ts';
import { tableKey, topologyOf } from './closure.ts';
import type { Topology } from './closure.ts';
import type { Connection } from './connection.ts';
import { countCollection } from './count.ts';
import { sqlState } from './errors.ts';
import { readPlanFacts, readSelectivity } from './facts.ts';
import { readFence } from './fence.ts';
import { readInventory } from './inventory.ts';
import { decidePurge } from './plan.ts';
import type { PlannedPurge } from './plan.ts';
import { countBlocked } from './statements.ts';
import { resolveTargets, targetOf } from './target.ts';
import type { Targets } from './target.ts';

/** WAL of one deleted row beside the row's own references, bytes; measured 228 MB for 1.5 M rows. */
const WAL_BYTES_PER_ROW = 160;

/** Plans a purge and forecasts its steps; see `StoreReader.planPurge`. Changes nothing. */
export async function planPurge(connection: Connection, request: PurgeRequest): Promise<PurgePlan> {
  const deadline = performance.now() + request.budgetMs;
  const inventory = await readInventory(connection);
  const fence = await readFence(connection);
  const topology = topologyOf(inventory);
  const facts = await readPlanFacts(connection, inventory, request, fence !== undefined);
  const draft = decidePurge(inventory, request, facts);
  const counts = await countSteps(connection, request, draft, deadline);
  const shares = new Map(draft.steps.flatMap((step) => {
    const rows = topology.table(step.table)?.estimatedRows;
    const count = counts.get(step.collection);
    return rows === undefined || rows === 0 || count?.exact !== true ? [] : [[step.collection, count.due / rows] as const];
  }));
  // Only the methods depend on the counts; the tables and their order stay.
  const planned = decidePurge(inventory, request, { ...facts, selectivity: await readSelectivity(connection, request, shares) });
  const targets = await resolveTargets(connection, topology, request.rules.filter((rule) => counts.has(rule.collection)), fence?.holds ?? []);
  const forecast: StepForecast[] = [];
  for (const step of planned.steps) {
    const count = counts.get(step.collection);
    if (count !== undefined) forecast.push(await forecastStep(connection, count, topology, targets, deadline));
  }
  return { ...planned, forecast, walMegabytes: Math.ceil((forecast.reduce((sum, step) => sum + step.due, 0) * WAL_BYTES_PER_ROW) / 1_048_576) };
}

async function countSteps(connection: Connection, request: PurgeRequest, draft: PlannedPurge, deadline: number): Promise<Map<string, CollectionCount>> {
  const counts = new Map<string, CollectionCount>();
  for (const [index, step] of draft.steps.entries()) {
    const rule = request.rules.find((candidate) => candidate.collection === step.collection);
    // Rows that are hidden cannot be counted; the refusal says so, and the other steps keep their forecast.
    const hidden = draft.refusals.some(({ collection, reason }) => collection === step.collection && reason === 'RowSecurity');
    if (rule === undefined || hidden) continue;
    // What is left is shared by the steps to come; each gets at least a moment.
    const budgetMs = Math.max(100, (deadline - performance.now()) / (draft.steps.length - index));
    counts.set(step.collection, await countCollection(connection, { rule, now: request.now, budgetMs }));
  }
  return counts;
}

/** Adds the due rows that stay because a row that refers to them stays; `due` is what the run will delete. */
async function forecastStep(connection: Connection, count: CollectionCount, topology: Topology, targets: Targets, deadline: number): Promise<StepForecast> {
  const { oldestDue: _oldest, ...figures } = count;
  const target = targetOf(targets, count.collection);
  if (target.what.edges.length === 0 || count.due === 0) return { ...figures, blocked: 0 };
  const dependants = new Map([...targets.byCollection.values()].map((other) => [tableKey(topology.root(other.rule.table)), other.what]));
  const statement = countBlocked(target.what, target.table, dependants, targets.resolver);
  const budget = Math.max(100, Math.round(deadline - performance.now()));
  try {
    const blocked = await connection.transaction(async () => {
      const { rows } = await connection.query<{ blocked: string }>(statement.text, statement.values);
      return Number(rows[0]?.blocked ?? 0);
    }, `BEGIN READ ONLY; SET LOCAL statement_timeout = ${budget}`);
    return { ...figures, due: Math.max(0, figures.due - blocked), blocked };
  } catch (error) {
    // The budget ran out; the rows themselves are checked when they are deleted.
    if (sqlState(error) !== '57014') throw error;
    return { ...figures, blocked: 0, exact: false };
  }
}
