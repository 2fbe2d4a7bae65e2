import { describe, expect, test } from '@jest/globals';
import { merge as mergeAll } from '../../../../src/stores/postgres/merge.ts';

interface Log {
  events: string[];
}

/** Yields its name `count` times; says when it starts a piece of work, and when it is ended. */
async function* worker(name: string, count: number, log: Log, failAt = Number.POSITIVE_INFINITY): AsyncGenerator<string> {
  try {
    for (let piece = 1; piece <= count; piece += 1) {
      log.events.push(`${name}${piece}`);
      await Promise.resolve();
      if (piece === failAt) throw new Error(`${name} failed`);
      yield `${name}${piece}`;
    }
  } finally {
    log.events.push(`${name} ended`);
  }
}

const merge = <T>(generators: readonly AsyncGenerator<T>[], end = (): void => undefined): AsyncGenerator<T> => mergeAll(generators, end);

async function collect<T>(generator: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of generator) all.push(value);
  return all;
}

describe('merged generators', () => {
  test('give everything of each, in its own order', async () => {
    const all = await collect(merge([worker('a', 3, { events: [] }), worker('b', 1, { events: [] }), worker('c', 2, { events: [] })]));
    expect(all.toSorted()).toEqual(['a1', 'a2', 'a3', 'b1', 'c1', 'c2']);
    expect(all.filter((value) => value.startsWith('a'))).toEqual(['a1', 'a2', 'a3']);
  });

  test('of none end at once', async () => {
    expect(await collect(merge([]))).toEqual([]);
  });

  test('do not work ahead of the consumer: a single one starts its next piece only when asked', async () => {
    const log: Log = { events: [] };
    const merged = merge([worker('a', 3, log)]);
    await merged.next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(log.events).toEqual(['a1']);
    await merged.return(undefined);
    expect(log.events).toEqual(['a1', 'a ended']);
  });

  test('are all ended when the consumer stops', async () => {
    const log: Log = { events: [] };
    for await (const _value of merge([worker('a', 9, log), worker('b', 9, log)])) break;
    expect(log.events.filter((event) => event.endsWith('ended')).toSorted()).toEqual(['a ended', 'b ended']);
  });

  test('are all ended when one fails, and its error is the one thrown', async () => {
    const log: Log = { events: [] };
    await expect(collect(merge([worker('a', 9, log), worker('b', 9, log, 2)]))).rejects.toThrow('b failed');
    expect(log.events.filter((event) => event.endsWith('ended')).toSorted()).toEqual(['a ended', 'b ended']);
  });

  test.each<[string, (merged: AsyncGenerator<string>) => Promise<unknown>, string[]]>([
    ['before any is waited for, when the consumer stops', (merged) => merged.return(undefined), ['end', 'slow goes on']],
    ['before any is waited for, when one fails', (merged) => merged.next().catch(() => undefined), ['end', 'slow goes on']],
    ['never, when all are through', (merged) => collect(merged).catch(() => undefined), ['slow goes on']],
  ])('say that nothing more is to begin %s', async (when, finish, expected) => {
    const events: string[] = [];
    let goOn = (): void => undefined;
    const slow = async function* (): AsyncGenerator<string> {
      await new Promise<void>((resolve) => { goOn = resolve; });
      events.push('slow goes on');
      yield* [];
    };
    const fast = async function* (): AsyncGenerator<string> {
      yield 'first';
      if (when.includes('fails')) throw new Error('failed');
    };
    const merged = merge([slow(), fast()], () => void events.push('end'));
    expect(await merged.next()).toEqual({ done: false, value: 'first' });
    const finished = finish(merged);
    await new Promise((resolve) => setImmediate(resolve));
    goOn();
    await finished;
    expect(events).toEqual(expected);
  });
});
