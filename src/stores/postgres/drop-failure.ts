/** A drop that did not come to its end, told by what failed. */
export interface DropFailure {
  /** The login is gone, and with it whatever it could undo. */
  lost: boolean;
  /** Code of the server; undefined where not the server but we refused, because of a freeze for example. */
  sqlState: string | undefined;
  /** Why another attempt may do; undefined where none would. */
  retry: string | undefined;
  /** The run belongs to somebody else now, who decides what becomes of the partition. */
  taken: boolean;
  /** This very process detached it. */
  ours: boolean;
  /** Earlier attempts. */
  attempt: number;
}

/** More would keep rows out of sight for longer than they are worth. */
const ATTEMPTS = 4;

/**
 * What to do about it. The rows of a detached partition are out of the application's sight, so it is attached again (`undo`)
 * wherever the drop does not go on at once.
 *
 * `fail`: nothing but to hand on the error. `undo and fail`: both, whether or not it can be undone. `undo`: its rows go one
 * by one. `give up`: the same, told as a pause. `retry`: after a while.
 */
export function afterFailure({ lost, sqlState, retry, taken, ours, attempt }: DropFailure): 'fail' | 'undo and fail' | 'undo' | 'give up' | 'retry' {
  if (lost) return 'fail';
  // Of another run only what was hidden here is put back.
  if (sqlState === undefined) return ours || !taken ? 'undo and fail' : 'fail';
  // The server will not drop it: a view depends on it, an event trigger forbids it. Or its rows cannot be counted in
  // time, and trying again would take as long while nobody sees them.
  if (retry === undefined || sqlState === '57014') return 'undo';
  return attempt >= ATTEMPTS ? 'give up' : 'retry';
}
