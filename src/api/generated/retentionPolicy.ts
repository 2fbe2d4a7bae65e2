/* Generated from crds/retentionpolicies.yaml by `npm run generate`. Edit the YAML, not this file. */
import type { Condition, KubeObject } from '../object.ts';

/**
 * RetentionPolicy says how long data must stay and when it must be gone, with the ground for either, and how the deletion is run.
 */
export interface RetentionPolicy extends KubeObject {
  apiVersion: 'dataward.io/v1alpha1';
  kind: 'RetentionPolicy';
  spec: RetentionPolicySpec;
  status?: RetentionPolicyStatus;
}
/**
 * spec is the rule.
 */
export interface RetentionPolicySpec {
  namespaceSelector?: NamespaceSelector;
  stores: StoreSelector;
  collections: CollectionSelector;
  clients: ClientSelector;
  rows: RowSelector;
  /**
   * timeZone is the IANA zone in whose calendar periods are counted, for example Europe/Paris.
   */
  timeZone: string;
  minimum?: Minimum;
  maximum?: Maximum;
  purge?: Purge;
}
/**
 * namespaceSelector reaches the stores of other namespaces. It is accepted in the root namespace only; without it the own namespace is meant.
 */
export interface NamespaceSelector {
  all?: Everything;
  /**
   * matchLabels selects objects that carry all of these labels.
   */
  matchLabels?: {
    /**
     * value the label must have.
     */
    [k: string]: string;
  };
}
/**
 * all selects everything; it is written out so that leaving a selector away never means everything.
 */
export interface Everything {}
/**
 * stores selects the DataStores this is about, within the namespaces in reach.
 */
export interface StoreSelector {
  /**
   * all selects everything; it is written out so that leaving a selector away never means everything.
   */
  all?: Everything;
  /**
   * matchLabels selects objects that carry all of these labels.
   */
  matchLabels?: {
    /**
     * value the label must have.
     */
    [k: string]: string;
  };
  /**
   * names lists DataStores by name.
   *
   * Items: Name of a DataStore.
   */
  names?: string[];
}
/**
 * collections selects what the rule is about.
 */
export interface CollectionSelector {
  /**
   * categories lists fideslang data categories; each selects its descendants too.
   *
   * Items: Category of the fideslang taxonomy, for example user.behavior.
   */
  categories?: string[];
  /**
   * names lists collections by the name their DataMap gives them.
   *
   * Items: Name of a collection.
   */
  names?: string[];
  /**
   * subjects lists kinds of people, for example visitor or employee.
   *
   * Items: Kind of people.
   */
  subjects?: string[];
}
/**
 * clients selects whose data is meant, by the value of the client key.
 */
export interface ClientSelector {
  /**
   * all selects everything; it is written out so that leaving a selector away never means everything.
   */
  all?: Everything;
  /**
   * keys lists values of the client key.
   *
   * Items: Value of the client key.
   */
  keys?: string[];
}
/**
 * rows selects rows of the collections.
 */
export interface RowSelector {
  /**
   * all selects everything; it is written out so that leaving a selector away never means everything.
   */
  all?: Everything;
  /**
   * where lists conditions that a row meets all of; a row for which one is unknown is not selected.
   */
  where?: RowCondition[];
}
/**
 * One condition on one field.
 */
export interface RowCondition {
  /**
   * field to compare.
   */
  field: string;
  /**
   * operator of the comparison. LessThan and its like take one value, Exists and DoesNotExist none.
   */
  operator: 'In' | 'NotIn' | 'LessThan' | 'LessOrEqual' | 'GreaterThan' | 'GreaterOrEqual' | 'Exists' | 'DoesNotExist';
  /**
   * values to compare with; no personal data belongs here.
   *
   * Items: Value as text; it is converted to the type of the field.
   */
  values?: string[];
}
/**
 * minimum is how long data must stay. It is in force in every mode, suspended or not.
 */
export interface Minimum {
  /**
   * period as an ISO 8601 calendar duration of whole days, for example P8Y.
   */
  period: string;
  /**
   * from is the event the period starts at, for example Created.
   */
  from: string;
  /**
   * roundUp lets the period end with the month or year it ends in.
   */
  roundUp: 'None' | 'EndOfMonth' | 'EndOfYear';
  basis: Basis;
}
/**
 * basis is the ground this rests on, so that a reader can check it.
 */
export interface Basis {
  /**
   * type is the kind of ground. Only LegalObligation makes a minimum that beats somebody's maximum.
   */
  type:
    | 'LegalObligation'
    | 'Contract'
    | 'Consent'
    | 'LegitimateInterests'
    | 'PublicTask'
    | 'VitalInterests'
    | 'LegalClaims';
  /**
   * jurisdiction is the country whose law is meant, ISO 3166-1 alpha-2, or EU. Norway needs quotes, "NO": unquoted it is a boolean in YAML.
   */
  jurisdiction?: string;
  /**
   * reference names the section, clause or file number.
   */
  reference: string;
}
/**
 * maximum is how long data may stay. A row is due when the local day its period ends on is over.
 */
