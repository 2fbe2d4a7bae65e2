import type { PurgePlan } from '../stores/purging.ts';

/** The share of one group of collections in a driver's plan. */
export interface PurgePart {
  /** Ids of all collections of the group, planned or not. */
  component: string[];
  purge: PurgePlan;
}

/**
 * Divides a driver's plan among groups of collections that nothing joins. Each part keeps the order of its steps and
 * numbers them from 1; log is shared out by rows. A refusal of a collection that is in no group stops all of them:
 * nobody knows which it means. What the driver planned for a collection in no group is in no part: nobody asked for
 * it. Pure.
 *
 * @param components non-overlapping groups of collection ids; none: the plan is one part.
 */
export function splitPurge(purge: PurgePlan, components: readonly string[][]): PurgePart[] {
  if (components.length === 0) return [{ component: [], purge }];
  const grouped = new Set(components.flat());
  const total = purge.forecast.reduce((sum, step) => sum + step.due, 0);
  return components.map((component) => {
    const members = new Set(component);
    const forecast = purge.forecast.filter((step) => members.has(step.collection));
    const due = forecast.reduce((sum, step) => sum + step.due, 0);
    return {
      component,
      purge: {
        steps: purge.steps
          .filter((step) => members.has(step.collection))
          .toSorted((a, b) => a.order - b.order)
          .map((step, index) => ({ ...step, order: index + 1 })),
        refusals: purge.refusals.filter(({ collection }) => members.has(collection) || !grouped.has(collection)),
        forecast,
        walMegabytes: total === 0 ? 0 : (purge.walMegabytes * due) / total,
      },
    };
  });
}
