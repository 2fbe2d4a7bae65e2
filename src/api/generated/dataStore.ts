/* Generated from crds/datastores.yaml by `npm run generate`. Edit the YAML, not this file. */
import type { Condition, KubeObject } from '../object.ts';

/**
 * DataStore is a real data store that holds personal data: where it is, how it is reached, and who answers for it. It belongs to the team that runs the store.
 */
export interface DataStore extends KubeObject {
  apiVersion: 'dataward.io/v1alpha1';
  kind: 'DataStore';
  spec: DataStoreSpec;
  status?: DataStoreStatus;
}
/**
 * spec is what the owner of the store declares.
 */
export interface DataStoreSpec {
  /**
   * engine is the kind of store. It cannot be changed.
   */
  engine: 'PostgreSQL';
  endpoint: Endpoint;
  tls: Tls;
  credentials: Credentials;
  allowedMaps: AllowedMaps;
  observation: Observation;
  residency: Residency;
  /**
   * processors lists companies other than the owner that can reach the data.
   */
  processors?: StoreProcessor[];
  owner: Owner;
  /**
   * expectedTarget pins the fingerprint of the store; another store behind the same name is then refused.
   */
  expectedTarget?: string;
}
/**
 * endpoint is where the store listens.
 */
export interface Endpoint {
  /**
   * host is the DNS name or address of the primary.
   */
  host: string;
  /**
   * port is the TCP port.
   */
  port: number;
  /**
   * database is the one database this object is about.
   */
  database: string;
  /**
   * replicas lists read-only copies; what is deleted has to be gone there as well.
   */
  replicas?: Replica[];
}
/**
 * One read-only copy.
 */
export interface Replica {
  /**
   * host is the DNS name or address of the replica.
   */
  host: string;
  /**
   * port is the TCP port.
   */
  port: number;
}
/**
 * tls says how the certificate of the store is checked. Verification cannot be switched off.
 */
export interface Tls {
  ca?: CertificateAuthority;
  /**
   * serverName is the name the certificate must carry; without it, endpoint.host.
   */
  serverName?: string;
}
/**
 * ca holds the certificates to trust; without it the roots of the system are used.
 */
export interface CertificateAuthority {
  /**
   * configMapName is a ConfigMap beside this object.
   */
  configMapName?: string;
  /**
   * secretName is a Secret beside this object.
   */
  secretName?: string;
  /**
   * key of the PEM bundle.
   */
  key: string;
}
/**
 * credentials names one Secret per identity, beside this object, with username and password or tls.crt and tls.key. A Secret must carry the annotations dataward.io/store and dataward.io/host.
 */
export interface Credentials {
  observe: SecretReference;
  /**
   * enforce deletes. Without it nothing in this store is ever changed.
   */
  enforce?: SecretReference;
  /**
   * verify reads independently after a purge. Without it results stay Claimed and no certificate is issued.
   */
  verify?: SecretReference;
}
/**
 * observe reads and changes nothing.
 */
export interface SecretReference {
  /**
   * secretName is the Secret.
   */
  secretName: string;
}
/**
 * allowedMaps says which DataMaps may describe this store.
 */
export interface AllowedMaps {
  namespaces: MapNamespaces;
  /**
   * schemas lists database schemas a map may speak about, `*` standing for any characters; without it, all.
   *
   * Items: Schema name or pattern, for example shop_*.
   */
  schemas?: string[];
}
/**
 * namespaces whose DataMaps are accepted.
 */
