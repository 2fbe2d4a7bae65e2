import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { Approval } from '../../../../src/api/generated/purgeRun.ts';
import type { RetentionPolicy } from '../../../../src/api/generated/retentionPolicy.ts';
import { decide, judgeApprovals, openWindow, requestedAt, type RunInput, type RunState } from '../../../../src/retention/run/plan.ts';
import { reportOf, runStatus } from '../../../../src/retention/run/status.ts';
import type { ApprovalReason } from '../../../../src/rules/weakening.ts';
import { aMaximum, aPolicy, aPurge } from '../../../support/declared.ts';
import { aPlan, aRun } from './declared-run.ts';

const IN_WINDOW = Date.parse('2026-03-02T03:00:00Z');
const policyWith = (purge: Parameters<typeof aPurge>[0] = {}, annotations: Record<string, string> = {}): RetentionPolicy => aPolicy('general', { maximum: aMaximum('P1Y'), purge: aPurge(purge) }, { annotations });
const given = (changes: Partial<RunInput> = {}): RunInput => ({ run: aRun(), policy: policyWith(), target: 'sha256:target', pendingHolds: [], reasons: [], now: IN_WINDOW, ...changes });
const without = (input: RunInput): RunInput => {
  const { policy: _policy, ...rest } = input;
  return rest;
};
const firstRun: ApprovalReason = { reason: 'FirstRun', message: 'views: first' };

/** Gates in their order, each closed by its own change; a later one must not hide an earlier one. */
const gates: [string, Partial<RunInput>, string][] = [
  ['a digest that is not of the plan', { run: aRun({ planDigest: 'sha256:other' }) }, 'end Failed Failed'],
  ['a plan that is too old', { now: Date.parse('2026-03-08T02:00:00Z') }, 'end Expired Expired'],
  ['a freeze', { frozen: 'frozen by anna' }, 'wait Waiting Frozen'],
  ['a suspended policy', { policy: policyWith({ suspend: true }) }, 'wait Waiting Suspended'],
  ['another store', { target: 'sha256:other' }, 'wait Waiting TargetChanged'],
  ['a store with another history', { targetProblem: 'timeline 3 to 4' }, 'wait Waiting TargetChanged'],
  ['a store of another owner', { foreignOwner: 'other-cluster' }, 'wait Waiting ForeignOwner'],
  ['a store that was put back since', { restored: true }, 'end Superseded Restored'],
  ['a table that is another one since', { replaced: 'public.views is another table' }, 'end Superseded TableReplaced'],
  ['declarations that delete more', { wider: 'the maximum went from P2Y to P1Y' }, 'end Superseded WiderThanApproved'],
  ['a collection whose table is not found', { unresolved: { reason: 'MissingTable', message: 'views: there is no table' } }, 'wait Waiting MissingTable'],
  ['a collection that is not due any more', { undue: 'the policy no longer makes views due' }, 'end Superseded Superseded'],
  ['mode Plan', { policy: policyWith({ mode: 'Plan' }) }, 'wait Waiting PlanOnly'],
  ['a missing approval', { reasons: [firstRun] }, 'wait AwaitingApproval AwaitingApproval'],
  ['a hold that does not stand yet', { pendingHolds: ['platform-db/matter-1'] }, 'wait Waiting HoldPending'],
  ['an audit log that cannot be written', { auditProblem: 'disk full' }, 'wait Waiting AuditUnavailable'],
  ['another run in the store', { busy: 'other-1' }, 'wait Waiting WaitingForOtherRun'],
  ['a closed window', { now: Date.parse('2026-03-02T12:00:00Z') }, 'wait Waiting WaitingForWindow'],
];

const words = (input: RunInput): string => {
  const decision = decide(input);
  if (decision.next === 'end' || decision.next === 'wait') return `${decision.next} ${decision.state} ${decision.reason}`;
  return decision.next;
};

