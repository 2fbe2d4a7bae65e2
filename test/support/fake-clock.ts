import type { Clock } from '../../src/runtime/clock.ts';

/** A clock that stands still until it is moved. Wall and monotonic time move together. */
export interface FakeClock extends Clock {
  /** Moves on, running due timers in order, and lets promises settle after each. */
  advance(ms: number): Promise<void>;
  /** Timers set and neither run nor cancelled. */
  readonly timers: number;
}

export function createFakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let elapsed = 0;
  let sequence = 0;
  const timers = new Map<number, { dueAt: number; run: () => void }>();
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  return {
    now: () => startMs + elapsed,
    monotonic: () => elapsed,
    setTimer(delayMs, run) {
      const id = (sequence += 1);
      timers.set(id, { dueAt: elapsed + Math.max(0, delayMs), run });
      return () => timers.delete(id);
    },
    async advance(ms) {
      const until = elapsed + ms;
      await settle();
      for (;;) {
        const due = [...timers].filter(([, timer]) => timer.dueAt <= until).toSorted(([idA, a], [idB, b]) => a.dueAt - b.dueAt || idA - idB)[0];
        if (due === undefined) break;
        timers.delete(due[0]);
        elapsed = Math.max(elapsed, due[1].dueAt);
        due[1].run();
        await settle();
      }
      elapsed = until;
    },
    get timers() {
      return timers.size;
    },
  };
}
