/* Generated from crds/purgeruns.yaml by `npm run generate`. Edit the YAML, not this file. */
import type { Condition, KubeObject } from '../object.ts';

/**
 * PurgeRun is one planned deletion in one store. The operator makes it; people approve it and read it.
 */
export interface PurgeRun extends KubeObject {
  apiVersion: 'dataward.io/v1alpha1';
  kind: 'PurgeRun';
  spec: PurgeRunSpec;
  status?: PurgeRunStatus;
}
/**
 * spec is the plan. Nothing in it changes afterwards except that approvals are added.
 */
export interface PurgeRunSpec {
  /**
   * store is the DataStore beside this object.
   */
  store: string;
  plan: Plan;
  /**
   * planDigest is the digest of plan in canonical JSON; approvals name it.
   */
  planDigest: string;
  forecast: Forecast;
  /**
   * approvals lists who agreed. Each person adds an entry under the own user name; it needs the verb approve on purgeruns. Whoever gave one without maxRows may add that to it, once.
   */
  approvals?: Approval[];
}
/**
 * plan is all that is done, and nothing else; planDigest is its digest.
 */
export interface Plan {
  /**
   * steps in the order they are done.
   */
  steps: PlanStep[];
  /**
   * tables are those rows are deleted from and those that decide which, as they were when the plan was made. The run ends where another table has the name of one by then, or another column that of one of its columns.
   */
  tables: PlanTable[];
  /**
   * target is the fingerprint of the store the plan was made for.
   */
  target: string;
  limits: PlanLimits;
  /**
   * algebra is the version of the rules that made the plan.
   */
  algebra: number;
  /**
   * asOf is the moment every cutoff follows from, the earlier of the operator's and the store's clock.
   */
  asOf: string;
  /**
   * validUntil is when the plan expires.
   */
  validUntil: string;
}
/**
 * One collection.
 */
export interface PlanStep {
  /**
   * order of the step, from 1; what refers to a row goes before it.
   */
  order: number;
  /**
   * collection as namespace/map/collection, and #schema.table where one collection stands for several tables.
   */
  collection: string;
  /**
   * method of deletion.
   */
  method: 'DropPartition' | 'BlockRange' | 'Keyset';
  /**
   * cutoff is the instant before which a row must have started to be due.
   */
  cutoff: string;
  /**
   * policy that decides, as namespace/name.
   */
  policy: string;
  /**
   * predicateDigest is the digest of the condition rows are selected by.
   */
  predicateDigest: string;
  /**
   * rule is the normalised effective rule of the collection as canonical JSON, so that a later look can tell wider from narrower.
   */
  rule: string;
  /**
   * because tells why the collection is part of the run.
   */
  because: string;
}
/**
 * One table.
 */
export interface PlanTable {
  /**
   * schema of the table.
   */
  schema: string;
  /**
   * name of the table.
   */
  name: string;
  /**
   * oid is what the store knows it by, whatever it is called.
   */
  oid: string;
  /**
   * columns of the table that the conditions, times, clients or references of a step ask for. Without any, none is asked for, or an older release made the plan.
   */
  columns?: PlanColumn[];
}
/**
 * One column.
 */
export interface PlanColumn {
  /**
   * name of the column.
   */
  name: string;
  /**
   * number is what the store knows it by in its table, whatever it is called.
   */
  number: number;
  /**
   * type of the column, without a length.
   */
  type: string;
}
/**
 * limits the run keeps.
 */
export interface PlanLimits {
  /**
   * maxRows is how many rows the run may delete.
   */
  maxRows: number;
  /**
   * maxCutoffAdvance is how far the cutoff may have moved since the last verified run.
   */
  maxCutoffAdvance: string;
  /**
   * maxPercent is how large a part of a collection may be deleted.
   */
  maxPercent?: number;
}
/**
 * forecast is what looking at the store promised when the plan was made.
 */
export interface Forecast {
  /**
   * at is when the rows were counted.
   */
  at: string;
  /**
   * steps lists the counts per collection.
   */
  steps: ForecastStep[];
  /**
   * walMegabytes is how much log the run will write.
   */
  walMegabytes?: number;
}
/**
 * Counts of one collection.
 */
export interface ForecastStep {
  /**
   * collection as namespace/map/collection, and #schema.table where one collection stands for several tables.
   */
  collection: string;
  /**
   * exact tells whether the counts are exact; otherwise the budget ran out and they are lower bounds.
   */
  exact?: boolean;
  /**
   * parts are the oids of the tables that had rows of it beside its own, partitions and inheritance children. One that is taken out of the table is looked at by itself when the result is verified.
   */
  parts?: string;
  /**
   * due is how many rows go.
   */
  due: number;
  /**
   * held is how many a LegalHold keeps.
   */
  held: number;
  /**
   * floored is how many a minimum keeps.
   */
  floored: number;
  /**
   * indeterminate is how many have no believable start time.
   */
  indeterminate: number;
  /**
   * blocked is how many stay because a row that has to stay refers to them.
   */
  blocked: number;
}
/**
 * One person's agreement.
 */
export interface Approval {
  /**
   * by is the user name of whoever writes this.
   */
  by: string;
  /**
   * planDigest is the plan agreed to.
   */
  planDigest: string;
  /**
   * maxRows agrees to no more than this many rows; without it, to the limits of the plan. Where more rows are due than a limit allows, only an approval that names it counts.
   */
  maxRows?: number;
}
/**
 * status is how far the run is and what was proven.
 */
