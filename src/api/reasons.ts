/**
 * Every reason a condition or an event of this project carries, with what it means. A condition, the event of the
 * same cause and the metric label use the same word, so that one search finds all three.
 */
export const REASONS = {
  // How work goes on, any kind
  Progressing: 'The controller works on the newest generation.',
  ProgressingWithRetry: 'The last attempt failed for a cause that may pass; it is tried again.',
  Reconciled: 'The object is up to date.',
  CacheBehind: 'The operator waits until its view of the cluster shows its own last write.',
  Evaluated: 'Everything there is to look at was looked at.',
  Suspended: 'spec.suspend is set: measured, not acted upon.',
  Frozen: 'All destruction is stopped by the operator flag, the dataward-freeze ConfigMap, or the store itself.',
  ReadFailed: 'An object this depends on could not be read; nothing was decided without it.',
  InvalidSpec: 'The object says something that can never work; the message tells what to change.',
  InternalError: 'A fault of the operator; its log has the details.',

  // DataStore: connection and identity
  StoreNotFound: 'The DataStore that is referred to does not exist.',
  SecretNotFound: 'A credential Secret does not exist.',
  SecretNotBound: 'A credential Secret lacks the annotations that bind it to this store and host.',
  SecretInvalid: 'A credential Secret lacks a key or holds something unusable.',
  CaNotFound: 'The certificate authority that is referred to does not exist or holds no certificate.',
  Connected: 'The store answered and proved its identity.',
  Unreachable: 'The store did not answer in time.',
  AuthenticationFailed: 'The store refused the credentials.',
  CertificateRejected: 'The certificate of the store does not verify.',
  PlaintextOnly: 'The store offers no TLS; no password was sent.',
  WeakAuthentication: 'The store asked for a password in clear or as MD5; none was sent.',
  PoolerRefused: 'A connection pooler answers in front of the store; give the address of the server itself.',
  PermissionMissing: 'An identity lacks a right it needs in the store.',
  Authorized: 'Every identity of the store logs in and has the rights its work needs.',
  TargetChanged: 'Another store answers under this name; a person has to confirm it.',
  TargetUnexpected: 'The store is not the one spec.expectedTarget pins.',
  ForeignOwner: 'Another operator claims this store.',
  Rewound: 'The store went back in time; what was deleted since may be there again.',
  Restored: 'The store was put back to an earlier state and a person confirmed it; rows deleted since are due again.',
  ClockSkew: 'The clocks of operator and store differ by more than a minute.',

  // Coverage and maps
  FullyCovered: 'Every table is described or declared to hold no personal data.',
  Unclassified: 'Tables or columns exist that nobody has described.',
  FactsExpired: 'What was read of the store is too old to be believed; the message tells why it was not read again.',
  Resolved: 'All tables and columns of the map exist.',
  MissingTable: 'A map names a table the store does not have.',
  MissingColumn: 'A map names a column its table does not have.',
  TypeMismatch: 'A map declares a time of another type than its column has; no rule can be applied by it.',
  UnresolvedReference: 'A reference of a map leads nowhere.',
  MapOverlap: 'Two collections describe one table, or a table and one that inherits from it: protections add up, destruction stops.',
  Accepted: 'The store accepts the map.',
  NotAllowed: 'The store does not accept maps of this namespace or about this schema.',

  // Compliance
  AllControlsPass: 'Every control that applies passes.',
  ViolationsFound: 'At least one control fails.',
  EvaluationFailed: 'At least one control could not be judged for want of a fresh fact.',
  NotJudged: 'No ComplianceProfile of the root namespace judges the store any more.',
  ParameterInvalid: 'A parameter of the profile is unknown or out of range.',
  AppliedAsWritten: 'The policy is applied as it says; the profile asks for no less than that of the root namespace.',
  LooserThanRoot: 'The profile asks for less than that of the root namespace; what it asks less is not applied.',

  // Retention
  NothingSelected: 'The selectors match no store or no collection.',
  Conflicted: 'A minimum lasts longer than a maximum; the rows stay until a person decides.',
  NoConflict: 'No minimum lasts longer than a maximum.',
  NoStartEvent: 'A selected collection does not have the event the period starts at.',
  MissingRowField: 'A selected collection does not have a field that spec.rows names.',
  NoClientKey: 'The policy speaks of single clients, and a selected collection declares no client key.',
  SideEffect: 'A trigger would run during a deletion and nobody has acknowledged it.',
  ReplacedByStricter: 'Another policy has the shorter maximum.',
  NotInRootNamespace: 'spec.namespaceSelector is set outside the root namespace.',
  Observing: 'spec.purge.mode is Observe: rows are counted, nothing is planned.',
  PlanOnly: 'spec.purge.mode is Plan: a run is shown and not carried out.',
  VerifyNotIndependent: 'The verifying identity logs in under the same name as the one that deletes, so its word proves nothing.',
  NoEnforceCredentials: 'The store names no identity that may delete.',

  // Why a person is asked
  FirstRun: 'This policy has never deleted in this store.',
  CutoffAdvance: 'The cutoff moves further than spec.purge.limits.maxCutoffAdvance.',
  RuleChanged: 'The rule makes a row due earlier than the one last approved.',
  LimitExceeded: 'More rows are due than a limit allows.',
  Always: 'spec.purge.approval.required asks for a person each time.',
  TooManyRows: 'More rows are due than a limit allows, or they could not be counted exactly.',

  // PurgeRun
  Planned: 'A run was planned.',
  AwaitingApproval: 'The run waits for a person.',
  Approved: 'Enough people agreed.',
  ApprovalUnverified: 'The cluster was not seen to refuse a forged approval.',
  WaitingForWindow: 'The run waits for the next window of its schedule.',
  WaitingForOtherRun: 'Another run works in the same store.',
  Running: 'Rows are being deleted.',
  Throttled: 'The run waits so that the application is not disturbed.',
  Verifying: 'An independent look at the store is under way.',
  Succeeded: 'The look at the store showed that no due row is left.',
  ClaimedOnly: 'Rows were deleted and nobody looked independently: the store names no verify identity.',
  ResidualRows: 'Due rows were still there after the deletion: the run goes on with them, or has failed because they do not become fewer.',
  NotAReplica: 'What answers at a declared replica takes writes, or is another system or database; nothing is said about the copy.',
  ReplicaBehind: 'A declared replica did not show in time what the primary had written; nothing is said about it.',
  CountUnfinished: 'Rows that are left, in the store or a declared replica, could not be counted to the end; nothing is proven of them.',
  CertificateRefused: 'The rows are gone and were counted, but no certificate can be issued of it; the message tells why.',
  HeldRowsMissing: 'Rows under a LegalHold are gone.',
  PartRemoved: 'A partition or inheritance child was taken out of its table after the plan was made, and due rows are in it or nobody could count them.',
  WiderThanApproved: 'Planned again, the run would delete more than was approved.',
  TableReplaced: 'A table the plan was made on, or a column it asks for, was renamed or dropped, and another has its name; nothing is deleted from or by that one, or certified of it.',
  Superseded: 'The policy or the DataStore of this run is gone, or what it was planned for is not due any more.',
  Expired: 'Nobody approved the run in time.',
  Failed: 'The run ended early; the message tells why.',
  CertificateIssued: 'The signed record of the run exists.',
  PartitionReturned: 'A partition that an interrupted drop had left detached was attached again.',
  AuditUnavailable: 'The audit log cannot be written; nothing is deleted without it.',

  // LegalHold
  HoldActive: 'The hold is committed in every store it reaches.',
  HoldPending: 'The hold is not yet committed in every store.',
  HoldReleased: 'Two people released the hold.',
  HoldSuperseded: 'Two people released the hold, and its successor stood in every store before it went.',
  AwaitingRelease: 'A successor is named; the earlier hold stands until two people release it.',
  SuccessorPending: 'Two people released the hold; it stands until its successor is in force wherever it is.',
  PredecessorNotFound: 'spec.supersedes names no hold of this namespace, so nothing is released by it.',
  SupersedesCircle: 'Holds take the place of each other or of themselves, so none lets another go.',
  HoldWidened: 'The hold keeps more than its words mean now: a collection cannot express a part of them, the store cannot read a value, or what they meant before stands too.',
  NothingHeld: 'The hold reaches no store, or no block of it matches a collection, or by an exact count a row, of a store it reaches, so it keeps no row; as a successor it lets no hold go.',
  BlockHoldsNothing: 'A block of the hold matches no collection of a store it reaches, or by an exact count no row, so nothing is kept by that block.',
  SubjectsUnreadable: 'The Secret with the subjects is missing or changed, so the whole block is held.',
  ReviewOverdue: 'spec.reviewAt is past; the hold stays in force.',
  MovedToRootNamespace: 'A hold was deleted without a release, alone or with its namespace; it was created again in the root namespace.',
} as const;

