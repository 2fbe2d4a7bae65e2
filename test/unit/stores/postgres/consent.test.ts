import { describe, expect, test } from '@jest/globals';
import { Consent, Unanswered } from '../../../../src/stores/postgres/consent.ts';
import type { BatchResult } from '../../../../src/stores/purging.ts';

const QUESTION: BatchResult = { seq: 0, collection: 'views', deleted: 0, clients: {}, millis: 0 };
const batch = (seq: number): BatchResult => ({ ...QUESTION, seq, deleted: 10 });

/** A purge whose work is told as `steps`: milliseconds it looks for, or a batch; what it began is in `begun`. */
function stage(...steps: (number | BatchResult)[]): { results: AsyncGenerator<BatchResult>; begun: number[]; consent: Consent } {
  let now = 1_000;
  const begun: number[] = [];
  const consent = new Consent('views', () => now);
  const work = async function* (): AsyncGenerator<BatchResult> {
    for (const step of steps) {
      if (typeof step === 'number') {
        now += step;
        continue;
      }
      yield* consent.renew();
      begun.push(step.seq);
      yield step;
    }
  };
  return { results: consent.answering(work()), begun, consent };
}

async function all(results: AsyncGenerator<BatchResult>): Promise<BatchResult[]> {
  const told: BatchResult[] = [];
  for await (const each of results) told.push(each);
  return told;
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('consent to go on', () => {
  test.each<[string, (number | BatchResult)[], BatchResult[]]>([
    ['is not asked for where batch follows upon batch', [batch(1), batch(2)], [batch(1), batch(2)]],
    ['is good for a quarter of a second', [250, batch(1)], [batch(1)]],
    ['is asked for anew after a longer look', [251, batch(1)], [QUESTION, batch(1)]],
    ['is asked for anew after looks that were long together', [batch(1), 200, 100, batch(2)], [batch(1), QUESTION, batch(2)]],
    ['is new with each answer', [251, batch(1), 250, batch(2), 251, batch(3)], [QUESTION, batch(1), batch(2), QUESTION, batch(3)]],
  ])('%s', async (_, steps, told) => {
    const { results, begun } = stage(...steps);
    expect(await all(results)).toEqual(told);
    expect(begun).toEqual(told.map(({ seq }) => seq).filter((seq) => seq > 0));
  });

  test('that is not given keeps the batch from being begun', async () => {
    const { results, begun } = stage(251, batch(1));
    expect((await results.next()).value).toEqual(QUESTION);
    await results.return(undefined);
    expect(begun).toEqual([]);
  });

  test('is over for every worker once one of them ended, however new it is', async () => {
    const { results, begun, consent } = stage(batch(1));
    consent.end();
    expect((await results.next()).value).toEqual(QUESTION);
    await results.return(undefined);
    expect(begun).toEqual([]);
  });

  test('ends the purge with whoever iterates over it', async () => {
    const events: string[] = [];
    const consent = new Consent('views', () => 0);
    const work = async function* (): AsyncGenerator<BatchResult> {
      try {
        yield batch(1);
      } finally {
        events.push('ended');
      }
    };
    for await (const _ of consent.answering(work())) break;
    expect(events).toEqual(['ended']);
  });
});

describe('consent within a transaction', () => {
  /** Counts for so many milliseconds, twice, and then drops. */
  function transaction(...counts: number[]): { results: AsyncGenerator<BatchResult, unknown>; events: string[] } {
    let now = 0;
    const events: string[] = [];
    const consent = new Consent('views', () => now);
    const work = async (ask: () => Promise<void>): Promise<string> => {
      try {
        for (const millis of counts) {
          now += millis;
          events.push('counted');
          await ask();
        }
        events.push('dropped');
        return 'done';
      } finally {
        await settled();
        events.push('closed');
      }
    };
    const run = async function* (): AsyncGenerator<BatchResult> {
      try {
        yield { ...QUESTION, throttledBy: yield* consent.during(work) };
      } finally {
        events.push('over');
      }
    };
    return { results: consent.answering(run()), events };
  }

  test.each<[string, number[], number]>([
    ['is not asked for after a short count', [100], 0],
    ['is asked for once after a long one', [300], 1],
    ['is asked for as often as it got old', [300, 300], 2],
    ['is not asked for again while it is new', [300, 100], 1],
  ])('%s', async (_, counts, questions) => {
    const { results, events } = transaction(...counts);
    expect(await all(results)).toEqual([...Array.from({ length: questions }, () => QUESTION), { ...QUESTION, throttledBy: 'done' }]);
    expect(events).toEqual([...counts.map(() => 'counted'), 'dropped', 'closed', 'over']);
  });

  test('that is not given ends the transaction before it drops, and that before anything else', async () => {
    const { results, events } = transaction(300);
    expect((await results.next()).value).toEqual(QUESTION);
    expect(events).toEqual(['counted']);
    await results.return(undefined);
    expect(events).toEqual(['counted', 'closed', 'over']);
  });

  test('that is given too late ends the transaction, whose login would be lost, and says so', async () => {
    let now = 0;
    const consent = new Consent('views', () => now, 20);
    const events: string[] = [];
    const results = consent.during(async (ask) => {
      now = 300;
      await ask().finally(() => events.push('rolled back'));
    });
    await results.next();
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(events).toEqual(['rolled back']);
    await expect(results.next()).rejects.toThrow(Unanswered);
  });

  test('hands on what went wrong, also while the consumer was asked', async () => {
    const consent = new Consent('views', () => 0);
    await expect(consent.during(() => Promise.reject(new Error('lost'))).next()).rejects.toThrow('lost');
    let now = 0;
    const asking = new Consent('views', () => now);
    const results = asking.during(async (ask) => {
      now = 300;
      await Promise.race([ask(), settled().then(() => Promise.reject(new Error('idle for too long')))]);
    });
    await results.next();
    await settled();
    await settled();
    await expect(results.next()).rejects.toThrow('idle for too long');
  });
});
