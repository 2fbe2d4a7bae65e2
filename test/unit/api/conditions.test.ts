import { describe, expect, test } from '@jest/globals';
import { formatTime, getCondition, removeCondition, setCondition } from '../../../src/api/conditions.ts';
import type { Condition } from '../../../src/api/object.ts';

const first = Date.UTC(2026, 0, 1, 0, 0, 0, 999);
const later = Date.UTC(2026, 0, 2);
const ready = (status: Condition['status'], reason = 'Reconciled') => ({ type: 'Ready', status, reason, message: 'm', observedGeneration: 1 });

describe('conditions', () => {
  test('the transition time is now for a new condition, to the second', () => {
    expect(setCondition([], ready('True'), first)[0]?.lastTransitionTime).toBe('2026-01-01T00:00:00Z');
  });

  test('the transition time stays when only reason, message or generation change', () => {
    const [condition] = setCondition(setCondition([], ready('True'), first), { ...ready('True', 'Evaluated'), message: 'n', observedGeneration: 2 }, later);
    expect(condition).toEqual({ type: 'Ready', status: 'True', reason: 'Evaluated', message: 'n', observedGeneration: 2, lastTransitionTime: '2026-01-01T00:00:00Z' });
  });

  test.each(['False', 'Unknown'] as const)('the transition time moves when the status becomes %s', (status) => {
    expect(setCondition(setCondition([], ready('True'), first), ready(status), later)[0]?.lastTransitionTime).toBe('2026-01-02T00:00:00Z');
  });

  test('a condition keeps its place, and the list given is not changed', () => {
    const before = Object.freeze(setCondition(setCondition([], ready('True'), first), { ...ready('True'), type: 'Compliant' }, first));
    expect(setCondition(before, ready('False'), later).map((entry) => entry.type)).toEqual(['Ready', 'Compliant']);
    expect(removeCondition(before, 'Ready').map((entry) => entry.type)).toEqual(['Compliant']);
    expect(before.map((entry) => entry.status)).toEqual(['True', 'True']);
  });

  test.each(['', 'not a word', 'Ends-', '1st'])('the reason "%s" is refused, as the API server would refuse the whole status', (reason) => {
    expect(() => setCondition([], ready('True', reason), first)).toThrow(RangeError);
  });

  test('a message too long for the API server is cut', () => {
    expect(setCondition([], { ...ready('True'), message: 'x'.repeat(40_000) }, first)[0]?.message).toHaveLength(32_768);
  });

  test('a condition nobody spoke of is absent', () => {
    expect(getCondition(undefined, 'Ready')).toBeUndefined();
    expect(getCondition([], 'Ready')).toBeUndefined();
  });

  test('times have whole seconds', () => {
    expect(formatTime(first)).toBe('2026-01-01T00:00:00Z');
  });
});