export interface MapNamespaces {
  same?: SameNamespace;
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
 * same means the namespace of this object.
 */
export interface SameNamespace {}
/**
 * observation is how often each group of facts is read; the facts expire after a few missed readings.
 */
export interface Observation {
  /**
   * transportSeconds is the pause between two looks at TLS.
   */
  transportSeconds: number;
  /**
   * inventorySeconds is the pause between two looks at tables, columns and grants.
   */
  inventorySeconds: number;
  counts: Counts;
}
/**
 * counts is when rows are counted, the dearest of the readings.
 */
export interface Counts {
  /**
   * schedule is a cron schedule of five fields, in UTC.
   */
  schedule: string;
  /**
   * budgetSeconds is how long one counting may take; what is not reached stays Unknown.
   */
  budgetSeconds: number;
  /**
   * runOn is the server that does the counting. Replica is the first of endpoint.replicas that proves to be one of this store and shows what the primary had written; where none does, nothing is known.
   */
  runOn: 'Primary' | 'Replica';
}
/**
 * residency is where the data is.
 */
export interface Residency {
  /**
   * country is the ISO 3166-1 alpha-2 code. Norway needs quotes, "NO": unquoted it is a boolean in YAML.
   */
  country: string;
  /**
   * region is the name the provider uses.
   */
  region?: string;
}
/**
 * One company.
 */
export interface StoreProcessor {
  /**
   * name of the processor.
   */
  name: string;
  /**
   * role is what the company does.
   */
  role: 'Hosting' | 'Operations' | 'Support' | 'Backup' | 'Other';
}
/**
 * owner answers for the store.
 */
export interface Owner {
  /**
   * team is a short name.
   */
  team: string;
  /**
   * contact is a shared mailbox or channel, not a person.
   */
  contact: string;
}
/**
 * status is what the operator last saw.
 */
export interface DataStoreStatus {
  /**
   * observedGeneration is the metadata.generation the status was written for.
   */
  observedGeneration?: number;
  /**
   * conditions tell what the controller last saw; one entry per type. A condition that names a problem is absent while there is none.
   */
  conditions?: Condition[];
  /**
   * validUntil is when the first of the facts below stops counting; after it the store is Unknown.
   */
  validUntil?: string;
  identity?: StoreIdentity;
  coverage?: Coverage;
  transport?: Transport;
  retention?: StoreRetention;
  /**
   * facts tells how fresh each group of readings is.
   */
  facts?: FactGroup[];
}
/**
 * identity is what the store proved to be.
 */
export interface StoreIdentity {
  /**
   * fingerprint is a digest of system identifier, database and the operator's own marker.
   */
  fingerprint?: string;
  /**
   * server is product and version.
   */
  server?: string;
  /**
   * timeline grows with each failover.
   */
  timeline?: number;
  /**
   * watermark counts what runs wrote into the store. A smaller one means that a copy of before answers.
   */
  watermark?: number;
}
/**
 * coverage compares the tables of the store with what the DataMaps describe.
 */
export interface Coverage {
  /**
   * tables found.
   */
  tables?: number;
  /**
   * mapped is how many of them a collection describes.
   */
  mapped?: number;
  /**
   * nonPersonal is how many were declared to hold no personal data.
   */
  nonPersonal?: number;
  /**
   * unclassified is how many nobody described.
   */
  unclassified?: number;
  /**
   * worst lists the tables to look at first.
   */
  worst?: UnclassifiedTable[];
  /**
   * truncated is how many entries the list above leaves out.
   */
  truncated?: number;
  /**
   * otherDatabases lists databases of the same server that no DataStore covers.
   *
   * Items: Name of a database.
   */
  otherDatabases?: string[];
}
/**
 * One table.
 */
export interface UnclassifiedTable {
  /**
   * table as schema.name.
   */
  table: string;
  /**
   * why it is listed; names of columns, never values.
   */
  why: string;
}
/**
 * transport is what fresh connections were given. A field that is absent is unknown.
 */
export interface Transport {
  /**
   * version of TLS, for example TLSv1.3.
   */
  version?: string;
  /**
   * cipher suite.
   */
  cipher?: string;
  /**
   * plaintextRefused tells whether a connection without TLS was refused.
   */
  plaintextRefused?: boolean;
  /**
   * legacyRefused tells whether TLS older than 1.2 was refused.
   */
  legacyRefused?: boolean;
  certificate?: ServerCertificate;
  /**
   * livePlaintextSessions is how many sessions of others run without TLS.
   */
  livePlaintextSessions?: number;
  /**
   * pooler tells that something answers in front of the store; TLS behind it is then unknown.
   */
  pooler?: boolean;
}
/**
 * certificate is the one the store showed.
 */
export interface ServerCertificate {
  /**
   * notAfter is when it expires.
   */
  notAfter?: string;
  /**
   * issuer as a distinguished name.
   */
  issuer?: string;
  /**
   * keyBits is the size of the public key.
   */
  keyBits?: number;
}
/**
 * retention counts rows by what the rules say about them today.
 */
export interface StoreRetention {
  /**
   * due is how many rows are past their maximum and kept by nothing; the next purge takes them.
   */
  due?: number;
  /**
   * held is how many rows past their maximum a LegalHold keeps.
   */
  held?: number;
  /**
   * blockedByMinimum is how many rows past their maximum a minimum keeps.
   */
  blockedByMinimum?: number;
  /**
   * blockedByReference is how many rows past their maximum stay because a row that refers to them has to stay.
   */
  blockedByReference?: number;
  /**
   * blockedForever is how many of those stay only for rows that no maximum ever makes due; give these one.
   */
  blockedForever?: number;
  /**
   * indeterminate is how many rows have no believable start time; they are never due.
   */
  indeterminate?: number;
  /**
   * oldestDue is when the first of the due rows became due.
   */
  oldestDue?: string;
  /**
   * worst lists the collections with most due rows.
   */
  worst?: CollectionRetention[];
  /**
   * truncated is how many entries the list above leaves out.
   */
  truncated?: number;
}
/**
 * Counts of one collection.
 */
export interface CollectionRetention {
  /**
   * collection as namespace/map/collection, and #schema.table where one collection stands for several tables.
   */
  collection: string;
  /**
   * policy that decides, as namespace/name.
   */
  policy?: string;
  /**
   * due rows.
   */
  due?: number;
  /**
   * held rows past their maximum.
   */
  held?: number;
  /**
   * rows past their maximum that a minimum keeps.
   */
  blockedByMinimum?: number;
  /**
   * rows past their maximum that stay because a row that refers to them has to stay.
   */
  blockedByReference?: number;
  /**
   * rows among these that stay only for rows that no maximum ever makes due.
   */
  blockedForever?: number;
  /**
   * rows without a believable start time.
   */
  indeterminate?: number;
  /**
   * oldestDue is when the first of the due rows became due.
   */
  oldestDue?: string;
  /**
   * why nothing was deleted yet.
   */
  why?: string;
}
/**
 * One group of readings.
 */
export interface FactGroup {
  /**
   * group, for example transport.
   */
  group: string;
  /**
   * observedAt is when it was last read with success.
   */
  observedAt?: string;
  /**
   * validUntil is until when it counts.
   */
  validUntil?: string;
  /**
   * grade is how the facts were won.
   */
  grade?: 'Measured' | 'Observed' | 'Attested' | 'Declared';
  /**
   * message says why the last reading failed.
   */
  message?: string;
}
