import type { KindRef, ObjectRef } from '../api/object.ts';

/** What went wrong with a request to the API server. */
export interface ApiErrorInit {
  /** HTTP status, or 0 when there was no answer. */
  status: number;
  /**
   * The machine word of the answer (`NotFound`, `Conflict`); without one `NotServed` for a kind the API server does not
   * have, `BadAnswer` for one that is not of the Kubernetes API, `Timeout` or `NetworkError` for none.
   */
  reason: string;
  /** What a person reads; carries the request's verb and object. */
  message: string;
  /** What the server asked to wait, in milliseconds. */
  retryAfterMs?: number;
  cause?: unknown;
}

/** A request to the API server that did not succeed. Its message never carries a body, a header or a token. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  /** The message is ours or the API server's own words, made for people: it may be shown as it is. */
  readonly publicMessage = true;

  constructor(init: ApiErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.status = init.status;
    this.reason = init.reason;
    this.retryAfterMs = init.retryAfterMs;
  }
}

const is = (error: unknown, status: number, reason?: string): boolean =>
  error instanceof ApiError && error.status === status && (reason === undefined || error.reason === reason);

/** The API server says that the object is not there. Nobody else's 404 counts: a freeze that a proxy does not know would be none. */
export const isNotFound = (error: unknown): boolean => is(error, 404, 'NotFound');
/** The API server has no such kind: its definition is not installed. */
export const isNotServed = (error: unknown): boolean => is(error, 404, 'NotServed');
/** The object changed since it was read: read again. */
export const isConflict = (error: unknown): boolean => is(error, 409) && !isAlreadyExists(error);
/** An object of that name is already there. */
export const isAlreadyExists = (error: unknown): boolean => is(error, 409, 'AlreadyExists');
/** RBAC, a quota or a closing namespace refuses it: asking again does not help. */
export const isForbidden = (error: unknown): boolean => is(error, 403);
/** The schema or a validation rule refuses the object: it will never be accepted as it is. */
export const isInvalid = (error: unknown): boolean => is(error, 422);
/** The resourceVersion or the continue token is too old: list again from the start. */
export const isGone = (error: unknown): boolean => is(error, 410) || (error instanceof ApiError && error.reason === 'Expired');

/** `get RetentionPolicy shop/orders`, `list legalholds in shop`: how errors and logs name a request. */
export function describeRequest(verb: string, kind: KindRef, { namespace, name }: Partial<ObjectRef>): string {
  const inside = namespace ?? '';
  if (!name) return `${verb} ${kind.plural}${inside === '' ? '' : ` in ${inside}`}`;
  return `${verb} ${kind.kind} ${inside === '' ? '' : `${inside}/`}${name}`;
}
