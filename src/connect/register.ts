/** The last reading of each of many things, in memory: written by whoever looks, read by whoever judges. */
export interface Register<T> {
  get(key: string): T | undefined;
  put(key: string, reading: T): void;
  /** The thing is gone, and what was read of it is nobody's any more. */
  forget(key: string): void;
}

export function createRegister<T>(): Register<T> {
  const known = new Map<string, T>();
  return {
    get: (key) => known.get(key),
    put: (key, reading) => void known.set(key, reading),
    forget: (key) => void known.delete(key),
  };
}
