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
  PermissionMissing: 'An identity lacks a right it needs in the store.',
  TargetChanged: 'Another store answers under this name; a person has to confirm it.',
  TargetUnexpected: 'The store is not the one spec.expectedTarget pins.',
  ForeignOwner: 'Another operator claims this store.',
  Rewound: 'The store went back in time; what was deleted since may be there again.',
  Restored: 'The store was restored from a backup; deletions are being repeated.',
  ClockSkew: 'The clocks of operator and store differ by more than a minute.',

  // Coverage and maps
  FullyCovered: 'Every table is described or declared to hold no personal data.',
  Unclassified: 'Tables or columns exist that nobody has described.',
  Resolved: 'All tables and columns of the map exist.',
  MissingTable: 'A map names a table the store does not have.',
  MissingColumn: 'A map names a column its table does not have.',
  UnresolvedReference: 'A reference of a map leads nowhere.',
  MapOverlap: 'Two maps describe one table: protections add up, destruction stops.',
  Accepted: 'The store accepts the map.',
  NotAllowed: 'The store does not accept maps of this namespace or about this schema.',

  // Compliance
  AllControlsPass: 'Every control that applies passes.',
  ViolationsFound: 'At least one control fails.',
  EvaluationFailed: 'At least one control could not be judged for want of a fresh fact.',
  FactsExpired: 'The last readings are too old to count.',
  ParameterInvalid: 'A parameter of the profile is unknown or out of range.',

  // Retention
  NothingSelected: 'The selectors match no store or no collection.',
  Conflicted: 'A minimum lasts longer than a maximum; the rows stay until a person decides.',
  NoConflict: 'No minimum lasts longer than a maximum.',
  NoStartEvent: 'A selected collection does not have the event the period starts at.',
  MissingRowField: 'A selected collection does not have a field that spec.rows names.',
  UnmappedReference: 'A foreign key of an undescribed table points at rows to delete.',
  SideEffect: 'A trigger would run during a deletion and nobody has acknowledged it.',
  ReplacedByStricter: 'Another policy has the shorter maximum.',
  NotInRootNamespace: 'spec.namespaceSelector is set outside the root namespace.',
  Observing: 'spec.purge.mode is Observe: rows are counted, nothing is planned.',
  PlanOnly: 'spec.purge.mode is Plan: a run is shown and not carried out.',
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
  ResidualRows: 'Due rows were still there after the deletion.',
  HeldRowsMissing: 'Rows under a LegalHold are gone.',
  WiderThanApproved: 'Planned again, the run would delete more than was approved.',
  Superseded: 'A newer plan took the place of this run.',
  Expired: 'Nobody approved the run in time.',
  Failed: 'The run ended early; the message tells why.',
  CertificateIssued: 'The signed record of the run exists.',
  AuditUnavailable: 'The audit log cannot be written; nothing is deleted without it.',

  // LegalHold
  HoldActive: 'The hold is committed in every store it reaches.',
  HoldPending: 'The hold is not yet committed in every store.',
  HoldReleased: 'Two people released the hold.',
  HoldWidened: 'A collection cannot express a part of the hold, so all of it is held.',
  SubjectsUnreadable: 'The Secret with the subjects is missing or changed, so the whole block is held.',
  ReviewOverdue: 'spec.reviewAt is past; the hold stays in force.',
  MovedToRootNamespace: 'The namespace is being deleted; the hold was created again in the root namespace.',
} as const;

export type Reason = keyof typeof REASONS;
