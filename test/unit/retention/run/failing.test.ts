import { describe, expect, test } from '@jest/globals';
import type { PurgeRunStatus } from '../../../../src/api/generated/purgeRun.ts';
import { ConnectionError } from '../../../../src/connect/stores.ts';
import { AuditUnavailableError } from '../../../../src/evidence/audit/log.ts';
import { failedAgain, givesUp, meaningOf, retryAfterMs, type Failing } from '../../../../src/retention/run/failing.ts';
import { JournalLostError } from '../../../../src/retention/run/ledger.ts';
import { stepOfFailure } from '../../../../src/retention/run/step.ts';
import { WaitingError } from '../../../../src/runtime/result.ts';
import { StoreError, STORE_ERROR_REASONS } from '../../../../src/stores/errors.ts';
import { fc, runs } from '../../../support/properties.ts';

const NOW = Date.parse('2026-03-01T02:00:00Z');
const MINUTE = 60_000;
const at = (minutes: number): string => new Date(NOW + minutes * MINUTE).toISOString();
const refused = new StoreError('NotFound', 'a table does not exist any more (SQLSTATE 42P01)');
const failing = (count: number, minutesAgo: number, deleted = 0): Failing => ({ count, since: at(-minutesAgo), deleted });

describe('a failure', () => {
  test('of the store that is not about reaching it, or about who works there, is one of the work', () => {
    const ofTheWork = STORE_ERROR_REASONS.filter((reason) => meaningOf(new StoreError(reason, '')) === 'Fails');
    expect(ofTheWork).toEqual(['PermissionDenied', 'NotFound', 'RowsHidden', 'LimitReached', 'RunLimitReached', 'Conflict', 'Replaced', 'Failed']);
  });

  test.each<[string, unknown, ReturnType<typeof meaningOf>]>([
    ['nobody foresaw', new TypeError('x'), 'Fails'],
    ['is none', undefined, 'Fails'],
    ['comes of the end of this process', new DOMException('x', 'AbortError'), 'Waits'],
    ['comes of the time it was given', new DOMException('x', 'TimeoutError'), 'Waits'],
    ['is of a Secret', new ConnectionError('SecretNotFound', 'x'), 'Waits'],
    ['is of the audit log', new AuditUnavailableError('x'), 'Waits'],
    ['is of a clock', new WaitingError('ClockSkew', 'x', 1), 'Waits'],
    ['is of the place of a certificate', new WaitingError('ProgressingWithRetry', 'x', 1), 'StandsBack'],
    ['is of a full disk', Object.assign(new Error('x'), { code: 'ENOSPC' }), 'StandsBack'],
    ['has a code of our own', Object.assign(new Error('x'), { code: 'ERR_X' }), 'Fails'],
  ])('that %s is told apart', (_, error, expected) => {
    expect(meaningOf(error)).toBe(expected);
  });

  test.each<[string, PurgeRunStatus, Failing]>([
    ['is the first of a run', {}, failing(1, 0)],
    ['is one more where no row was deleted since', { failing: failing(3, 20, 40), progress: { deleted: 40 } }, failing(4, 20, 40)],
    ['is the first again where rows were deleted since', { failing: failing(3, 20, 40), progress: { deleted: 41 } }, failing(1, 0, 41)],
    ['counts from the rows deleted before', { progress: { deleted: 40 } }, failing(1, 0, 40)],
  ])('%s', (_, status, expected) => {
    expect(failedAgain(status, NOW)).toEqual(expected);
  });

  test('is followed by a try after 30 s, then after twice as long each time, up to a quarter of an hour', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 1_000].map((count) => retryAfterMs(failing(count, 0)) / 1000)).toEqual([30, 60, 120, 240, 480, 900, 900, 900]);
  });

  test.each<[number, number, boolean]>([[8, 60, true], [8, 59, false], [7, 600, false], [40, 60, true]])('number %d, %d minutes after the first, ends the run: %s', (count, minutes, expected) => {
    expect(givesUp(failing(count, minutes), NOW)).toBe(expected);
  });

  test('that goes on ends every run, in two hours of tries and not before one, whatever was deleted before', () => {
    fc.assert(fc.property(fc.nat({ max: 1_000 }), (deleted: number) => {
      let [status, now]: [PurgeRunStatus, number] = [{ state: 'Running', progress: { deleted } }, NOW];
      for (;;) {
        const { report, next } = stepOfFailure(refused, status, now);
        if (next === 'over' || report === undefined) break;
        if (typeof next === 'object' && next.kind === 'requeueAfter') now += next.ms;
        status = { ...status, state: report.state, ...(report.failing ? { failing: report.failing } : {}) };
      }
      expect((now - NOW) / MINUTE).toBeGreaterThanOrEqual(60);
      expect((now - NOW) / MINUTE).toBeLessThan(120);
    }), { numRuns: runs(10) });
  });
});

