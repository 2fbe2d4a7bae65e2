import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { semanticFindings } from '../api/validation/semantic.ts';
import { parsePeriod } from '../rules/period.ts';
import { parseCron, windowMillis } from '../rules/schedule.ts';

/** What the schema cannot see: a zone nobody knows, a cron line that never parses. A sentence, or undefined. */
export function specProblem(policy: RetentionPolicy): string | undefined {
  const [finding] = semanticFindings(policy);
  if (finding) return `${finding.path}: ${finding.message}`;
  const { timeZone, minimum, maximum, purge } = policy.spec;
  const checks: [string, () => unknown][] = [
    ['spec.minimum.period', () => minimum && parsePeriod(minimum.period)],
    ['spec.maximum.period', () => maximum && parsePeriod(maximum.period)],
    ['spec.purge.schedule.cron', () => purge && parseCron({ cron: purge.schedule.cron, timeZone }, 0)],
    ['spec.purge.schedule.window', () => purge && windowMillis(purge.schedule.window)],
    ['spec.purge.limits.maxCutoffAdvance', () => purge && parsePeriod(purge.limits.maxCutoffAdvance)],
    ['spec.purge.approval.validFor', () => purge && parsePeriod(purge.approval.validFor)],
  ];
  for (const [field, check] of checks) {
    try {
      check();
    } catch (error) {
      return `${field}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return undefined;
}
