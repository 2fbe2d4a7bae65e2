import type { CollectionCount, CountRequest, Histogram } from './counting.ts';
import type { Inventory, SessionFacts, StoreIdentity, TransportFacts } from './facts.ts';
import type { ApprovedRule, Claim, FenceState, StoreHold } from './fence.ts';
import type { JournalledRun, JournalTotals, TrimLimit } from './journal.ts';
import type { Predicate, TableAddress, TimeField } from './predicate.ts';
import type { BatchResult, JournalRow, PurgeContext, PurgePlan, PurgeRequest, PurgeStep, UndoneDrop } from './purging.ts';

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

const STORE_ENGINES = ['PostgreSQL'] as const;
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

export interface StoreReader {
  identity(): Promise<StoreIdentity>;
  /** The store's own clock, RFC 3339 in UTC. */
  clock(): Promise<string>;
  inventory(): Promise<Inventory>;
  /** Live sessions as the server sees them; part of the transport facts that needs a login. */
  sessions(): Promise<SessionFacts>;
  /** The `dataward` schema's state, or undefined where none is installed. A schema that exists but cannot be read throws. */
  fence(): Promise<FenceState | undefined>;
  /** Counts by rule, in the order of the rules. Exact unless the budget ran out; then `exact` is false and the figures are lower bounds. */
  count(request: CountRequest): Promise<CollectionCount[]>;
  /** Rows per calendar month (UTC) of an event; at most 600 buckets; indeterminate rows apart. */
  histogram(table: TableAddress, time: TimeField, options: { budgetMs: number; now: string }): Promise<Histogram>;
  /**
   * An order-independent fingerprint of the rows a guard with this predicate keeps; not cryptographic, carries no value.
   * Throws `LimitReached` when they are too many to be read in time.
   */
  fingerprint(table: TableAddress, where: Predicate): Promise<{ rows: number; sum: string }>;
  /** How many rows a guard with this predicate keeps; where the budget ran out `exact` is false and `rows` a lower bound. */
  countKept(table: TableAddress, where: Predicate, options: { budgetMs: number }): Promise<{ rows: number; exact: boolean }>;
  /**
   * The standing holds that protect rows of each table, in the order of the tables, with the items that do: those that name
   * it, a part of it, or what it is a part of. All of an item's predicate holds in the whole table.
   */
  holdsOn(tables: TableAddress[]): Promise<StoreHold[][]>;
  /** Which of a hold's items keep their whole table because the store cannot understand them there, and why. Names no value. */
  misread(items: StoreHold['items']): Promise<{ table: TableAddress; because: string }[]>;
  /** Plans a purge: closure over foreign keys, order, method, refusals, forecast. Changes nothing. */
  planPurge(request: PurgeRequest): Promise<PurgePlan>;
  /**
   * The same conditions as read-only statements for a sceptic to run by hand, one per target, values written out.
   * They may hold identifiers of held persons: for the terminal of whoever may read the store, never for a log.
   */
  explain(request: PurgeRequest): Promise<string[]>;
  /** Effective rules last approved and verified under a policy, from the `dataward` schema; empty where none is installed. */
  approvedRules(policyUid: string): Promise<ApprovedRule[]>;
  /**
   * How far the store's log of changes goes: written on a primary, replayed on a replica. A text for `hasReached` of the
   * same engine, at most 128 characters.
   */
  position(): Promise<string>;
  /** Whether this server shows everything its primary had written at `position`. */
  hasReached(position: string): Promise<boolean>;
  /**
   * What this login lacks to read each of these tables, or to delete from it: sentences with what to do, names of the
   * catalogue only; empty: nothing. A table that is not there is left out. Looks at no row.
   */
  missingRights(tables: readonly TableAddress[], right: 'Read' | 'Delete'): Promise<string[]>;
  close(): Promise<void>;
}

export interface StoreWriter extends StoreReader {
  /** Creates or upgrades the `dataward` schema, idempotent. Refuses a foreign owner (`ForeignOwner`). `readers` may read its state. */
  install(options: { owner: string; readers: string[] }): Promise<FenceState>;
  /**
   * Commits the hold; when this returns no later commit deletes a row it covers. Gives what of it stands there now, earlier
   * items among it, which only its release takes out; a table that was renamed since is named by both names.
   * `former`: uids it stood under before. What stands there under them stands under its own as well, and goes on to mean the
   * tables and columns it meant.
   */
  putHold(hold: StoreHold, former?: readonly string[]): Promise<{ holdsRevision: number; since: string; items: StoreHold['items'] }>;
  /** Ends a hold. Unknown uid: no-op. */
  releaseHold(uid: string): Promise<void>;
  freeze(by: string, reason: string): Promise<void>;
  thaw(by: string): Promise<void>;
  /** Issues the next epoch for a run; every earlier claim of the run is fenced off from now on. */
  claim(run: string): Promise<Claim>;
  /**
   * Deletes in batches; yields after each commit; the next batch starts only when the consumer asks. Where it has looked,
   * waited or counted for more than a moment since he asked, it yields a question first (`isQuestion`), so that no batch or
   * drop begins on an old answer; none begins once he has stopped. Resumes from the journal. Throws `StoreError` `Fenced` when the claim is no longer the newest, `Frozen` when the
   * store is frozen. A hold committed meanwhile narrows the following batches.
   */
  purge(step: PurgeStep, context: PurgeContext): AsyncIterable<BatchResult>;
  /**
   * Attaches again what was taken out of sight to be dropped by a process that came to no end, for those runs of which
   * `of` says so. Deletes nothing, so neither a freeze nor a hold is in its way, and no claim of a run is fenced off by it:
   * what a living login is at work on is left to that. Waits for locks for seconds at most. Without such a drop nothing is changed.
   * Throws `ForeignOwner` where the store is not `owner`'s.
   */
  undoDrops(which: { owner: string; of: (run: string) => boolean }): Promise<UndoneDrop[]>;
  /** Rows of the journal of one run after a sequence number, in order: a page of at most `JOURNAL_PAGE_ROWS`; empty when there are no more. */
  journal(run: string, afterSeq: number): Promise<JournalRow[]>;
  /** What a run deleted by its rows up to `throughSeq`. */
  journalTotals(run: string, throughSeq: number): Promise<JournalTotals>;
  /** Rows a run deleted of each client, by its rows up to `throughSeq`. */
  journalClients(run: string, throughSeq: number): Promise<ReadonlyMap<string, number>>;
  /** Runs whose rows are all older than `before` and needed by nothing in the store, oldest first; none where the store is frozen or not `owner`'s. */
  journalledRuns(limit: Omit<TrimLimit, 'lastSeq'>): Promise<JournalledRun[]>;
  /**
   * Removes the rows of one run from the journal, all or none, and gives their number. None when one of them lies outside
   * the limit, the store is frozen, or a drop that was begun needs them. The run's claim stays.
   */
  trimJournal(run: string, limit: TrimLimit): Promise<number>;
  recordApprovedRules(policyUid: string, rules: ApprovedRule[]): Promise<void>;
}
