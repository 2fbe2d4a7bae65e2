import { describe, expect, test } from '@jest/globals';
import { REASONS } from '../../../src/api/reasons.ts';
import { failureOf } from '../../../src/connect/failures.ts';
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
