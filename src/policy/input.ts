// Made by scripts/policies.ts from policies/schemas/input.json: what policies may know, and in which units.

/**
 * All a control may know about one store. Every instant is a whole number of seconds since 1970 in UTC and every duration a number of seconds: policies have no clock and no calendar. A field that is absent is not known, and what is not known never passes.
 */
export interface PolicyInput {
  /**
   * The instant of evaluation.
   */
  now: number;
  store: StoreInput;
  facts: FactsInput;
  /**
   * What the data maps declare, with the effective rule. Absent when a map or policy could not be read.
   *
   * @maxItems 20000
   */
  collections?: CollectionInput[];
  /**
   * Legal holds that reach this store. Absent when the list could not be read. No custodian, matter or subject is named here: only whether they are.
   *
   * @maxItems 20000
   */
  holds?: HoldInput[];
  /**
   * One entry per retention policy with a maximum that selects this store. Absent when policies or runs could not be read.
   *
   * @maxItems 20000
   */
  purges?: PurgeInput[];
  params: ParamsInput;
}
/**
 * The DataStore under evaluation.
 */
export interface StoreInput {
  name: string;
  namespace: string;
  /**
   * spec.engine, such as PostgreSQL.
   */
  engine: string;
  residency?: ResidencyInput;
}
/**
 * Where the platform team says the store is.
 */
export interface ResidencyInput {
  /**
   * ISO 3166-1 alpha-2.
   */
  country?: string;
  region?: string;
}
/**
 * What probes saw in the store itself, by group. A group is absent until its first successful observation.
 */
export interface FactsInput {
  transport?: TransportFact;
  entryPoints?: EntryPointsFact;
  coverage?: CoverageFact;
  retention?: RetentionFact;
}
/**
 * Raw handshakes with the endpoint, refused ones included. A field is absent when its probe gave no clear answer.
 */
export interface TransportFact {
  observedAt: number;
  /**
   * From here on the observation proves nothing.
   */
  validUntil: number;
  /**
   * Version negotiated when the client offers the newest.
   */
  version?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
  /**
   * A login attempt without TLS was refused.
   */
  plaintextRefused?: boolean;
  /**
   * Handshakes at TLS 1.0 and 1.1 were both refused.
   */
  legacyRefused?: boolean;
  /**
   * A handshake at TLS 1.2 was refused; asked for only where the minimum is 1.3.
   */
  tls12Refused?: boolean;
  /**
   * Sessions of other clients that are open without TLS.
   */
  livePlaintextSessions?: number;
  /**
   * Something between us and the server ends the TLS connection, so the backend hop was not seen.
   */
  pooler?: boolean;
  certificate?: CertificateFact;
}
/**
 * The leaf the server presented.
 */
export interface CertificateFact {
  notBefore?: number;
  notAfter?: number;
  keyType?: 'RSA' | 'EC' | 'Ed25519' | 'Ed448' | 'DSA';
  keyBits?: number;
  /**
   * The chain verifies to the declared CA.
   */
  trusted?: boolean;
  /**
   * A subject alternative name covers the declared server name.
   */
  nameMatches?: boolean;
}
/**
 * Where browsers come in: the Ingresses and routes of the namespaces that declare data of the store, asked at the addresses their controllers give.
 */
export interface EntryPointsFact {
  observedAt: number;
  /**
   * From here on the observation proves nothing.
   */
  validUntil: number;
  /**
   * False: there are more than those that were asked.
   */
  complete: boolean;
  /**
   * One entry per host of an Ingress or of a Gateway with a route, names unique.
   *
   * @maxItems 1000
   */
  points: EntryPointFact[];
}
/**
 * A field is absent when there was no clear answer.
 */
export interface EntryPointFact {
  /**
   * Kind, namespace/name and host.
   */
  name: string;
  /**
   * Its object asks for TLS.
   */
  tls: boolean;
  /**
   * Answer to a TLS handshake of version 1.2 or newer under its host.
   */
  https?: 'Served' | 'OtherName' | 'Refused';
  /**
   * Answer to a request without TLS. Redirects: to https.
   */
  http?: 'Closed' | 'Redirects' | 'Open';
  /**
   * Seconds of Strict-Transport-Security; 0 when it is not sent.
   */
  hstsMaxAge?: number;
}
/**
 * The live catalogue of the store compared with its data maps. tables = mapped + nonPersonal + unclassified.
 */
export interface CoverageFact {
  observedAt: number;
  /**
   * From here on the observation proves nothing.
   */
  validUntil: number;
  tables?: number;
  mapped?: number;
  nonPersonal?: number;
  /**
   * Tables, or tables with a column, that no data map speaks about.
   */
  unclassified?: number;
  /**
   * Tables called non-personal whose review date is over.
   */
  overdueExemptions?: number;
  /**
   * Databases of the same server that no DataStore declares; templates and maintenance databases left out.
   *
   * @maxItems 1000
   */
  undeclaredDatabases?: string[];
}
/**
 * Rows counted against the effective rule of each collection.
 */
