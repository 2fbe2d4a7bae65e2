import type { Uncounted } from '../counting.ts';
import { StoreError } from '../errors.ts';
import type { StoreErrorReason } from '../errors.ts';

/** Of the tables, columns and rights of one collection. Whatever else fails is the store's, and fails for all that is asked. */
const OF_A_COLLECTION: readonly StoreErrorReason[] = ['PermissionDenied', 'RowsHidden', 'NotFound', 'Conflict', 'Failed'];

/** Why one collection cannot be counted, so that the others still are. @throws the error itself where it is not about one */
export function uncountedBecause(error: unknown): Uncounted {
  if (error instanceof StoreError && OF_A_COLLECTION.includes(error.reason)) return { reason: error.reason, message: error.message };
  throw error;
}
