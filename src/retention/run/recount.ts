import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import { StoreError } from '../../stores/errors.ts';
import type { StoreReader } from '../../stores/port.ts';
import type { TableAddress } from '../../stores/predicate.ts';
import type { PurgeRequest, RemovedPart, StepForecast } from '../../stores/purging.ts';

/** Longest time of a count after the deletion. */
export const COUNT_BUDGET_MS = 600_000;

/** What is left of what a run was to delete, on one server. */
export interface Recount {
  counts: StepForecast[];
  /** Due rows in all, those of removed parts among them. */
  residual: number;
  /** False: the time was over, and the figures are lower bounds. */
  exact: boolean;
  /** A planned collection that was not counted: not counted is not zero. */
  unseen?: string;
  /** Partitions whose drop was begun and not finished: their rows may be out of everybody's sight, counted or not. */
  unfinished: TableAddress[];
  /** Partitions and inheritance children that somebody took out of their table since the plan was made, with due rows in them or none that could be counted. */
  removed: RemovedPart[];
}

/** Counts the collections of a run again, by the very conditions that a plan is made with. Changes nothing. @throws StoreError where one cannot be counted */
export async function recount(run: PurgeRun, request: PurgeRequest, reader: StoreReader): Promise<Recount> {
  const parts = run.spec.forecast.steps.flatMap((step) => (step.parts === undefined ? [] : [{ collection: step.collection, oids: step.parts.split(' ') }]));
  const { forecast, refusals } = await reader.planPurge({ ...request, parts, budgetMs: COUNT_BUDGET_MS });
  const planned = new Set(run.spec.plan.steps.map((step) => step.collection));
  const uncounted = refusals.find(({ cause, collection }) => cause !== undefined && planned.has(collection));
  // Whoever lacks a right may be given it: that is tried again, where rows that are left are a result.
  if (uncounted) throw new StoreError(uncounted.cause ?? 'Failed', `${uncounted.collection}: ${uncounted.message}`);
  const counts = forecast.filter((count) => planned.has(count.collection));
  const unseen = [...planned].find((collection) => !counts.some((count) => count.collection === collection));
  const removed = counts.flatMap((count) => count.removed ?? []).filter((part) => part.due > 0 || !part.exact);
  return {
    counts,
    removed,
    residual: [...counts, ...removed].reduce((sum, { due }) => sum + due, 0),
    exact: counts.every((count) => count.exact),
    ...(unseen === undefined ? {} : { unseen }),
    unfinished: counts.flatMap((count) => count.unfinished ?? []),
  };
}
