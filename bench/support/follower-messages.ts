/** When a change was sent, as nanoseconds of the clock all processes of a machine share. */
export const SENT = 'bench.dataward.io/sent';

export interface Listed {
  /** From the start until each object had its turn. */
  readonly millis: number;
  /** The longest time the event loop was not there for anything else. */
  readonly stallMillis: number;
  /** Heap in use now, after a collection, over that before the start. */
  readonly megabytes: number;
}

export interface Lags {
  /** Milliseconds from before a change was sent until the work on it began. */
  readonly lags: readonly number[];
}
