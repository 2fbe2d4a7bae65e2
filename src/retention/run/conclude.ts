import type { PurgeRun, Verification } from '../../api/generated/purgeRun.ts';
import type { DataStore } from '../../api/generated/dataStore.ts';
import type { RetentionPolicy } from '../../api/generated/retentionPolicy.ts';
import type { StoreConnections } from '../../connect/stores.ts';
import type { Journal } from '../../evidence/audit/journal.ts';
import type { AuditLog } from '../../evidence/audit/log.ts';
import { CertificateRefusedError } from '../../evidence/certificate.ts';
import type { ApprovedRule } from '../../stores/fence.ts';
import type { StoreWriter } from '../../stores/port.ts';
import { rememberedRule } from '../approved-columns.ts';
import { certify, type Certifier } from './certify.ts';
import type { Executed } from './executed.ts';
import { openLedger, type LedgerContext } from './ledger.ts';
import { objectOf } from './names.ts';
import { replicasUnproven } from './replica-verdict.ts';
import type { RunReport } from './status.ts';
import { verifyRun } from './verify.ts';

export interface ConcludedRun {
  run: PurgeRun;
  store: DataStore;
  policy: RetentionPolicy;
  executed: Executed;
}

export interface ConcludeContext {
  connections: StoreConnections;
  audit: AuditLog;
  journal: Journal;
  certifier: Certifier;
  nameClient: (key: string) => string;
  metrics: LedgerContext['metrics'];
  actor: string;
  now: () => number;
  signal: AbortSignal;
}

/**
 * Ends a run whose deletions are done: an independent look, then the record of what was approved and proven, then
 * the certificate. Where the look finds due rows the run goes on with them first. Each part may be done again after a crash without saying anything twice that is not true.
 */
export async function conclude(concluded: ConcludedRun, context: ConcludeContext): Promise<RunReport> {
  const { run, store, executed } = concluded;
  const writer = await context.connections.writer(store, context.signal);
  try {
    const ledger = await openLedger({ run, store }, writer, context);
    const deleted = ledger.deleted();
    const verdict = await verifyRun(run, store, executed, context.connections, { now: context.now, signal: context.signal });
    const { verification, problem } = verdict;
    const progress = { deleted };
    if (verdict.waiting !== undefined) return { state: 'Verifying', reason: 'Verifying', why: verdict.waiting, verification, progress };
    if (problem?.reason === 'ResidualRows' && mayGoOn(run, verification)) return goOn(concluded, verification, deleted, context);
    await context.audit.append({
      actor: context.actor,
      action: problem ? 'purge.failed' : 'purge.verified',
      object: objectOf(run),
      outcome: problem ? 'Failed' : 'Done',
      refs: { planDigest: run.spec.planDigest, deleted, level: verification.level ?? 'Claimed', residual: verification.residual ?? 0, ...(problem ? { reason: problem.reason } : {}) },
    });
    if (problem) return { state: 'Failed', reason: problem.reason, why: problem.message, verification, progress };
    if (verification.level === 'Claimed') {
      return { state: 'Succeeded', reason: 'ClaimedOnly', why: 'the store names no verify identity, so nobody looked independently and no certificate is issued', verification, progress };
    }
    await remember(concluded, writer, context);
    const uid = run.metadata.uid ?? '';
    const totals = await writer.journalTotals(uid, ledger.through());
    const clients = await writer.journalClients(uid, ledger.through());
    try {
      const certificate = await certify({ ...concluded, verdict, totals, clients, firstSeq: run.status?.auditFrom ?? 1 }, context.certifier);
      return { state: 'Succeeded', reason: 'Succeeded', why: replicasUnproven(verification), verification, certificate, progress };
    } catch (error) {
      if (!(error instanceof CertificateRefusedError)) throw error;
      // The same facts would be refused at each look, and no other run could work in the store meanwhile.
      await context.audit.append({ actor: context.actor, action: 'certificate.refused', object: objectOf(run), outcome: 'Refused', refs: { planDigest: run.spec.planDigest, deleted, problems: error.problems.length } });
      return { state: 'Failed', reason: 'CertificateRefused', why: error.message, verification, progress };
    }
  } finally {
    await writer.close();
  }
}

/** Rows came, or moved, while the run was at work. It goes on as long as each count finds fewer of them than the one before. */
function mayGoOn(run: PurgeRun, { residual = 0 }: Verification): boolean {
  const before = run.status?.verification?.residual;
  return before === undefined || residual < before;
}

/** Back to work: the next stretch looks for the rows that are left everywhere. Nothing is proven, so no level is told. */
async function goOn({ run }: ConcludedRun, { residual = 0, heldBefore, by, at }: Verification, deleted: number, context: ConcludeContext): Promise<RunReport> {
  await context.audit.append({ actor: context.actor, action: 'purge.residual', object: objectOf(run), outcome: 'Noted', refs: { planDigest: run.spec.planDigest, deleted, residual } });
  const verification = { residual, ...(heldBefore ? { heldBefore } : {}), ...(by ? { by } : {}), ...(at ? { at } : {}) };
  const why = residual === 0 ? 'the drop of a partition is not finished; it goes on with it' : `${residual} rows came or moved while the run was at work, refer to each other in a ring, or lie in a partition whose drop is not finished; it goes on with them`;
  return { state: 'Running', reason: 'ResidualRows', why, verification, progress: { deleted } };
}

/**
 * Keeps beside the data by which rule it was purged: the next plan is compared with this, whichever object is edited. It
 * is never wider than what people agreed to; where it is narrower, whoever goes back to the wider rule is asked again.
 */
async function remember({ run, policy, executed }: ConcludedRun, writer: StoreWriter, context: ConcludeContext): Promise<void> {
  const at = new Date(context.now()).toISOString();
  const rules = executed.steps.map(({ collection, normal, cutoff }): ApprovedRule => ({ collection, rule: rememberedRule(normal, executed.request.rules.find((rule) => rule.collection === collection), run.spec.plan.tables), cutoff: cutoff.localDate, run: run.metadata.uid ?? '', at }));
  await writer.recordApprovedRules(policy.metadata.uid ?? '', rules);
}
