import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import type { StoreReader } from '../../stores/port.ts';
import type { TableAddress } from '../../stores/predicate.ts';
import type { PurgeRequest, StepForecast } from '../../stores/purging.ts';

/** Longest time of a count after the deletion. */
export const COUNT_BUDGET_MS = 600_000;

/** What is left of what a run was to delete, on one server. */
export interface Recount {
  counts: StepForecast[];
  /** Due rows in all. */
  residual: number;
  /** False: the time was over, and the figures are lower bounds. */
  exact: boolean;
  /** A planned collection that was not counted: not counted is not zero. */
  unseen?: string;
  /** Partitions whose drop was begun and not finished: their rows may be out of everybody's sight, counted or not. */
  unfinished: TableAddress[];
}

/** Counts the collections of a run again, by the very conditions that a plan is made with. Changes nothing. */
export async function recount(run: PurgeRun, request: PurgeRequest, reader: StoreReader): Promise<Recount> {
  const { forecast } = await reader.planPurge({ ...request, budgetMs: COUNT_BUDGET_MS });
  const planned = new Set(run.spec.plan.steps.map((step) => step.collection));
  const counts = forecast.filter((count) => planned.has(count.collection));
  const unseen = [...planned].find((collection) => !counts.some((count) => count.collection === collection));
  return {
    counts,
    residual: counts.reduce((sum, count) => sum + count.due, 0),
    exact: counts.every((count) => count.exact),
    ...(unseen === undefined ? {} : { unseen }),
    unfinished: counts.flatMap((count) => count.unfinished ?? []),
  };
}
