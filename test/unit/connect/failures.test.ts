import { describe, expect, test } from '@jest/globals';
import { REASONS } from '../../../src/api/reasons.ts';
import { failureOf } from '../../../src/connect/failures.ts';
import { ConnectionError } from '../../../src/connect/stores.ts';
import { WaitingError } from '../../../src/runtime/result.ts';
import { STORE_ERROR_REASONS, StoreError } from '../../../src/stores/errors.ts';

describe('a failure in words', () => {
  test.each(STORE_ERROR_REASONS)('has a documented reason for the store error %s', (reason) => {
    const failure = failureOf(new StoreError(reason, 'what happened'));
    expect(Object.keys(REASONS)).toContain(failure.reason);
    expect(failure.message).toBe('what happened');
  });

  test('keeps the words of those who knew what they said', () => {
    expect(failureOf(new ConnectionError('SecretNotFound', 'no Secret'))).toEqual({ reason: 'SecretNotFound', message: 'no Secret' });
    expect(failureOf(new WaitingError('ClockSkew', 'the clocks differ', 1))).toEqual({ reason: 'ClockSkew', message: 'the clocks differ' });
  });

  test('does not repeat the text of a fault nobody foresaw, which may carry data', () => {
    const failure = failureOf(new TypeError('cannot read anna@example.com of undefined'));
    expect(failure.reason).toBe('InternalError');
    expect(failure.message).not.toContain('anna@example.com');
    expect(failureOf('anna@example.com').message).not.toContain('anna');
  });
});