export interface PurgeRunStatus {
  /**
   * observedGeneration is the metadata.generation the status was written for.
   */
  observedGeneration?: number;
  /**
   * conditions tell what the controller last saw; one entry per type. A condition that names a problem is absent while there is none.
   */
  conditions?: Condition[];
  /**
   * state of the run.
   */
  state?:
    | 'AwaitingApproval'
    | 'Waiting'
    | 'Running'
    | 'Paused'
    | 'Verifying'
    | 'Succeeded'
    | 'Failed'
    | 'Superseded'
    | 'Expired';
  /**
   * why it is in this state and what happens next.
   */
  why?: string;
  approval?: ApprovalStatus;
  progress?: Progress;
  failing?: Failing;
  verification?: Verification;
  certificate?: CertificateReference;
  /**
   * auditFrom is the sequence number of the run's first record of intent in the audit log.
   */
  auditFrom?: number;
  /**
   * startedAt is when the first batch began.
   */
  startedAt?: string;
  /**
   * finishedAt is when the run reached its last state.
   */
  finishedAt?: string;
}
/**
 * approval tells how well the approvals are proven.
 */
export interface ApprovalStatus {
  /**
   * grade is Verified when the cluster was seen to refuse a forged approval.
   */
  grade?: 'Verified' | 'Unverified';
  /**
   * maxRowsNeeded is true while the run waits for approvals that name maxRows; others do not count.
   */
  maxRowsNeeded?: boolean;
  /**
   * since is when enough people were first seen to have agreed.
   */
  since?: string;
  /**
   * by is who had agreed by then.
   *
   * Items: A user name.
   */
  by?: string[];
}
/**
 * progress of the deletion.
 */
export interface Progress {
  /**
   * deleted rows.
   */
  deleted?: number;
  /**
   * total rows to delete.
   */
  total?: number;
  /**
   * rowsPerSecond over the last minute.
   */
  rowsPerSecond?: number;
  /**
   * etaSeconds is how long the rest will take.
   */
  etaSeconds?: number;
  /**
   * throttledBy names what the run last waited for, for example ReplicaLag; absent while it does not wait.
   */
  throttledBy?: string;
}
/**
 * failing is there while the store refuses the work of the run, or a fault ends it; other runs of the store go first then.
 */
export interface Failing {
  /**
   * count of failures in a row, with no row deleted in between.
   */
  count: number;
  /**
   * since is when the first of them was.
   */
  since: string;
  /**
   * deleted is how many rows had been deleted by then.
   */
  deleted: number;
}
/**
 * verification is what an independent look at the store showed.
 */
export interface Verification {
  /**
   * level of the proof, absent where nothing is proven: Claimed by the driver, VerifiedLive by another identity on the primary, VerifiedReplicas on each declared replica too.
   */
  level?: 'Claimed' | 'VerifiedLive' | 'VerifiedReplicas';
  /**
   * residual is how many due rows were still there.
   */
  residual?: number;
  /**
   * heldUnchanged tells whether all held rows are still there.
   */
  heldUnchanged?: boolean;
  /**
   * heldBefore fingerprints the held rows before the first deletion.
   */
  heldBefore?: HeldFingerprint[];
  /**
   * by is the identity that looked.
   */
  by?: string;
  /**
   * at is when it looked.
   */
  at?: string;
  /**
   * conditions is the digest of the collections, cutoffs and conditions by which rows were counted.
   */
  conditions?: string;
  /**
   * position is how far the log of the primary went when its rows were counted. A replica is counted once it shows everything up to there.
   */
  position?: string;
  /**
   * counts is what the primary showed, kept while its replicas are waited for.
   */
  counts?: CountAfter[];
  /**
   * replicas is what each declared replica showed. Only when all are verified the level is VerifiedReplicas.
   */
  replicas?: ReplicaVerification[];
}
/**
 * The held rows of one collection.
 */
export interface HeldFingerprint {
  /**
   * collection as in the plan.
   */
  collection: string;
  /**
   * rows that are held.
   */
  rows: number;
  /**
   * sum is an order-independent fingerprint of the rows; it carries no value. `unknown` where there were too many to look at.
   */
  sum: string;
  /**
   * holds are the uids of the LegalHolds that held them. Absent where there are more.
   *
   * Items: A uid.
   */
  holds?: string[];
}
/**
 * The rows of one collection after the deletion.
 */
export interface CountAfter {
  /**
   * collection as in the plan.
   */
  collection: string;
  /**
   * due is how many due rows were left.
   */
  due: number;
  /**
   * held is how many a LegalHold keeps.
   */
  held: number;
  /**
   * floored is how many a minimum keeps.
   */
  floored: number;
  /**
   * indeterminate is how many have no believable start time.
   */
  indeterminate: number;
  /**
   * blocked is how many stay because a row that has to stay refers to them.
   */
  blocked: number;
}
/**
 * What one replica showed.
 */
export interface ReplicaVerification {
  /**
   * place in spec.endpoint.replicas of the DataStore, from 0.
   */
  place: number;
  /**
   * verified is true when it showed all that the primary had written and none of the due rows.
   */
  verified: boolean;
  /**
   * reason is one documented word for why it was not verified.
   */
  reason?: string;
  /**
   * message says it in a sentence, with the next step.
   */
  message?: string;
  /**
   * residual is how many due rows were still there; absent when nobody could count.
   */
  residual?: number;
}
/**
 * certificate is the signed record.
 */
export interface CertificateReference {
  /**
   * name of the certificate.
   */
  name?: string;
  /**
   * sha256 of its bytes in hexadecimal.
   */
  sha256?: string;
}
