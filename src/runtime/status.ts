import { isDeepStrictEqual } from 'node:util';
import type { KindRef, KubeObject, ObjectRef } from '../api/object.ts';
import { isConflict, isNotFound } from './api-error.ts';
import { backoffMs } from './backoff.ts';
import type { Client } from './client.ts';
import { sleep, systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import type { WriteBarrier } from './write-barrier.ts';

export interface UpdateStatusOptions<T> {
  /**
   * The object as a cache has it: the first try begins from it, without a read. If it is behind, the write meets a
   * conflict and the next try reads; if nothing is to be written, the server is not asked at all.
   */
  known?: T | undefined;
  /** Writes only to the object with this uid, not to one created later under the same name. */
  uid?: string | undefined;
  /** Told of the write, so that the next reconciliation does not act on the state before it. */
  barrier?: WriteBarrier | undefined;
  /** A status that differs only by times closer than this is not written; 300,000 when left out. */
  timeToleranceMs?: number;
  signal?: AbortSignal | undefined;
  clock?: Clock;
  random?: () => number;
}

const MAX_CONFLICTS = 10;
const CONFLICT_BACKOFF = { baseMs: 10, maxMs: 1_000 };
const TIME_TOLERANCE_MS = 300_000;

/**
 * Reads the object, lets `mutate` work out the new status from the stored one, and writes it to the status subresource.
 * On a conflict it begins again from the read, so `mutate` must be pure. `undefined` from it means leave it as it is.
 * Nothing is written when only times moved a little: two controllers that each note "checked now" would wake each other
 * for ever. Resolves with the object as stored, or undefined when it is gone (or another one, given a uid).
 */
export async function updateStatus<T extends KubeObject & { status?: unknown }>(
  client: Pick<Client, 'get' | 'replaceStatus'>,
  kind: KindRef,
  ref: ObjectRef,
  mutate: (current: T) => T['status'] | undefined,
  options: UpdateStatusOptions<T> = {},
): Promise<T | undefined> {
  for (let attempt = 0; ; attempt += 1) {
    const current = (attempt === 0 ? options.known : undefined) ?? (await client.get<T>(kind, ref, { signal: options.signal }));
    if (current === undefined || (options.uid !== undefined && current.metadata.uid !== options.uid)) return undefined;
    const status = mutate(current);
    if (status === undefined || sameStatus(current.status, status, options.timeToleranceMs ?? TIME_TOLERANCE_MS)) return current;
    try {
      const stored = await client.replaceStatus<T>(kind, { ...current, status }, { signal: options.signal });
      options.barrier?.wrote(stored);
      return stored;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (!isConflict(error) || attempt + 1 >= MAX_CONFLICTS) throw error;
      await sleep(options.clock ?? systemClock, backoffMs(attempt, CONFLICT_BACKOFF, options.random ?? Math.random), options.signal);
    }
  }
}

/**
 * Whether two statuses say the same: equal as JSON, where two RFC 3339 times in the same place count as equal when they
 * are closer than `toleranceMs`. A next run moved by a day is a change; the time of a check half a minute on is not.
 */
export function sameStatus(before: unknown, after: unknown, toleranceMs: number): boolean {
  if (typeof before === 'string' && typeof after === 'string') return before === after || closeTimes(before, after, toleranceMs);
  if (Array.isArray(before) && Array.isArray(after)) {
    return before.length === after.length && before.every((entry, index) => sameStatus(entry, after[index], toleranceMs));
  }
  if (isRecord(before) && isRecord(after)) {
    const names = definedKeys(before);
    return isDeepStrictEqual(names, definedKeys(after)) && names.every((name) => sameStatus(before[name], after[name], toleranceMs));
  }
  return isDeepStrictEqual(before, after);
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

function closeTimes(before: string, after: string, toleranceMs: number): boolean {
  return TIME.test(before) && TIME.test(after) && Math.abs(Date.parse(after) - Date.parse(before)) < toleranceMs;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member set to undefined is not in the JSON, so it is not there. */
function definedKeys(record: Record<string, unknown>): string[] {
  return Object.keys(record).filter((name) => record[name] !== undefined).toSorted();
}
