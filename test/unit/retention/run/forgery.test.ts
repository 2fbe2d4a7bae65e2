import { describe, expect, test } from '@jest/globals';
import type { PurgeRun } from '../../../../src/api/generated/purgeRun.ts';
import { PURGE_RUN } from '../../../../src/api/kinds.ts';
import { approvalGrade } from '../../../../src/retention/run/forgery.ts';
import { apiError, memoryClient } from '../../../support/memory-client.ts';
import { aRun } from './declared-run.ts';

const approved = aRun({ approvals: [{ by: 'alice', planDigest: aRun().spec.planDigest }] });
const ref = { namespace: 'platform-db', name: approved.metadata.name };

describe('the grade of approvals', () => {
  test('is Unverified where a forged approval is accepted, and the try leaves nothing behind', async () => {
    const client = memoryClient([[PURGE_RUN, approved]]);
    expect(await approvalGrade(client, approved)).toBe('Unverified');
    expect(client.writes).toEqual(['try PurgeRun platform-db/general-1']);
    expect(client.read<PurgeRun>(PURGE_RUN, ref)?.spec.approvals).toEqual(approved.spec.approvals);
  });

  test.each<[string, unknown, 'Verified' | 'Unverified']>([
    ['an admission policy refuses it', apiError(422, 'Invalid', `purgeruns "general-1" is forbidden: ValidatingAdmissionPolicy 'dataward-purgerun-approval' with binding 'dataward-purgerun-approval' denied request: an approval is given under the own name`), 'Verified'],
    ['an admission policy refuses it as forbidden', apiError(403, 'Forbidden', `ValidatingAdmissionPolicy 'dataward-purgerun-approval' with binding 'dataward-purgerun-approval' denied request`), 'Verified'],
    ['another policy refuses it, which says nothing of approvals', apiError(422, 'Invalid', `ValidatingAdmissionPolicy 'company-cost-centre' with binding 'company' denied request: label dataward-purgerun-approval is missing`), 'Unverified'],
    ['the operator may not patch runs', apiError(403, 'Forbidden', 'User "dataward" cannot patch resource "purgeruns" in API group "dataward.io"'), 'Unverified'],
    ['the list of approvals is full', apiError(422, 'Invalid', 'spec.approvals: Too many: 17: must have at most 16 items'), 'Unverified'],
    ['the API server does not answer', apiError(0, 'Timeout'), 'Unverified'],
    ['something unforeseen happens', new TypeError('ValidatingAdmissionPolicy'), 'Unverified'],
  ])('where %s', async (_, answer, grade) => {
    const client = memoryClient([[PURGE_RUN, approved]]);
    client.refuse = () => {
      throw answer;
    };
    expect(await approvalGrade(client, approved)).toBe(grade);
  });

  test.each([0, 429, 503])('stays what it was while the API server gives no answer (%i)', async (status) => {
    const seen = { ...approved, status: { approval: { grade: 'Verified' as const } } };
    const client = memoryClient([[PURGE_RUN, seen]]);
    client.refuse = () => {
      throw apiError(status, 'Unavailable');
    };
    expect(await approvalGrade(client, seen)).toBe('Verified');
  });
});
