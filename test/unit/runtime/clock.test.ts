import { describe, expect, test } from '@jest/globals';
import { armTimer, formatMicroTime, MAX_TIMER_MS, sleep, systemClock } from '../../../src/runtime/clock.ts';
import { backoffMs } from '../../../src/runtime/backoff.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const DAY_MS = 86_400_000;

/** Raw timers that overflow as Node's do: what is too long runs after one millisecond. */
function overflowingTimers() {
  const clock = createFakeClock();
  const set: number[] = [];
  return {
    clock,
    set,
    raw: {
      set: (run: () => void, delayMs: number) => {
        set.push(delayMs);
        return clock.setTimer(delayMs > MAX_TIMER_MS ? 1 : delayMs, run);
      },
      clear: (handle: unknown) => (handle as () => void)(),
    },
  };
}

describe('timers', () => {
  test.each([
    ['30 days', 30 * DAY_MS],
    ['24.8 days, the longest Node knows', MAX_TIMER_MS],
    ['a year', 365 * DAY_MS],
  ])('a timer of %s runs then, and not after a millisecond', async (_name, delayMs) => {
    const { clock, raw, set } = overflowingTimers();
    let ran = 0;
    armTimer(raw, clock.monotonic, delayMs, () => {
      ran += 1;
    });
    await clock.advance(delayMs - 1);
    expect(ran).toBe(0);
    await clock.advance(1);
    expect(ran).toBe(1);
    expect(Math.max(...set)).toBeLessThanOrEqual(MAX_TIMER_MS);
  });

  test('a timer of a year can be cancelled after it was armed again', async () => {
    const { clock, raw } = overflowingTimers();
    const cancel = armTimer(raw, clock.monotonic, 365 * DAY_MS, () => {
      throw new Error('it ran');
    });
    await clock.advance(100 * DAY_MS);
    cancel();
    await clock.advance(400 * DAY_MS);
    expect(clock.timers).toBe(0);
  });

  test('the system clock does not run a timer of 30 days at once', async () => {
    let ran = false;
    const cancel = systemClock.setTimer(30 * DAY_MS, () => {
      ran = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    cancel();
    expect(ran).toBe(false);
  });

  test('NaN is refused, because Node takes it for 1 ms', () => {
    expect(() => systemClock.setTimer(Number.NaN, () => {})).toThrow(RangeError);
  });

  test('sleep ends at once on abort and leaves no timer', async () => {
    const clock = createFakeClock();
    const abort = new AbortController();
    const slept = sleep(clock, DAY_MS, abort.signal);
    expect(clock.timers).toBe(1);
    abort.abort();
    await slept;
    await sleep(clock, DAY_MS, abort.signal);
    expect(clock.timers).toBe(0);
  });
});

test('a MicroTime has six fraction digits', () => {
  expect(formatMicroTime(Date.UTC(2026, 10, 24, 6, 7, 8, 9))).toBe('2026-11-24T06:07:08.009000Z');
});

test.each([
  [0, 0, 50],
  [0, 1, 100],
  [1, 1, 200],
  [3, 0.5, 600],
  [10, 1, 1_000],
  [10_000, 1, 1_000],
])('back-off number %i with random %d is %d ms', (attempt, random, expected) => {
  expect(backoffMs(attempt, { baseMs: 100, maxMs: 1_000 }, () => random)).toBe(expected);
});
