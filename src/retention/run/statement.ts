import type { PurgeRun } from '../../api/generated/purgeRun.ts';
import type { DataStore } from '../../api/generated/dataStore.ts';
import type { RetentionPolicy } from '../../api/generated/retentionPolicy.ts';
import { canonicalDigest } from '../../evidence/canonical.ts';
import { CertificateRefusedError, type CertificateFacts, type CertifiedCollection } from '../../evidence/certificate.ts';
import type { JournalTotals } from '../../stores/journal.ts';
import { tableName } from '../../stores/predicate.ts';
import { countedByClient, countedTogether, notByClient, perClient } from './client-counts.ts';
import type { Executed, ExecutedStep } from './executed.ts';
import { validApprovals } from './plan.ts';
import { methodOf, notCovered } from './replica-verdict.ts';
import type { Verdict } from './verify.ts';

/** What is certified of a run: what it was carried out by, counted by and proven with. Pure. */
export interface CertifiedRun {
  run: PurgeRun;
  store: DataStore;
  policy: RetentionPolicy;
  executed: Executed;
  verdict: Verdict;
  /** What the store's own journal says was deleted. */
  totals: JournalTotals;
  clients: ReadonlyMap<string, number>;
  /** First record of the run in the audit chain. */
  firstSeq: number;
}

/** A certificate without what it has from being issued: the same run and the same proof give the same statement. */
export type Statement = Omit<CertificateFacts, 'id' | 'issuedAt' | 'supersedes' | 'audit'>;

/** Sentences a certificate has room for beside all others. */
const MOST_NARROWED = 20;
/** Of clients, in a certificate. The whole of it must fit into a ConfigMap, which holds a mebibyte. */
const CLIENT_BYTES = 262_144;

/**
 * @param nameClient a client's key as evidence may carry it
 * @throws CertificateRefusedError where a planned collection is not among those that were carried out
 */
export function statementOf({ run, store, policy, executed, verdict, totals, clients }: CertifiedRun, { nameClient, version, bundleDigest }: { nameClient: (key: string) => string; version: string; bundleDigest: string | null }): Statement {
  const { spec } = run;
  const steps = spec.plan.steps.map(({ collection }) => {
    const step = executed.steps.find((candidate) => candidate.collection === collection);
    if (!step) throw new CertificateRefusedError([`collection ${collection} is no longer declared, found or due; plan again`]);
    return step;
  });
  const collections = steps.map((step) => certifiedCollection(run, step, verdict, totals));
  const counts = perClient(clients, nameClient, CLIENT_BYTES);
  return {
    kind: 'Retention',
    issuer: { name: 'dataward', version },
    basis: {
      policy: { namespace: policy.metadata.namespace ?? '', name: policy.metadata.name, generation: policy.metadata.generation ?? 0, specHash: canonicalDigest(policy.spec) },
      planDigest: spec.planDigest,
      // Each collection says its own; what is said of all of them must hold for each.
      cutoff: steps.map(({ cutoff }) => instant(cutoff.instant)).toSorted()[0] ?? instant(spec.plan.asOf),
      approvals: certifiedApprovals(run),
      runUid: run.metadata.uid ?? '',
    },
    store: { namespace: store.metadata.namespace ?? '', name: store.metadata.name, identityFingerprint: spec.plan.target, server: store.status?.identity?.server ?? store.spec.engine },
    collections,
    clients: counts.named,
    exclusions: [],
    notCovered: [...notCovered(verdict.verification), ...narrowedBy(run, steps), ...countedByClient(clients, executed.request.rules), ...countedTogether(counts), ...notByClient(collections, executed.request.rules)],
    ...certifiedReplicas(verdict),
    bundleDigest,
  };
}

/** Who had agreed by the time that is named: somebody who agreed later did not let it begin. */
function certifiedApprovals(run: PurgeRun): CertificateFacts['basis']['approvals'] {
  const { since, by } = run.status?.approval ?? {};
  const at = since ?? run.metadata.creationTimestamp;
  const people = validApprovals(run).flatMap((approval) => (by === undefined || by.includes(approval.by) ? [approval.by] : []));
  return at === undefined ? [] : [...new Set(people)].map((person) => ({ by: person, at: instant(at) }));
}

/** Of rows between the two conditions nothing is said, and `deleted` may count some that went before the rule was lengthened. */
function narrowedBy(run: PurgeRun, steps: readonly ExecutedStep[]): string[] {
  const narrowed = steps.filter((step) => step.narrowed);
  const told = narrowed.slice(0, MOST_NARROWED).map(({ collection, cutoff }) => {
    const planned = run.spec.plan.steps.find((step) => step.collection === collection)?.cutoff ?? run.spec.plan.asOf;
    return `${collection}: what only the plan reached (up to ${day(planned)}) and not the rule that stood at the end (up to ${day(cutoff.instant)}, with its minimums); deleted may count such rows`.slice(0, 300);
  });
  return narrowed.length > told.length ? [...told, `${narrowed.length - told.length} more collections: what only the plan reached and not the rule that stood at the end`] : told;
}

/** By place: an address would say where the data is to whoever reads the certificate. */
function certifiedReplicas({ verification }: Verdict): Pick<CertificateFacts, 'replicas'> {
  const { replicas = [] } = verification;
  return replicas.length === 0 ? {} : { replicas: replicas.map(({ place, verified, reason }) => ({ place, verified, reason: reason ?? null })) };
}

function certifiedCollection(run: PurgeRun, { collection, table, cutoff, predicateDigest }: ExecutedStep, verdict: Verdict, totals: JournalTotals): CertifiedCollection {
  const forecast = run.spec.forecast.steps.find((candidate) => candidate.collection === collection);
  const seen = verdict.counts.find((candidate) => candidate.collection === collection);
  const own = totals.collections.filter((candidate) => candidate.collection === collection);
  return {
    name: collection,
    table: tableName(table),
    method: own.length > 0 && own.every(({ method }) => method === 'DropPartition') ? 'PartitionDrop' : 'LogicalDelete',
    predicateDigest,
    cutoff: instant(cutoff.instant),
    eligible: forecast?.due ?? 0,
    deleted: own.reduce((sum, { deleted }) => sum + deleted, 0),
    held: seen?.held ?? 0,
    floored: seen?.floored ?? 0,
    blocked: seen?.blocked ?? 0,
    indeterminate: seen?.indeterminate ?? 0,
    verification: {
      level: verdict.verification.level === 'VerifiedReplicas' ? 'VerifiedReplicas' : 'VerifiedLive',
      method: methodOf(verdict.verification),
      residual: seen?.due ?? 0,
      at: verdict.verification.at ?? new Date(0).toISOString(),
    },
  };
}

const instant = (text: string): string => new Date(text).toISOString();
const day = (text: string): string => instant(text).slice(0, 10);
