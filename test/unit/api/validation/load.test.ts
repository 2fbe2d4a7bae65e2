import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { DATA_STORE, SECRET } from '../../../../src/api/kinds.ts';
import { loadApi } from '../../../../src/api/validation/load.ts';
import { CRDS } from '../../../crds/cases.ts';

const crd = (schema: string): string => `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: things.example.com }
spec:
  group: example.com
  names: { kind: Thing, plural: things }
  versions:
  - name: v1
    schema:
      openAPIV3Schema: { type: object, properties: { spec: ${schema} } }
`;

const { validator, ...api } = loadApi(CRDS);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'dataward-crds-'));
  await mkdir(path.join(folder, 'admission'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('loadApi', () => {
  test('reads the CRDs and policies of this project', () => {
    expect(api.crds).toHaveLength(6);
    expect(api.admissionPolicies).toHaveLength(10);
  });

  test('leaves a kind without a CRD alone', () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { a: 'YQ==' } };
    expect(validator.prepare(SECRET, secret)).toEqual({ object: secret, unknownFields: [] });
    expect(validator.validate(SECRET, secret)).toEqual([]);
    const userInfo = { username: 'alice', groups: [] };
    expect(validator.admit({ operation: 'CREATE', kind: SECRET, object: secret, userInfo, authorize: () => false })).toEqual({ allowed: true });
  });

  test('does not take another version or group for a kind of its own', () => {
    const object = { apiVersion: 'other.io/v1', kind: 'DataStore', metadata: { name: 'a' } };
    expect(validator.validate({ ...DATA_STORE, group: 'other.io' }, object)).toEqual([]);
    expect(validator.validate(DATA_STORE, object)).not.toEqual([]);
  });

  test('does not run rules over a value of a wrong shape, and says so', () => {
    const errors = validator.validate(DATA_STORE, { apiVersion: 'dataward.io/v1alpha1', kind: 'DataStore', metadata: { name: 'a' } });
    expect(errors).toEqual([
      { path: 'spec', message: 'Required value', type: 'FieldValueRequired' },
      { path: '<nil>', message: expect.stringContaining('some validation rules were not checked'), type: 'FieldValueInvalid' },
    ]);
  });

  const broken: [string, string, string][] = [
    ['malformed YAML', 'spec: [1,\n', 'things.yaml is not valid YAML'],
    ['a keyword that is not applied here', crd('{ type: object, "x-kubernetes-preserve-unknown-fields": true }'), 'x-kubernetes-preserve-unknown-fields is not understood'],
    ['an alternative', crd('{ type: string, anyOf: [{ minLength: 1 }] }'), 'anyOf is not understood'],
    ['a pattern that is none', crd('{ type: string, pattern: "(" }'), 'the pattern ( is not a regular expression'],
    ['a format that is not known', crd('{ type: string, format: postcode }'), 'the format postcode is not understood'],
    ['a rule that cannot run', crd('{ type: string, x-kubernetes-validations: [{ rule: "self.foo()" }] }'), 'the schema of Thing cannot be used'],
    ['something else than a CRD', 'apiVersion: v1\nkind: Secret\nmetadata: { name: s }\n', 'only CRDs belong there'],
  ];
  test.each(broken)('%s is refused', async (_, content, message) => {
    await writeFile(path.join(folder, 'things.yaml'), content);
    expect(() => loadApi(folder)).toThrow(message);
  });

  test('a policy in a broken file is refused, by the name of the file', async () => {
    await writeFile(path.join(folder, 'things.yaml'), crd('{ type: object }'));
    await writeFile(path.join(folder, 'admission', 'p.yaml'), 'a: 1\na: 2\n');
    expect(() => loadApi(folder)).toThrow(/p\.yaml is not valid YAML/);
  });

  test('an empty folder is refused', () => {
    expect(() => loadApi(folder)).toThrow('holds no CRD');
  });
});
