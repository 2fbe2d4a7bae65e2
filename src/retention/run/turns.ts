import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import { standsBack } from './failing.ts';
import { hasBegun } from './ledger.ts';

/**
 * Whose turn it is to work in a store. Runs of one store wait for each other by what the API server says of them, which is
 * a look and then a step: two workers that looked in the same moment both saw nobody at work, and both began. A turn is
 * taken in one step. It lives in this process alone, as only one process works and the fence keeps out the one before.
 */
export interface Turns {
  /**
   * A run whose own work hangs may take its turn again: its next claim in the store ends what hangs. Another may not,
   * because its claim would not.
   *
   * @param target fingerprint of the database, which two DataStores may share
   * @returns `end`, to be called when the work is over, or the name of the run at work
   */
  take(target: string, run: Worker): { end: () => void } | { atWork: string };
}

/** A run, by its object. */
interface Worker {
  readonly uid?: string;
  readonly name: string;
}

export function createTurns(): Turns {
  const working = new Map<string, Worker>();
  return {
    take(target, { uid = '', name }) {
      const standing = working.get(target);
      if (standing && standing.uid !== uid) return { atWork: standing.name };
      const own: Worker = { uid, name };
      working.set(target, own);
      return {
        end() {
          if (working.get(target) === own) working.delete(target);
        },
      };
    },
  };
}

/**
 * Whether a run waits for another of its store. For one that paused, or stands back, it waits only where both delete from
 * the same collection: what stops one group of tables must not stop another. Of two that have begun the later one waits,
 * so that they never wait for each other; one that stands back waits for any of other collections, which do not wait for it. Pure.
 */
export function goesFirst(other: PurgeRun, run: PurgeRun): boolean {
  const state = other.status?.state;
  const meets = other.spec.plan.steps.some((step) => run.spec.plan.steps.some((own) => own.collection === step.collection));
  const aside = state === 'Paused' || standsBack(other);
  const atWork = hasBegun(other) && (!aside || meets);
  return atWork && (!hasBegun(run) || startOf(other) < startOf(run) || (standsBack(run) && !meets));
}

const startOf = (run: PurgeRun): string => `${run.status?.startedAt ?? ''} ${run.metadata.name}`;
