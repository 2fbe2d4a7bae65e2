/** Finds objects by values worked out from them. */
export interface Indexes<T> {
  add(key: string, object: T): void;
  /** `object` must be the one that was added: its values are worked out again. */
  remove(key: string, object: T): void;
  find(name: string, value: string): T[];
}

/**
 * Indexes kept up to date object by object. Indexers must be pure; one that throws for an object finds it under no value
 * and `onError` is told, since one odd object must not keep all others out.
 */
export function createIndexes<T>(indexers: Readonly<Record<string, (object: T) => readonly string[]>>, onError: (index: string, error: unknown) => void): Indexes<T> {
  const byName = new Map(Object.keys(indexers).map((name) => [name, new Map<string, Map<string, T>>()]));
  const valuesOf = (name: string, indexer: (object: T) => readonly string[], object: T): Set<string> => {
    try {
      return new Set(indexer(object));
    } catch (error) {
      onError(name, error);
      return new Set();
    }
  };
  const each = (object: T, run: (values: Map<string, Map<string, T>>, value: string) => void): void => {
    for (const [name, indexer] of Object.entries(indexers)) {
      const values = byName.get(name);
      if (values !== undefined) for (const value of valuesOf(name, indexer, object)) run(values, value);
    }
  };
  return {
    add(key, object) {
      each(object, (values, value) => {
        const bucket = values.get(value) ?? new Map<string, T>();
        values.set(value, bucket.set(key, object));
      });
    },
    remove(key, object) {
      each(object, (values, value) => {
        const bucket = values.get(value);
        bucket?.delete(key);
        if (bucket?.size === 0) values.delete(value);
      });
    },
    find(name, value) {
      const values = byName.get(name);
      if (values === undefined) throw new Error(`there is no index "${name}"; known are: ${[...byName.keys()].join(', ')}`);
      return [...(values.get(value)?.values() ?? [])];
    },
  };
}
