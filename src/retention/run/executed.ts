import type { Plan } from '../../api/generated/purgeRun.ts';
import { canonicalDigest } from '../../evidence/canonical.ts';
import { latestCutoff, type NormalRule } from '../../rules/weakening.ts';
import { predicateDigest } from '../../stores/condition.ts';
import type { Cutoff, TableAddress } from '../../stores/predicate.ts';
import type { PurgeRequest } from '../../stores/purging.ts';
import { onlyDue } from '../derive.ts';
import { widerThanPlanned } from '../plan.ts';

/** One collection of a run by the rule that is carried out. */
export interface ExecutedStep {
  collection: string;
  table: TableAddress;
  /** What started before it may go. */
  cutoff: Cutoff;
  predicateDigest: string;
  normal: NormalRule;
  /** The condition is not the approved one: a longer period or a new minimum came since. */
  narrowed: boolean;
}

/**
 * What a run deletes by, is counted by, has certified and has remembered as approved: the rules of today on the day of
 * the plan, found not to reach more than the approved plan does. It is made in one place only; what was approved, and
 * what is declared now, are each half of the truth, and a statement that took one member from either was a lie.
 */
export interface Executed {
  request: PurgeRequest;
  /** In the order of the plan. A planned collection that is no longer found, or no longer due, is missing. */
  steps: readonly ExecutedStep[];
  /** Of collections, cutoffs and conditions: two looks with the same one looked for the same rows. */
  digest: string;
}

/**
 * Brings a plan and what is declared now together.
 *
 * @param request what is due under today's rules at the plan's `asOf`
 * @param normals by collection id
 * @returns `wider`, a sentence, where today's rules reach more than was approved, or other rows: then nothing may be
 *   deleted by them, and nothing that is counted by them says anything of the plan
 */
export function executedOf(plan: Plan, request: PurgeRequest, normals: ReadonlyMap<string, NormalRule>): { executed: Executed } | { wider: string } {
  const wider = widerThanPlanned(plan, normals);
  if (wider !== undefined) return { wider };
  const steps = plan.steps.flatMap((step): ExecutedStep[] => {
    const rule = request.rules.find(({ collection }) => collection === step.collection);
    const cutoff = rule && latestCutoff(rule);
    const normal = normals.get(step.collection);
    if (!rule || !cutoff || !normal) return [];
    const digest = predicateDigest(rule);
    return [{ collection: step.collection, table: rule.table, cutoff, predicateDigest: digest, normal, narrowed: digest !== step.predicateDigest }];
  });
  return {
    executed: {
      // What became due since the plan was made, or was joined to it by a new foreign key, waits for a plan of its own.
      request: { ...onlyDue(request, new Set(plan.steps.map((step) => step.collection))), pinned: plan.tables },
      steps,
      digest: canonicalDigest(steps.map(({ collection, cutoff, predicateDigest: condition }) => ({ collection, cutoff: cutoff.instant, condition }))),
    },
  };
}