export type Reason = keyof typeof REASONS;

/** A word a store driver uses, for whoever looks after the store. */
export interface DriverReason {
  meaning: string;
  /** What to do next. */
  next: string;
}

/** Why a driver refuses a plan: as long as one stands, nothing of the run is deleted and it says `SideEffect`. */
export const REFUSALS = {
  CollectionNotFound: { meaning: 'No data map declares the collection the policy names.', next: 'Correct the name in the policy, or declare the collection in a data map.' },
  CycleNotSupported: { meaning: 'Collections refer to each other in a circle, so none can go first.', next: 'Give one of them no maximum, or drop one of the foreign keys or declared references.' },
  ForeignKeyWithoutIndex: { meaning: 'No index leads with the columns of a foreign key, or of a reference a data map declares, so each deleted row would read a whole table.', next: 'Create the index the message spells out; CONCURRENTLY disturbs nobody.' },
  ForeignTable: { meaning: 'The rows lie in another server.', next: 'Declare that server as a DataStore and map the table there.' },
  MapOverlap: { meaning: 'Two collections declare the same rows, by one table or by a table and one that inherits from it, so it is unclear which rule deletes.', next: 'Remove one of the two.' },
  MaterializedView: { meaning: 'The rows are a copy of those of other tables, made by the last REFRESH; none of them can be deleted.', next: 'Describe the tables they come from, leave the view out of the policy, and REFRESH it after a run.' },
  MissingTable: { meaning: 'The store has no table of that name.', next: 'Correct the data map; after a rename, wait for the next inventory.' },
  NotCounted: { meaning: 'Rows of the collection, or of one that refers to it, cannot be counted, so nobody knows what a run would delete.', next: 'Do what the message says: grant a right, or correct the data map or the policy.' },
  ReferenceNotUsable: { meaning: 'A data map declares a reference from or to a column that is missing, or between columns that cannot be compared.', next: 'Correct or remove the reference in the data map.' },
  ReplicaIdentity: { meaning: 'The table is published for DELETE and has no replica identity, so every DELETE fails.', next: 'Give it a primary key or REPLICA IDENTITY FULL.' },
  RowSecurity: { meaning: 'Row security hides rows from the login, so neither a purge nor its verification sees all.', next: 'Give the login BYPASSRLS.' },
  RuleOnDelete: { meaning: 'A rule of the table rewrites DELETE.', next: 'Drop it; one that only adds something may be stated under acknowledge in the data map.' },
  TriggerNotAcknowledged: { meaning: 'A trigger runs on DELETE and nobody has said what it does.', next: 'Find out, and state it under acknowledge in the data map, or disable it.' },
  UnmappedReference: { meaning: 'A table that no data map describes, or one declared free of personal data, refers to the rows.', next: 'Describe the referring table, so that its rows have a rule of their own.' },
} as const satisfies Record<string, DriverReason>;

