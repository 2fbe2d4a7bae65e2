import { removeCondition, setCondition } from '../api/conditions.ts';
import type { DataMap, DataMapStatus } from '../api/generated/dataMap.ts';
import { unreadConditions } from '../connect/failures.ts';
import { conditionsFor } from '../runtime/result.ts';
import type { MapVerdict } from './plan.ts';

const WORST = 50;

export function dataMapStatus(map: DataMap, verdict: MapVerdict, now: number): DataMapStatus {
  const generation = map.metadata.generation ?? 0;
  const { failure, refused, problems } = verdict;
  let conditions = failure
    ? unreadConditions(map, failure, now, ['Resolved', 'Accepted'])
    : conditionsFor({ kind: 'ready', reason: 'Evaluated', message: 'The map was compared with its store.' }, { generation, now, conditions: map.status?.conditions ?? [] });
  const first = problems[0];
  const resolved = first
    ? ({ status: 'False', reason: first.reason, message: problems.length > 1 ? `${first.message} (and ${problems.length - 1} more)` : first.message } as const)
    : ({ status: 'True', reason: 'Resolved', message: `All ${verdict.collections} collections exist.` } as const);
  const accepted = refused ? ({ status: 'False', reason: 'NotAllowed', message: refused } as const) : ({ status: 'True', reason: 'Accepted', message: 'The store accepts the map.' } as const);
  // That a statement lapsed keeps its last word while nobody can look: it is an alarm.
  if (!failure) {
    conditions = setCondition(conditions, { type: 'Resolved', observedGeneration: generation, ...resolved }, now);
    conditions = setCondition(conditions, { type: 'Accepted', observedGeneration: generation, ...accepted }, now);
    conditions = verdict.lapsed === undefined
      ? removeCondition(conditions, 'Lapsed')
      : setCondition(conditions, { type: 'Lapsed', status: 'True', observedGeneration: generation, reason: 'Unclassified', message: verdict.lapsed }, now);
  }
  // Figures of a look that nobody could repeat would look like those of now.
  const { pinned: before, collections: _collections, tables: _tables, missing: _missing, truncated: _truncated, ...previous } = map.status ?? {};
  const pinned = failure ? before : verdict.pinned;
  return {
    ...previous,
    observedGeneration: generation,
    conditions,
    ...(pinned ? { pinned } : {}),
    ...(failure ? {} : { collections: verdict.collections, tables: verdict.tables, missing: problems.slice(0, WORST).map((problem) => problem.message.slice(0, 512)), truncated: Math.max(0, problems.length - WORST) }),
  };
}
