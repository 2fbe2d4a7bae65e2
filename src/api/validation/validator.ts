import type { KindRef, KubeObject } from '../object.ts';

/** The causes a real API server puts in `details.causes[].reason` of a 422 answer. */
export type FieldErrorType =
  | 'FieldValueInvalid'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueForbidden'
  | 'FieldValueNotSupported'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid';

/** One thing wrong with one field. */
export interface FieldError {
  /** Where, as the API server writes it: `spec.collections[0].name`. */
  path: string;
  /** One line; the value, what is wrong with it, and what to do; no field path in front. */
  message: string;
  type: FieldErrorType;
}

export interface UserInfo {
  username: string;
  groups: string[];
}

/** A question to the authorizer: may the requester do this? `group` is '' for the core group. */
export interface AuthorizationCheck {
  group: string;
  resource: string;
  subresource?: string;
  namespace?: string;
  name?: string;
  verb: string;
}

/** One write as the admission policies see it. */
export interface AdmissionRequest {
  operation: 'CREATE' | 'UPDATE' | 'DELETE';
  kind: KindRef;
  subresource?: 'status';
  /** Absent for DELETE. */
  object?: KubeObject;
  /** Absent for CREATE. */
  oldObject?: KubeObject;
  userInfo: UserInfo;
  authorize: (check: AuthorizationCheck) => boolean;
}

export type AdmissionResult =
  | { allowed: true }
  | {
      allowed: false;
      /** One line for the user: the policy's name and its message. */
      message: string;
      /** The field of the object the broken expression is about, where it names one the object has: `spec.namespaceSelector`. */
      field?: string;
      /** Status reason of the answer: `Invalid` (422) unless the policy says otherwise, e.g. `Forbidden` (403). */
      reason: string;
    };

/** An object after defaulting and pruning, with what the pruning removed. */
export interface PreparedObject {
  /** A copy; the input is left as it was. */
  object: KubeObject;
  /** Paths of fields the schema does not know, e.g. `spec.retain`; refused under `fieldValidation=Strict`. */
  unknownFields: string[];
}

/**
 * Decides about objects as the API server would: the CRDs' schemas and CEL rules, and the shipped
 * ValidatingAdmissionPolicies. All three are pure: same input, same answer, and the input is never changed.
 */
export interface ObjectValidator {
  /** Fills defaults and removes unknown fields. A kind without a schema here comes back unchanged. */
  prepare(kind: KindRef, object: KubeObject): PreparedObject;
  /**
   * Validates a prepared object; `old` is the stored object on update and makes transition rules run. With
   * `subresource: 'status'` the object carries the stored spec and the new status. Empty list: valid.
   */
  validate(kind: KindRef, object: KubeObject, old?: KubeObject, subresource?: 'status'): FieldError[];
  /** Asks the admission policies. A policy that cannot be evaluated refuses (failurePolicy Fail). */
  admit(request: AdmissionRequest): AdmissionResult;
}
