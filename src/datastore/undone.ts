import type { PurgeRun } from '../api/generated/purgeRun.ts';
import { failureOf, type Failure } from '../connect/failures.ts';
import type { EventInput } from '../runtime/event-object.ts';
import { StoreError } from '../stores/errors.ts';
import { tableName } from '../stores/predicate.ts';
import type { UndoneDrop } from '../stores/purging.ts';

/**
 * What a run that is over, or gone, left detached is attached again at a look at its store: no run of its own will. Pure.
 *
 * @param runs of every namespace with a store: two DataStores may share a database
 */
export function openRuns(runs: readonly PurgeRun[]): ReadonlySet<string> {
  return new Set(runs.filter(({ status }) => status?.finishedAt === undefined).map(({ metadata }) => metadata.uid ?? ''));
}

/** Why a part of a table is still out of the application's sight; undefined: none is. */
export function leftApart(undone: readonly UndoneDrop[] = []): Failure | undefined {
  const left = undone.filter(({ end }) => end === 'Left');
  const [first] = left;
  if (first === undefined) return undefined;
  const more = left.length > 1 ? ` (and ${left.length - 1} more)` : '';
  return failureOf(new StoreError('Conflict', `Partition ${tableName(first.partition)} of ${tableName(first.table)}, whose drop came to no end, is detached and could not be attached again${more}: ${first.because}`));
}

/** What is said once of each that is over. */
export function undoneEvents(undone: readonly UndoneDrop[] = []): EventInput[] {
  return undone.flatMap(({ partition, table, end }): EventInput[] => {
    const what = `partition ${tableName(partition)} of ${tableName(table)}, which a run that is over left detached,`;
    if (end === 'Left') return [];
    if (end === 'Attached') return [{ type: 'Normal', reason: 'PartitionReturned', action: 'Undo', note: `The ${what} was attached again.` }];
    return [{ type: 'Warning', reason: 'PartitionMoved', action: 'Undo', note: `The ${what} has another name or place by now, or it or its table is gone; it is left alone.` }];
  });
}
