import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import { FINALIZER, PURGE_RUN } from '../../api/kinds.ts';
import type { AuditLog } from '../../evidence/audit/log.ts';
import { announce } from '../../runtime/announce.ts';
import type { Client } from '../../runtime/client.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { EventRecorder } from '../../runtime/events.ts';
import { removeFinalizer } from '../../runtime/finalizers.ts';
import { updateStatus } from '../../runtime/status.ts';
import type { WriteBarrier } from '../../runtime/write-barrier.ts';
import { milestones } from './milestones.ts';
import { objectOf } from './names.ts';
import { runStatus, type RunReport } from './status.ts';

export interface ReportContext {
  client: Client;
  audit: AuditLog;
  actor: string;
  clock: Clock;
  barrier: WriteBarrier;
  events: EventRecorder;
}

/** Writes a report into the status of a run, and announces what changed by it. */
export async function writeReport(run: PurgeRun, report: RunReport, context: ReportContext, signal: AbortSignal): Promise<void> {
  const { namespace = '', name, uid } = run.metadata;
  let before: PurgeRun | undefined;
  const stored = await updateStatus<PurgeRun>(
    context.client,
    PURGE_RUN,
    { namespace, name },
    (current) => {
      before = current;
      return runStatus(current, report, context.clock.now());
    },
    { uid, barrier: context.barrier, signal, timeToleranceMs: 0 },
  );
  announce(context.events, before?.status?.conditions, stored, 'Purge');
  if (stored) for (const event of milestones(before?.status, stored)) context.events.event(stored, event);
}

/** Puts on record what happened to a run. */
export async function noteRun(run: PurgeRun, { action, why }: { action: string; why: string }, { audit, actor }: Pick<ReportContext, 'audit' | 'actor'>): Promise<void> {
  await audit.append({ actor, action, object: objectOf(run), outcome: 'Noted', refs: { planDigest: run.spec.planDigest, why } });
}

/** Lets a run that is over be deleted by whoever wants to. */
export async function letGo(run: PurgeRun, client: Client): Promise<void> {
  if (run.metadata.finalizers?.includes(FINALIZER)) await removeFinalizer(client, PURGE_RUN, run, FINALIZER);
}