export interface RetentionFact {
  observedAt: number;
  /**
   * From here on the observation proves nothing.
   */
  validUntil: number;
  /**
   * One entry per collection that was counted, names unique.
   *
   * @maxItems 20000
   */
  collections: RetentionCount[];
}
export interface RetentionCount {
  /**
   * As in collections.
   */
  name: string;
  /**
   * Rows past their maximum that nothing keeps: no hold, no minimum, no row that refers to them and stays.
   */
  due?: number;
  /**
   * Rows past their maximum that a hold keeps.
   */
  held?: number;
  /**
   * Rows past their maximum that a minimum keeps.
   */
  blockedByMinimum?: number;
  /**
   * Rows past their maximum that stay because a row that refers to them has to stay.
   */
  blockedByReference?: number;
  /**
   * Rows among blockedByReference that stay only for rows of collections without a maximum.
   */
  blockedForever?: number;
  /**
   * Rows whose start time is NULL, infinite, implausible or in the future.
   */
  indeterminate?: number;
  /**
   * When the oldest due row became due: the end of its period, not its start time.
   */
  oldestDueAt?: number;
  /**
   * False when the counts are lower bounds: an estimate, or cut short by the budget.
   */
  exact?: boolean;
}
export interface CollectionInput {
  /**
   * namespace/map/collection, with #schema.table where one collection stands for several tables.
   */
  name: string;
  /**
   * fideslang keys of the collection and of its fields.
   *
   * @maxItems 500
   */
  categories: string[];
  hasMaximum?: boolean;
  hasMinimum?: boolean;
  /**
   * The start event of each rule is a time the map declares and the store has.
   */
  startEventResolved?: boolean;
  /**
   * A minimum ends after the maximum, or two rules contradict each other.
   */
  conflicted?: boolean;
  /**
   * namespace/name of each policy whose maximum wins; several where they count from different events, or for different rows.
   *
   * @minItems 1
   * @maxItems 500
   */
  maximaFrom?: string[];
  /**
   * namespace/name of every policy that selects the collection.
   *
   * @maxItems 500
   */
  policies?: string[];
}
export interface HoldInput {
  /**
   * namespace/name.
   */
  name: string;
  state: 'Pending' | 'Active' | 'Released';
  reviewAt?: number;
  custodianNamed?: boolean;
  /**
   * Type and reference of the legal basis are given.
   */
  basisStated?: boolean;
  /**
   * Whose law it rests on: ISO 3166 code (a subdivision is allowed), or EU.
   */
  jurisdiction?: string;
  /**
   * Holds everything: no collection, client, subject or period narrows any block of its scope.
   */
  blanket?: boolean;
  /**
   * Committed in the fence of this store, at the current revision.
   */
  enforced?: boolean;
  /**
   * Jobs, TTLs and extensions seen in the store that delete inside the scope on their own.
   *
   * @maxItems 500
   */
  otherDeleters?: string[];
}
export interface PurgeInput {
  /**
   * namespace/name.
   */
  policy: string;
  /**
   * None when the policy has no purge block.
   */
  mode: 'None' | 'Observe' | 'Plan' | 'Apply';
  /**
   * Suspended, or frozen from outside the policy.
   */
  suspended: boolean;
  /**
   * End of the last run that an independent read confirmed.
   */
  lastVerifiedAt?: number;
  /**
   * When exact counts last found no due row in any collection it limits here.
   */
  nothingDueAt?: number;
  /**
   * A run of it has ever touched this store, or tried to.
   */
  attempted?: boolean;
  /**
   * Collections it limits here that have due rows and no run, ended or not. Absent where rows were not counted.
   *
   * @maxItems 1000
   */
  unplanned?: string[];
  /**
   * Of the newest run here.
   */
  lastState?: 'AwaitingApproval' | 'Waiting' | 'Running' | 'Paused' | 'Verifying' | 'Succeeded' | 'Failed' | 'Superseded' | 'Expired';
  /**
   * First scheduled time after the last verified run or count that found nothing due; after the policy was applied when there is neither.
   */
  nextDueAt?: number;
  /**
   * The last verification found every held row still there.
   */
  heldUnchanged?: boolean;
}
/**
 * Parameters of the controls, defaults filled in, durations in seconds.
 */
export interface ParamsInput {
  minTLSVersion: '1.2' | '1.3';
  certExpiryWindow: number;
  minRSABits: number;
  minECBits: number;
  minHSTSMaxAge: number;
  maxIndeterminateRows: number;
  purgeGrace: number;
  purgeInterval: number;
  holdReviewInterval: number;
  scanInterval: number;
}
