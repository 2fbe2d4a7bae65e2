import { sleep, type Clock } from './clock.ts';

/**
 * What the promise gives, or `undefined` once the time is over; then the promise is left to itself, and what it still
 * does is nobody's error. For the end of a process, which has to come whether a hung server answers or not.
 */
export async function within<T>(promise: Promise<T>, ms: number, clock: Clock): Promise<T | undefined> {
  const settled = new AbortController();
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, sleep(clock, ms, settled.signal).then(() => undefined)]);
  } finally {
    settled.abort();
  }
}
