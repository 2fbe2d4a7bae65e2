import type { PurgeRun, PurgeRunStatus } from '../../api/generated/purgeRun.ts';
import { failureOf } from '../../connect/failures.ts';
import { WaitingError } from '../../runtime/result.ts';
import { StoreError, type StoreErrorReason } from '../../stores/errors.ts';

/**
 * A run whose work the store refuses, or a fault ends, look after look. It stands back: others of its store go first,
 * it is tried again later and later, and in the end it fails. Pure.
 */
export type Failing = NonNullable<PurgeRunStatus['failing']>;

/** About reaching the store, or about who works there: nothing was tried of the run itself, which waits for as long as it lasts. */
const PASSING: readonly StoreErrorReason[] = ['Unreachable', 'TLSRefused', 'TLSUntrusted', 'AuthenticationFailed', 'AuthenticationWeak', 'PoolerRefused', 'UnsupportedVersion', 'ForeignOwner', 'Fenced', 'Frozen'];

/** First and longest time between two tries. Milliseconds. */
const SOONEST_MS = 30_000;
const LATEST_MS = 900_000;
/** A run fails after this time without a row deleted, and not before it was tried as often: a night may have passed in between. */
const GIVE_UP_MS = 3_600_000;
const LEAST_TRIES = 8;

/**
 * What an error means for a run that has begun. `Waits`: nothing was tried of it, and other runs would fare no better.
 * `StandsBack`: what it needs beside the store is in somebody's way, so others go first for as long as that lasts.
 * `Fails`: the store refuses its work, or nobody foresaw the fault; others go first, and it ends if that goes on.
 */
export function meaningOf(error: unknown): 'Waits' | 'StandsBack' | 'Fails' {
  if (error instanceof StoreError) return PASSING.includes(error.reason) ? 'Waits' : 'Fails';
  // The place of a certificate is taken, say.
  if (error instanceof WaitingError && error.reason === 'ProgressingWithRetry') return 'StandsBack';
  if (failureOf(error).reason !== 'InternalError') return 'Waits';
  const { name, code } = shapeOf(error);
  // What was cut off by the end of this process, or of the time it had, says nothing of the work.
  if (['AbortError', 'TimeoutError'].includes(name)) return 'Waits';
  // Of a disk or a socket: rows that are gone must not stay without a certificate because a disk was full for an hour.
  return /^E[A-Z]+$/.test(code) ? 'StandsBack' : 'Fails';
}

/** By shape: errors of another realm are no `Error` here. */
function shapeOf(error: unknown): { name: string; code: string } {
  const { name = '', code = '' } = typeof error === 'object' && error !== null ? (error as { name?: unknown; code?: unknown }) : {};
  return { name: String(name), code: String(code) };
}

/** Counts one more failure. A row that was deleted since the last one begins the count anew. */
export function failedAgain({ failing, progress }: Pick<PurgeRunStatus, 'failing' | 'progress'>, now: number): Failing {
  const deleted = progress?.deleted ?? 0;
  if (!failing || deleted > failing.deleted) return { count: 1, since: new Date(now).toISOString(), deleted };
  return { ...failing, count: failing.count + 1 };
}

export function givesUp({ count, since }: Failing, now: number): boolean {
  return count >= LEAST_TRIES && now - Date.parse(since) >= GIVE_UP_MS;
}

/** Milliseconds until the next try: doubling. */
export function retryAfterMs({ count }: Failing): number {
  return Math.min(LATEST_MS, SOONEST_MS * 2 ** Math.min(count - 1, 30));
}

/** Whether other runs of the store go first, though this one has begun. */
export function standsBack({ status }: Pick<PurgeRun, 'status'>): boolean {
  return status?.failing !== undefined;
}

/**
 * What its status says while it is tried again.
 *
 * @param ends whether it does some time
 */
export function triedAgain(failing: Failing, { message }: { message: string }, ends: boolean): string {
  const times = failing.count === 1 ? 'once' : `${failing.count} times`;
  return `${message} (failed ${times} since ${failing.since} with no row deleted; tried again in ${retryAfterMs(failing) / 1000} s at the latest, other runs of the store go first${ends ? `, and after ${GIVE_UP_MS / 60_000} minutes of this the run ends as Failed` : ''})`;
}

/** What it says when it has ended by that. */
export function givenUp({ count, since }: Failing, { message }: { message: string }): string {
  return `${message} (failed ${count} times since ${since} with no row deleted); what was deleted before is in the audit log. Mend what is named, then let it be planned again: annotate the policy with dataward.io/requested-at, or wait for its next slot`;
}