/** What a running purge last waited for, or why it tries a batch again: `status.progress.throttledBy` of a run that is `Throttled`. */
export const WAITS = {
  BatchTooLong: { meaning: 'A batch took longer than a statement may and was rolled back.', next: 'Nothing; the next one is smaller. Where it goes on, look for a missing index.' },
  CascadeReached: { meaning: 'A cascade or trigger touched rows nobody planned for; the batch was rolled back.', next: 'Look for a trigger that changes these tables on DELETE.' },
  Deadlock: { meaning: 'The database ended a deadlock with the application.', next: 'Nothing; the rows are tried again.' },
  LockWaiters: { meaning: 'Somebody waits for a lock on the table.', next: 'Nothing; the application goes first.' },
  LongSnapshot: { meaning: 'A transaction is open for over ten minutes, so deleted rows cannot be cleaned up.', next: 'End the session that forgot it; after a minute of waiting the run goes on all the same.' },
  OverLimit: { meaning: 'The batch would have deleted more rows than the run may.', next: 'Nothing; it is tried with fewer. The rest is for the next run.' },
  PartitionMoved: { meaning: 'A partition whose drop was begun has another name by now, or is part of another table; it is left alone.', next: 'Nothing, if that was meant: its rows are under the rules of the table they are in now.' },
  ReferenceAppeared: { meaning: 'While the batch ran, somebody wrote a row that refers to one of its rows.', next: 'Nothing; such rows stay until what refers to them is due.' },
  ReplicaLag: { meaning: 'A replica is further behind than spec.purge.pace allows.', next: 'Look at the replica and the network to it.' },
  ReplicationSlot: { meaning: 'A replication slot holds back more WAL than spec.purge.pace allows.', next: 'Let its consumer catch up, or drop a slot that nobody reads.' },
  RowLocked: { meaning: 'The application holds a lock on the next rows.', next: 'Nothing; they are left for later in the same run.' },
  RowsChanged: { meaning: 'Rows were changed while they were counted by client; the batch was rolled back.', next: 'Nothing; it is done again.' },
  Serialization: { meaning: 'Another transaction changed the same rows.', next: 'Nothing; the batch is done again.' },
  SlowBatches: { meaning: 'One batch in twenty takes over three times the time allowed, whatever its size.', next: 'Look at disk and load of the server.' },
  Vacuum: { meaning: 'The table is being vacuumed.', next: 'Nothing; the run goes on afterwards.' },
  WalArchiving: { meaning: 'More WAL waits to be archived than spec.purge.pace allows.', next: 'Look at archive_command and where it writes to.' },
} as const satisfies Record<string, DriverReason>;
