import { expect, test } from '@jest/globals';
import { strategicMerge } from '../../../src/local/strategic.ts';

const KEYS = { 'metadata.finalizers': '', secrets: 'name', 'status.conditions': 'type' };

test.each([
  { name: 'merges objects', target: { data: { a: '1' } }, patch: { data: { b: '2' } }, result: { data: { a: '1', b: '2' } } },
  { name: 'null removes', target: { data: { a: '1', b: '2' } }, patch: { data: { a: null } }, result: { data: { b: '2' } } },
  { name: 'a list without a key is replaced', target: { list: [1] }, patch: { list: [2] }, result: { list: [2] } },
  { name: 'a list of values is united', target: { metadata: { finalizers: ['a', 'b'] } }, patch: { metadata: { finalizers: ['b', 'c'] } }, result: { metadata: { finalizers: ['b', 'c', 'a'] } } },
  { name: 'values are taken out by name', target: { metadata: { finalizers: ['a', 'b'] } }, patch: { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } }, result: { metadata: { finalizers: ['b'] } } },
  { name: 'items with the same key are merged', target: { secrets: [{ name: 'a', x: 1 }] }, patch: { secrets: [{ name: 'a', y: 2 }, { name: 'b' }] }, result: { secrets: [{ name: 'a', x: 1, y: 2 }, { name: 'b' }] } },
  { name: 'an item is deleted by directive', target: { secrets: [{ name: 'a' }, { name: 'b' }] }, patch: { secrets: [{ name: 'a', $patch: 'delete' }] }, result: { secrets: [{ name: 'b' }] } },
  { name: 'a list is replaced by directive', target: { secrets: [{ name: 'a' }] }, patch: { secrets: [{ $patch: 'replace' }, { name: 'c' }] }, result: { secrets: [{ name: 'c' }] } },
  { name: 'an object is replaced by directive', target: { data: { a: '1' } }, patch: { data: { $patch: 'replace', b: '2' } }, result: { data: { b: '2' } } },
  { name: 'items are put in the order asked for', target: { secrets: [{ name: 'a' }, { name: 'b' }] }, patch: { '$setElementOrder/secrets': [{ name: 'b' }, { name: 'a' }] }, result: { secrets: [{ name: 'b' }, { name: 'a' }] } },
  { name: 'only the named members are kept', target: { data: { a: '1', b: '2' } }, patch: { data: { $retainKeys: ['b'], b: '3' } }, result: { data: { b: '3' } } },
  { name: 'conditions merge by type', target: { status: { conditions: [{ type: 'A', status: 'True' }] } }, patch: { status: { conditions: [{ type: 'A', status: 'False' }] } }, result: { status: { conditions: [{ type: 'A', status: 'False' }] } } },
])('$name', ({ target, patch, result }) => {
  const before = structuredClone(target);
  expect(strategicMerge(target, patch, KEYS)).toEqual(result);
  expect(target).toEqual(before);
});

test('an item without the key is refused, since it could not be found again', () => {
  expect(() => strategicMerge({}, { secrets: [{ x: 1 }] }, KEYS)).toThrow('does not contain declared merge key: name');
});
