import type { ComplianceProfile } from '../api/generated/complianceProfile.ts';
import type { Catalogue } from '../policy/catalogue.ts';
import type { ControlResult } from '../policy/result.ts';
import { scoreOf } from '../policy/score.ts';
import type { DomainMetrics } from '../telemetry/metrics.ts';

/** Shows a judgement in the metrics: a score per framework, absent while it is not known, and results by severity. */
export function recordResults(metrics: DomainMetrics, profile: ComplianceProfile, catalogue: Catalogue, report: { controls: readonly string[]; results: readonly ControlResult[]; unseen: readonly string[] }): void {
  forgetResults(metrics);
  for (const framework of catalogue.frameworks.filter((candidate) => profile.spec.frameworks.includes(candidate.id))) {
    const controls = report.controls.filter((control) => framework.clauses.some((clause) => clause.controls.includes(control)));
    const { ratio } = scoreOf(controls, report.results);
    if (ratio !== undefined && report.unseen.length === 0) metrics.complianceScore.set({ framework: framework.id }, Number(ratio));
    for (const result of report.results.filter((each) => controls.includes(each.control))) {
      metrics.reportResults.inc({ framework: framework.id, severity: result.severity, result: result.outcome });
    }
  }
}

/** Takes a judgement out of the metrics: the last one of a profile that is gone would go on looking like today's. */
export function forgetResults(metrics: DomainMetrics): void {
  metrics.complianceScore.reset();
  metrics.reportResults.reset();
}
