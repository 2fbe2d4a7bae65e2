/** How waiting times grow from one failure to the next. */
export interface BackoffOptions {
  baseMs: number;
  maxMs: number;
}

/**
 * Milliseconds to wait after failure number `attempt` (0 the first): doubling from `baseMs` to `maxMs`, then spread over
 * the upper half of it by `random` (0 to 1), so that clients that failed together do not come back together.
 */
export function backoffMs(attempt: number, options: BackoffOptions, random: () => number): number {
  const ceiling = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(Math.max(0, attempt), 52));
  return ceiling * (0.5 + random() / 2);
}
