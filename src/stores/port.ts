import type { Guard, Predicate, TableAddress, TimeField } from './predicate.ts';

/**
 * The port between dataward and a real store. Drivers know no Kubernetes; callers know no SQL.
 *
 * Contract of every driver:
 * - Identifiers are resolved in the store's catalogue before they are used; values are bound, never written into text.
 * - No method logs or returns a value read from a row; facts are names, counts, times and keyed digests.
 * - A read that could not be made throws a `StoreError`; it never answers with an empty or zero result.
 * - Done is what a fresh read shows: whoever calls `purge` counts again afterwards through another identity.
 * - Every method takes an AbortSignal or a bounded timeout and leaves no open connection behind.
 */
export interface StoreDriver {
  engine: StoreEngine;
  /** Raw protocol probe. Needs no credentials. Unreachable is a `StoreError`, a refused plaintext is a fact. */
  probeTransport(target: StoreTarget, options: ProbeOptions): Promise<TransportFacts>;
  /** Read-only work. `purpose` becomes part of the application name shown to the DBA. */
  openReader(target: StoreTarget, credential: Credential, options: OpenOptions): Promise<StoreReader>;
  /** Work that changes the store. Only ever opened with the `enforce` credential. */
  openWriter(target: StoreTarget, credential: Credential, options: OpenOptions): Promise<StoreWriter>;
}

export const STORE_ENGINES = ['PostgreSQL'] as const;
export type StoreEngine = (typeof STORE_ENGINES)[number];

export interface StoreTarget {
  /** namespace/name of the DataStore, for messages and application names. */
  name: string;
  host: string;
  port: number;
  database: string;
  /** PEM; absent: the system's roots. Verification is never switched off. */
  caPem?: string;
  /** Name the certificate must carry; default `host`. */
  serverName?: string;
  replicas: { host: string; port: number }[];
}

/** Passwords are proven by SCRAM only; a server asking for clear text or MD5 is refused (`AuthenticationWeak`). */
export type Credential =
  | { type: 'password'; username: string; password: string }
  | { type: 'certificate'; username: string; certPem: string; keyPem: string };

export interface OpenOptions {
  purpose: 'observe' | 'enforce' | 'verify';
  signal?: AbortSignal;
  /** Connect, TLS and login together; default 10,000. */
  connectTimeoutMs?: number;
}

export interface ProbeOptions {
  /** A login name for the plaintext attempt: the refusal of one user does not prove the refusal of another. */
  username: string;
  timeoutMs?: number;
  now: number;
}

// ---------------------------------------------------------------------------------------------- reading

export interface StoreReader {
  identity(): Promise<StoreIdentity>;
  /** The store's own clock, RFC 3339 in UTC. */
  clock(): Promise<string>;
  inventory(): Promise<Inventory>;
  /** Live sessions as the server sees them; part of the transport facts that needs a login. */
  sessions(): Promise<SessionFacts>;
  /** The `dataward` schema's state, or undefined where none is installed. A schema that exists but cannot be read throws. */
  fence(): Promise<FenceState | undefined>;
  /** Counts by rule. Exact unless the budget ran out; then `exact` is false and the figures are lower bounds. */
  count(request: CountRequest): Promise<CollectionCount>;
  /** Rows per calendar month (UTC) of an event; at most 600 buckets; indeterminate rows apart. */
  histogram(table: TableAddress, time: TimeField, options: { budgetMs: number; now: string }): Promise<Histogram>;
  /** An order-independent fingerprint of the rows a predicate selects; not cryptographic, carries no value. */
  fingerprint(table: TableAddress, where: Predicate): Promise<{ rows: number; sum: string }>;
  /** Plans a purge: closure over foreign keys, order, method, refusals, forecast. Changes nothing. */
  planPurge(request: PurgeRequest): Promise<PurgePlan>;
  /**
   * The same conditions as read-only statements for a sceptic to run by hand, one per target, values written out.
   * They may hold identifiers of held persons: for the terminal of whoever may read the store, never for a log.
   */
  explain(request: PurgeRequest): Promise<string[]>;
  /** Effective rules last approved and verified under a policy, from the `dataward` schema; empty where none is installed. */
  approvedRules(policyUid: string): Promise<ApprovedRule[]>;
  close(): Promise<void>;
}

export interface StoreIdentity {
  /** SHA-256 (hex, `sha256:` prefix) over system id, database oid and own marker. */
  fingerprint: string;
  /** The same without the marker: what the fingerprint was before the schema was installed. */
  bareFingerprint: string;
  server: string;
  /** Rises on failover and on point-in-time restore. */
  timeline: number;
  /** True when the server is a read replica. */
  replica: boolean;
}

export interface SessionFacts {
  total: number;
  plaintext: number;
  /** False when this login may not see other sessions' encryption; then `plaintext` is a lower bound and unknown. */
  complete: boolean;
  /** What the backend says of this very connection; differs from the socket behind a pooler. */
  own: { tls: boolean; version?: string; serverAddressMatches: boolean };
}

