import { describe, expect, test } from '@jest/globals';
import { createQueue } from '../../../src/runtime/queue.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { fc, runs } from '../../support/properties.ts';

const setUp = (options = {}) => {
  const clock = createFakeClock();
  return { clock, queue: createQueue({ name: 'test', clock, ...options }) };
};

describe('a queue', () => {
  test('hands out a key once, however often it was added', async () => {
    const { queue } = setUp();
    for (let time = 0; time < 10; time += 1) queue.add('a');
    expect(queue.length).toBe(1);
    expect(await queue.get()).toBe('a');
    expect(queue.length).toBe(0);
  });

  test('does not hand out a key that is worked on, and hands it out again when that is done', async () => {
    const { queue } = setUp();
    queue.add('a');
    await queue.get();
    queue.add('a');
    queue.add('a');
    expect(queue.length).toBe(0);
    queue.done('a');
    expect(queue.length).toBe(1);
    expect(await queue.get()).toBe('a');
  });

  test('gives keys to waiting workers in the order they asked', async () => {
    const { queue } = setUp();
    const taken = Promise.all([queue.get(), queue.get()]);
    queue.add('a');
    queue.add('b');
    expect(await taken).toEqual(['a', 'b']);
  });

  test('adds a delayed key when its time has come, the earliest of several', async () => {
    const { queue, clock } = setUp();
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 500);
    queue.addAfter('a', 2_000);
    expect(clock.timers).toBe(1);
    await clock.advance(499);
    expect(queue.length).toBe(0);
    await clock.advance(1);
    expect(queue.length).toBe(1);
    await clock.advance(5_000);
    expect(await queue.get()).toBe('a');
    queue.done('a');
    expect(queue.length).toBe(0);
  });

  test('leaves a key that rests alone, whatever adds it, and hands it out once afterwards', async () => {
    const { queue, clock } = setUp();
    queue.add('a');
    await queue.get();
    queue.add('a');
    queue.done('a', 1_000);
    expect(queue.length).toBe(0);
    await clock.advance(500);
    queue.add('a');
    queue.addAfter('a', 10);
    queue.add('b');
    expect(await queue.get()).toBe('b');
    await clock.advance(499);
    expect(queue.length).toBe(0);
    await clock.advance(1);
    expect(await queue.get()).toBe('a');
    queue.done('a');
    await clock.advance(10_000);
    expect(queue.length).toBe(0);
    queue.add('a');
    expect(queue.length).toBe(1);
  });

  test('shut down, it waits for no key that rests', async () => {
    const { queue } = setUp();
    queue.add('a');
    await queue.get();
    queue.add('a');
    const down = queue.shutDown();
    queue.done('a', 1_000);
    await down;
    expect(queue.length).toBe(0);
  });

  test.each([0, -5])('a delay of %i adds at once', (ms) => {
    const { queue } = setUp();
    queue.addAfter('a', ms);
    expect(queue.length).toBe(1);
  });

  test('back-off doubles from 5 ms to 1000 s for each key alone, and ends when forgotten', async () => {
    const { queue, clock } = setUp();
    const waited: number[] = [];
    for (let failure = 0; failure < 20; failure += 1) {
      queue.addRateLimited('a');
      const startedAt = clock.monotonic();
      const next = queue.get();
      while (clock.timers > 0) await clock.advance(5);
      await next;
      queue.done('a');
      waited.push(clock.monotonic() - startedAt);
      if (waited.at(-1) === 1_280) break;
    }
    expect(waited.slice(0, 9)).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 1_280]);
    expect(queue.failures('a')).toBe(9);
    expect(queue.failures('b')).toBe(0);
    for (let failure = 0; failure < 2_000; failure += 1) queue.addRateLimited('c');
    queue.addRateLimited('d');
    queue.forget('d');
    expect(queue.failures('d')).toBe(0);
  });

  test('back-off never passes its limit', async () => {
    const { queue, clock } = setUp({ maxDelayMs: 100 });
    for (let failure = 0; failure < 50; failure += 1) queue.addRateLimited('a');
    await clock.advance(5);
    await queue.get();
    queue.done('a');
    queue.addRateLimited('a');
    await clock.advance(100);
    expect(queue.length).toBe(1);
  });

  test('shut down: ready keys are still handed out, later ones are dropped, and it ends when the work is done', async () => {
    const { queue, clock } = setUp();
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 1_000);
    await queue.get();
    let over = false;
    const ended = queue.shutDown().then(() => {
      over = true;
    });
    queue.add('d');
    expect(clock.timers).toBe(0);
    expect(await queue.get()).toBe('b');
    const waiting = queue.get();
    queue.done('b');
    await clock.advance(0);
    expect(over).toBe(false);
    queue.done('a');
    await ended;
    expect(await waiting).toBeUndefined();
    expect(await queue.get()).toBeUndefined();
  });

  test('shut down while nothing is to be done: it ends at once, and whoever waits for a key gets none', async () => {
    const { queue } = setUp();
    const waiting = queue.get();
    await queue.shutDown();
    expect(await waiting).toBeUndefined();
  });

  test('a key added again while its work ran is handed out even during shut down', async () => {
    const { queue } = setUp();
    queue.add('a');
    await queue.get();
    queue.add('a');
    const ended = queue.shutDown();
    queue.done('a');
    expect(await queue.get()).toBe('a');
    queue.done('a');
    await ended;
  });

  test('tells depth, adds, retries and ages under the names of client-go', async () => {
    const metrics = createMetrics({ version: '1', commit: 'c' });
    const { queue, clock } = setUp({ metrics: metrics.runtime });
    queue.add('a');
    queue.add('b');
    await clock.advance(2_000);
    await queue.get();
    await clock.advance(3_000);
    queue.addRateLimited('x');
    const text = await metrics.registry.metrics();
    const labels = '{name="test",controller="test"}';
    expect(text).toContain(`workqueue_depth${labels} 1`);
    expect(text).toContain(`workqueue_adds_total${labels} 2`);
    expect(text).toContain(`workqueue_retries_total${labels} 1`);
    expect(text).toContain(`workqueue_queue_duration_seconds_sum${labels} 2`);
    expect(text).toContain(`workqueue_unfinished_work_seconds${labels} 3`);
    expect(text).toContain(`workqueue_longest_running_processor_seconds${labels} 3`);
    queue.done('a');
    await queue.get();
    const later = await metrics.registry.metrics();
    expect(later).toContain(`workqueue_work_duration_seconds_sum${labels} 3`);
    expect(later).toContain(`workqueue_depth${labels} 0`);
    expect(later).toContain(`workqueue_unfinished_work_seconds${labels} 0`);
    queue.done('b');
    await queue.shutDown();
    expect(await metrics.registry.metrics()).not.toContain(`workqueue_unfinished_work_seconds${labels}`);
  });
});

