import { randomInt } from 'node:crypto';
import type { FieldError } from '../api/validation/validator.ts';
import type { ServedKind } from './kinds.ts';
import { isJsonObject } from './object.ts';
import type { StoredObject } from './object.ts';

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const DNS_LABEL = new RegExp(`^${LABEL}$`);
const DNS_SUBDOMAIN = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
const QUALIFIED_PART = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const MAX_ANNOTATIONS_BYTES = 256 * 1024;

/** Undefined when the text is a DNS-1123 label, else what is wrong with it, in the API server's words. */
function labelProblem(value: string): string | undefined {
  if (value.length > 63) return 'must be no more than 63 characters';
  if (DNS_LABEL.test(value)) return undefined;
  return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"
    + ` (e.g. 'my-name',  or '123-abc', regex used for validation is '${LABEL}')`;
}

function subdomainProblem(value: string): string | undefined {
  if (value.length > 253) return 'must be no more than 253 characters';
  if (DNS_SUBDOMAIN.test(value)) return undefined;
  return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
    + ` (e.g. 'example.com', regex used for validation is '${LABEL}(\\.${LABEL})*')`;
}

/** `prefix/name` as used for labels, annotations and finalizers. */
function qualifiedNameProblem(key: string): string | undefined {
  const parts = key.split('/');
  const name = parts[parts.length - 1] ?? '';
  const prefix = parts.length > 1 ? parts[0] : undefined;
  if (parts.length > 2 || name === '' || name.length > 63 || !QUALIFIED_PART.test(name)) {
    return "name part must consist of alphanumeric characters, '-', '_' or '.', at most 63, and must start and end with an alphanumeric character (e.g. 'MyName', or 'example.com/MyName')";
  }
  return prefix === undefined ? undefined : subdomainProblem(prefix);
}

function problem(path: string, value: string, message: string): FieldError {
  return { path, type: 'FieldValueInvalid', message: `Invalid value: "${value}": ${message}` };
}

function labelErrors(labels: Record<string, string>): FieldError[] {
  return Object.entries(labels).flatMap(([key, value]) => {
    const keyProblem = qualifiedNameProblem(key);
    const valueIsFine = value === '' || (value.length <= 63 && QUALIFIED_PART.test(value));
    const valueProblem = "a valid label must be an empty string or consist of at most 63 alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    return [
      ...(keyProblem === undefined ? [] : [problem('metadata.labels', key, keyProblem)]),
      ...(valueIsFine ? [] : [problem('metadata.labels', value, valueProblem)]),
    ];
  });
}

function annotationErrors(annotations: Record<string, string>): FieldError[] {
  const entries = Object.entries(annotations);
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  const keys = entries.flatMap(([key]) => {
    // Annotation keys may be written in capitals; only their form counts.
    const found = qualifiedNameProblem(key.toLowerCase());
    return found === undefined ? [] : [problem('metadata.annotations', key, found)];
  });
  if (bytes <= MAX_ANNOTATIONS_BYTES) return keys;
  return [...keys, { path: 'metadata.annotations', type: 'FieldValueTooLong', message: `Too long: may not be more than ${MAX_ANNOTATIONS_BYTES} bytes` }];
}

function ownerErrors(owners: readonly unknown[]): FieldError[] {
  const errors: FieldError[] = [];
  owners.forEach((owner, index) => {
    if (!isJsonObject(owner)) return;
    for (const field of ['apiVersion', 'kind', 'name', 'uid']) {
      if ((owner[field] ?? '') === '') {
        errors.push({ path: `metadata.ownerReferences[${index}].${field}`, type: 'FieldValueInvalid', message: 'Invalid value: "": must not be empty' });
      }
    }
  });
  const controllers = owners.filter((owner) => isJsonObject(owner) && owner['controller'] === true);
  if (controllers.length > 1) {
    errors.push({ path: 'metadata.ownerReferences', type: 'FieldValueInvalid', message: 'Only one reference can have Controller set to true' });
  }
  return errors;
}

function finalizerErrors(object: StoredObject, old: StoredObject | undefined): FieldError[] {
  const finalizers = object.metadata.finalizers ?? [];
  const wrong = finalizers.flatMap((finalizer) => {
    const found = qualifiedNameProblem(finalizer);
    return found === undefined ? [] : [problem('metadata.finalizers', finalizer, found)];
  });
  if (old?.metadata.deletionTimestamp === undefined) return wrong;
  const added = finalizers.filter((finalizer) => !(old.metadata.finalizers ?? []).includes(finalizer));
  if (added.length === 0) return wrong;
  const message = `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`;
  return [...wrong, { path: 'metadata.finalizers', type: 'FieldValueForbidden', message }];
}

/** What is wrong with the part every object has. `old` is the stored object on update. */
export function metadataErrors(kind: ServedKind, object: StoredObject, old?: StoredObject): FieldError[] {
  const { metadata } = object;
  const nameProblem = kind.nameRule === 'label' ? labelProblem(metadata.name) : subdomainProblem(metadata.name);
  return [
    ...(nameProblem === undefined ? [] : [problem('metadata.name', metadata.name, nameProblem)]),
    ...labelErrors(metadata.labels ?? {}),
    ...annotationErrors(metadata.annotations ?? {}),
    ...ownerErrors(metadata.ownerReferences ?? []),
    ...finalizerErrors(object, old),
  ];
}

/** Letters that form no words and no look-alikes, as Kubernetes uses them. */
const SUFFIX_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/** A name from metadata.generateName: the prefix, cut to leave room, and five random letters. */
export function generatedName(prefix: string): string {
  const suffix = Array.from({ length: 5 }, () => SUFFIX_LETTERS[randomInt(SUFFIX_LETTERS.length)]).join('');
  return `${prefix.slice(0, 58)}${suffix}`;
}
