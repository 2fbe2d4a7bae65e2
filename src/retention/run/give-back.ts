import type { DataStore } from '../../api/generated/dataStore.ts';
import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import { failureOf } from '../../connect/failures.ts';
import type { StoreConnections } from '../../connect/stores.ts';
import type { AuditLog } from '../../evidence/audit/log.ts';
import { StoreError } from '../../stores/errors.ts';
import { tableName } from '../../stores/predicate.ts';
import type { UndoneDrop } from '../../stores/purging.ts';
import { hasBegun } from './ledger.ts';
import { noteRun } from './report.ts';
import type { RunStep } from './step.ts';

export interface GiveBackContext {
  connections: StoreConnections;
  audit: AuditLog;
  actor: string;
  /** This installation, as the stores it owns know it. */
  owner: string;
  signal: AbortSignal;
}

/**
 * Attaches again what a run that does not go on now has out of the application's sight: its process died, or its login was
 * lost, between the detach and the drop of a partition. Whether a freeze, a window or its end keeps the run from working, the
 * rows are there. What cannot be attached is tried again at the next look at the run, or at its store.
 *
 * @returns a half sentence of what is still out of sight, and why; empty: nothing of this run is
 */
export async function giveBack(run: PurgeRun, store: DataStore, context: GiveBackContext): Promise<string> {
  if (!mayHaveDetached(run)) return '';
  try {
    const undone = await undo(run, store, context);
    for (const { partition, table, end } of undone.filter((drop) => drop.end !== 'Left')) {
      const what = end === 'Attached' ? 'was attached again' : 'is gone, or has another name or place, and is none of this run any more';
      await noteRun(run, { action: 'purge.undone', why: `the drop of partition ${tableName(partition)} of ${tableName(table)} came to no end; it ${what}` }, context);
    }
    return stillApart(undone);
  } catch (error) {
    context.signal.throwIfAborted();
    return `; whether a partition of it is detached is not known: ${failureOf(error).reason}`;
  }
}

/** Whether a run may have partitions out of sight that it has begun to drop. Pure. */
export function mayHaveDetached(run: PurgeRun): boolean {
  return hasBegun(run) && run.spec.plan.steps.some(({ method }) => method === 'DropPartition');
}

/** Whether what broke off a run's work leaves it to us to attach its partitions again. Another process that took it over goes on with them. Pure. */
export function isOurs(error: unknown): boolean {
  return !(error instanceof StoreError && ['Fenced', 'ForeignOwner', 'Unreachable'].includes(error.reason));
}

async function undo(run: PurgeRun, store: DataStore, { connections, owner, signal }: GiveBackContext): Promise<UndoneDrop[]> {
  const writer = await connections.writer(store, signal);
  try {
    // Another store, or a copy of this one, may answer by now.
    if ((await writer.identity()).fingerprint !== run.spec.plan.target) return [];
    return await writer.undoDrops({ owner, of: (begunBy) => begunBy === run.metadata.uid });
  } finally {
    await writer.close();
  }
}

function stillApart(undone: readonly UndoneDrop[]): string {
  return undone
    .filter(({ end }) => end === 'Left')
    .map(({ partition, table, because }) => `; partition ${tableName(partition)} of ${tableName(table)} is detached and could not be attached again: ${because}`)
    .join('');
}

/** A step that says more, wherever it says why. Pure. */
export function sayingAlso(step: RunStep, more: string): RunStep {
  if (more === '') return step;
  return {
    ...step,
    ...(step.note ? { note: { ...step.note, why: `${step.note.why}${more}` } } : {}),
    ...(step.report ? { report: { ...step.report, why: `${step.report.why}${more}` } } : {}),
  };
}
