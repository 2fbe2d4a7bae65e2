/** More than this between two clocks, and neither a cutoff nor the age of what was read can be trusted. */
const MAX_SKEW_MS = 60_000;

/** Whether an instant is later than now by more than clocks that work together may differ: it was noted by a clock that was wrong. Milliseconds. */
export function isAhead(at: number, now: number): boolean {
  return at - now > MAX_SKEW_MS;
}

/**
 * Why the clocks of operator and store cannot work together, in a sentence with their difference; undefined while they
 * agree. One rule for plans, runs and looks. Pure.
 *
 * @param theirs the store's clock, RFC 3339; a time that cannot be read agrees with nothing
 * @param now the operator's clock, milliseconds
 */
export function clockProblem(theirs: string, now: number): string | undefined {
  const skew = Math.abs(Date.parse(theirs) - now);
  if (skew <= MAX_SKEW_MS) return undefined;
  const found = Number.isNaN(skew) ? 'the clock of the store tells no time' : `the clocks of operator and store differ by ${Math.round(skew / 1000)} s`;
  return `${found}; synchronise them, nothing is deleted until they agree within ${MAX_SKEW_MS / 1000} s`;
}
