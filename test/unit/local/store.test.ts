import { describe, expect, test } from '@jest/globals';
import { Store } from '../../../src/local/store.ts';
import type { Change } from '../../../src/local/store.ts';
import type { StoredObject } from '../../../src/local/object.ts';
import { fc } from '../../support/properties.ts';

function thing(name: string, value = 0): StoredObject {
  return { apiVersion: 'v1', kind: 'Thing', metadata: { name, namespace: 'ns' }, value };
}

/** A write of the model: store a value under a name, or remove it. */
const writes = fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c'), value: fc.option(fc.integer({ min: 0, max: 9 })) }), { maxLength: 40 });

function write(store: Store, { name, value }: { name: string; value: number | null }): void {
  const current = store.get('things', 'ns', name);
  if (value !== null) store.put('things', thing(name, value));
  else if (current !== undefined) store.remove('things', current);
}

describe('the store', () => {
  test('gives each write a higher revision, and a list exactly as it was at any of them', () => {
    fc.assert(fc.property(writes, (list) => {
      const store = new Store();
      const snapshots = new Map([[store.revision, store.list('things')]]);
      for (const entry of list) {
        const before = store.revision;
        write(store, entry);
        if (store.revision === before) continue;
        expect(store.revision).toBe(before + 1);
        snapshots.set(store.revision, store.list('things'));
      }
      for (const [revision, objects] of snapshots) expect(store.listAt('things', 'ns', revision)).toEqual(objects);
    }));
  });

  test('the changes since any revision, replayed over the list of then, give the list of now', () => {
    fc.assert(fc.property(writes, fc.nat(), (list, start) => {
      const store = new Store();
      const first = store.revision;
      for (const entry of list) write(store, entry);
      const since = first + (start % (store.revision - first + 1));
      const replayed = new Map(store.listAt('things', undefined, since).map((object) => [object.metadata.name, object]));
      for (const { type, object } of store.changesSince('things', since)) {
        if (type === 'DELETED') replayed.delete(object.metadata.name);
        else replayed.set(object.metadata.name, object);
      }
      expect([...replayed.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))).toEqual(store.list('things'));
    }));
  });

  test('forgets old changes and says 410 rather than leaving some out', () => {
    const store = new Store({ history: 4 });
    const start = store.revision;
    for (let index = 0; index < 10; index += 1) store.put('things', thing('a', index));
    expect(() => store.changesSince('things', start)).toThrow(expect.objectContaining({ code: 410, reason: 'Expired' }));
    expect(() => store.listAt('things', undefined, start)).toThrow(expect.objectContaining({ code: 410 }));
    expect(store.changesSince('things', store.revision - 2)).toHaveLength(2);
  });

  test('tells listeners each change in order, with what was there before', () => {
    const store = new Store();
    const seen: Change[] = [];
    const stop = store.subscribe((change) => seen.push(change));
    const stored = store.put('things', thing('a', 1));
    store.put('things', thing('a', 2));
    store.remove('things', store.get('things', 'ns', 'a') ?? stored);
    stop();
    store.put('things', thing('b'));
    expect(seen.map(({ type, old }) => [type, old?.['value']])).toEqual([['ADDED', undefined], ['MODIFIED', 1], ['DELETED', 2]]);
    expect(seen[2]?.object.metadata.resourceVersion).toBe(String(seen[2]?.revision));
  });

  test('lists by namespace and name', () => {
    const store = new Store();
    for (const [namespace, name] of [['b', 'x'], ['a', 'z'], ['a', 'y']] as const) {
      store.put('things', { ...thing(name), metadata: { name, namespace } });
    }
    expect(store.list('things').map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual(['a/y', 'a/z', 'b/x']);
    expect(store.list('things', 'b')).toHaveLength(1);
  });
});