describe('a look that broke off', () => {
  const words = (error: unknown, status: PurgeRunStatus | undefined): unknown[] => {
    const { report, next, note, owesRecord } = stepOfFailure(error, status, NOW);
    return [report?.state, report?.failing?.count, next, note?.action, owesRecord];
  };
  const soon = { kind: 'requeueAfter', ms: 30_000 };
  const unreachable = new StoreError('Unreachable', 'no answer');

  test.each<[string, unknown, PurgeRunStatus | undefined, unknown[]]>([
    ['of a run at work lets others go first', refused, { state: 'Running' }, ['Paused', 1, soon, undefined, undefined]],
    ['of a paused run too', refused, { state: 'Paused', failing: failing(1, 1) }, ['Paused', 2, { kind: 'requeueAfter', ms: 60_000 }, undefined, undefined]],
    ['of one that is verified keeps that', refused, { state: 'Verifying' }, ['Verifying', 1, soon, undefined, undefined]],
    ['of one that has deleted nothing is no more than that', refused, { state: 'AwaitingApproval' }, ['Waiting', undefined, soon, undefined, undefined]],
    ['of one that was never written of', refused, undefined, ['Waiting', undefined, soon, undefined, undefined]],
    ['for want of an answer leaves it as it was', unreachable, { state: 'Running' }, ['Running', undefined, soon, undefined, undefined]],
    ['for want of an answer never ends it', unreachable, { state: 'Running', failing: failing(40, 900) }, ['Running', undefined, soon, undefined, undefined]],
    ['once too often ends it', refused, { state: 'Paused', failing: failing(7, 60) }, ['Failed', 8, 'over', 'purge.failed', true]],
    ['of what it needs beside the store lets others go first and never ends it', new WaitingError('ProgressingWithRetry', 'x', 1), { state: 'Verifying', failing: failing(40, 900) }, ['Verifying', 41, { kind: 'requeueAfter', ms: 900_000 }, undefined, undefined]],
    ['of one that has ended says nothing', refused, { state: 'Succeeded' }, [undefined, undefined, soon, undefined, undefined]],
    ['for a journal that was lost ends it at once', new JournalLostError('lost'), { state: 'Running' }, ['Failed', undefined, 'over', 'purge.failed', undefined]],
  ])('%s', (_, error, status, expected) => {
    expect(words(error, status)).toEqual(expected);
  });

  test('says what was wrong, how often, and what becomes of it', () => {
    const first = stepOfFailure(refused, { state: 'Running' }, NOW).report;
    expect(first).toMatchObject({ reason: 'MissingTable', why: `${refused.message} (failed once since ${at(0)} with no row deleted; tried again in 30 s at the latest, other runs of the store go first, and after 60 minutes of this the run ends as Failed)` });
    expect(stepOfFailure(new WaitingError('ProgressingWithRetry', 'taken', 1), { state: 'Verifying' }, NOW).report?.why).toMatch(/other runs of the store go first\)$/);
    const last = stepOfFailure(refused, { state: 'Paused', failing: failing(7, 60) }, NOW);
    expect([last.note?.why, last.report?.why]).toEqual(Array(2).fill(expect.stringMatching(/^a table does not exist .*failed 8 times since 2026-03-01T01:00:00.000Z .*audit log\. Mend what is named, then let it be planned again/)));
  });
});