describe('a run', () => {
  test('with every gate open deletes, up to the limit of its plan', () => {
    expect(decide(given())).toEqual({ next: 'purge', maxRows: 1_000, endsAt: expect.any(Number), pace: aPurge().pace });
  });

  test.each(gates)('is stopped by %s', (_, closed, expected) => {
    expect(words(given(closed))).toBe(expected);
  });

  test('finds its gates in the documentation, in this order', () => {
    const section = readFileSync('docs/architecture.md', 'utf8').split('\n## ').find((text) => text.startsWith('Gates')) ?? '';
    const written = [...section.matchAll(/^\| \d+ \| .* \| (end|wait)s \| `(\w+)`/gm)].map(([, next, reason]) => `${next} ${reason}`);
    const asked = [words(without(given())), ...gates.map(([, , expected]) => expected)].map((decision) => decision.split(' ').filter((_, place) => place !== 1).join(' '));
    expect(written).toEqual(asked);
  });

  test('is stopped by the first closed gate, whatever is closed behind it', () => {
    for (const [index, [, , expected]] of gates.entries()) {
      // Two gates that live in one object cannot be closed at once; the earlier one stays as it is.
      const behind = gates.slice(index).toReversed().map(([, closed]) => closed);
      expect(words(given(Object.assign({}, ...behind) as Partial<RunInput>))).toBe(expected);
    }
  });

  test('whose policy is gone ends, also while frozen', () => {
    expect(words(without(given({ frozen: 'x' })))).toBe('end Superseded Superseded');
  });

  test.each<RunState>(['Succeeded', 'Failed', 'Superseded', 'Expired'])('that is %s stays so', (state) => {
    expect(decide(given({ run: aRun({}, { state }), frozen: 'x' }))).toEqual({ next: 'nothing' });
  });

  test.each<RunState>(['Running', 'Paused'])('that is %s and meets a closed gate pauses; it neither expires nor forgets', (state) => {
    const begun = given({ run: aRun({}, { state }) });
    expect(words({ ...begun, frozen: 'x' })).toBe('wait Paused Frozen');
    expect(words({ ...begun, reasons: [firstRun] })).toBe('wait Paused AwaitingApproval');
    expect(words({ ...begun, now: Date.parse('2026-03-20T03:00:00Z') })).toBe('purge');
  });

  test.each<RunState>(['Running', 'Paused', 'Verifying'])('that is %s and meets a table that is another one by now has failed: nothing is said of either', (state) => {
    const replaced = 'public.views is another table';
    expect(decide(given({ run: aRun({}, { state }), replaced, wider: 'the maximum went from P2Y to P1Y' }))).toMatchObject({ next: 'end', state: 'Failed', reason: 'TableReplaced', why: expect.stringContaining(`${replaced}; what was deleted before is in the audit log`) });
  });

  test.each<RunState>(['Running', 'Paused'])('that is %s and meets another at work pauses, as it has begun', (state) => {
    expect(decide(given({ run: aRun({}, { state }), busy: 'other-1' }))).toMatchObject({ next: 'wait', state: 'Paused', reason: 'WaitingForOtherRun' });
  });

  test.each<[string, Partial<RunInput>, boolean | undefined]>([
    ['a freeze', { frozen: 'frozen by anna', reasons: [firstRun] }, undefined],
    ['a missing approval', { reasons: [firstRun] }, false],
    ['a hold that does not stand yet', { pendingHolds: ['platform-db/matter-1'] }, true],
    ['an audit log that cannot be written', { auditProblem: 'disk full' }, true],
    ['another run in the store', { busy: 'other-1' }, true],
    ['a closed window', { now: Date.parse('2026-03-02T12:00:00Z') }, true],
  ])('that is stopped by %s is known to be agreed to only where that was asked', (_, closed, approved) => {
    expect((decide(given(closed)) as { approved?: boolean }).approved).toBe(approved);
  });

  test.each<[string, Partial<RunInput>, string]>([
    ['the plan and the store that answers', { target: 'sha256:other' }, 'the plan was made for sha256:target, but sha256:other answers'],
    ['the store that answers while it is verified', { run: aRun({}, { state: 'Verifying' }), target: 'sha256:other' }, 'the rows were deleted in sha256:target, but sha256:other answers'],
    ['the day its plan was good until', { now: Date.parse('2026-03-09T02:00:00Z') }, 'the plan was good until 2026-03-08T02:00:00Z'],
    ['the owner of the store', { foreignOwner: 'other-cluster' }, 'belongs to other-cluster'],
    ['what reaches further', { wider: 'views: from P2Y to P1Y' }, 'would now delete more: views: from P2Y to P1Y'],
    ['what is not due any more', { undue: 'nothing makes views due' }, 'nothing makes views due; what is left'],
    ['the mode of the policy', { policy: policyWith({ mode: 'Plan' }) }, 'mode of the policy is Plan;'],
    ['that the policy purges no more', { policy: aPolicy('general', { maximum: aMaximum('P1Y') }) }, 'mode of the policy is absent;'],
    ['every hold that is waited for', { pendingHolds: ['platform-db/matter-1', 'shop/matter-2'] }, 'LegalHold platform-db/matter-1, shop/matter-2 does not'],
    ['the run that is at work', { busy: 'other-1' }, 'PurgeRun other-1 works'],
  ])('that is stopped names %s', (_, closed, why) => {
    expect(decide(given(closed))).toMatchObject({ why: expect.stringContaining(why) });
  });

  test('that has deleted all is verified whatever closed since: looking deletes nothing; but not without a policy that says what was to go', () => {
    const verifying = given({ run: aRun({}, { state: 'Verifying' }), frozen: 'x', now: Date.parse('2026-03-20T12:00:00Z') });
    expect(words(verifying)).toBe('verify');
    expect(words(without(verifying))).toBe('end Superseded Superseded');
    expect(decide(without(verifying))).toMatchObject({ why: expect.stringMatching(/went before the result was verified, so nothing is proven and no certificate is issued; what was deleted is in the audit log$/) });
  });

  test('is not verified by a rule that reaches more than was approved: its counts prove nothing, and it would be remembered as approved', () => {
    const verifying = given({ run: aRun({}, { state: 'Verifying' }), wider: 'the maximum went from P25M to P2M' });
    expect(decide(verifying)).toMatchObject({ next: 'end', state: 'Superseded', reason: 'WiderThanApproved', why: expect.stringMatching(/P25M to P2M; what was deleted is in the audit log, and no certificate is issued$/) });
  });

  test('is not verified in another store, whose empty tables prove nothing', () => {
    expect(words(given({ run: aRun({}, { state: 'Verifying' }), target: 'sha256:other' }))).toBe('wait Verifying TargetChanged');
  });

  test('says what it waits for and looks again in time', () => {
    const decision = decide(given({ now: Date.parse('2026-03-02T12:00:00Z') }));
    expect(decision).toMatchObject({ why: expect.stringMatching(/^the next window opens at 2026-03-03T02:0\d/) });
    const { recheckMs } = decision as { recheckMs: number };
    const late = Date.parse('2026-03-02T12:00:00Z') + recheckMs - Date.parse('2026-03-03T02:00:00Z');
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(300_000);
  });
});

