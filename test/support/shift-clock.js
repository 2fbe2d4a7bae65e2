/**
 * For `node --import`: the wall clock of the process is off by `?ms=` milliseconds, as on a machine whose time nobody
 * keeps. Timers and the monotonic clock go on as they are.
 */
const shift = Number(new URL(import.meta.url).searchParams.get('ms'));
const TrueDate = globalThis.Date;

globalThis.Date = class Date extends TrueDate {
  constructor(...args) {
    if (args.length === 0) super(TrueDate.now() + shift);
    else super(...args);
  }

  static now() {
    return TrueDate.now() + shift;
  }
};
