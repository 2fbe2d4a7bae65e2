/** Time as the machinery sees it: tests hand in one they move by hand. */
export interface Clock {
  /** Wall time in epoch milliseconds: for what people read. */
  now(): number;
  /** Milliseconds that never go back, from an arbitrary start: for measuring how long. */
  monotonic(): number;
  /** Calls `run` once after `delayMs`, however long that is; the function returned cancels it. */
  setTimer(delayMs: number, run: () => void): () => void;
}

/** The raw timer functions of a platform, which overflow above {@link MAX_TIMER_MS}. */
export interface RawTimers {
  set(run: () => void, delayMs: number): unknown;
  clear(handle: unknown): void;
}

/** Node runs a timer set for longer than this after one millisecond, which would start a monthly job at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Sets a timer of any length by arming the raw one again until the time is over. Returns the cancel function. */
export function armTimer(raw: RawTimers, monotonic: () => number, delayMs: number, run: () => void): () => void {
  if (Number.isNaN(delayMs)) throw new RangeError('a timer needs a number of milliseconds, not NaN');
  const dueAt = monotonic() + Math.max(0, delayMs);
  let handle: unknown;
  const arm = (): void => {
    const left = dueAt - monotonic();
    handle = left > MAX_TIMER_MS ? raw.set(arm, MAX_TIMER_MS) : raw.set(run, Math.max(0, Math.ceil(left)));
  };
  arm();
  return () => raw.clear(handle);
}

/** The clock of this process. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (delayMs, run) =>
    armTimer(
      { set: (callback, ms) => setTimeout(callback, ms), clear: (handle) => clearTimeout(handle as NodeJS.Timeout) },
      () => performance.now(),
      delayMs,
      run,
    ),
};

/** Waits `delayMs`; resolves early, never rejects, when the signal aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = clock.setTimer(delayMs, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}

/** An instant as a Kubernetes `MicroTime`: the server's layout has exactly six fraction digits and refuses three. */
export function formatMicroTime(instantMs: number): string {
  return new Date(instantMs).toISOString().replace(/Z$/, '000Z');
}