test('whoever is asked to approve is told what the store would refuse anyway', () => {
  const unauthorized = 'DataStore platform-db/analytics lets it not be carried out (PermissionMissing): purger lacks DELETE';
  expect(decide(given({ reasons: [firstRun], unauthorized }))).toMatchObject({ reason: 'AwaitingApproval', why: expect.stringMatching(/views: first.* Besides, DataStore .* lacks DELETE$/) });
  // It is no gate: what a run may do it finds out as the identity itself, and the store may have been mended since.
  expect(words(given({ unauthorized }))).toBe('purge');
});

describe('approvals', () => {
  const digest = aRun().spec.planDigest;
  const by = (name: string, changes: Partial<Approval> = {}): Approval => ({ by: name, planDigest: digest, ...changes });
  const tooMany: ApprovalReason = { reason: 'TooManyRows', message: '2000 rows are due' };

  const table: [string, ApprovalReason[], Approval[], number, boolean, number][] = [
    ['none needed where there is no reason', [], [], 2, true, 1_000],
    ['one needed, none there', [firstRun], [], 1, false, 1_000],
    ['one needed, one there', [firstRun], [by('anna')], 1, true, 1_000],
    ['of another plan do not count', [firstRun], [by('anna', { planDigest: 'sha256:other' })], 1, false, 1_000],
    ['two needed, one person twice', [firstRun], [by('anna'), by('anna')], 2, false, 1_000],
    ['two needed, two persons', [firstRun], [by('anna'), by('ben')], 2, true, 1_000],
    ['more rows than the limit need a figure', [tooMany], [by('anna')], 1, false, 1_000],
    ['more rows than the limit need a figure whatever else has to be agreed to', [firstRun, tooMany], [by('anna')], 1, false, 1_000],
    ['with a figure it counts and limits the run', [tooMany], [by('anna', { maxRows: 2_500 })], 1, true, 2_500],
    ['of several figures the lowest is what all agreed to', [tooMany], [by('anna', { maxRows: 2_500 }), by('ben', { maxRows: 2_000 })], 2, true, 2_000],
    ['a figure below the limit lowers it', [firstRun], [by('anna', { maxRows: 10 })], 1, true, 10],
  ];
  test.each(table)('%s', (_, reasons, approvals, count, enough, maxRows) => {
    const policy = policyWith({ approval: { required: 'WhenWeakening', count, validFor: 'P7D' } });
    expect(judgeApprovals(aRun({ approvals }), policy, reasons)).toMatchObject({ enough, maxRows });
  });

  test('that are missing say how many and why', () => {
    expect(judgeApprovals(aRun(), policyWith(), [firstRun, tooMany]).why).toBe('0 of 1 approvals that name maxRows; needed because views: first; 2000 rows are due');
  });

  test('that a later reason left out are named, with what their givers can do', () => {
    const policy = policyWith({ approval: { required: 'WhenWeakening', count: 2, validFor: 'P7D' } });
    const run = aRun({ approvals: [by('anna'), by('ben', { maxRows: 2_500 }), by('anna', { planDigest: 'sha256:other' })] });
    expect(judgeApprovals(run, policy, [tooMany]).why).toBe('1 of 2 approvals that name maxRows; needed because 2000 rows are due. Without maxRows the approval of anna does not count: add it with `dataward approve --max-rows`');
    expect(judgeApprovals(run, policy, [firstRun])).toMatchObject({ enough: true, maxRowsNeeded: false });
  });

  test('are asked for with a figure in the status, as long as they are', () => {
    const waits = decide(given({ reasons: [tooMany], run: aRun({ approvals: [by('anna')] }) }));
    if (waits.next !== 'wait') throw new Error(waits.next);
    const asked = runStatus(aRun(), { ...reportOf(waits), grade: 'Verified' }, 0);
    expect(asked).toMatchObject({ state: 'AwaitingApproval', approval: { maxRowsNeeded: true } });
    expect(runStatus({ ...aRun(), status: asked }, { state: 'Running', reason: 'Running', why: '', approved: true, grade: 'Verified' }, 0).approval).not.toHaveProperty('maxRowsNeeded');
  });

  test('that are missing name three causes of many, so that the sentence can be read', () => {
    const many = ['a', 'b', 'c', 'd'].map((message): ApprovalReason => ({ reason: 'FirstRun', message }));
    expect(judgeApprovals(aRun(), policyWith(), many).why).toBe('0 of 1 approvals; needed because a; b; c');
  });

  test('are needed from one person where the policy does not say from how many any more', () => {
    const silent = aPolicy('general', { maximum: aMaximum('P1Y') });
    expect(judgeApprovals(aRun(), silent, [firstRun]).enough).toBe(false);
    expect(judgeApprovals(aRun({ approvals: [by('anna')] }), silent, [firstRun]).enough).toBe(true);
  });

  test('of an edited plan are worth nothing', () => {
    const run = aRun({ plan: aPlan({ limits: { maxRows: 9, maxCutoffAdvance: 'P7D' } }), approvals: [by('anna')] });
    expect(words(given({ run, reasons: [firstRun] }))).toBe('wait AwaitingApproval AwaitingApproval');
  });
});

