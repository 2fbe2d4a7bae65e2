import { expect, test } from '@jest/globals';
import { createMemo, memoKey } from '../../../src/policy/memo.ts';
import type { ControlResult, Outcome } from '../../../src/policy/result.ts';

function results(outcome: Outcome): ControlResult[] {
  return [{ control: 'A', title: 'A', severity: 'low', store: { namespace: 'n', name: 's' }, outcome, findings: [], remediation: '', refs: {} }];
}

test('an answer is given again until it may change, and not from then on', () => {
  const memo = createMemo(2);
  const kept = results('Pass');
  memo.set('k', kept, 100, 200);
  expect(memo.get('k', 100)).toBe(kept);
  expect(memo.get('k', 199)).toBe(kept);
  expect(memo.get('k', 200)).toBeUndefined();
  expect(memo.get('k', 150)).toBeUndefined();
});

test('an answer is not given for a time before it was made', () => {
  const memo = createMemo(2);
  memo.set('k', results('Pass'), 100, 200);
  expect(memo.get('k', 99)).toBeUndefined();
});

test('an error is not kept, and takes the place of what was', () => {
  const memo = createMemo(2);
  memo.set('k', results('Pass'), 100, 200);
  memo.set('k', results('Error'), 100, 200);
  expect(memo.get('k', 100)).toBeUndefined();
});

test('the answer unused for longest makes room', () => {
  const memo = createMemo(2);
  for (const key of ['a', 'b']) memo.set(key, results('Pass'), 0, 10);
  memo.get('a', 0);
  memo.set('c', results('Pass'), 0, 10);
  expect(['a', 'b', 'c'].filter((key) => memo.get(key, 0))).toEqual(['a', 'c']);
});

test('a key changes with every part of it', () => {
  const parts = { uid: 'u', resourceVersion: '1', digest: 'd', rest: { params: { a: 1 } } };
  const keys = [parts, { ...parts, uid: 'v' }, { ...parts, resourceVersion: '2' }, { ...parts, digest: 'e' }, { ...parts, rest: { params: { a: 2 } } }, { ...parts, uid: 'u1', resourceVersion: '' }];
  expect(new Set(keys.map(memoKey)).size).toBe(keys.length);
});
