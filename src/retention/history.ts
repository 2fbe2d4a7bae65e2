import type { PurgeRun } from '../api/generated/purgeRun.ts';
import { FINAL_STATES } from './run/plan.ts';

/** Ended runs that stay visible per policy and store; what they did stays in the audit log and the certificates for good. */
const KEPT = { succeeded: 10, others: 10 } as const;

/** Ended runs beyond the limit, oldest first. Open runs are never among them. Pure. */
export function surplusRuns(runs: readonly PurgeRun[]): PurgeRun[] {
  const ended = runs.filter((run) => FINAL_STATES.includes(run.status?.state ?? 'Waiting') && !run.metadata.deletionTimestamp);
  const stores = new Set(ended.map(storeKey));
  return [...stores].flatMap((store) => {
    const here = ended.filter((run) => storeKey(run) === store).toSorted((a, b) => endOf(a).localeCompare(endOf(b)));
    const succeeded = here.filter((run) => run.status?.state === 'Succeeded');
    const others = here.filter((run) => run.status?.state !== 'Succeeded');
    return [...succeeded.slice(0, Math.max(0, succeeded.length - KEPT.succeeded)), ...others.slice(0, Math.max(0, others.length - KEPT.others))];
  });
}

const storeKey = (run: PurgeRun): string => `${run.metadata.namespace}/${run.spec.store}`;
const endOf = (run: PurgeRun): string => run.status?.finishedAt ?? run.metadata.creationTimestamp ?? '';
