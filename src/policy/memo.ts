import { createHash } from 'node:crypto';
import type { ControlResult } from './result.ts';

/** Answers that need not be computed again. A memo belongs to the one that owns the engine; it is bounded. */
export interface Memo {
  /** The answer under this key, unless `now` (seconds) is outside the time for which it was given. */
  get(key: string, now: number): readonly ControlResult[] | undefined;
  /**
   * Keeps an answer for the time from `now` until the second before `changesAt`. An answer with an Error in it is not
   * kept: a timeout says nothing about the facts.
   */
  set(key: string, results: readonly ControlResult[], now: number, changesAt: number): void;
}

export interface MemoKeyParts {
  /** Of the DataStore object. */
  uid: string;
  resourceVersion: string;
  /** Of the bundle. */
  digest: string;
  /** Whatever else the answer depends on: parameters, holds, maps, runs; anything JSON. */
  rest: unknown;
}

interface Entry {
  results: readonly ControlResult[];
  from: number;
  until: number;
}

/** @param size most answers kept; the one unused for longest goes first */
export function createMemo(size: number): Memo {
  const entries = new Map<string, Entry>();
  return {
    get(key, now) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      // A clock that went back counts as outside: the answer was never given for that time.
      if (now < entry.from || now >= entry.until) return undefined;
      entries.set(key, entry);
      return entry.results;
    },
    set(key, results, now, changesAt) {
      entries.delete(key);
      if (results.some((result) => result.outcome === 'Error' || result.findings.some((finding) => finding.outcome === 'Error'))) return;
      entries.set(key, { results, from: now, until: changesAt });
      if (entries.size <= size) return;
      const [oldest] = entries.keys();
      if (oldest !== undefined) entries.delete(oldest);
    },
  };
}

/** A key of fixed length that differs when any part does. */
export function memoKey({ uid, resourceVersion, digest, rest }: MemoKeyParts): string {
  return createHash('sha256').update(JSON.stringify([uid, resourceVersion, digest, rest])).digest('base64url');
}
