import type { ReplicaVerification, Verification } from '../../api/generated/purgeRun.ts';
import { REASONS, type Reason } from '../../api/reasons.ts';

/** What looks at replicas add up to. Pure. A replica is named by its place in the DataStore: addresses stay out of evidence. */

export const placeOf = ({ place }: Pick<ReplicaVerification, 'place'>): string => `replicas[${place}]`;

const WORDS: Partial<Record<Reason, string>> = {
  Unreachable: 'it did not answer; look at the server, its address and the network to it',
  ReplicaBehind: 'it did not show in time what the primary had written; look at its replay and the network to it',
  CountUnfinished: 'its rows could not be counted to the end; set hot_standby_feedback or a longer max_standby_streaming_delay there, or plan for a quieter hour',
};

/** A replica nobody can say anything about, and why. */
export function notVerified(place: number, reason: Reason, message = WORDS[reason] ?? REASONS[reason]): ReplicaVerification {
  return { place, verified: false, reason, message };
}

/** The level and the entries once every declared replica has been looked at. `at` becomes the time of that look only where it adds to the proof. */
export function withReplicas(verification: Verification, replicas: readonly ReplicaVerification[], now: number): Verification {
  const { counts: _counts, ...kept } = verification;
  const proven = replicas.length > 0 && replicas.every(({ verified }) => verified);
  return {
    ...kept,
    ...(proven ? { level: 'VerifiedReplicas', at: new Date(now).toISOString() } : {}),
    residual: Math.max(verification.residual ?? 0, ...replicas.map(({ residual }) => residual ?? 0)),
    replicas: [...replicas],
  };
}

/** A replica that shows everything and still has due rows. */
export function leftOver(replicas: readonly ReplicaVerification[] | undefined): ReplicaVerification | undefined {
  return replicas?.find(({ residual }) => (residual ?? 0) > 0);
}

/** For people: which replicas were not verified; empty when there is none. */
export function replicasUnproven(verification: Verification): string {
  const open = (verification.replicas ?? []).filter(({ verified }) => !verified);
  if (open.length === 0) return '';
  return `No due row is left in the primary. Not verified: ${open.map((replica) => `${placeOf(replica)} (${replica.reason}: ${replica.message})`).join('; ')}`;
}

/** How the rows of a certified collection were looked at. */
export function methodOf({ level, replicas = [] }: Verification): string {
  const primary = 'count by another identity over another connection';
  return level === 'VerifiedReplicas' ? `${primary}, on the primary and on ${replicas.length === 1 ? 'its declared replica' : `each of ${replicas.length} declared replicas`} once it showed all that the primary had written` : primary;
}

/** True of every relational store this project reaches: a certificate that kept silent about it would promise too much. */
export function notCovered({ level, replicas = [] }: Verification): string[] {
  return [
    'backups and archived write-ahead log that still hold the rows',
    'dead tuples and free pages until the server has reused them',
    'tables that no data map names, among them partitions that others than dataward had detached when the plan was made',
    `${level === 'VerifiedReplicas' ? 'read replicas that are not declared' : 'read replicas'}, logical subscribers and copies outside this store`,
    ...replicas.filter(({ verified }) => !verified).map((replica) => `${placeOf(replica)} of the store: not verified, ${replica.reason}: ${replica.message}`.slice(0, 300)),
    'logs, caches and exports of applications',
  ];
}
