import type { DataStore } from '../../api/generated/dataStore.ts';
import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import { DATA_STORE } from '../../api/kinds.ts';
import { failureOf } from '../../connect/failures.ts';
import type { RunWork } from './apply.ts';
import { giveBack } from './give-back.ts';
import { hasBegun, recordRest } from './ledger.ts';
import { noteRun } from './report.ts';

/** A run that is over is kept no longer than this by its store. */
const LAST_LOOK_MS = 20_000;

/**
 * Ends a run that a person deleted: no data is deleted by that and none brought back. What it deleted last is put on
 * record if the store answers; if not, the record says so, because an object must not wait for a store that is gone.
 */
export async function withdraw(run: PurgeRun, context: RunWork, signal: AbortSignal): Promise<void> {
  const why = 'the PurgeRun was deleted by a person';
  await noteRun(run, { action: 'purge.withdrawn', why: `${why}${hasBegun(run) ? ((await lastRecord(run, context, signal)).missing ?? '') : ''}` }, context);
}

/**
 * Puts on record what a run deleted last, and gives back what it has out of sight: how much it deleted in all, or half a
 * sentence where the record may miss some of it, or a partition is still detached.
 */
export async function lastRecord(run: PurgeRun, context: RunWork, until: AbortSignal): Promise<{ deleted?: number; missing?: string }> {
  const { client, connections, journal, actor, certifier, metrics } = context;
  const signal = AbortSignal.any([until, AbortSignal.timeout(LAST_LOOK_MS)]);
  const unknown = (reason: string): { missing: string } => ({ missing: `; its last batches may not be on record: ${reason}` });
  try {
    const store = await client.get<DataStore>(DATA_STORE, { namespace: run.metadata.namespace ?? '', name: run.spec.store });
    if (!store) return unknown('StoreNotFound');
    const deleted = await recordRest({ run, store }, connections, { journal, actor, nameClient: certifier.nameClient, metrics, signal });
    const left = await giveBack(run, store, { ...context, signal });
    return { ...(deleted === undefined ? {} : { deleted }), ...(left === '' ? {} : { missing: left }) };
  } catch (error) {
    return unknown(failureOf(error).reason);
  }
}