export interface TransportFacts {
  observedAt: string;
  /** Negotiated best version, e.g. `TLSv1.3`; absent when no TLS was offered. */
  version?: string;
  cipher?: string;
  /** Versions the server accepted / refused when only that one was offered; a version that could not be tried is in neither. */
  accepted: string[];
  refused: string[];
  /** undefined: could not be decided. */
  plaintextRefused?: boolean;
  certificate?: CertificateFacts;
}

export interface CertificateFacts {
  subject: string;
  issuer: string;
  notBefore: string;
  notAfter: string;
  keyType: string;
  keyBits: number;
  /** Chain verifies to the declared CA. */
  trusted: boolean;
  /** A subject alternative name covers the server name; a bare CN does not count. */
  nameMatches: boolean;
  problem?: string;
}

export interface Inventory {
  observedAt: string;
  tables: TableFact[];
  /** Databases of the same server that nobody declared here. */
  otherDatabases: string[];
  /** Extensions and jobs in the store that delete on their own, e.g. pg_partman, pg_cron. */
  otherDeleters: string[];
}

export interface TableFact {
  schema: string;
  name: string;
  /** Catalogue identity; survives a rename. */
  oid: string;
  /** A materialized view keeps its rows after they were deleted elsewhere, until somebody refreshes it. */
  kind: 'Table' | 'PartitionedTable' | 'Partition' | 'ForeignTable' | 'MaterializedView';
  columns: { name: string; type: string; notNull: boolean }[];
  primaryKey: string[];
  /** Address of the partitioned or inherited parents. */
  parents: TableAddress[];
  /** Rows by the statistics; an estimate, undefined when never analysed. */
  estimatedRows?: number;
  bytes: number;
  foreignKeys: ForeignKeyFact[];
  triggers: { name: string; onDelete: boolean; before: boolean; enabled: boolean }[];
  rules: { name: string; onDelete: boolean; instead: boolean }[];
  rowSecurity: { enabled: boolean; forced: boolean };
  /** Published for DELETE without a replica identity: every DELETE fails. */
  deletesUnpublishable: boolean;
}

export interface ForeignKeyFact {
  name: string;
  columns: string[];
  references: TableAddress;
  referencedColumns: string[];
  onDelete: 'NoAction' | 'Restrict' | 'Cascade' | 'SetNull' | 'SetDefault';
  /** An index leads with the referencing columns. Without one a purge of the parent is about 10,000 times slower. */
  indexed: boolean;
  validated: boolean;
}

/**
 * What one collection's rows are subject to. The driver adds the holds that stand in the store itself; the
 * caller passes minimums and client overrides as guards.
 */
export interface CollectionRule {
  /** namespace/map/name; used in plans, journals and reports. */
  collection: string;
  table: TableAddress;
  /** Rows that may go; absent: nothing of this collection may. */
  due?: Predicate;
  guards: Guard[];
  /** Time fields whose indeterminate rows are counted. */
  times: TimeField[];
  /** Whose data a row is, for counts per client. */
  client?: { field: string } | { value: string };
  /** Triggers and rules whose side effects the owner of the data has stated. */
  acknowledged: string[];
}

export interface CountRequest {
  rule: CollectionRule;
  now: string;
  /** Wall time the exact count may take; then estimates are returned. */
  budgetMs: number;
}

/** due = selected by the rule and kept by nothing; held, floored, indeterminate are rows that the rule would have reached. */
export interface CollectionCount {
  collection: string;
  due: number;
  held: number;
  floored: number;
  indeterminate: number;
  /** When the oldest due row started, not when it became due: the driver knows no periods. RFC 3339. */
  oldestDue?: string;
  exact: boolean;
  /** Values of the rule and its guards that their column's type cannot hold; absent when there is none. They match nothing, and a guard with one keeps every row. */
  unreadable?: number;
}

export interface Histogram {
  months: { month: string; rows: number }[];
  indeterminate: number;
  exact: boolean;
}

// ---------------------------------------------------------------------------------------------- planning

export interface PurgeRequest {
  /** All mapped collections of the store: the closure over foreign keys may reach any of them. */
  rules: CollectionRule[];
  /** Collections this run is for; others are only steps where a foreign key makes them so and their own rule says due. */
  targets: string[];
  /** Tables somebody declared free of personal data; a foreign key from any other unmapped table refuses. */
  nonPersonal: TableAddress[];
  now: string;
  budgetMs: number;
}

export const PURGE_METHODS = ['DropPartition', 'BlockRange', 'Keyset'] as const;
export type PurgeMethod = (typeof PURGE_METHODS)[number];

export interface PurgePlan {
  steps: PurgeStep[];
  /** Non-empty: nothing may run. */
  refusals: Refusal[];
  forecast: StepForecast[];
  walMegabytes: number;
}