type Step = { do: 'add' | 'addAfter' | 'fail'; key: string; ms: number } | { do: 'take' } | { do: 'finish'; pick: number } | { do: 'wait'; ms: number };

const key = fc.constantFrom('a', 'b', 'c', 'd');
const ms = fc.integer({ min: 0, max: 50 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('add' as const, 'addAfter' as const, 'fail' as const), key, ms }),
  fc.constant({ do: 'take' as const }),
  fc.record({ do: fc.constant('finish' as const), pick: fc.nat(10) }),
  fc.record({ do: fc.constant('wait' as const), ms }),
);

test('whatever the order of adds and work: no key twice at once, every key added is worked on after its add, nothing else is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { queue, clock } = setUp({ maxDelayMs: 200 });
      const busy: string[] = [];
      const owed = new Set<string>();
      const everAdded = new Set<string>();
      const take = async (): Promise<boolean> => {
        if (queue.length === 0) return false;
        const taken = await queue.get();
        if (taken === undefined) return false;
        expect(busy).not.toContain(taken);
        expect(everAdded.has(taken)).toBe(true);
        busy.push(taken);
        owed.delete(taken);
        return true;
      };
      const finish = (at: number): void => {
        const [finished] = busy.splice(at, 1);
        if (finished !== undefined) queue.done(finished);
      };
      for (const each of steps) {
        if (each.do === 'take') await take();
        else if (each.do === 'finish') finish(busy.length === 0 ? 0 : each.pick % busy.length);
        else if (each.do === 'wait') await clock.advance(each.ms);
        else {
          owed.add(each.key);
          everAdded.add(each.key);
          if (each.do === 'add') queue.add(each.key);
          else if (each.do === 'addAfter') queue.addAfter(each.key, each.ms);
          else queue.addRateLimited(each.key);
        }
      }
      for (let round = 0; round < 20; round += 1) {
        while (busy.length > 0) finish(0);
        await clock.advance(200);
        while (await take()) expect(busy.length).toBeLessThanOrEqual(4);
      }
      expect([...owed]).toEqual([]);
      expect(clock.timers).toBe(0);
    }),
    { numRuns: runs(150) },
  );
});
