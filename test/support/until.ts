import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits until something true, or something there, comes back, and gives it.
 *
 * @throws naming what was waited for, and what `or` says about it, when `timeoutMs` are over
 */
export async function until<Value>(what: string, look: () => Promise<Value>, options: { timeoutMs?: number; everyMs?: number; or?: () => unknown } = {}): Promise<NonNullable<Value>> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain until ${what}${options.or ? `: ${JSON.stringify(options.or())}` : ''}`);
    await delay(options.everyMs ?? 50);
  }
}
