import { expect, test } from '@jest/globals';
import type { PurgeRunStatus } from '../../../../src/api/generated/purgeRun.ts';
import { milestones } from '../../../../src/retention/run/milestones.ts';
import { aRun } from './declared-run.ts';

const approvals = [{ by: 'bob', planDigest: aRun().spec.planDigest }];
const since = '2026-03-02T03:00:00Z';
const certificate = { name: 'run-certificate', sha256: 'a'.repeat(64) };

test.each<[string, PurgeRunStatus | undefined, PurgeRunStatus, object[], string[]]>([
  ['nothing where nothing happened', { approval: { grade: 'Verified', since } }, { approval: { grade: 'Verified', since } }, approvals, []],
  ['that enough people agreed', { approval: { grade: 'Verified' } }, { approval: { grade: 'Verified', since } }, approvals, ['Approved']],
  ['nothing of people where none was asked', undefined, { approval: { grade: 'Verified', since } }, [], []],
  ['nothing of people who approved another plan', undefined, { approval: { grade: 'Verified', since } }, [{ by: 'bob', planDigest: `sha256:${'0'.repeat(64)}` }], []],
  ['that the cluster takes forged approvals', undefined, { approval: { grade: 'Unverified' } }, [], ['ApprovalUnverified']],
  ['that there is a certificate', {}, { certificate }, [], ['CertificateIssued']],
  ['nothing of a certificate that was there', { certificate }, { certificate }, [], []],
])('tells %s', (_, before, status, given, reasons) => {
  const run = aRun();
  const events = milestones(before, { ...run, spec: { ...run.spec, approvals: given as typeof approvals }, status });
  expect(events.map(({ reason }) => reason)).toEqual(reasons);
});

test('counts who agreed once each, and names the plan', () => {
  const run = aRun();
  const [event] = milestones({}, { ...run, spec: { ...run.spec, approvals: [...approvals, ...approvals] }, status: { approval: { grade: 'Verified', since } } });
  expect(event?.note).toBe(`Plan ${run.spec.planDigest} has the approvals it needs; 1 were given.`);
});
