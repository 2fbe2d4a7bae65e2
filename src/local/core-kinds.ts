import type { FieldError } from '../api/validation/validator.ts';
import {
  CONFIG_MAP_SCHEMA, LEASE_SCHEMA, NAMESPACE_SCHEMA, SECRET_SCHEMA, SERVICE_ACCOUNT_SCHEMA, readOnlySchema,
} from './core-schemas.ts';
import { EVENT_KINDS } from './event-kinds.ts';
import { INGRESS_KIND } from './ingress-kind.ts';
import { servedKind } from './kinds.ts';
import type { ServedKind } from './kinds.ts';
import { isJsonObject, memberObject, sameJson } from './object.ts';
import type { StoredObject } from './object.ts';
import { METADATA_MERGE_KEYS } from './strategic.ts';
import { NAME_COLUMN, age } from './table.ts';
import type { Column } from './table.ts';

/** Counts are of the type string as well, as from a real API server; the values stay numbers. */
function column(name: string, description: string, cell: Column['cell'], type = 'string'): Column {
  return { name, type, priority: 0, description, cell };
}

const AGE = column('Age', 'Time since its creation.', (object, now) => age(object.metadata.creationTimestamp, now));

function size(object: StoredObject, ...members: string[]): number {
  return members.reduce((sum, member) => sum + Object.keys(memberObject(object, member)).length, 0);
}

const DATA_KEY = /^[-._a-zA-Z0-9]{1,253}$/;

function dataErrors(object: StoredObject, old: StoredObject | undefined, members: string[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const member of members) {
    for (const key of Object.keys(memberObject(object, member))) {
      if (!DATA_KEY.test(key)) {
        errors.push({ path: `${member}[${key}]`, type: 'FieldValueInvalid', message: `"${key}": a key consists of letters, digits, '-', '_' or '.'` });
      }
    }
  }
  if (old?.['immutable'] === true) {
    if (object['immutable'] !== true) errors.push({ path: 'immutable', type: 'FieldValueForbidden', message: 'field is immutable when `immutable` is set' });
    for (const member of members) {
      if (!sameJson(memberObject(object, member), memberObject(old, member))) {
        errors.push({ path: member, type: 'FieldValueForbidden', message: 'field is immutable when `immutable` is set' });
      }
    }
  }
  return errors;
}

function completeSecret(object: StoredObject): StoredObject {
  const { stringData, ...rest } = object;
  const plain = isJsonObject(stringData) ? Object.entries(stringData) : [];
  const encoded = plain.map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')]);
  const data = { ...memberObject(object, 'data'), ...Object.fromEntries(encoded) };
  return { ...rest, ...(Object.keys(data).length === 0 ? {} : { data }), type: object['type'] ?? 'Opaque' };
}

function secretErrors(object: StoredObject, old: StoredObject | undefined): FieldError[] {
  const errors = dataErrors(object, old, ['data']);
  if (old !== undefined && old['type'] !== object['type']) {
    errors.push({ path: 'type', type: 'FieldValueInvalid', message: `"${String(object['type'])}": field is immutable` });
  }
  return errors;
}

function completeNamespace(object: StoredObject): StoredObject {
  const labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name };
  return {
    ...object,
    metadata: { ...object.metadata, labels },
    spec: { finalizers: ['kubernetes'], ...memberObject(object, 'spec') },
    status: { phase: 'Active', ...memberObject(object, 'status') },
  };
}

function leaseErrors(object: StoredObject): FieldError[] {
  const seconds = memberObject(object, 'spec')['leaseDurationSeconds'];
  if (typeof seconds !== 'number' || seconds > 0) return [];
  return [{ path: 'spec.leaseDurationSeconds', type: 'FieldValueInvalid', message: `${seconds}: must be greater than 0` }];
}

