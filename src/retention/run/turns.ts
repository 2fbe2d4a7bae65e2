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
