import type { KubeObject } from '../api/object.ts';
import type { Cache } from '../runtime/cache.ts';

/** Something kept by the uid of an object. */
export interface Kept {
  forget(uid: string): void;
}

/**
 * What was read of a store goes with its object. An inventory is the largest thing the operator keeps, and where stores
 * come and go, those of the dead would fill the memory.
 */
export function forgetDeleted<T extends KubeObject>(cache: Pick<Cache<T>, 'onChange'>, kept: readonly Kept[]): void {
  cache.onChange(
    ({ type, object }) => {
      if (type === 'deleted') for (const each of kept) each.forget(object.metadata.uid ?? '');
    },
    { fromNow: true },
  );
}
