import type { ParamsInput, PolicyInput } from './input.ts';

/**
 * When an answer may change by itself. Controls compare `now` with an instant of the input, plus or minus at most one
 * of their durations, or plus the clock tolerance; so between two such sums nothing changes.
 */

/** policies/lib/fact.rego believes observations that are this much ahead. */
const clockTolerance = 60;
const durations = ['certExpiryWindow', 'purgeGrace', 'purgeInterval', 'holdReviewInterval', 'scanInterval'] as const satisfies (keyof ParamsInput)[];

/**
 * First second after `input.now` at which some control may answer differently on the same facts; Infinity when none
 * ever will. It is early rather than late: not every sum of an instant and a duration is one that a control makes.
 */
export function answerHolds(input: PolicyInput): number {
  const shifts = [0, -clockTolerance, ...durations.flatMap((name) => [input.params[name], -input.params[name]])];
  let first = Infinity;
  for (const instant of instantsOf(input)) {
    for (const shift of shifts) {
      // A comparison turns at the sum itself, or one second after it, depending on whether it includes it.
      const turn = instant + shift;
      if (turn > input.now) first = Math.min(first, turn);
      else if (turn + 1 > input.now) first = Math.min(first, turn + 1);
    }
  }
  return first;
}

function instantsOf({ facts, holds = [], purges = [] }: PolicyInput): number[] {
  const { transport, coverage, entryPoints, retention } = facts;
  const instants = [
    transport?.observedAt,
    transport?.validUntil,
    transport?.certificate?.notBefore,
    transport?.certificate?.notAfter,
    coverage?.observedAt,
    coverage?.validUntil,
    entryPoints?.observedAt,
    entryPoints?.validUntil,
    retention?.observedAt,
    retention?.validUntil,
    ...(retention?.collections ?? []).map(({ oldestDueAt }) => oldestDueAt),
    ...holds.map(({ reviewAt }) => reviewAt),
    ...purges.flatMap(({ lastVerifiedAt, nothingDueAt, nextDueAt }) => [lastVerifiedAt, nothingDueAt, nextDueAt]),
  ];
  return instants.filter((instant) => instant !== undefined);
}
