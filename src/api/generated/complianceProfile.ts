/* Generated from crds/complianceprofiles.yaml by `npm run generate`. Edit the YAML, not this file. */
import type { Condition, KubeObject } from '../object.ts';

/**
 * ComplianceProfile says which controls count and for whom. The one in the root namespace holds for all; another one may only be stricter.
 */
export interface ComplianceProfile extends KubeObject {
  apiVersion: 'dataward.io/v1alpha1';
  kind: 'ComplianceProfile';
  spec: ComplianceProfileSpec;
  status?: ComplianceProfileStatus;
}
/**
 * spec is what has to hold.
 */
export interface ComplianceProfileSpec {
  organisation: Organisation;
  /**
   * frameworks lists ids of the catalogue whose controls are judged.
   *
   * Items: Id of a framework, for example gdpr.
   */
  frameworks: string[];
  controls?: ControlSelection;
  /**
   * parameters set numbers of the controls, as text, for example minTLSVersion: "1.2" in quotes. The catalogue tells which there are.
   */
  parameters?: {
    /**
     * Value of the parameter.
     */
    [k: string]: string;
  };
  /**
   * timeZone is the IANA zone reports are dated in, for example Europe/Paris.
   */
  timeZone: string;
}
/**
 * organisation answers for the processing.
 */
export interface Organisation {
  /**
   * name of the legal person.
   */
  name: string;
  /**
   * contact for questions about privacy.
   */
  contact: string;
  dpo?: DataProtectionOfficer;
  /**
   * regimes lists the bodies of law that apply.
   *
   * Items: Body of law.
   */
  regimes: ('EU' | 'UK' | 'CH')[];
}
/**
 * dpo is the data protection officer.
 */
export interface DataProtectionOfficer {
  /**
   * name of the office or company.
   */
  name: string;
  /**
   * external tells whether the officer comes from outside.
   */
  external: boolean;
  /**
   * contact of the officer.
   */
  contact: string;
}
/**
 * controls adds to and takes from the frameworks.
 */
export interface ControlSelection {
  /**
   * include lists ids of further controls.
   *
   * Items: Id of a control, for example TRANSIT-01.
   */
  include?: string[];
  /**
   * exclude lists controls that do not apply here.
   */
  exclude?: ExcludedControl[];
}
/**
 * One control.
 */
export interface ExcludedControl {
  /**
   * control by id.
   */
  control: string;
  /**
   * reason it does not apply.
   */
  reason: string;
}
/**
 * status is the last judgement.
 */
export interface ComplianceProfileStatus {
  /**
   * observedGeneration is the metadata.generation the status was written for.
   */
  observedGeneration?: number;
  /**
   * conditions tell what the controller last saw; one entry per type. A condition that names a problem is absent while there is none.
   */
  conditions?: Condition[];
  /**
   * evaluatedAt is when it was judged.
   */
  evaluatedAt?: string;
  /**
   * validUntil is when the first of the facts behind it stops counting.
   */
  validUntil?: string;
  /**
   * bundleDigest is the digest of the policies that judged.
   */
  bundleDigest?: string;
  score?: Score;
  /**
   * clauses tells for each promise of the statement whether it is kept.
   */
  clauses?: ClauseState[];
}
/**
 * score counts controls by outcome.
 */
export interface Score {
  /**
   * pass is how many hold.
   */
  pass?: number;
  /**
   * fail is how many are broken.
   */
  fail?: number;
  /**
   * unknown is how many had no fresh fact.
   */
  unknown?: number;
  /**
   * error is how many could not be evaluated.
   */
  error?: number;
  /**
   * notApplicable is how many concern nothing here.
   */
  notApplicable?: number;
  /**
   * waived is how many are broken with an accepted reason.
   */
  waived?: number;
  /**
   * ratio of pass among those that apply, between 0.00 and 1.00; absent while it is not known.
   */
  ratio?: string;
}
/**
 * One promise.
 */
export interface ClauseState {
  /**
   * id of the clause, for example S04.
   */
  id: string;
  /**
   * state is Unknown as long as a control behind it is.
   */
  state: 'Kept' | 'Broken' | 'Unknown';
  /**
   * controls lists the controls that decided.
   *
   * Items: Id of a control, for example TRANSIT-01.
   */
  controls?: string[];
}
