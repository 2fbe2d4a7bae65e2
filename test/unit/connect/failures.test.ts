import { describe, expect, test } from '@jest/globals';
import { REASONS } from '../../../src/api/reasons.ts';
import { failureOf, unreadConditions } from '../../../src/connect/failures.ts';
import { ConnectionError } from '../../../src/connect/stores.ts';
import { AuditUnavailableError } from '../../../src/evidence/audit/log.ts';
import { WaitingError } from '../../../src/runtime/result.ts';
import { STORE_ERROR_REASONS, StoreError } from '../../../src/stores/errors.ts';
import { apiError } from '../../support/memory-client.ts';

describe('a failure in words', () => {
  test.each(STORE_ERROR_REASONS)('has a documented reason for the store error %s', (reason) => {
    const failure = failureOf(new StoreError(reason, 'what happened'));
    expect(Object.keys(REASONS)).toContain(failure.reason);
    expect(failure.message).toBe('what happened');
  });

  test('tells a pooler from a fault: another address mends it, no retry does', () => {
    expect(failureOf(new StoreError('PoolerRefused', 'a pooler answers')).reason).toBe('PoolerRefused');
  });

  test('keeps the words of those who knew what they said', () => {
    expect(failureOf(new ConnectionError('SecretNotFound', 'no Secret'))).toEqual({ reason: 'SecretNotFound', message: 'no Secret' });
    expect(failureOf(new WaitingError('ClockSkew', 'the clocks differ', 1))).toEqual({ reason: 'ClockSkew', message: 'the clocks differ' });
    expect(failureOf(new AuditUnavailableError('the disk is full'))).toEqual({ reason: 'AuditUnavailable', message: 'the disk is full' });
  });

  test('says what to do about an answer of the API server, which knows only what it refused', () => {
    expect(failureOf(apiError(403, 'Forbidden', 'list legalholds: forbidden'))).toEqual({ reason: 'ReadFailed', message: 'list legalholds: forbidden; grant this right, deploy/rbac.yaml has those of the operator' });
    expect(failureOf(apiError(500, 'InternalError', 'list legalholds: HTTP 500'))).toEqual({ reason: 'ReadFailed', message: 'list legalholds: HTTP 500; look at the API server, it is asked again' });
  });

  test('does not repeat the text of a fault nobody foresaw, which may carry data', () => {
    const failure = failureOf(new TypeError('cannot read anna@example.com of undefined'));
    expect(failure.reason).toBe('InternalError');
    expect(failure.message).not.toContain('anna@example.com');
    expect(failureOf('anna@example.com').message).not.toContain('anna');
  });
});

test('an object that could not be looked into is not ready any longer, what is judged by it is not known, and the rest stays', () => {
  const before = [
    { type: 'Ready', status: 'True', reason: 'Evaluated', message: 'all is well', lastTransitionTime: '2026-01-01T00:00:00Z' },
    { type: 'Conflicted', status: 'False', reason: 'NoConflict', message: 'none', lastTransitionTime: '2026-01-01T00:00:00Z' },
    { type: 'Lapsed', status: 'True', reason: 'Unclassified', message: 'a column', lastTransitionTime: '2026-01-01T00:00:00Z' },
  ] as const;
  const conditions = unreadConditions({ metadata: { generation: 4 }, status: { conditions: [...before] } }, { reason: 'ReadFailed', message: 'list legalholds: forbidden' }, Date.UTC(2026, 1, 1), ['Conflicted']);
  expect(conditions).toEqual([
    { type: 'Ready', status: 'False', observedGeneration: 4, reason: 'ReadFailed', message: 'list legalholds: forbidden', lastTransitionTime: '2026-02-01T00:00:00Z' },
    { type: 'Conflicted', status: 'Unknown', observedGeneration: 4, reason: 'ReadFailed', message: 'list legalholds: forbidden', lastTransitionTime: '2026-02-01T00:00:00Z' },
    before[2],
    expect.objectContaining({ type: 'Reconciling', status: 'True', reason: 'ReadFailed' }),
  ]);
});
