import type { Framework } from './catalogue.ts';
import type { ControlResult, Outcome } from './result.ts';
import { worstOutcome } from './result.ts';

/** Results of many stores, folded into one number per control and one state per clause. Pure. */

/** Counts of controls, each by its worst store. */
export interface Score {
  pass: number;
  fail: number;
  unknown: number;
  error: number;
  notApplicable: number;
  /**
   * Passing share of the applicable controls, two digits, rounded down; one that could not be judged does not pass. Absent
   * where none was judged: nothing known is another matter than nothing kept.
   */
  ratio?: string;
}

export type ClauseVerdict = 'Kept' | 'Broken' | 'Unknown';

export interface ClauseState {
  framework: string;
  id: string;
  title: string;
  state: ClauseVerdict;
  /** Controls that decide it. */
  controls: string[];
  /** What keeps it from being Kept: failing, unknown and missing controls. Sorted. */
  because: string[];
}

/**
 * Worst outcome of each control over all stores. A control that was to be evaluated and has no result is Unknown;
 * results of other controls are left out.
 */
function outcomeByControl(controls: readonly string[], results: readonly ControlResult[]): Map<string, Outcome> {
  const outcomes = new Map<string, Outcome[]>(controls.map((control) => [control, []]));
  for (const { control, outcome } of results) outcomes.get(control)?.push(outcome);
  return new Map([...outcomes].map(([control, found]) => [control, worstOutcome(found)]));
}

/** @param controls ids of all controls in scope, evaluated or not */
export function scoreOf(controls: readonly string[], results: readonly ControlResult[]): Score {
  const outcomes = [...outcomeByControl(controls, results).values()];
  const count = (outcome: Outcome): number => outcomes.filter((found) => found === outcome).length;
  const score = { pass: count('Pass'), fail: count('Fail'), unknown: count('Unknown'), error: count('Error'), notApplicable: count('NotApplicable') };
  const applicable = score.pass + score.fail + score.unknown + score.error;
  if (score.pass + score.fail === 0) return score;
  // Down, so that one failure in a thousand is never shown as 1.00; whole numbers, so that no rounding hides in 29/100.
  const hundredths = Math.floor((score.pass * 100) / applicable);
  return { ...score, ratio: `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}` };
}

/**
 * State of each clause, in the order of the frameworks. Broken when a control fails; Kept when every control it needs
 * exists and none is Unknown or Error, and at least one passes; Unknown otherwise.
 *
 * @param controls ids of all controls in scope; a clause that needs one outside of it is not Kept
 */
export function clauseStates(frameworks: readonly Framework[], controls: readonly string[], results: readonly ControlResult[]): ClauseState[] {
  const outcomes = outcomeByControl(controls, results);
  return frameworks.flatMap((framework) =>
    framework.clauses.map((clause) => {
      const found = clause.controls.map((control) => [control, outcomes.get(control) ?? 'Unknown'] as const);
      const failing = found.filter(([, outcome]) => outcome === 'Fail').map(([control]) => control);
      const open = found.filter(([, outcome]) => outcome === 'Unknown' || outcome === 'Error').map(([control]) => control);
      const passing = found.filter(([, outcome]) => outcome === 'Pass');
      const because = [...failing, ...open, ...clause.noFactSource].sort();
      const kept = because.length === 0 && passing.length > 0;
      return {
        framework: framework.id,
        id: clause.id,
        title: clause.title,
        state: failing.length > 0 ? 'Broken' : kept ? 'Kept' : 'Unknown',
        controls: [...clause.controls],
        because,
      };
    }),
  );
}
