import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { createObjectGauge } from './object-gauge.ts';
import type { ObjectGauge } from './object-gauge.ts';
import { createRuntimeMetrics } from './runtime-metrics.ts';
import type { RuntimeMetrics } from './runtime-metrics.ts';

export interface MetricsOptions {
  version: string;
  commit: string;
  /** Series one per-object metric may have; 2,000 by default. */
  maxSeries?: number;
  /** Whether to add the process and event-loop metrics of Node; off in tests, since they start a timer. */
  processMetrics?: boolean;
}

/** Every metric of the process. Labels are names of objects and words from short fixed lists, never data. */
export interface Metrics {
  readonly registry: Registry;
  readonly runtime: RuntimeMetrics;
  readonly domain: DomainMetrics;
}

/** A registry of its own with all metrics declared: there is no global one. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  if (options.processMetrics === true) {
    collectDefaultMetrics({ register: registry });
    // Gauges under the names of counters. The same figures by type, without _total, stay.
    for (const what of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${what}_total`);
  }
  const info = new Gauge({ name: 'dataward_build_info', help: 'Always 1; the labels tell the version.', labelNames: ['version', 'commit'], registers: [registry] });
  info.set({ version: options.version, commit: options.commit }, 1);
  return { registry, runtime: createRuntimeMetrics(registry), domain: createDomainMetrics(registry, options.maxSeries ?? 2_000) };
}

export type DomainMetrics = ReturnType<typeof createDomainMetrics>;

const STORE = ['resource_namespace', 'name'] as const;
const RESOURCE = ['kind', 'resource_namespace', 'name'] as const;

function createDomainMetrics(registry: Registry, maxSeries: number) {
  const registers = [registry];
  const truncated = new Gauge({ name: 'dataward_metrics_truncated', help: '1 when a metric has reached its cap and series are missing.', labelNames: ['metric'], registers });
  const declare = (name: string, help: string, labelNames: readonly string[]): ObjectGauge =>
    createObjectGauge(registry, { name, help, labelNames, maxSeries, onTruncated: (metric) => truncated.set({ metric }, 1) });

  const ofStore = {
    storeUp: declare('dataward_store_up', '1 when the last probe reached the store, 0 when not.', [...STORE, 'engine']),
    identityOk: declare('dataward_store_identity_ok', '1 when an identity of the store logged in at the last look and had the rights of its work, 0 when not; absent while unknown.', [...STORE, 'identity']),
    retentionRows: declare('dataward_retention_rows', 'Rows by state at the last observation: due, held, minimum, blocked, indeterminate.', [...STORE, 'state']),
    oldestDueAge: declare('dataward_retention_oldest_due_age_seconds', 'Seconds since the oldest row still there became due; 0 when none is.', STORE),
    coverage: declare('dataward_coverage_ratio', 'Share of the tables of a store that are described or declared free of personal data.', STORE),
    tlsNotAfter: declare('dataward_tls_not_after_timestamp_seconds', 'When the certificate the store presents expires.', STORE),
    plaintextAccepted: declare('dataward_tls_plaintext_accepted', '1 when the store accepted a connection without TLS.', STORE),
    purgeLastSuccess: declare('dataward_purge_last_success_timestamp_seconds', 'When a purge of the store last ended verified.', STORE),
    purgeLastAttemptOk: declare('dataward_purge_last_attempt_ok', '1 when the last purge of every policy and collection of the store succeeded, whenever that was.', STORE),
    purgeBlocked: declare('dataward_purge_blocked', '1 while the purge of the store waits for this reason.', [...STORE, 'reason']),
    planPending: declare('dataward_plan_pending_approval_seconds', 'Seconds the oldest plan of the store has been waiting for a person.', STORE),
  };
  const ofResource = {
    compliance: declare('dataward_resource_compliance', '1 when the object is compliant, 0 when not; absent while unknown.', RESOURCE),
    lastEvaluation: declare('dataward_last_evaluation_timestamp_seconds', 'When the object was last evaluated.', RESOURCE),
    lastEvaluationOk: declare('dataward_last_evaluation_ok', '1 when the last evaluation of the object came to a verdict, 0 when it failed.', RESOURCE),
  };
  return {
    ...ofStore,
    ...ofResource,
    /** Takes a store's series away when the object is gone, or a dead store would keep its alert for ever. */
    forgetStore(namespace: string, name: string): void {
      for (const gauge of Object.values(ofStore)) gauge.remove({ resource_namespace: namespace, name });
    },
    /** The same for the series every kind has. */
    forgetResource(kind: string, namespace: string, name: string): void {
      for (const gauge of Object.values(ofResource)) gauge.remove({ kind, resource_namespace: namespace, name });
    },
    purgeRows: new Counter({ name: 'dataward_purge_rows_total', help: 'Rows acted on by committed purge steps.', labelNames: ['action', 'engine'], registers }),
    purgeRuns: new Gauge({ name: 'dataward_purge_runs', help: 'PurgeRun objects by state.', labelNames: ['state'], registers }),
    holdsActive: new Gauge({ name: 'dataward_legal_holds_active', help: 'Legal holds in force.', labelNames: ['resource_namespace'], registers }),
    holdsReviewOverdue: new Gauge({ name: 'dataward_legal_holds_review_overdue', help: 'Legal holds whose review date has passed.', labelNames: ['resource_namespace'], registers }),
    auditChainOk: new Gauge({ name: 'dataward_audit_chain_ok', help: '1 when the audit chain verified at the last check, 0 when not.', registers }),
    auditLastCheckpoint: new Gauge({ name: 'dataward_audit_last_checkpoint_timestamp_seconds', help: 'When the audit chain was last anchored outside.', registers }),
    complianceScore: new Gauge({ name: 'dataward_compliance_score_ratio', help: 'Passing share of the controls that apply; one that could not be judged does not pass. Absent until every store was looked at.', labelNames: ['framework'], registers }),
    reportResults: new Gauge({ name: 'dataward_report_results', help: 'Control results by outcome.', labelNames: ['framework', 'severity', 'result'], registers }),
    policySeconds: new Histogram({ name: 'dataward_policy_evaluation_duration_seconds', help: 'Seconds the evaluation of one resource by all controls took.', labelNames: ['policy'], buckets: [0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5], registers }),
  };
}
