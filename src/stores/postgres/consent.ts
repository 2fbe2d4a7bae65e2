import { setTimeout as delay } from 'node:timers/promises';
import type { BatchResult } from '../purging.ts';

/** Milliseconds. Longer, and whoever stopped the purge meanwhile would see rows go that his stop was to keep. */
const GOOD_FOR_MS = 250;
/** Milliseconds a transaction waits for an answer. The server ends the login of one that is idle for 10 s, and with it what could undo a drop. */
const WAITS_FOR_MS = 5_000;

/** Thrown inside a transaction, so that it rolls back: the consumer wants no more, or has not answered in time. */
export class Unanswered extends Error {}

/**
 * Whether the consumer of a purge wants it to go on. He says so by asking for the next result; so where he was not told
 * anything for a while, because pages without due rows were looked through or a partition was counted, he is told of nothing,
 * to be asked again. All workers of a step share his answer.
 */
export class Consent {
  private readonly collection: string;
  private readonly monotonicMs: () => number;
  private givenAt: number;
  private over = false;
  private readonly waitsForMs: number;

  constructor(collection: string, monotonicMs: () => number, waitsForMs = WAITS_FOR_MS) {
    this.collection = collection;
    this.monotonicMs = monotonicMs;
    this.waitsForMs = waitsForMs;
    this.givenAt = monotonicMs();
  }

  /** Hands results on to the consumer, and takes each call for the next one as his answer. */
  async *answering(results: AsyncGenerator<BatchResult>): AsyncGenerator<BatchResult> {
    try {
      for (;;) {
        this.givenAt = this.monotonicMs();
        const { done, value } = await results.next();
        if (done === true) return;
        yield value;
      }
    } finally {
      await results.return(undefined);
    }
  }

  /** The consumer wants no more, or one worker failed: none begins anything more. */
  end(): void {
    this.over = true;
  }

  /** To be passed before anything is deleted: asks where the last answer is old. Nothing comes back from it once it is over. */
  async *renew(): AsyncGenerator<BatchResult> {
    if (this.old()) yield this.question();
  }

  /**
   * The same for work that has to ask in its midst, while it has a transaction open.
   *
   * @param work its `ask` throws `Unanswered` where it may not go on
   */
  async *during<T>(work: (ask: () => Promise<void>) => Promise<T>): AsyncGenerator<BatchResult, T> {
    let raise: (answer: Answer) => void = () => undefined;
    const nextQuestion = (): Promise<Answer> => new Promise((resolve) => { raise = resolve; });
    let question = nextQuestion();
    const result = work(async () => {
      if (!this.old()) return;
      const given = new AbortController();
      const answer = new Promise<boolean>((resolve) => raise(resolve)).finally(() => given.abort());
      if (!(await Promise.race([answer, delay(this.waitsForMs, false, { signal: given.signal, ref: false }).catch(() => answer)]))) throw new Unanswered('There was no leave to go on.');
    });
    for (;;) {
      const answer = await Promise.race([question, result.then(() => undefined)]);
      if (answer === undefined) return result;
      question = nextQuestion();
      let goOn = false;
      try {
        yield this.question();
        goOn = true;
      } finally {
        answer(goOn);
        // Its transaction is rolled back before anything else is done.
        if (!goOn) await result.catch(() => undefined);
      }
    }
  }

  private old(): boolean {
    return this.over || this.monotonicMs() - this.givenAt > GOOD_FOR_MS;
  }

  private question(): BatchResult {
    return { seq: 0, collection: this.collection, deleted: 0, clients: {}, millis: 0 };
  }
}

type Answer = (goOn: boolean) => void;
