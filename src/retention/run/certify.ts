import { randomUUID } from 'node:crypto';
import type { CertificateReference, PurgeRun } from '../../api/generated/purgeRun.ts';
import type { DataStore } from '../../api/generated/dataStore.ts';
import type { RetentionPolicy } from '../../api/generated/retentionPolicy.ts';
import { apiVersionOf, CONFIG_MAP } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/object.ts';
import type { AuditLog } from '../../evidence/audit/log.ts';
import type { Checkpoint } from '../../evidence/audit/checkpoint.ts';
import { canonicalDigest } from '../../evidence/canonical.ts';
import { buildCertificate, certificateDigest, certificateText, signCertificate, type CertificateFacts, type CertifiedCollection } from '../../evidence/certificate.ts';
import type { SigningKey } from '../../evidence/keys.ts';
import type { Client } from '../../runtime/client.ts';
import { isAlreadyExists } from '../../runtime/client.ts';
import type { JournalTotals } from '../../stores/journal.ts';
import type { PurgeRequest } from '../../stores/purging.ts';
import { notByClient, perClient } from './client-counts.ts';
import { objectOf } from './names.ts';
import { methodOf, notCovered } from './replica-verdict.ts';
import type { Verdict } from './verify.ts';

/** Where certificates go and what they are signed with. */
export interface Certifier {
  client: Client;
  audit: AuditLog;
  key: SigningKey;
  /** Keeps the file beside the audit chain; resolves when it is durable. */
  keep: (name: string, text: string) => Promise<void>;
  /** Anchors the chain up to now and gives the checkpoint, so that the certificate can name it. */
  anchor: () => Promise<Checkpoint | null>;
  bundleDigest: string | null;
  /** A client's key as evidence may carry it. */
  nameClient: (key: string) => string;
  version: string;
  actor: string;
  now: () => number;
}

export interface CertifiedRun {
  run: PurgeRun;
  store: DataStore;
  policy: RetentionPolicy;
  request: PurgeRequest;
  verdict: Verdict;
  /** What the store's own journal says was deleted. */
  totals: JournalTotals;
  clients: ReadonlyMap<string, number>;
  /** First record of the run in the audit chain. */
  firstSeq: number;
}

/**
 * Issues the certificate of a verified run: a signed file, and a ConfigMap beside the run for those who only have
 * kubectl. Issuing again after a crash gives the same name and a certificate of the same facts.
 */
export async function certify(certified: CertifiedRun, certifier: Certifier): Promise<CertificateReference> {
  const { run } = certified;
  const name = `${run.metadata.name}-certificate`.slice(0, 253);
  // Other controllers write to the same chain while the checkpoint is on its way: it anchors what stood before it.
  const lastSeq = certifier.audit.head().seq;
  const checkpoint = await certifier.anchor();
  const facts = certificateFacts(certified, certifier, { lastSeq, checkpoint });
  const text = certificateText(signCertificate(buildCertificate(facts), certifier.key));
  const digest = certificateDigest(text);
  await certifier.audit.append({ actor: certifier.actor, action: 'certificate.issued', object: objectOf(run), outcome: 'Done', refs: { certificate: name, digest, keyId: certifier.key.keyId } });
  await certifier.keep(`${run.metadata.namespace}.${name}.json`, text);
  await publish(certifier.client, run, name, text);
  return { name, sha256: digest.replace(/^sha256:/, '') };
}

function certificateFacts({ run, store, policy, request, verdict, totals, clients, firstSeq }: CertifiedRun, certifier: Certifier, anchored: { lastSeq: number; checkpoint: Checkpoint | null }): CertificateFacts {
  const { spec } = run;
  const issuedAt = new Date(certifier.now()).toISOString();
  const collections = spec.plan.steps.map((step) => certifiedCollection(run, step.collection, request, verdict, totals));
  const approvedAt = run.status?.approval?.since ?? run.metadata.creationTimestamp ?? issuedAt;
  return {
    id: randomUUID(),
    kind: 'Retention',
    issuedAt,
    issuer: { name: 'dataward', version: certifier.version },
    basis: {
      policy: { namespace: policy.metadata.namespace ?? '', name: policy.metadata.name, generation: policy.metadata.generation ?? 0, specHash: canonicalDigest(policy.spec) },
      planDigest: spec.planDigest,
      cutoff: instant(spec.plan.steps[0]?.cutoff ?? spec.plan.asOf),
      approvals: (spec.approvals ?? []).map((approval) => ({ by: approval.by, at: instant(approvedAt) })),
      runUid: run.metadata.uid ?? '',
    },
    store: { namespace: store.metadata.namespace ?? '', name: store.metadata.name, identityFingerprint: spec.plan.target, server: store.status?.identity?.server ?? store.spec.engine },
    collections,
    clients: perClient(clients, certifier.nameClient),
    exclusions: [],
    notCovered: [...notCovered(verdict.verification), ...notByClient(collections, request.rules)],
    ...certifiedReplicas(verdict),
    audit: { chainId: certifier.audit.chainId, firstSeq, ...anchored },
    bundleDigest: certifier.bundleDigest,
  };
}

/** By place: an address would say where the data is to whoever reads the certificate. */
function certifiedReplicas({ verification }: Verdict): Pick<CertificateFacts, 'replicas'> {
  const { replicas = [] } = verification;
  return replicas.length === 0 ? {} : { replicas: replicas.map(({ place, verified, reason }) => ({ place, verified, reason: reason ?? null })) };
}

function certifiedCollection(run: PurgeRun, collection: string, request: PurgeRequest, verdict: Verdict, totals: JournalTotals): CertifiedCollection {
  const step = run.spec.plan.steps.find((candidate) => candidate.collection === collection);
  const forecast = run.spec.forecast.steps.find((candidate) => candidate.collection === collection);
  const seen = verdict.counts.find((candidate) => candidate.collection === collection);
  const table = request.rules.find((rule) => rule.collection === collection)?.table;
  const own = totals.collections.filter((candidate) => candidate.collection === collection);
  return {
    name: collection,
    table: table ? `${table.schema}.${table.name}` : collection,
    method: own.length > 0 && own.every(({ method }) => method === 'DropPartition') ? 'PartitionDrop' : 'LogicalDelete',
    predicateDigest: step?.predicateDigest ?? '',
    ...(step ? { cutoff: instant(step.cutoff) } : {}),
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

interface ConfigMapObject extends KubeObject {
  data: Record<string, string>;
}

async function publish(client: Client, run: PurgeRun, name: string, text: string): Promise<void> {
  const map: ConfigMapObject = {
    apiVersion: apiVersionOf(CONFIG_MAP),
    kind: 'ConfigMap',
    metadata: { name, namespace: run.metadata.namespace ?? '', labels: { 'app.kubernetes.io/managed-by': 'dataward', 'dataward.io/certificate': 'deletion' } },
    data: { 'certificate.json': text },
  };
  try {
    await client.create(CONFIG_MAP, map);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    await client.mergePatch(CONFIG_MAP, { namespace: run.metadata.namespace ?? '', name }, { data: map.data });
  }
}
