import type { Clock } from './clock.ts';
import type { Result } from './result.ts';
import { allowManyListeners } from './signals.ts';

/** How one try ended. `abandoned` means the function did not even settle after it was told to stop. */
export type Attempt = { kind: 'result'; result: Result } | { kind: 'error'; error: unknown } | { kind: 'timeout'; abandoned: boolean };

export interface AttemptOptions {
  deadlineMs: number;
  abandonMs: number;
  /** Ends the try early; what the function then throws is its result. */
  signal: AbortSignal;
  clock: Clock;
}

/**
 * Runs `run` once and always settles: at the deadline the signal given to it aborts, and one that still does not settle
 * is left behind, because a promise that never settles would otherwise take a worker away for ever. Whatever comes out
 * of one left behind is swallowed. Never rejects, also when `run` throws before its first await.
 */
export async function reconcileOnce(run: (signal: AbortSignal) => Promise<Result>, options: AttemptOptions): Promise<Attempt> {
  const { clock } = options;
  const controller = new AbortController();
  allowManyListeners(controller.signal);
  let timedOut = false;
  let cancelAbandon: () => void = () => {};
  let abandon: (attempt: Attempt) => void = () => {};
  const abandoned = new Promise<Attempt>((resolve) => {
    abandon = resolve;
  });
  const stop = (): void => {
    controller.abort();
    cancelAbandon = clock.setTimer(options.abandonMs, () => abandon({ kind: 'timeout', abandoned: true }));
  };
  const cancelDeadline = clock.setTimer(options.deadlineMs, () => {
    timedOut = true;
    options.signal.removeEventListener('abort', stop);
    if (!controller.signal.aborted) stop();
  });
  if (options.signal.aborted) stop();
  else options.signal.addEventListener('abort', stop, { once: true });

  const settled = (async (): Promise<Attempt> => {
    try {
      const result = await run(controller.signal);
      return isResult(result) ? { kind: 'result', result } : { kind: 'error', error: new TypeError('a reconciliation returned something that is not a Result') };
    } catch (error) {
      return timedOut ? { kind: 'timeout', abandoned: false } : { kind: 'error', error };
    }
  })();
  const attempt = await Promise.race([settled, abandoned]);
  cancelDeadline();
  cancelAbandon();
  options.signal.removeEventListener('abort', stop);
  return attempt;
}

function isResult(value: unknown): value is Result {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  return value.kind === 'done' || (value.kind === 'requeueAfter' && 'ms' in value && typeof value.ms === 'number' && !Number.isNaN(value.ms));
}
