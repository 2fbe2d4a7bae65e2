import type { DataStore, StoreRetention } from '../api/generated/dataStore.ts';
import { STORE_LOGINS } from '../connect/stores.ts';
import type { DomainMetrics } from '../telemetry/metrics.ts';
import type { Labels, ObjectGauge } from '../telemetry/object-gauge.ts';
import { isTelling } from './logins.ts';
import type { Observation } from './observe.ts';

/** Shows a look at a store in the metrics. What is unknown has no series: a gauge cannot say "unknown" and 0 would lie. */
export function recordStore(metrics: DomainMetrics, store: DataStore, observation: Observation, now: number): void {
  const labels = { resource_namespace: store.metadata.namespace ?? '', name: store.metadata.name };
  const show = (gauge: ObjectGauge, series: Labels, value: number | undefined): void => (value === undefined ? gauge.remove(series) : gauge.set(series, value));
  metrics.storeUp.set({ ...labels, engine: store.spec.engine }, observation.identity ? 1 : 0);
  for (const identity of STORE_LOGINS) {
    const login = observation.logins[identity];
    show(metrics.identityOk, { ...labels, identity }, login === 'Works' ? 1 : isTelling(login) ? 0 : undefined);
  }
  const { transport, retention, coverage } = store.status ?? {};
  const states = { due: retention?.due, held: retention?.held, minimum: retention?.blockedByMinimum, blocked: retention?.blockedByReference, indeterminate: retention?.indeterminate };
  for (const [state, rows] of Object.entries(states)) show(metrics.retentionRows, { ...labels, state }, rows);
  show(metrics.oldestDueAge, labels, retention && oldestDueAge(retention, now));
  show(metrics.coverage, labels, coverage?.tables ? ((coverage.mapped ?? 0) + (coverage.nonPersonal ?? 0)) / coverage.tables : undefined);
  show(metrics.tlsNotAfter, labels, transport?.certificate?.notAfter === undefined ? undefined : Date.parse(transport.certificate.notAfter) / 1000);
  show(metrics.plaintextAccepted, labels, transport?.plaintextRefused === undefined ? undefined : Number(!transport.plaintextRefused));
  metrics.lastEvaluation.set({ kind: 'DataStore', ...labels }, now / 1000);
  metrics.lastEvaluationOk.set({ kind: 'DataStore', ...labels }, observation.failure || observation.probeFailure ? 0 : 1);
}

/** Seconds; 0 only where it is known that no row is due. */
function oldestDueAge({ due, oldestDue }: StoreRetention, now: number): number | undefined {
  if (oldestDue !== undefined) return Math.max(0, (now - Date.parse(oldestDue)) / 1000);
  return due === 0 ? 0 : undefined;
}
