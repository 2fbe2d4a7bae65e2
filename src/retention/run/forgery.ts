import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import { PURGE_RUN } from '../../api/kinds.ts';
import type { Client } from '../../runtime/client.ts';
import { ApiError } from '../../runtime/client.ts';

/** The policy that lets nobody approve in another's name; see crds/admission. */
const APPROVAL_POLICY = 'dataward-purgerun-approval';

/**
 * Tries, as a dry run, to add an approval in somebody else's name. Only a cluster that refuses it gives approvals
 * that prove who approved; where the admission policies are missing, the grade says so.
 */
export async function approvalGrade(client: Client, run: PurgeRun): Promise<'Verified' | 'Unverified'> {
  const forged = { by: 'dataward-forgery-probe', planDigest: run.spec.planDigest };
  const patch = { spec: { approvals: [...(run.spec.approvals ?? []), forged] } };
  try {
    await client.mergePatch(PURGE_RUN, { namespace: run.metadata.namespace ?? '', name: run.metadata.name }, patch, { dryRun: true });
    return 'Unverified';
  } catch (error) {
    // A refusal for another reason - a policy of somebody else, no permission to patch, a list of approvals that is full - proves nothing about admission.
    if (!(error instanceof ApiError)) return 'Unverified';
    // No answer is none about admission either; what was seen before stands.
    if (error.status === 0 || error.status === 429 || error.status >= 500) return run.status?.approval?.grade ?? 'Unverified';
    return error.message.includes(`ValidatingAdmissionPolicy '${APPROVAL_POLICY}'`) ? 'Verified' : 'Unverified';
  }
}
