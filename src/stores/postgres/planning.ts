import { compareText } from '../../api/compare-text.ts';
import type { CollectionCount } from '../counting.ts';
import { requirePinned } from '../pinned.ts';
import type { PurgePlan, PurgeRequest, Refusal, StepForecast } from '../purging.ts';
import { topologyOf } from './closure.ts';
import { dropsOf, putBack, readApart } from './apart.ts';
import { readNamed } from './catalogue.ts';
import type { Connection } from './connection.ts';
import { countIn } from './count.ts';
import { readPlanFacts, readSelectivity } from './facts.ts';
import { readFence } from './fence.ts';
import { readInventory } from './inventory.ts';
import { decidePurge } from './plan.ts';
import { countRemoved } from './removed.ts';

/** WAL of one deleted row beside the row's own references, bytes; measured 228 MB for 1.5 M rows. */
const WAL_BYTES_PER_ROW = 160;

/** Plans a purge and forecasts its steps; see `StoreReader.planPurge`. Changes nothing. @throws StoreError `Replaced` */
export async function planPurge(connection: Connection, request: PurgeRequest): Promise<PurgePlan> {
  const deadline = performance.now() + request.budgetMs;
  const fence = await readFence(connection);
  const apart = await readApart(connection, fence !== undefined);
  const inventory = putBack(await readInventory(connection), apart);
  requirePinned(request.pinned, inventory.tables);
  const facts = await readPlanFacts(connection, inventory, request, apart);
  const topology = topologyOf(inventory, facts.declared);
  const draft = decidePurge(inventory, request, facts);
  // Rows that are hidden cannot be counted; the refusal says so, and the other steps keep their forecast.
  const hidden = new Set(draft.refusals.filter(({ reason }) => reason === 'RowSecurity').map(({ collection }) => collection));
  const collections = draft.steps.map(({ collection }) => collection).filter((collection) => !hidden.has(collection));
  const surroundings = { holds: fence?.holds ?? [], apart, installed: fence !== undefined, deadline, ...(request.pinned === undefined ? {} : { pinned: request.pinned }) };
  const counts = new Map((await countIn(connection, { ...request, collections }, { ...surroundings, topology })).map((count) => [count.collection, count]));
  const shares = new Map(draft.steps.flatMap((step) => {
    const rows = topology.table(step.table)?.estimatedRows;
    const count = counts.get(step.collection);
    return rows === undefined || rows === 0 || count?.exact !== true ? [] : [[step.collection, (count.due + count.blocked) / rows] as const];
  }));
  // Rows that were counted by a column which took the name of another meanwhile say nothing of the plan.
  requirePinned(request.pinned, await readNamed(connection, request.pinned ?? []));
  // Only the methods depend on the counts; the tables and their order stay.
  const planned = decidePurge(inventory, request, { ...facts, selectivity: await readSelectivity(connection, request, shares) });
  const forecast: StepForecast[] = [];
  for (const step of planned.steps) {
    const count = counts.get(step.collection);
    const rule = request.rules.find(({ collection }) => collection === step.collection);
    if (count === undefined || count.uncounted !== undefined || rule === undefined) continue;
    const known = request.parts?.find(({ collection }) => collection === step.collection)?.oids ?? [];
    const removed = await countRemoved(connection, request, rule, count, known, { ...surroundings, declared: facts.declared });
    const partOids = topology.leaves(step.table).map(({ oid }) => oid).filter((oid) => oid !== topology.table(step.table)?.oid);
    forecast.push(forecastOf(count, { unfinished: dropsOf(step.table, apart).map(({ name }) => name), partOids, removed }));
  }
  return { ...planned, refusals: [...planned.refusals, ...uncountedRefusals([...counts.values()])].toSorted((a, b) => compareText(a.collection, b.collection)), forecast, walMegabytes: Math.ceil((forecast.reduce((sum, step) => sum + step.due, 0) * WAL_BYTES_PER_ROW) / 1_048_576) };
}

/** A plan of rows that nobody could count would be approved blindly. */
function uncountedRefusals(counts: readonly CollectionCount[]): Refusal[] {
  return counts.flatMap(({ collection, uncounted }) => (uncounted === undefined ? [] : [{ reason: 'NotCounted', collection, message: `Its rows cannot be counted, so nobody knows what would go: ${uncounted.message}`, cause: uncounted.reason }]));
}

/** What is for ever under one policy need not be so under all of them, so a plan does not say it. */
function forecastOf({ collection, due, held, floored, indeterminate, blocked, exact }: CollectionCount, { unfinished, partOids, removed }: Required<Pick<StepForecast, 'unfinished' | 'partOids' | 'removed'>>): StepForecast {
  return {
    collection,
    due,
    held,
    floored,
    indeterminate,
    blocked,
    exact,
    ...(unfinished.length === 0 ? {} : { unfinished }),
    ...(partOids.length === 0 ? {} : { partOids }),
    ...(removed.length === 0 ? {} : { removed }),
  };
}
