import { sleep } from './clock.ts';
import type { Clock } from './clock.ts';

/** Lets `burst` requests through at once and `qps` a second after that. */
export interface RateLimiter {
  /** Waits for a turn; returns the milliseconds waited. Turns are given in the order they were asked for. */
  take(signal?: AbortSignal): Promise<number>;
}

/** A token bucket; `qps` 0 or less means no limit. */
export function createRateLimiter(options: { qps: number; burst: number; clock: Clock }): RateLimiter {
  const { qps, burst, clock } = options;
  let tokens = burst;
  let filledAt = clock.monotonic();
  return {
    async take(signal) {
      if (qps <= 0) return 0;
      const now = clock.monotonic();
      tokens = Math.min(burst, tokens + ((now - filledAt) / 1000) * qps);
      filledAt = now;
      // The token is taken at once, below zero if need be: the debt is what puts later callers behind earlier ones.
      tokens -= 1;
      if (tokens >= 0) return 0;
      const waitMs = (-tokens / qps) * 1000;
      await sleep(clock, waitMs, signal);
      return waitMs;
    },
  };
}
