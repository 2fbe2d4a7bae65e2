import type { KubeObject } from '../api/object.ts';
import type { Clock } from './clock.ts';

/** What tells one written state of an object from another. */
export type Written = Pick<KubeObject, 'metadata'>;

/**
 * Which written states a cache has come past. resourceVersions are opaque, so "later than" cannot be asked; a written
 * state is behind us when its own event was seen, when its object was seen deleted, or when a list that began after the
 * write was taken over whole.
 */
export interface Sightings {
  seen(object: Written): void;
  deleted(object: Written): void;
  listStarted(): void;
  listTaken(): void;
  waitFor(written: Written, options: { timeoutMs: number; signal?: AbortSignal | undefined; clock: Clock }): Promise<boolean>;
}

/** An event can overtake the answer to the write that caused it; so many recent ones are remembered for that. */
const REMEMBERED = 4_096;

interface Waiter {
  uid: string;
  state: string;
  /** Lists begun when the wait began. */
  lists: number;
  settle: (arrived: boolean) => void;
}

export function createSightings(): Sightings {
  const recent = new Set<string>();
  const waiters = new Set<Waiter>();
  let listsStarted = 0;
  const settle = (matches: (waiter: Waiter) => boolean): void => {
    for (const waiter of waiters) if (matches(waiter)) waiter.settle(true);
  };
  const remember = (text: string): void => {
    recent.delete(text);
    recent.add(text);
    if (recent.size > REMEMBERED) for (const oldest of recent) return void recent.delete(oldest);
  };
  return {
    seen(object) {
      const state = stateOf(object);
      remember(state);
      settle((waiter) => waiter.state === state);
    },
    deleted(object) {
      const uid = object.metadata.uid ?? '';
      remember(uid);
      settle((waiter) => waiter.uid === uid);
    },
    listStarted() {
      listsStarted += 1;
    },
    listTaken() {
      settle((waiter) => waiter.lists < listsStarted);
    },
    waitFor(written, { timeoutMs, signal, clock }) {
      const uid = written.metadata.uid ?? '';
      const state = stateOf(written);
      if (recent.has(state) || recent.has(uid)) return Promise.resolve(true);
      if (signal?.aborted === true) return Promise.resolve(false);
      return new Promise((resolve) => {
        const waiter: Waiter = {
          uid,
          state,
          lists: listsStarted,
          settle(arrived) {
            waiters.delete(waiter);
            cancel();
            signal?.removeEventListener('abort', onAbort);
            resolve(arrived);
          },
        };
        const onAbort = (): void => waiter.settle(false);
        const cancel = clock.setTimer(timeoutMs, onAbort);
        signal?.addEventListener('abort', onAbort, { once: true });
        waiters.add(waiter);
      });
    },
  };
}

function stateOf(object: Written): string {
  return `${object.metadata.uid ?? ''}/${object.metadata.resourceVersion ?? ''}`;
}
