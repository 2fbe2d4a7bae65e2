import type { PurgeRun, PurgeRunStatus } from '../../api/generated/purgeRun.ts';
import type { EventInput } from '../../runtime/event-object.ts';

/** What happened once to a run between two of its statuses, and no condition says. */
export function milestones(before: PurgeRunStatus | undefined, { spec, status }: PurgeRun): EventInput[] {
  const events: EventInput[] = [];
  const approvals = (spec.approvals ?? []).filter((approval) => approval.planDigest === spec.planDigest);
  if (status?.approval?.grade === 'Unverified' && before?.approval?.grade !== 'Unverified') {
    events.push({ type: 'Warning', reason: 'ApprovalUnverified', action: 'Approve', note: 'The cluster did not refuse a forged approval, so who approves is not proven: apply crds/admission.' });
  }
  if (status?.approval?.since !== undefined && before?.approval?.since === undefined && approvals.length > 0) {
    events.push({ type: 'Normal', reason: 'Approved', action: 'Approve', note: `Plan ${spec.planDigest} has the approvals it needs; ${new Set(approvals.map(({ by }) => by)).size} were given.` });
  }
  if (status?.certificate && before?.certificate?.sha256 !== status.certificate.sha256) {
    events.push({ type: 'Normal', reason: 'CertificateIssued', action: 'Certify', note: `Certificate ${status.certificate.name} (sha256:${status.certificate.sha256}) is in the ConfigMap of that name.` });
  }
  return events;
}
