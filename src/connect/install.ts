import type { DataStore } from '../api/generated/dataStore.ts';
import type { FenceState } from '../stores/fence.ts';
import { StoreError } from '../stores/errors.ts';
import type { StoreWriter } from '../stores/port.ts';
import { ConnectionError, type StoreConnections } from './stores.ts';

/**
 * Makes sure the operator's own schema is in a store: the fence, the journal, the holds. Whoever comes first does it -
 * the look at the store or a hold that must not wait for it. The observing and verifying identities may read it.
 *
 * @param owner this installation; a store of another one refuses with `ForeignOwner`.
 */
export async function ensureFence(store: DataStore, writer: StoreWriter, connections: StoreConnections, owner: string): Promise<FenceState> {
  const names = await connections.usernames(store);
  try {
    return await writer.install({ owner, readers: [names.observe, names.verify].filter((name) => name !== undefined) });
  } catch (error) {
    // The writer is in already, and so is the observing login wherever a store is looked at.
    if (error instanceof StoreError && error.reason === 'AuthenticationFailed') throw new ConnectionError('AuthenticationFailed', error.message, 'verify');
    throw error;
  }
}
