/** What a test has begun and has to end, also when a later beginning fails. */
export interface Cleanup {
  /** Remembers how to end it, and gives it back. */
  add<Begun>(begun: Begun, end: (begun: Begun) => unknown): Begun;
  /** Ends everything, the youngest first; one that fails does not keep the others from being ended. @throws the first failure */
  run(): Promise<void>;
}

export function createCleanup(): Cleanup {
  const ends: (() => unknown)[] = [];
  return {
    add(begun, end) {
      ends.push(() => end(begun));
      return begun;
    },
    async run() {
      const failures: unknown[] = [];
      for (const end of ends.splice(0).reverse()) {
        try {
          await end();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
