/**
 * Whose turn it is to work in a store. Runs of one store wait for each other by what the API server says of them, which is
 * a look and then a step: two workers that looked in the same moment both saw nobody at work, and both began. A turn is
 * taken in one step. It lives in this process alone, as only one process works and the fence keeps out the one before.
 */
export interface Turns {
  /**
   * @param target fingerprint of the database, which two DataStores may share
   * @param run name of the run, for those that have to wait
   * @returns `end`, to be called when the work is over, or the name of the run at work
   */
  take(target: string, run: string): { end: () => void } | { atWork: string };
}

export function createTurns(): Turns {
  const working = new Map<string, string>();
  return {
    take(target, run) {
      const atWork = working.get(target);
      if (atWork !== undefined) return { atWork };
      working.set(target, run);
      return { end: () => void working.delete(target) };
    },
  };
}
