import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { nextStart, owedSlot } from '../rules/schedule.ts';
import { requestedAt } from './run/plan.ts';

/** Whether a policy owes a plan now, and when to look again. */
export type Due = { due: true; slot: number } | { due: false; nextAt: number };

/**
 * A plan is owed when a slot of the schedule began, or a person asked, since the last attempt. However many
 * slots were missed, one is made up for.
 */
export function planDue(policy: RetentionPolicy, now: number): Due {
  const purge = policy.spec.purge;
  if (!purge || purge.mode === 'Observe' || purge.suspend) return { due: false, nextAt: Number.POSITIVE_INFINITY };
  const schedule = { cron: purge.schedule.cron, timeZone: policy.spec.timeZone, window: purge.schedule.window };
  const uid = policy.metadata.uid ?? '';
  const last = Math.max(Date.parse(policy.status?.lastSlotAt ?? policy.metadata.creationTimestamp ?? '') || 0, 0);
  const requested = requestedAt(policy);
  if (requested !== undefined && requested <= now && requested > last) return { due: true, slot: requested };
  const owed = owedSlot(schedule, last, now, uid);
  if (owed) return { due: true, slot: owed.at };
  return { due: false, nextAt: nextStart(schedule, now, uid) };
}