describe('the window', () => {
  const table: [string, string, Record<string, string>, boolean][] = [
    ['is open within', '2026-03-02T03:00:00Z', {}, true],
    ['is closed before', '2026-03-02T01:59:00Z', {}, false],
    ['is closed after', '2026-03-02T06:00:00Z', {}, false],
    ['is open at once for who asked for a run', '2026-03-02T12:00:00Z', { 'dataward.io/requested-at': '2026-03-02T11:59:00Z' }, true],
    ['for one length of it, to the instant', '2026-03-02T15:59:00Z', { 'dataward.io/requested-at': '2026-03-02T11:59:00Z' }, false],
    ['not for who asked for later', '2026-03-02T12:00:00Z', { 'dataward.io/requested-at': '2026-03-02T12:01:00Z' }, false],
    ['not for who wrote no time', '2026-03-02T12:00:00Z', { 'dataward.io/requested-at': 'now' }, false],
  ];
  test.each(table)('%s', (_, now, annotations, open) => {
    expect(openWindow(policyWith({}, annotations), Date.parse(now)).open).toBe(open);
  });

  test('between the slot and the start of this policy opens within minutes', () => {
    const slot = Date.parse('2026-03-02T02:00:00Z');
    const window = openWindow(policyWith(), slot);
    expect(window.open).toBe(false);
    expect((window as { opensAt: number }).opensAt - slot).toBeLessThan(300_000);
  });

  test('is closed at the instant it is said to end', () => {
    const window = openWindow(policyWith(), IN_WINDOW) as { endsAt: number };
    expect([openWindow(policyWith(), window.endsAt - 1).open, openWindow(policyWith(), window.endsAt).open]).toEqual([true, false]);
  });

  test('opens at different times for different policies of one schedule', () => {
    const opens = ['uid-a', 'uid-b', 'uid-c'].map((uid) => {
      const policy = policyWith();
      return (openWindow({ ...policy, metadata: { ...policy.metadata, uid } }, Date.parse('2026-03-02T12:00:00Z')) as { opensAt: number }).opensAt;
    });
    expect(new Set(opens).size).toBe(3);
  });

  test('is never open without a purge', () => {
    expect(openWindow(aPolicy('general', { maximum: aMaximum('P1Y') }), IN_WINDOW).open).toBe(false);
  });

  test('of a request is read from its annotation', () => {
    expect([requestedAt(policyWith()), requestedAt(policyWith({}, { 'dataward.io/requested-at': '2026-03-02T12:00:00Z' }))]).toEqual([undefined, Date.parse('2026-03-02T12:00:00Z')]);
  });
});
