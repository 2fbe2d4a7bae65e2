import type { FieldError, FieldErrorType } from '../api/validation/validator.ts';
import type { KindRef } from '../api/object.ts';

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  causes?: { reason?: string; message: string; field?: string }[];
  retryAfterSeconds?: number;
}

/** An answer other than success, in the words a real API server uses, because clients read them. */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;

  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }
}

/** The `Status` object that stands in the body of the answer. */
export function statusBody(error: StatusError): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    reason: error.reason,
    ...(error.details === undefined ? {} : { details: error.details }),
    code: error.code,
  };
}

/** `datastores.dataward.io`, or `configmaps` for the core group. */
export function groupResource(ref: KindRef): string {
  return ref.group === '' ? ref.plural : `${ref.plural}.${ref.group}`;
}

function groupKind(ref: KindRef): string {
  return ref.group === '' ? ref.kind : `${ref.kind}.${ref.group}`;
}

/** In most answers `details.kind` is the plural resource name; only 422 names the kind itself. */
function detailsOf(ref: KindRef, name: string): StatusDetails {
  return { ...(name === '' ? {} : { name }), ...(ref.group === '' ? {} : { group: ref.group }), kind: ref.plural };
}

export function notFound(ref: KindRef, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${groupResource(ref)} "${name}" not found`, detailsOf(ref, name));
}

export function noSuchPath(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});
}

export function alreadyExists(ref: KindRef, name: string): StatusError {
  return new StatusError(409, 'AlreadyExists', `${groupResource(ref)} "${name}" already exists`, detailsOf(ref, name));
}

export function conflict(
  ref: KindRef,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
): StatusError {
  const message = `Operation cannot be fulfilled on ${groupResource(ref)} "${name}": ${why}`;
  return new StatusError(409, 'Conflict', message, detailsOf(ref, name));
}

export function forbidden(ref: KindRef, name: string, why: string): StatusError {
  const subject = name === '' ? groupResource(ref) : `${groupResource(ref)} "${name}"`;
  return new StatusError(403, 'Forbidden', `${subject} is forbidden: ${why}`, detailsOf(ref, name));
}

const LABELS: Record<FieldErrorType, string> = {
  FieldValueInvalid: 'Invalid value',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueForbidden: 'Forbidden',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueTooLong: 'Too long',
  FieldValueTooMany: 'Too many',
  FieldValueTypeInvalid: 'Invalid value',
};

function causeMessage(error: FieldError): string {
  const label = LABELS[error.type];
  return error.message.startsWith(label) ? error.message : `${label}: ${error.message}`;
}

/** 422: the object was understood and is refused; every wrong field is a cause of its own. */
export function invalid(ref: KindRef, name: string, errors: readonly FieldError[]): StatusError {
  const causes = errors.map((error) => ({ reason: error.type, message: causeMessage(error), field: error.path }));
  const lines = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const text = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
  const details: StatusDetails = {
    ...(name === '' ? {} : { name }),
    ...(ref.group === '' ? {} : { group: ref.group }),
    kind: ref.kind,
    causes,
  };
  return new StatusError(422, 'Invalid', `${groupKind(ref)} "${name}" is invalid: ${text}`, details);
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

/** 410: the list position or the watch start lies before the bounded history; the client lists again. */
export function expired(message: string): StatusError {
  return new StatusError(410, 'Expired', message);
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`;
  return new StatusError(415, 'UnsupportedMediaType', message);
}

export function notAcceptable(): StatusError {
  return new StatusError(406, 'NotAcceptable', 'only the following media types are accepted: application/json');
}

export function methodNotAllowed(): StatusError {
  return new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});
}

export function unauthorized(): StatusError {
  return new StatusError(401, 'Unauthorized', 'Unauthorized');
}