/** One pass over one collection. Children come before parents. */
export interface PurgeStep {
  collection: string;
  table: TableAddress;
  order: number;
  method: PurgeMethod;
  /** Digest of table, due predicate and guards without the holds (which only ever narrow). */
  predicateDigest: string;
  because: string;
}

export interface StepForecast {
  collection: string;
  /** Rows that go. */
  due: number;
  held: number;
  floored: number;
  indeterminate: number;
  /** Rows past their time that stay all the same, because a row that refers to them must stay; not in `due`. */
  blocked: number;
  exact: boolean;
}

export interface Refusal {
  /** Documented reason, e.g. `ForeignKeyWithoutIndex`. */
  reason: string;
  collection: string;
  /** Names the constraint, trigger, table; says what to do. */
  message: string;
}

// ---------------------------------------------------------------------------------------------- changing

export interface StoreWriter extends StoreReader {
  /** Creates or upgrades the `dataward` schema, idempotent. Refuses a foreign owner (`ForeignOwner`). `readers` may read its state. */
  install(options: { owner: string; readers: string[] }): Promise<FenceState>;
  /** Commits the hold; when this returns no later commit deletes a row it covers. */
  putHold(hold: StoreHold): Promise<{ holdsRevision: number; since: string }>;
  /** Ends a hold. Unknown uid: no-op. */
  releaseHold(uid: string): Promise<void>;
  freeze(by: string, reason: string): Promise<void>;
  thaw(by: string): Promise<void>;
  /** Issues the next epoch for a run; every earlier claim of the run is fenced off from now on. */
  claim(run: string): Promise<Claim>;
  /**
   * Deletes in batches; yields after each commit; the next batch starts only when the consumer asks. Resumes
   * from the journal. Throws `StoreError` `Fenced` when the claim is no longer the newest, `Frozen` when the
   * store is frozen. A hold committed meanwhile narrows the following batches.
   */
  purge(step: PurgeStep, context: PurgeContext): AsyncIterable<BatchResult>;
  /** Rows of the journal of one run after a sequence number, in order. */
  journal(run: string, afterSeq: number): Promise<JournalRow[]>;
  recordApprovedRules(policyUid: string, rules: ApprovedRule[]): Promise<void>;
}

export interface FenceState {
  owner: string;
  marker: string;
  holdsRevision: number;
  frozen?: { by: string; reason: string; at: string };
  holds: StoreHold[];
}

/** A hold as it stands in the store: resolved to tables and predicates, so that renaming or emptying an object lifts nothing. */
export interface StoreHold {
  uid: string;
  /** namespace/name. */
  name: string;
  revision: number;
  /** A table's entry only grows until release. */
  items: { table: TableAddress; predicate: Predicate }[];
  since?: string;
}

export interface Claim {
  run: string;
  epoch: number;
  owner: string;
}

export interface PurgeContext {
  request: PurgeRequest;
  claim: Claim;
  pace: Pace;
  /** Rows that may still go in this step. A batch that would take more is not committed; then `LimitReached`. Absent: no limit. */
  maxRows?: number;
  signal: AbortSignal;
}

export interface Pace {
  maxBatchMillis: number;
  workers: number;
  maxReplicaLagSeconds: number;
  lockTimeoutMillis: number;
  maxWalMegabytesPerRun: number;
  maxUnarchivedWalMegabytes: number;
}

export interface BatchResult {
  /** Journal sequence number within the run; strictly increasing. 0 for a pause report without a commit. */
  seq: number;
  collection: string;
  deleted: number;
  /** Deleted per client key, where the collection declares one. */
  clients: Record<string, number>;
  millis: number;
  /** Why the driver waited before this batch, e.g. `ReplicaLag`. */
  throttledBy?: string;
}

export interface JournalRow {
  run: string;
  seq: number;
  epoch: number;
  collection: string;
  table: TableAddress;
  method: PurgeMethod;
  deleted: number;
  clients: Record<string, number>;
  at: string;
}

export interface ApprovedRule {
  collection: string;
  /** Canonical JSON of the normalised effective rule. */
  rule: string;
  /** Local date (YYYY-MM-DD) of the cutoff of the last verified run under it. */
  cutoff: string;
  run: string;
  at: string;
}

// ---------------------------------------------------------------------------------------------- errors

/** Reasons are the condition reasons users see. */
export const STORE_ERROR_REASONS = [
  'Unreachable',
  'TLSRefused',
  'TLSUntrusted',
  'AuthenticationFailed',
  'AuthenticationWeak',
  'PermissionDenied',
  'NotFound',
  'ForeignOwner',
  'Fenced',
  'Frozen',
  'RowsHidden',
  'UnsupportedVersion',
  'LimitReached',
  'Conflict',
  'Failed',
] as const;
export type StoreErrorReason = (typeof STORE_ERROR_REASONS)[number];

/** A failure of the store in words for its owner: object, what was wrong, what to do next. Never carries row values. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly reason: StoreErrorReason;

  constructor(reason: StoreErrorReason, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}
