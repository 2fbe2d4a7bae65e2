import type { DataStore } from '../api/generated/dataStore.ts';
import type { DomainMetrics } from '../telemetry/metrics.ts';
import type { Observation } from './observe.ts';

/** Shows a look at a store in the metrics. What is unknown has no series: a gauge cannot say "unknown" and 0 would lie. */
export function recordStore(metrics: DomainMetrics, store: DataStore, observation: Observation, now: number): void {
  const labels = { resource_namespace: store.metadata.namespace ?? '', name: store.metadata.name };
  metrics.storeUp.set({ ...labels, engine: store.spec.engine }, observation.identity ? 1 : 0);
  const { transport, retention, coverage } = store.status ?? {};
  const states = { due: retention?.due, held: retention?.held, minimum: retention?.blockedByMinimum, blocked: retention?.blockedByReference, indeterminate: retention?.indeterminate };
  for (const [state, rows] of Object.entries(states)) {
    if (rows === undefined) metrics.retentionRows.remove({ ...labels, state });
    else metrics.retentionRows.set({ ...labels, state }, rows);
  }
  if (retention) metrics.oldestDueAge.set(labels, retention.oldestDue ? Math.max(0, (now - Date.parse(retention.oldestDue)) / 1000) : 0);
  if (coverage?.tables) metrics.coverage.set(labels, ((coverage.mapped ?? 0) + (coverage.nonPersonal ?? 0)) / coverage.tables);
  if (transport?.certificate?.notAfter) metrics.tlsNotAfter.set(labels, Date.parse(transport.certificate.notAfter) / 1000);
  if (transport?.plaintextRefused !== undefined) metrics.plaintextAccepted.set(labels, transport.plaintextRefused ? 0 : 1);
  metrics.lastEvaluation.set({ kind: 'DataStore', ...labels }, now / 1000);
  metrics.lastEvaluationOk.set({ kind: 'DataStore', ...labels }, observation.failure || observation.probeFailure ? 0 : 1);
}
