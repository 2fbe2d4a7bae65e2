import { compareText } from '../api/compare-text.ts';
import type { PurgeRun } from '../api/generated/purgeRun.ts';
import { POLICY_UID_LABEL } from '../api/kinds.ts';

/**
 * The runs that say how purging stands: of each policy and each collection of a store the newest run, each run once,
 * oldest first. Groups of tables are purged by runs of their own, so the newest run alone would hide that another group failed.
 *
 * @param collections only these count; a run over nothing that is still governed says nothing any more. Absent: all.
 */
export function latestRuns(runs: readonly PurgeRun[], collections?: ReadonlySet<string>): PurgeRun[] {
  const newest = new Map<string, PurgeRun>();
  const sorted = runs.toSorted((a, b) => compareText(createdAt(a), createdAt(b)));
  for (const run of sorted) {
    for (const { collection } of run.spec.plan.steps) {
      if (collections === undefined || collections.has(collection)) newest.set(JSON.stringify([run.metadata.namespace, run.spec.store, run.metadata.labels?.[POLICY_UID_LABEL], collection]), run);
    }
  }
  const latest = new Set(newest.values());
  return sorted.filter((run) => latest.has(run));
}

const createdAt = (run: PurgeRun): string => run.metadata.creationTimestamp ?? '';
