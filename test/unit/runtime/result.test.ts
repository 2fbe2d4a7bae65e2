import { describe, expect, test } from '@jest/globals';
import { conditionsFor, done, requeueAfter, requeueAt, TerminalError, WaitingError } from '../../../src/runtime/result.ts';
import type { Outcome } from '../../../src/runtime/result.ts';
import type { Condition } from '../../../src/api/object.ts';

const now = Date.UTC(2026, 0, 1);

/** kstatus as Helm, Flux and Argo read it, after the checks of deletion and observedGeneration. */
function kstatus(conditions: Condition[]): 'Current' | 'InProgress' | 'Failed' {
  const status = (type: string): string | undefined => conditions.find((entry) => entry.type === type)?.status;
  if (status('Reconciling') === 'True') return 'InProgress';
  if (status('Stalled') === 'True') return 'Failed';
  return status('Ready') === 'True' ? 'Current' : 'InProgress';
}

describe('conditions of an outcome', () => {
  const table: [string, Outcome, string, string, string][] = [
    ['reconciled', done(), 'Current', 'Ready=True', 'Reconciled'],
    ['reconciled, to look again later', requeueAfter(5), 'Current', 'Ready=True', 'Reconciled'],
    ['evaluated', { kind: 'ready', reason: 'Evaluated', message: 'm' }, 'Current', 'Ready=True', 'Evaluated'],
    ['suspended', { kind: 'suspended' }, 'Current', 'Ready=True', 'Suspended'],
    ['still working', { kind: 'progressing', reason: 'Probing', message: 'm' }, 'InProgress', 'Ready=Unknown Reconciling=True', 'Probing'],
    ['waiting for a store', { kind: 'error', error: new WaitingError('StoreUnreachable', 'm', 5) }, 'InProgress', 'Ready=False Reconciling=True', 'StoreUnreachable'],
    ['failed and tried again', { kind: 'error', error: new Error('m') }, 'InProgress', 'Ready=False Reconciling=True', 'ProgressingWithRetry'],
    ['something thrown that is no error', { kind: 'error', error: 42 }, 'InProgress', 'Ready=False Reconciling=True', 'ProgressingWithRetry'],
    ['a spec that can never work', { kind: 'error', error: new TerminalError('BadReference', 'm') }, 'Failed', 'Ready=False Stalled=True', 'BadReference'],
    ['a run that ended well', { kind: 'completed', reason: 'Verified', message: 'm' }, 'Current', 'Ready=True Completed=True', 'Verified'],
    ['a run that failed for good', { kind: 'failed', reason: 'VerifyFailed', message: 'm' }, 'Failed', 'Ready=False Stalled=True Failed=True', 'VerifyFailed'],
  ];

  test.each(table)('%s', (_name, outcome, status, summary, reason) => {
    const conditions = conditionsFor(outcome, { generation: 3, now });
    expect(kstatus(conditions)).toBe(status);
    expect(conditions.map((entry) => `${entry.type}=${entry.status}`).join(' ')).toBe(summary);
    expect(conditions.every((entry) => entry.reason === reason && entry.observedGeneration === 3 && entry.message !== '')).toBe(true);
  });

  test.each(table)('%s: abnormal conditions from before are gone or true, others are left', (_name, outcome) => {
    const stale = (type: string): Condition => ({ type, status: 'True', lastTransitionTime: '2025-01-01T00:00:00Z', reason: 'Old', message: 'old' });
    const conditions = conditionsFor(outcome, { generation: 1, now, conditions: [stale('Compliant'), stale('Reconciling'), stale('Stalled'), stale('Failed')] });
    expect(conditions.filter((entry) => entry.type !== 'Ready' && entry.status !== 'True')).toEqual([]);
    expect(conditions.filter((entry) => entry.reason === 'Old').map((entry) => entry.type)).toEqual(['Compliant']);
  });

  test('the message of an unknown error does not show a stored value', () => {
    const error = new Error('invalid input syntax for type integer: "jane@example.com", Key (email)=(jane@example.com)');
    const [ready] = conditionsFor({ kind: 'error', error }, { generation: 1, now });
    expect(ready?.message).toBe('invalid input syntax for type integer: "…", Key (email)=(…)');
  });
});

describe('results', () => {
  test('requeueAt a past instant is at once', () => {
    expect(requeueAt(now - 5, now)).toEqual({ kind: 'requeueAfter', ms: 0 });
    expect(requeueAt(now + 5, now)).toEqual({ kind: 'requeueAfter', ms: 5 });
  });

  test.each([-1, Number.NaN])('a wait of %d is refused', (ms) => {
    expect(() => requeueAfter(ms)).toThrow(RangeError);
  });
});