export interface Maximum {
  /**
   * period as an ISO 8601 calendar duration of whole days, for example P8Y.
   */
  period: string;
  /**
   * from is the event the period starts at, for example Created.
   */
  from: string;
  /**
   * roundUp lets the period end with the month or year it ends in.
   */
  roundUp: 'None' | 'EndOfMonth' | 'EndOfYear';
  /**
   * basis is the ground this rests on, so that a reader can check it.
   */
  basis: Basis;
}
/**
 * purge is how what is past its maximum gets deleted. Without it the operator only measures.
 */
export interface Purge {
  /**
   * action on a due row.
   */
  action: 'Delete';
  /**
   * mode is what the operator may do: look, propose runs, or carry them out.
   */
  mode: 'Observe' | 'Plan' | 'Apply';
  /**
   * execution is where a run does its work. InProcess is within the operator.
   */
  execution: 'InProcess';
  schedule: Schedule;
  approval: ApprovalRule;
  limits: Limits;
  pace: Pace;
  /**
   * suspend starts no run. Minimums, holds and measurements go on.
   */
  suspend: boolean;
}
/**
 * schedule is when runs start, in timeZone.
 */
export interface Schedule {
  /**
   * cron has five fields: minute, hour, day, month, weekday.
   */
  cron: string;
  /**
   * window is how long after its start a run may work, for example PT4H; the rest waits for the next start.
   */
  window: string;
}
/**
 * approval is who has to agree before a run deletes.
 */
export interface ApprovalRule {
  /**
   * required tells when a person is asked. First runs and whatever makes a row due earlier than before always ask.
   */
  required: 'Always' | 'WhenWeakening';
  /**
   * count is how many people have to agree.
   */
  count: number;
  /**
   * validFor is how long an unapproved run waits before it expires.
   */
  validFor: string;
}
/**
 * limits stop a mistake; beyond one of them a person is asked.
 */
export interface Limits {
  /**
   * maxCutoffAdvance is how far the cutoff may move since the last verified run.
   */
  maxCutoffAdvance: string;
  /**
   * maxRows is how many rows one run may delete.
   */
  maxRows: number;
  /**
   * maxPercent is how large a part of a collection one run may delete.
   */
  maxPercent?: number;
}
/**
 * pace keeps the deletion from disturbing the application.
 */
export interface Pace {
  /**
   * maxBatchMillis is how long one batch may hold its locks.
   */
  maxBatchMillis: number;
  /**
   * workers is how many batches run side by side.
   */
  workers: number;
  /**
   * maxReplicaLagSeconds pauses the run while a replica is further behind.
   */
  maxReplicaLagSeconds: number;
  /**
   * lockTimeoutMillis is how long a batch waits for a lock before it gives way.
   */
  lockTimeoutMillis: number;
  /**
   * maxWalMegabytesPerRun ends a run that has written more.
   */
  maxWalMegabytesPerRun: number;
  /**
   * maxUnarchivedWalMegabytes pauses the run while more waits for the archive, a replication slot or a replica.
   */
  maxUnarchivedWalMegabytes: number;
}
/**
 * status is what the policy does at present.
 */
export interface RetentionPolicyStatus {
  /**
   * observedGeneration is the metadata.generation the status was written for.
   */
  observedGeneration?: number;
  /**
   * conditions tell what the controller last saw; one entry per type. A condition that names a problem is absent while there is none.
   */
  conditions?: Condition[];
  effective?: Effective;
  lastRun?: LastRun;
  /**
   * lastSlotAt is the slot of the schedule, or the request of a person, that was last acted upon.
   */
  lastSlotAt?: string;
  /**
   * lastEnforcedTime is when a run was last verified.
   */
  lastEnforcedTime?: string;
  /**
   * nextRunAt is when the schedule starts the next run.
   */
  nextRunAt?: string;
}
/**
 * effective tells for which collections this policy decides.
 */
export interface Effective {
  /**
   * stores selected.
   */
  stores?: number;
  /**
   * collections selected; absent while a store could not be read.
   */
  collections?: number;
  /**
   * applied is for how many of them it decides; absent while a store could not be read.
   */
  applied?: number;
  /**
   * worst lists selected collections for which another rule decides or none can.
   */
  worst?: EffectiveCollection[];
  /**
   * truncated is how many entries the list above leaves out.
   */
  truncated?: number;
}
/**
 * One collection.
 */
export interface EffectiveCollection {
  /**
   * store as namespace/name.
   */
  store: string;
  /**
   * collection as namespace/map/collection, and #schema.table where one collection stands for several tables.
   */
  collection: string;
  /**
   * applied tells whether this policy decides.
   */
  applied: boolean;
  /**
   * because tells why or why not.
   */
  because?: string;
}
/**
 * lastRun is the newest PurgeRun of this policy.
 */
export interface LastRun {
  /**
   * name of the PurgeRun.
   */
  name?: string;
  /**
   * namespace of the PurgeRun.
   */
  namespace?: string;
  /**
   * state it was last seen in.
   */
  state?: string;
  /**
   * deleted rows.
   */
  deleted?: number;
  /**
   * startedAt is when it began.
   */
  startedAt?: string;
  /**
   * finishedAt is when it ended.
   */
  finishedAt?: string;
}
