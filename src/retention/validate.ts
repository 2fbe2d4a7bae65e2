import type { RetentionPolicy } from '../api/generated/retentionPolicy.ts';
import { parsePeriod } from '../rules/period.ts';
import { parseCron, windowMillis } from '../rules/schedule.ts';

/** What the schema cannot see: a zone nobody knows, a cron line that never parses. A sentence, or undefined. */
export function specProblem(policy: RetentionPolicy): string | undefined {
  const { timeZone, minimum, maximum, purge } = policy.spec;
  const zone = zoneProblem(timeZone);
  if (zone) return zone;
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

/** Only IANA names: an offset such as `02:00` would silently ignore summer time. */
function zoneProblem(timeZone: string): string | undefined {
  if (timeZone !== 'UTC' && !/^[A-Z][A-Za-z_+-]*(\/[A-Z][A-Za-z0-9_+-]*)+$/.test(timeZone)) return `spec.timeZone: ${JSON.stringify(timeZone)} is not an IANA zone name such as Europe/Paris`;
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return undefined;
  } catch {
    return `spec.timeZone: nobody knows a zone ${JSON.stringify(timeZone)}; write an IANA name such as Europe/Paris`;
  }
}
