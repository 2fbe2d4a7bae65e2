import type { DataStore } from '../../api/generated/dataStore.ts';
import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import { DATA_STORE } from '../../api/kinds.ts';
import { failureOf } from '../../connect/failures.ts';
import type { RunWork } from './apply.ts';
import { hasBegun, recordRest } from './ledger.ts';
import { noteRun } from './report.ts';

/** A run that a person deleted is kept no longer than this by its store. */
const LAST_LOOK_MS = 20_000;

/**
 * Ends a run that a person deleted: no data is deleted by that and none brought back. What it deleted last is put on
 * record if the store answers; if not, the record says so, because an object must not wait for a store that is gone.
 */
export async function withdraw(run: PurgeRun, context: RunWork, signal: AbortSignal): Promise<void> {
  const missing = hasBegun(run) ? await missingRest(run, context, AbortSignal.any([signal, AbortSignal.timeout(LAST_LOOK_MS)])) : undefined;
  const why = 'the PurgeRun was deleted by a person';
  await noteRun(run, { action: 'purge.withdrawn', why: missing ? `${why}; its last batches may not be on record: ${missing}` : why }, context);
}

/** The reason why what a run deleted last could not be put on record; undefined: it was. */
async function missingRest(run: PurgeRun, { client, connections, journal, actor, certifier, metrics }: RunWork, signal: AbortSignal): Promise<string | undefined> {
  try {
    const store = await client.get<DataStore>(DATA_STORE, { namespace: run.metadata.namespace ?? '', name: run.spec.store });
    if (!store) return 'StoreNotFound';
    await recordRest({ run, store }, connections, { journal, actor, nameClient: certifier.nameClient, metrics, signal });
    return undefined;
  } catch (error) {
    return failureOf(error).reason;
  }
}
