/** Reasons are the condition reasons users see. */
export const STORE_ERROR_REASONS = [
  'Unreachable',
  'TLSRefused',
  'TLSUntrusted',
  'AuthenticationFailed',
  'AuthenticationWeak',
  'PoolerRefused',
  'PermissionDenied',
  'NotFound',
  'ForeignOwner',
  'Fenced',
  'Frozen',
  'RowsHidden',
  'UnsupportedVersion',
  /** A limit of the server, or of the time it was given. */
  'LimitReached',
  /** A limit of the run itself: rows or log it may write. */
  'RunLimitReached',
  'Conflict',
  /** A table is another one than a plan was made on. */
  'Replaced',
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
