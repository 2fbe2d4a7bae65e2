import { setCondition } from '../api/conditions.ts';
import type { Condition } from '../api/object.ts';
import type { Reason } from '../api/reasons.ts';
import { AuditUnavailableError } from '../evidence/audit/log.ts';
import { ApiError } from '../runtime/client.ts';
import { conditionsFor, TerminalError, WaitingError } from '../runtime/result.ts';
import { StoreError, type StoreErrorReason } from '../stores/errors.ts';
import { ConnectionError } from './stores.ts';

const REASON_OF: Record<StoreErrorReason, Reason> = {
  Unreachable: 'Unreachable',
  TLSRefused: 'PlaintextOnly',
  TLSUntrusted: 'CertificateRejected',
  AuthenticationFailed: 'AuthenticationFailed',
  AuthenticationWeak: 'WeakAuthentication',
  PoolerRefused: 'PoolerRefused',
  PermissionDenied: 'PermissionMissing',
  RowsHidden: 'PermissionMissing',
  NotFound: 'MissingTable',
  ForeignOwner: 'ForeignOwner',
  Fenced: 'WaitingForOtherRun',
  Frozen: 'Frozen',
  UnsupportedVersion: 'InvalidSpec',
  LimitReached: 'ProgressingWithRetry',
  RunLimitReached: 'LimitExceeded',
  Conflict: 'ProgressingWithRetry',
  Replaced: 'TableReplaced',
  Failed: 'Failed',
};

/** A failure in the words of the documented list, fit for a condition, an event and a terminal. */
export interface Failure {
  reason: Reason;
  message: string;
}

/** What a thrown value says to the owner of a store. A fault nobody foresaw gives its kind, not its text, which may carry data. */
export function failureOf(error: unknown): Failure {
  if (error instanceof StoreError) return { reason: REASON_OF[error.reason], message: error.message };
  if (error instanceof ConnectionError) return { reason: error.reason, message: error.message };
  if (error instanceof TerminalError || error instanceof WaitingError) return { reason: error.reason as Reason, message: error.message };
  if (error instanceof AuditUnavailableError) return { reason: 'AuditUnavailable', message: error.message };
  if (error instanceof ApiError) return { reason: 'ReadFailed', message: `${error.message}; ${error.status === 403 ? 'grant this right, deploy/rbac.yaml has those of the operator' : 'look at the API server, it is asked again'}` };
  return { reason: 'InternalError', message: `unexpected ${error instanceof Error ? error.name : typeof error}; the operator's log has the details` };
}

/**
 * Conditions of an object when nobody could read what it depends on: it is not ready, and what is judged by that is not known.
 * Anything else that stood stays.
 *
 * @param judged types of conditions that follow from what could not be read
 */
export function unreadConditions(object: { metadata: { generation?: number }; status?: { conditions?: Condition[] } }, failure: Failure, now: number, judged: readonly string[]): Condition[] {
  const observedGeneration = object.metadata.generation ?? 0;
  const outcome = { kind: 'error', error: new WaitingError(failure.reason, failure.message, RETRY_AFTER_MS) } as const;
  const list = conditionsFor(outcome, { generation: observedGeneration, now, conditions: object.status?.conditions ?? [] });
  return judged.reduce<Condition[]>((conditions, type) => setCondition(conditions, { type, status: 'Unknown', observedGeneration, ...failure }, now), list);
}

/** Failures that pass or are mended elsewhere are worth another look soon; 30 s keeps a wrong password from locking an account. */
export const RETRY_AFTER_MS = 30_000;
