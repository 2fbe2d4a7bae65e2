import { describe, expect, test } from '@jest/globals';
import type { PurgeRunStatus } from '../../../../src/api/generated/purgeRun.ts';
import { getCondition } from '../../../../src/api/conditions.ts';
import { reportOf, runStatus, type RunReport } from '../../../../src/retention/run/status.ts';
import { aRun } from './declared-run.ts';

const NOW = Date.parse('2026-03-02T03:00:00Z');
const report = (changes: Partial<RunReport> = {}): RunReport => ({ state: 'Running', reason: 'Running', why: '', ...changes });
const after = (status: PurgeRunStatus, changes: Partial<RunReport>, now = NOW): PurgeRunStatus => runStatus(aRun({}, status), report(changes), now);
const ready = (status: PurgeRunStatus): unknown[] => [getCondition(status.conditions, 'Ready')?.status, getCondition(status.conditions, 'Completed')?.status, getCondition(status.conditions, 'Failed')?.status];

describe('the status of a run', () => {
  test('begins when it first deletes and keeps that time', () => {
    const waiting = after({}, { state: 'Waiting', reason: 'WaitingForWindow', why: 'not yet' });
    expect(waiting).not.toHaveProperty('startedAt');
    const running = after(waiting, {});
    expect(running).toMatchObject({ observedGeneration: 1, state: 'Running', startedAt: '2026-03-02T03:00:00.000Z' });
    expect(running).not.toHaveProperty('why');
    expect(after(running, { state: 'Paused', reason: 'Frozen', why: 'frozen' }, NOW + 60_000)).toMatchObject({ startedAt: '2026-03-02T03:00:00.000Z', why: 'frozen' });
  });

  test.each<[RunReport['state'], unknown[]]>([
    ['Succeeded', ['True', 'True', undefined]],
    ['Failed', ['False', undefined, 'True']],
    ['Superseded', ['True', undefined, undefined]],
    ['Expired', ['True', undefined, undefined]],
  ])('that ends %s has an end that no later look moves', (state, conditions) => {
    const ended = after({ state: 'Running', startedAt: '2026-03-02T02:00:00Z' }, { state, reason: state, why: 'x' });
    expect(ended.finishedAt).toBe('2026-03-02T03:00:00.000Z');
    expect(ready(ended)).toEqual(conditions);
    expect(after(ended, { state, reason: state, why: 'x' }, NOW + 60_000).finishedAt).toBe('2026-03-02T03:00:00.000Z');
  });

  test.each<RunReport['state']>(['AwaitingApproval', 'Waiting', 'Running', 'Paused', 'Verifying'])('that is %s is neither done nor failed', (state) => {
    const status = after({}, { state, reason: 'Running', why: 'x' });
    expect(ready(status)).toEqual(['Unknown', undefined, undefined]);
    expect(status).not.toHaveProperty('finishedAt');
  });

  test('tells progress against the forecast, at the rate since it began', () => {
    expect(after({ startedAt: '2026-03-02T02:59:50Z' }, { progress: { deleted: 100, throttledBy: 'ReplicaLag' } }).progress).toEqual({ deleted: 100, total: 400, rowsPerSecond: 10, etaSeconds: 30, throttledBy: 'ReplicaLag' });
  });

  test('tells a rate in whole rows, and a time that is not too short', () => {
    expect(after({ startedAt: '2026-03-02T02:59:50Z' }, { progress: { deleted: 115 } }).progress).toMatchObject({ rowsPerSecond: 12, etaSeconds: 24 });
    expect(after({ startedAt: '2026-03-02T02:59:50Z' }, { progress: { deleted: 10 } }).progress).toMatchObject({ rowsPerSecond: 1, etaSeconds: 390 });
  });

  test.each<[string, Partial<RunReport>, string, string]>([
    ['succeeded', { state: 'Succeeded', reason: 'Succeeded' }, 'Completed', 'No due row is left.'],
    ['succeeded with a reservation', { state: 'Succeeded', reason: 'ClaimedOnly', why: 'nobody looked' }, 'Completed', 'nobody looked'],
    ['is at work', { state: 'Running' }, 'Ready', 'The run goes on.'],
    ['waits', { state: 'Waiting', reason: 'Frozen', why: 'frozen by anna' }, 'Ready', 'frozen by anna'],
  ])('of a run that %s says so in its condition', (_, changes, type, message) => {
    expect(getCondition(after({}, changes).conditions, type)?.message).toBe(message);
  });

  test('keeps since when a condition is as it is, and where in the audit log the run began', () => {
    const first = after({}, { state: 'Waiting', reason: 'Frozen', why: 'x', auditFrom: 7 });
    const later = after(first, { state: 'Waiting', reason: 'Frozen', why: 'x', auditFrom: 9 }, NOW + 60_000);
    expect(getCondition(later.conditions, 'Ready')?.lastTransitionTime).toBe(getCondition(first.conditions, 'Ready')?.lastTransitionTime);
    expect(later.auditFrom).toBe(7);
  });

  test('tells no rate before there is one, nor when it rests', () => {
    expect(after({}, { progress: { deleted: 0 } }).progress).toEqual({ deleted: 0, total: 400 });
    expect(after({ startedAt: '2026-03-02T02:59:50Z' }, { state: 'Paused', reason: 'Frozen', why: 'x', progress: { deleted: 100 } }).progress).toEqual({ deleted: 100, total: 400 });
  });

  test('never shows more deleted than there were, nor forgets what was deleted', () => {
    const past = after({ progress: { deleted: 400, total: 400 } }, { progress: { deleted: 450 } });
    expect(past.progress).toMatchObject({ deleted: 450, total: 450 });
    expect(after(past, { state: 'Verifying', reason: 'Verifying' }).progress).toEqual({ deleted: 450, total: 450 });
  });

  test('keeps when enough people were first seen to have agreed, and says no time before that', () => {
    const asked = after({}, { state: 'AwaitingApproval', reason: 'AwaitingApproval', why: 'x', grade: 'Verified', approved: false });
    expect(asked.approval).toEqual({ grade: 'Verified' });
    const frozen = after(asked, { state: 'Waiting', reason: 'Frozen', why: 'x', grade: 'Verified' }, NOW + 10_000);
    expect(frozen.approval).toEqual({ grade: 'Verified' });
    const agreed = after(frozen, { grade: 'Verified', approved: true }, NOW + 60_000);
    expect(agreed.approval).toEqual({ grade: 'Verified', since: '2026-03-02T03:01:00.000Z', by: [] });
    expect(after(agreed, { state: 'Paused', reason: 'Frozen', why: 'x', grade: 'Verified' }, NOW + 90_000).approval).toEqual(agreed.approval);
    expect(after(agreed, { grade: 'Verified', approved: true }, NOW + 90_000).approval).toEqual(agreed.approval);
    expect(after(agreed, { state: 'AwaitingApproval', reason: 'AwaitingApproval', why: 'x', grade: 'Verified', approved: false }, NOW + 90_000).approval).toEqual({ grade: 'Verified' });
  });

  test('keeps who had agreed by then: one who agrees later, or to another plan, did not let it begin', () => {
    const { planDigest } = aRun().spec;
    const approvals = [{ by: 'alice', planDigest }, { by: 'mallory', planDigest: 'sha256:other' }];
    const agreed = runStatus(aRun({ approvals }), report({ grade: 'Verified', approved: true }), NOW);
    expect(agreed.approval).toEqual({ grade: 'Verified', since: '2026-03-02T03:00:00.000Z', by: ['alice'] });
    const later = runStatus(aRun({ approvals: [...approvals, { by: 'bob', planDigest }] }, agreed), report({ grade: 'Verified', approved: true }), NOW + 1_000);
    expect(later.approval).toEqual(agreed.approval);
  });

  test('cuts a long explanation to what the schema takes', () => {
    expect(after({}, { state: 'Waiting', reason: 'SideEffect', why: 'x'.repeat(5_000) }).why).toHaveLength(1_024);
  });

  test('of a decision that does no work says the same', () => {
    expect(reportOf({ next: 'wait', state: 'Paused', reason: 'Frozen', why: 'frozen by anna', recheckMs: 1 })).toEqual({ state: 'Paused', reason: 'Frozen', why: 'frozen by anna' });
    for (const approved of [true, false]) expect(reportOf({ next: 'wait', state: 'Waiting', reason: 'WaitingForWindow', why: 'x', recheckMs: 1, approved }).approved).toBe(approved);
  });
});
