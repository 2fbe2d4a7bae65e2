import { describe, expect, test } from '@jest/globals';
import { StatusError } from '../../../src/local/errors.ts';
import { jsonPatch, mergePatch } from '../../../src/local/patch.ts';
import { fc } from '../../support/properties.ts';

describe('merge patch', () => {
  test.each([
    { name: 'adds a member', target: { a: 1 }, patch: { b: 2 }, result: { a: 1, b: 2 } },
    { name: 'replaces a member', target: { a: 1 }, patch: { a: 2 }, result: { a: 2 } },
    { name: 'null removes a member', target: { a: 1, b: 2 }, patch: { a: null }, result: { b: 2 } },
    { name: 'null of an absent member changes nothing', target: { b: 2 }, patch: { a: null }, result: { b: 2 } },
    { name: 'merges objects below', target: { a: { b: 1, c: 2 } }, patch: { a: { b: null, d: 3 } }, result: { a: { c: 2, d: 3 } } },
    { name: 'replaces a list as a whole', target: { a: [1, 2] }, patch: { a: [3] }, result: { a: [3] } },
    { name: 'an object takes the place of a value', target: { a: 1 }, patch: { a: { b: null, c: 1 } }, result: { a: { c: 1 } } },
  ])('$name', ({ target, patch, result }) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });

  test('applied twice is the same as once, and leaves the target as it was', () => {
    const json = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 3 }, fc.integer(), fc.constant(null), fc.array(fc.integer(), { maxLength: 2 }), tie('object')),
      object: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { maxKeys: 3 }),
    })).value);
    fc.assert(fc.property(json, json, (target, patch) => {
      const before = structuredClone(target);
      const once = mergePatch(target, patch);
      expect(mergePatch(once, patch)).toEqual(once);
      expect(target).toEqual(before);
    }));
  });
});

describe('JSON patch', () => {
  test.each([
    { name: 'adds', patch: [{ op: 'add', path: '/b', value: 2 }], result: { a: [1, 2], b: 2 } },
    { name: 'appends to a list', patch: [{ op: 'add', path: '/a/-', value: 3 }], result: { a: [1, 2, 3] } },
    { name: 'moves', patch: [{ op: 'move', from: '/a', path: '/c' }], result: { c: [1, 2] } },
    { name: 'copies', patch: [{ op: 'copy', from: '/a/0', path: '/d' }], result: { a: [1, 2], d: 1 } },
    { name: 'replaces the whole document', patch: [{ op: 'replace', path: '', value: { z: 1 } }], result: { z: 1 } },
    { name: 'a test that holds changes nothing', patch: [{ op: 'test', path: '/a/1', value: 2 }], result: { a: [1, 2] } },
  ])('$name', ({ patch, result }) => {
    expect(jsonPatch({ a: [1, 2] }, patch)).toEqual(result);
  });

  test('one operation that fails undoes all of them', () => {
    const target = { a: [1, 2] };
    const patch = [{ op: 'replace', path: '/a/0', value: 9 }, { op: 'test', path: '/a/1', value: 3 }];
    expect(() => jsonPatch(target, patch)).toThrow(expect.objectContaining({ code: 422 }));
    expect(target).toEqual({ a: [1, 2] });
  });

  test.each([
    { name: 'an object in place of the list', patch: { op: 'add' } },
    { name: 'an operation nobody knows', patch: [{ op: 'swap', path: '/a' }] },
    { name: 'an operation without a path', patch: [{ op: 'remove' }] },
  ])('refuses $name with 400', ({ patch }) => {
    expect(() => jsonPatch({}, patch)).toThrow(StatusError);
    expect(() => jsonPatch({}, patch)).toThrow(expect.objectContaining({ code: 400 }));
  });
});
