import { describe, expect, test } from '@jest/globals';
import { cleanUp } from '../../../src/local/cleanup.ts';
import { CORE_KINDS } from '../../../src/local/core-kinds.ts';
import { deleteStored } from '../../../src/local/deletion.ts';
import type { Propagation } from '../../../src/local/deletion.ts';
import { kindRegistry } from '../../../src/local/kinds.ts';
import type { StoredObject } from '../../../src/local/object.ts';
import { Store } from '../../../src/local/store.ts';

const KINDS = kindRegistry(CORE_KINDS);
const NOW = Date.parse('2026-01-01T00:00:00Z');

function owner(name: string, uid = name): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', name, uid, blockOwnerDeletion: true };
}

function add(store: Store, name: string, metadata: object = {}): void {
  store.put('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop', uid: name, ...metadata } } as StoredObject);
}

function remove(store: Store, name: string, propagation: Propagation): void {
  const kind = KINDS.ofCollection('configmaps');
  const object = store.get('configmaps', 'shop', name);
  if (kind === undefined || object === undefined) throw new Error(`there is no ${name}`);
  deleteStored(store, kind, object, propagation, NOW);
}

/** As the server does: again until nothing changes. */
function settle(store: Store): string[] {
  for (let pass = 0, before = -1; before !== store.revision; pass += 1) {
    if (pass > 20) throw new Error('the passes do not come to an end');
    before = store.revision;
    cleanUp(store, KINDS, NOW);
  }
  return store.list('configmaps').map(({ metadata }) => metadata.name);
}

describe('what an owner leaves behind', () => {
  test.each([
    { name: 'Background: dependents go after it, and theirs', propagation: 'Background', left: [] },
    { name: 'Foreground: dependents go before it, and theirs', propagation: 'Foreground', left: [] },
    { name: 'Orphan: dependents stay', propagation: 'Orphan', left: ['child', 'grandchild'] },
  ] as const)('$name', ({ propagation, left }) => {
    const store = new Store();
    add(store, 'parent');
    add(store, 'child', { ownerReferences: [owner('parent')] });
    add(store, 'grandchild', { ownerReferences: [owner('child')] });
    remove(store, 'parent', propagation);
    expect(settle(store)).toEqual(left);
    if (propagation === 'Orphan') expect(store.get('configmaps', 'shop', 'child')?.metadata.ownerReferences).toEqual([]);
  });

  test('a dependent with another owner stays, without the reference to the lost one', () => {
    const store = new Store();
    add(store, 'a');
    add(store, 'b');
    add(store, 'child', { ownerReferences: [owner('a'), owner('b')] });
    remove(store, 'a', 'Background');
    expect(settle(store)).toEqual(['b', 'child']);
    expect(store.get('configmaps', 'shop', 'child')?.metadata.ownerReferences).toEqual([owner('b')]);
  });

  test('a dependent that two owners leave as an orphan at once stays', () => {
    const store = new Store();
    add(store, 'a');
    add(store, 'b');
    add(store, 'child', { ownerReferences: [owner('a'), owner('b')] });
    remove(store, 'a', 'Orphan');
    remove(store, 'b', 'Orphan');
    expect(settle(store)).toEqual(['child']);
  });

  test('an owner waits in the foreground for a dependent that has a finalizer', () => {
    const store = new Store();
    add(store, 'parent');
    add(store, 'child', { ownerReferences: [owner('parent')], finalizers: ['test.dataward.io/hold'] });
    remove(store, 'parent', 'Foreground');
    expect(settle(store)).toEqual(['child', 'parent']);
    expect(store.get('configmaps', 'shop', 'child')?.metadata.deletionTimestamp).toBeDefined();
  });

  test.each([
    { name: 'an owner that never was', reference: owner('nobody'), left: ['other'] },
    { name: 'an owner of the same name made later', reference: owner('other', 'another-uid'), left: ['other'] },
    { name: 'an owner of a kind that is not served here, which may well be there', reference: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd', uid: 'd' }, left: ['child', 'other'] },
  ])('$name', ({ reference, left }) => {
    const store = new Store();
    add(store, 'other');
    add(store, 'child', { ownerReferences: [reference] });
    expect(settle(store)).toEqual(left);
  });

  test('an owner in another namespace counts as missing, as in a cluster', () => {
    const store = new Store();
    store.put('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'far', namespace: 'elsewhere', uid: 'far' } });
    add(store, 'child', { ownerReferences: [owner('far')] });
    expect(settle(store)).toEqual(['far']);
  });
});

test('a namespace goes when its content has gone, and waits for what has a finalizer', () => {
  const store = new Store();
  const namespaces = KINDS.ofCollection('namespaces');
  if (namespaces === undefined) throw new Error('namespaces are served');
  const shop = store.put('namespaces', namespaces.complete({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', uid: 'shop' } }));
  add(store, 'free');
  add(store, 'held', { finalizers: ['test.dataward.io/hold'] });
  deleteStored(store, namespaces, shop, 'Background', NOW);
  expect(settle(store)).toEqual(['held']);
  expect(store.get('namespaces', undefined, 'shop')?.['status']).toEqual({ phase: 'Terminating' });
  const held = store.get('configmaps', 'shop', 'held');
  if (held !== undefined) store.remove('configmaps', held);
  settle(store);
  expect(store.list('namespaces')).toEqual([]);
});