function readOnly(group: string, plural: string, kind: string, description: string, columns: Column[]): ServedKind {
  return servedKind({
    ref: { group, version: 'v1', plural, kind, namespaced: false },
    writable: false,
    columns: [NAME_COLUMN, ...columns],
    schema: readOnlySchema(description),
  });
}

const ADMISSION = 'admissionregistration.k8s.io';

/** The kinds served beside those of the CRDs. */
export const CORE_KINDS: readonly ServedKind[] = [
  servedKind({
    ref: { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false },
    shortNames: ['ns'],
    hasStatus: true,
    columns: [NAME_COLUMN, column('Status', 'Active or Terminating.', (object) => memberObject(object, 'status')['phase']), AGE],
    schema: NAMESPACE_SCHEMA,
    mergeKeys: { ...METADATA_MERGE_KEYS, 'status.conditions': 'type' },
    complete: completeNamespace,
    selectableFields: ['status.phase'],
    fieldsOf: (object) => ({ 'status.phase': String(memberObject(object, 'status')['phase'] ?? '') }),
    nameRule: 'label',
  }),
  servedKind({
    ref: { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true },
    columns: [
      NAME_COLUMN,
      column('Type', 'What it is for.', (object) => object['type']),
      column('Data', 'How many keys it has.', (object) => size(object, 'data')),
      AGE,
    ],
    schema: SECRET_SCHEMA,
    mergeKeys: METADATA_MERGE_KEYS,
    complete: completeSecret,
    check: secretErrors,
    selectableFields: ['type'],
    fieldsOf: (object) => ({ type: String(object['type'] ?? '') }),
  }),
  servedKind({
    ref: { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true },
    shortNames: ['cm'],
    columns: [NAME_COLUMN, column('Data', 'How many keys it has.', (object) => size(object, 'data', 'binaryData')), AGE],
    schema: CONFIG_MAP_SCHEMA,
    mergeKeys: METADATA_MERGE_KEYS,
    check: (object, old) => dataErrors(object, old, ['data', 'binaryData']),
  }),
  servedKind({
    ref: { group: '', version: 'v1', plural: 'serviceaccounts', kind: 'ServiceAccount', namespaced: true },
    shortNames: ['sa'],
    columns: [
      NAME_COLUMN,
      column('Secrets', 'How many Secrets it names.', (object) => (Array.isArray(object['secrets']) ? object['secrets'].length : 0)),
      AGE,
    ],
    schema: SERVICE_ACCOUNT_SCHEMA,
    mergeKeys: { ...METADATA_MERGE_KEYS, secrets: 'name', imagePullSecrets: 'name' },
  }),
  servedKind({
    ref: { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true },
    unconditionalUpdate: false,
    createOnUpdate: true,
    columns: [NAME_COLUMN, column('Holder', 'Who holds it.', (object) => memberObject(object, 'spec')['holderIdentity'] ?? ''), AGE],
    schema: LEASE_SCHEMA,
    mergeKeys: METADATA_MERGE_KEYS,
    check: leaseErrors,
  }),
  ...EVENT_KINDS,
  INGRESS_KIND,
  {
    ...readOnly('apiextensions.k8s.io', 'customresourcedefinitions', 'CustomResourceDefinition', 'Defines a kind.', [
      column('Created At', 'When it was loaded.', (object) => object.metadata.creationTimestamp),
    ]),
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
  },
  readOnly(ADMISSION, 'validatingadmissionpolicies', 'ValidatingAdmissionPolicy', 'Rules a write must satisfy.', [
    column('Validations', 'How many rules it has.', (object) => {
      const { validations } = memberObject(object, 'spec');
      return Array.isArray(validations) ? validations.length : 0;
    }, 'integer'),
    AGE,
  ]),
  readOnly(ADMISSION, 'validatingadmissionpolicybindings', 'ValidatingAdmissionPolicyBinding', 'Where a policy applies.', [
    column('PolicyName', 'The policy it applies.', (object) => memberObject(object, 'spec')['policyName']),
    AGE,
  ]),
];
