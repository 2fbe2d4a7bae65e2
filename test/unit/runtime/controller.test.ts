import { describe, expect, test } from '@jest/globals';
import type { ObjectRef } from '../../../src/api/object.ts';
import type { Change } from '../../../src/runtime/cache.ts';
import { changes, createController, itself, source } from '../../../src/runtime/controller.ts';
import type { ControllerOptions, Reconcile } from '../../../src/runtime/controller.ts';
import { done, requeueAfter, TerminalError, WaitingError } from '../../../src/runtime/result.ts';
import type { Result } from '../../../src/runtime/result.ts';
import { silentLogger } from '../../../src/telemetry/logger.ts';
import type { LogFields } from '../../../src/telemetry/logger.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { widget } from '../../support/fake-apiserver.ts';
import type { Widget } from '../../support/fake-apiserver.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

/** A cache reduced to what a controller needs, driven by the test. */
function fakeCache(isSynced = true, present: readonly string[] = []) {
  const listeners = new Set<(change: Change<Widget>) => void>();
  let sync: () => void = () => {};
  const synced = isSynced ? Promise.resolve() : new Promise<void>((resolve) => (sync = resolve));
  return {
    synced: () => synced,
    sync: () => sync(),
    onChange(listener: (change: Change<Widget>) => void, how: { fromNow?: boolean | undefined } = {}) {
      if (how.fromNow !== true) for (const name of present) listener({ type: 'added', object: widget(name) });
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    change: (name: string) => listeners.forEach((listener) => listener({ type: 'modified', object: widget(name) })),
    listeners,
  };
}

function setUp(reconcile: Reconcile, options: Partial<ControllerOptions> = {}) {
  const clock = createFakeClock();
  const cache = fakeCache();
  const metrics = createMetrics({ version: '1', commit: 'c' });
  const logged: LogFields[] = [];
  const logger = { ...silentLogger, error: (_message: string, fields: LogFields = {}) => void logged.push(fields) };
  const controller = createController({ name: 'test', sources: [source<Widget>(cache, itself)], reconcile, logger, clock, metrics: metrics.runtime, deadlineMs: 1_000, abandonMs: 500, ...options });
  const abort = new AbortController();
  const value = async (name: string): Promise<number | undefined> => {
    const found = (await metrics.registry.metrics()).match(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (.*)$`, 'm'));
    return found?.[1] === undefined ? undefined : Number(found[1]);
  };
  return { clock, cache, controller, abort, logged, value };
}

const nextTurns = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

const nameOf = (ref: ObjectRef): string => ref.name;

describe('sources', () => {
  const noted = (): { seen: string[]; reconcile: Reconcile } => {
    const seen: string[] = [];
    return { seen, reconcile: async (ref) => (seen.push(ref.name), done()) };
  };

  test('what is there at the start is reconciled by the source of its own kind, and not woken by what it depends on', async () => {
    const { seen, reconcile } = noted();
    const other = fakeCache(true, ['x', 'y']);
    const { controller, abort, clock } = setUp(reconcile, { sources: [source<Widget>(fakeCache(true, ['a']), itself), changes<Widget>(other, () => [{ name: 'b' }])] });
    await controller.start(abort.signal);
    await clock.advance(0);
    expect(seen).toEqual(['a']);
    other.change('x');
    await clock.advance(0);
    expect(seen).toEqual(['a', 'b']);
  });

  test('a group is asked once for all changes that arrive together, and waits as one until then', async () => {
    const { seen, reconcile } = noted();
    const other = fakeCache();
    let asked = 0;
    const group = (): ObjectRef[] => {
      asked += 1;
      return [{ name: 'a' }, { name: 'b' }];
    };
    const { controller, abort } = setUp(reconcile, { sources: [changes<Widget>(other, () => group)] });
    await controller.start(abort.signal);
    for (const name of ['x', 'y', 'z']) other.change(name);
    expect([asked, controller.queueLength]).toEqual([0, 1]);
    await nextTurns();
    expect([asked, seen]).toEqual([1, ['a', 'b']]);
    other.change('x');
    await nextTurns();
    expect([asked, seen]).toEqual([2, ['a', 'b', 'a', 'b']]);
  });

  test('the state before is shown to a map where there is one, and not for what is gone', async () => {
    const cache = fakeCache();
    const given: unknown[] = [];
    const { controller, abort } = setUp(async () => done(), { sources: [changes<Widget>(cache, (object, old) => (given.push([object.metadata.name, old?.metadata.name]), []))] });
    await controller.start(abort.signal);
    for (const type of ['modified', 'deleted'] as const) cache.listeners.forEach((listener) => listener({ type, object: widget('a'), old: widget('a') }));
    expect(given).toEqual([['a', 'a'], ['a', undefined]]);
  });
});

describe('a controller', () => {
  test('reconciles what changed, by the key its map gives', async () => {
    const seen: ObjectRef[] = [];
    const { controller, cache, abort, clock } = setUp(async (ref) => {
      seen.push(ref);
      return done();
    });
    await controller.start(abort.signal);
    cache.change('a');
    cache.change('a');
    cache.change('b');
    await clock.advance(0);
    // The first change of a was taken up at once, so the second one of it waited behind b.
    expect(seen.map(nameOf)).toEqual(['a', 'b', 'a']);
    expect(seen[0]).toEqual({ namespace: 'shop', name: 'a' });
    await controller.stop();
  });

  test('does nothing before all its sources are complete', async () => {
    const late = fakeCache(false);
    let ran = 0;
    const { controller, cache, abort, clock } = setUp(
      async () => {
        ran += 1;
        return done();
      },
      {},
    );
    const both = createController({ name: 'both', sources: [source<Widget>(cache, itself), source<Widget>(late, itself)], reconcile: async () => { ran += 1; return done(); }, logger: silentLogger, clock });
    both.enqueue({ namespace: 'shop', name: 'a' });
    const started = both.start(abort.signal);
    await clock.advance(60_000);
    expect(ran).toBe(0);
    late.sync();
    await started;
    await clock.advance(0);
    expect(ran).toBe(1);
    await Promise.all([both.stop(), controller.stop()]);
  });

  test('a start that is aborted while it waits for its sources ends', async () => {
    const { clock, abort } = setUp(async () => done());
    const controller = createController({ name: 'never', sources: [source<Widget>(fakeCache(false), itself)], reconcile: async () => done(), logger: silentLogger, clock });
    const started = controller.start(abort.signal);
    abort.abort();
    await started;
    expect(clock.timers).toBe(0);
  });

  test('other work has its turn while thousands of objects need nothing', async () => {
    let ran = 0;
    const turns: number[] = [];
    const { controller, abort } = setUp(async () => {
      ran += 1;
      return done();
    }, { concurrency: 4 });
    for (let index = 0; index < 2_000; index += 1) controller.enqueue({ namespace: 'shop', name: `widget-${index}` });
    await controller.start(abort.signal);
    while (ran < 2_000) {
      await new Promise((resolve) => setImmediate(resolve));
      turns.push(ran);
    }
    const between = turns.map((count, turn) => count - (turns[turn - 1] ?? 0));
    expect(Math.max(...between)).toBeLessThan(200);
    await controller.stop();
  });

  test('works on as many objects at once as it may, and never on one twice', async () => {
    const running = new Map<string, number>();
    let most = 0;
    const finish: (() => void)[] = [];
    const { controller, abort, clock, value } = setUp(
      async (ref) => {
        running.set(ref.name, (running.get(ref.name) ?? 0) + 1);
        expect(running.get(ref.name)).toBe(1);
        most = Math.max(most, running.size);
        await new Promise<void>((resolve) => finish.push(resolve));
        running.delete(ref.name);
        return done();
      },
      { concurrency: 3 },
    );
    await controller.start(abort.signal);
    for (const name of ['a', 'b', 'c', 'd', 'e']) controller.enqueue({ name });
    await clock.advance(0);
    controller.enqueue({ name: 'a' });
    await clock.advance(0);
    expect(await value('controller_runtime_active_workers{controller="test"}')).toBe(3);
    while (finish.length > 0) {
      finish.shift()?.();
      await clock.advance(0);
    }
    expect(most).toBe(3);
    expect(await value('controller_runtime_reconcile_total{controller="test",result="success"}')).toBe(6);
    await controller.stop();
    expect(clock.timers).toBe(0);
  });

  test('looks again when the result says so, and at once when the object changes before', async () => {
    let runs = 0;
    const { controller, cache, abort, clock } = setUp(async () => {
      runs += 1;
      return requeueAfter(60_000);
    });
    await controller.start(abort.signal);
    controller.enqueue({ namespace: 'shop', name: 'a' });
    await clock.advance(59_999);
    expect(runs).toBe(1);
    cache.change('a');
    await clock.advance(0);
    expect(runs).toBe(2);
    await clock.advance(60_000);
    expect(runs).toBe(3);
    await controller.stop();
  });
});

describe('a reconciliation that goes wrong', () => {
  const failing: [string, () => Promise<Result>, string][] = [
    ['rejects', () => Promise.reject(new Error('x')), 'error'],
    ['throws before its first await', () => { throw new TypeError('x'); }, 'error'],
    ['throws something that is no error', () => Promise.reject(undefined), 'error'],
    ['returns nothing', () => Promise.resolve(undefined as unknown as Result), 'error'],
    ['returns a wait of NaN', () => Promise.resolve({ kind: 'requeueAfter', ms: Number.NaN }), 'error'],
  ];
  test.each(failing)('%s: tried again with back-off while other objects go on', async (_name, fail, result) => {
    const runs = new Map<string, number>();
    const { controller, abort, clock, value, logged } = setUp((ref) => {
      runs.set(ref.name, (runs.get(ref.name) ?? 0) + 1);
      return ref.name === 'bad' && (runs.get('bad') ?? 0) <= 3 ? fail() : Promise.resolve(done());
    });
    await controller.start(abort.signal);
    controller.enqueue({ name: 'bad' });
    controller.enqueue({ name: 'good' });
    await clock.advance(0);
    expect([...runs]).toEqual([['bad', 1], ['good', 1]]);
    await clock.advance(5);
    expect(runs.get('bad')).toBe(2);
    await clock.advance(9);
    expect(runs.get('bad')).toBe(2);
    await clock.advance(1_000);
    expect(runs.get('bad')).toBe(4);
    expect(await value(`controller_runtime_reconcile_total{controller="test",result="${result}"}`)).toBe(3);
    expect(await value('controller_runtime_reconcile_errors_total{controller="test"}')).toBe(3);
    expect(logged).toHaveLength(3);
    await controller.stop();
  });

  test('a success ends the back-off: the next failure is tried again as soon as the first one was', async () => {
    let runs = 0;
    const { controller, abort, clock } = setUp(async () => {
      runs += 1;
      if (runs !== 5) throw new Error('x');
      return done();
    });
    await controller.start(abort.signal);
    controller.enqueue({ name: 'a' });
    await clock.advance(5 + 10 + 20 + 40);
    expect(runs).toBe(5);
    controller.enqueue({ name: 'a' });
    await clock.advance(5);
    expect(runs).toBe(7);
    await controller.stop();
  });

  test('never settles: it is told to stop at its deadline, given up, and its object tried again', async () => {
    let runs = 0;
    let told = false;
    const { controller, abort, clock, value } = setUp(async (_ref, { signal }) => {
      runs += 1;
      signal.addEventListener('abort', () => (told = true));
      return runs === 1 ? new Promise<Result>(() => {}) : done();
    });
    await controller.start(abort.signal);
    controller.enqueue({ name: 'a' });
    await clock.advance(1_000);
    expect([told, runs]).toEqual([true, 1]);
    await clock.advance(505);
    expect(runs).toBe(2);
    expect(await value('controller_runtime_reconcile_timeouts_total{controller="test"}')).toBe(1);
    await controller.stop();
    expect(clock.timers).toBe(0);
  });

  test('stops when told at its deadline: counted as a timeout, not as an error of its own', async () => {
    const { controller, abort, clock, value } = setUp((_ref, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))));
    await controller.start(abort.signal);
    controller.enqueue({ name: 'a' });
    await clock.advance(1_004);
    expect(await value('controller_runtime_reconcile_total{controller="test",result="timeout"}')).toBe(1);
    await controller.stop({ graceMs: 0 });
  });

  test('a late rejection of one given up does not end the process', async () => {
    let late: (error: Error) => void = () => {};
    let runs = 0;
    const { controller, abort, clock } = setUp(async () => {
      runs += 1;
      return runs === 1 ? new Promise<Result>((_resolve, reject) => (late = reject)) : done();
    });
    await controller.start(abort.signal);
    controller.enqueue({ name: 'a' });
    await clock.advance(2_000);
    const unhandled: unknown[] = [];
    const listen = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', listen);
    late(new Error('too late'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', listen);
    expect([unhandled, runs]).toEqual([[], 2]);
    await controller.stop();
  });

  test('needs a person: not tried again until something changes', async () => {
    let runs = 0;
    const { controller, cache, abort, clock, value } = setUp(async () => {
      runs += 1;
      throw new TerminalError('BadReference', 'no such store');
    });
    await controller.start(abort.signal);
    controller.enqueue({ namespace: 'shop', name: 'a' });
    await clock.advance(10_000_000);
    expect(runs).toBe(1);
    expect(await value('controller_runtime_terminal_reconcile_errors_total{controller="test"}')).toBe(1);
    cache.change('a');
    await clock.advance(0);
    expect(runs).toBe(2);
    await controller.stop();
  });

  test('waits: looked at again after its time, without back-off and without alarm', async () => {
    let runs = 0;
    const { controller, abort, clock, logged } = setUp(async () => {
      runs += 1;
      throw new WaitingError('StoreUnreachable', 'm', 1_000);
    });
    await controller.start(abort.signal);
    controller.enqueue({ name: 'a' });
    await clock.advance(10_000);
    expect(runs).toBe(11);
    expect(logged).toEqual([]);
    await controller.stop();
  });
});

describe('the end', () => {
  test('work under way ends first, and nothing new begins', async () => {
    const seen: string[] = [];
    let finish: () => void = () => {};
    const { controller, cache, abort, clock } = setUp(async (ref) => {
      seen.push(nameOf(ref));
      await new Promise<void>((resolve) => (finish = resolve));
      return requeueAfter(1);
    });
    await controller.start(abort.signal);
    controller.enqueue({ name: 'a' });
    controller.enqueue({ name: 'waits already' });
    await clock.advance(0);
    expect([controller.active, controller.queueLength]).toEqual([1, 1]);
    let over = false;
    const stopped = controller.stop().then(() => (over = true));
    cache.change('b');
    controller.enqueue({ name: 'c' });
    await clock.advance(10);
    expect([over, cache.listeners.size]).toEqual([false, 0]);
    finish();
    await stopped;
    expect(seen).toEqual(['a']);
    expect([controller.active, clock.timers]).toEqual([0, 0]);
  });

  test('work that does not end in its time of grace is aborted, then given up', async () => {
    let told = false;
    const { controller, abort, clock } = setUp((_ref, { signal }) => {
      signal.addEventListener('abort', () => (told = true));
      return new Promise<Result>(() => {});
    }, { deadlineMs: 1e9 });
    await controller.start(abort.signal);
    controller.enqueue({ name: 'a' });
    await clock.advance(0);
    const stopped = controller.stop({ graceMs: 100 });
    await clock.advance(100);
    expect(told).toBe(true);
    await clock.advance(500);
    await stopped;
    expect(clock.timers).toBe(0);
  });

  test('work aborted by the end is not counted as a failure', async () => {
    const { controller, abort, clock, logged, value } = setUp((_ref, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))), { deadlineMs: 1e9 });
    await controller.start(abort.signal);
    controller.enqueue({ name: 'a' });
    await clock.advance(0);
    const stopped = controller.stop({ graceMs: 100 });
    await clock.advance(100);
    await stopped;
    expect([logged, await value('controller_runtime_reconcile_errors_total{controller="test"}')]).toEqual([[], 0]);
  });

  test('aborting the signal given to start stops it too', async () => {
    const { controller, abort, clock } = setUp(async () => requeueAfter(5));
    await controller.start(abort.signal);
    controller.enqueue({ name: 'a' });
    await clock.advance(0);
    abort.abort();
    await clock.advance(0);
    expect(clock.timers).toBe(0);
  });
});

test('a wait at the write barrier does not hold up the end', async () => {
  const { controller, abort, clock } = setUp(async () => done(), {
    barrier: { wrote: () => {}, passed: (_ref, signal) => new Promise((resolve) => signal?.addEventListener('abort', () => resolve(false))) },
  });
  await controller.start(abort.signal);
  controller.enqueue({ name: 'a' });
  await clock.advance(0);
  expect(controller.active).toBe(1);
  await controller.stop();
  expect(clock.timers).toBe(0);
});

test('with a write barrier, an object is left alone until our last write came back', async () => {
  let behind = true;
  let runs = 0;
  const { controller, abort, clock } = setUp(
    async () => {
      runs += 1;
      return done();
    },
    { barrier: { wrote: () => {}, passed: async () => !behind } },
  );
  await controller.start(abort.signal);
  controller.enqueue({ name: 'a' });
  await clock.advance(999);
  expect(runs).toBe(0);
  behind = false;
  await clock.advance(1);
  expect(runs).toBe(1);
  await controller.stop();
});
