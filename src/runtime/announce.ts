import type { Condition, KubeObject } from '../api/object.ts';
import type { EventRecorder } from './events.ts';

/** Conditions whose change people want to hear of; the others move with these. */
const ANNOUNCED = ['Ready', 'Stalled', 'Reachable', 'Authorized', 'Covered', 'Compliant', 'Resolved', 'Accepted', 'Lapsed', 'Conflicted', 'AsWritten', 'Supersedes', 'Superseded', 'Rewound', 'Frozen', 'Completed', 'Failed'];
/** Conditions for which True is the bad news. */
const ABNORMAL = ['Stalled', 'Lapsed', 'Conflicted', 'Rewound', 'Frozen', 'Failed'];

/**
 * Records an event for each condition whose status or reason changed, with the condition's own words: condition,
 * event and metric carry one reason, so that one search finds all three.
 */
export function announce(events: EventRecorder, before: readonly Condition[] | undefined, stored: (KubeObject & { status?: { conditions?: Condition[] } }) | undefined, action: string): void {
  for (const condition of stored?.status?.conditions ?? []) {
    if (!stored || !ANNOUNCED.includes(condition.type)) continue;
    const old = before?.find((candidate) => candidate.type === condition.type);
    if (old?.status === condition.status && old.reason === condition.reason) continue;
    // The first look finds much unknown; that is no news.
    if (!old && condition.status === 'Unknown') continue;
    const bad = ABNORMAL.includes(condition.type) ? condition.status === 'True' : condition.status === 'False';
    if (['Conflicted', 'AsWritten'].includes(condition.type) && !bad && !old) continue;
    events.event(stored, { type: bad ? 'Warning' : 'Normal', reason: condition.reason, action, note: `${condition.type}=${condition.status}: ${condition.message}` });
  }
}
