import { describe, expect, test } from '@jest/globals';
import { ownKind } from '../../src/api/kinds.ts';
import { compileAdmission } from '../../src/api/validation/admission.ts';
import { loadApi } from '../../src/api/validation/load.ts';
import type { AuthorizationCheck } from '../../src/api/validation/validator.ts';
import { ADMISSION_CASES, APPROVERS, USERS } from './admission-cases.ts';
import type { AdmissionWrite, User } from './admission-cases.ts';
import { CRDS, acceptedObjects, mergePatch } from './cases.ts';
import type { Manifest } from './cases.ts';

const { admissionPolicies, validator } = loadApi(CRDS);
const objects = acceptedObjects();

/** The stored object after the write, or why it was refused: schema and rules first, then the policies. */
function write(stored: Manifest | undefined, base: Manifest, { as, patch, status }: AdmissionWrite): Manifest | string {
  const kind = ownKind(base.kind);
  if (kind === undefined) throw new Error(`${base.kind} is no kind of this project`);
  const changed = mergePatch(stored ?? base, status === undefined ? (patch ?? {}) : { status }) as Manifest;
  const { object } = validator.prepare(kind, changed);
  const errors = validator.validate(kind, object, stored, status === undefined ? undefined : 'status');
  if (errors.length > 0) return errors.map(({ message }) => message).join('; ');
  const result = validator.admit({
    operation: stored === undefined ? 'CREATE' : 'UPDATE',
    kind,
    ...(status !== undefined && { subresource: 'status' as const }),
    object,
    ...(stored !== undefined && { oldObject: stored }),
    userInfo: { username: USERS[as], groups: ['system:authenticated'] },
    authorize: (check) => mayApprove(as, check),
  });
  return result.allowed ? (object as Manifest) : result.message;
}

function mayApprove(user: User, check: AuthorizationCheck): boolean {
  return check.group === 'dataward.io' && check.resource === 'purgeruns' && check.verb === 'approve' && APPROVERS.includes(user);
}

describe('who may write what', () => {
  test.each(ADMISSION_CASES.map((example) => [example.name, example] as const))('%s', (_, example) => {
    const from = objects.find((object) => `${object.kind}/${object.metadata.name}` === example.from);
    if (from === undefined) throw new Error(`there is no object ${example.from}`);
    const { status: __, ...base } = from;
    let stored: Manifest | undefined;
    const last = example.writes.length - 1;
    example.writes.forEach((step, index) => {
      const outcome = write(stored, base, step);
      if (index === last && example.refused !== undefined) expect(outcome).toEqual(expect.stringContaining(example.refused));
      else expect(outcome).toEqual(expect.objectContaining({ kind: from.kind }));
      if (typeof outcome !== 'string') stored = outcome;
    });
  });

  test('a refusal names policy and binding, and is a 403', () => {
    const from = objects.find((object) => object.kind === 'PurgeRun' && object.spec.approvals === undefined);
    const kind = ownKind('PurgeRun');
    if (kind === undefined || from === undefined) throw new Error('there is no PurgeRun to try');
    const userInfo = { username: USERS.alice, groups: [] };
    const result = validator.admit({ operation: 'CREATE', kind, object: from, userInfo, authorize: () => true });
    expect(result).toEqual({
      allowed: false,
      message:
        "ValidatingAdmissionPolicy 'dataward-purgerun-author' with binding 'dataward-purgerun-author' denied request: only the operator creates PurgeRuns; change the RetentionPolicy instead",
      reason: 'Forbidden',
    });
  });

  test('each validation of each policy refuses at least one case', () => {
    const messages = ADMISSION_CASES.flatMap(({ refused }) => refused ?? []);
    const validations = (admissionPolicies as { spec: { validations?: { message: string; messageExpression?: string }[] } }[]).flatMap(
      ({ spec }) => spec.validations ?? [],
    );
    expect(validations.length).toBeGreaterThan(10);
    const neverSeen = validations.filter(({ message }) => !messages.some((seen) => seen.includes(message) || message.includes(seen)));
    // The CRD refuses these two before a policy is asked; the policies repeat them, so that neither stands on the other.
    expect(neverSeen.map(({ message }) => message)).toEqual([
      'a release is asked for first and approved in a later write; send release.request alone',
      'only the operator writes the plan of a PurgeRun; add an entry to spec.approvals and leave the rest',
    ]);
  });
});

describe('policies that cannot be evaluated', () => {
  const policy = (spec: object): object => ({ kind: 'ValidatingAdmissionPolicy', metadata: { name: 'p' }, spec });
  const binding = { kind: 'ValidatingAdmissionPolicyBinding', metadata: { name: 'b' }, spec: { policyName: 'p', validationActions: ['Deny'] } };
  const everything = { resourceRules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*'] }] };
  const rule = (expression: string): object => ({ matchConstraints: everything, validations: [{ expression }] });

  test.each([
    ['a function that is not there', rule('quantity("1").isGreaterThan(quantity("0"))')],
    ['a variable that is not there', rule('params.a == 1')],
    ['the namespace, which is not known', rule('namespaceObject.metadata.name == "a"')],
    ['a parenthesis that is never closed', rule('(1 == 1')],
    ['parameters', { ...rule('true'), paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } }],
    ['a selector of namespaces', { ...rule('true'), matchConstraints: { ...everything, namespaceSelector: { matchLabels: { a: 'b' } } } }],
    ['names of resources', { ...rule('true'), matchConstraints: { resourceRules: [{ ...everything.resourceRules[0], resourceNames: ['a'] }] } }],
  ])('%s: refused when loaded', (_, spec) => {
    expect(() => compileAdmission([policy(spec), binding])).toThrow(/cannot be run|is not evaluated here/);
  });

  test('a binding to a policy that is not there is refused when loaded', () => {
    expect(() => compileAdmission([binding])).toThrow('names the policy p, which is not there');
  });

  const write = {
    operation: 'CREATE' as const,
    kind: { group: 'g', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true },
    object: { apiVersion: 'g/v1', kind: 'Thing', metadata: { name: 'a' } },
    userInfo: { username: 'u', groups: [] },
    authorize: () => false,
  };

  test('a field that is absent at run time refuses, unless failures are to be ignored', () => {
    const spec = rule('object.spec.missing == 1');
    expect(compileAdmission([policy(spec), binding])(write)).toMatchObject({ allowed: false, message: expect.stringContaining('could not be evaluated') });
    expect(compileAdmission([policy({ ...spec, failurePolicy: 'Ignore' }), binding])(write)).toEqual({ allowed: true });
  });

  test('a condition that is false settles it, even beside one that cannot be evaluated', () => {
    const conditions = (...expressions: string[]): object => ({ ...rule('false'), matchConditions: expressions.map((expression, index) => ({ name: `c${index}`, expression })) });
    const decide = (spec: object): boolean => compileAdmission([policy(spec), binding])(write).allowed;
    expect(decide(conditions('object.missing == 1', 'false'))).toBe(true);
    expect(decide(conditions('object.missing == 1', 'true'))).toBe(false);
    expect(decide(conditions('true'))).toBe(false);
  });

  test('a variable that cannot be evaluated hurts only where it is used', () => {
    const variables = [{ name: 'broken', expression: 'object.missing == 1' }];
    const decide = (expression: string): boolean => compileAdmission([policy({ ...rule(expression), variables }), binding])(write).allowed;
    expect(decide('true || variables.broken')).toBe(true);
    expect(decide('variables.broken')).toBe(false);
  });

  test('a policy without a binding that denies refuses nothing', () => {
    const audit = { ...binding, spec: { ...binding.spec, validationActions: ['Audit'] } };
    expect(compileAdmission([policy(rule('false'))])(write)).toEqual({ allowed: true });
    expect(compileAdmission([policy(rule('false')), audit])(write)).toEqual({ allowed: true });
  });

  const resources: [string, string[], 'status' | undefined, boolean][] = [
    ['a resource by name', ['things'], undefined, true],
    ['a resource by name, not its status', ['things'], 'status', false],
    ['every resource, not their status', ['*'], 'status', false],
    ['every resource and subresource', ['*/*'], 'status', true],
    ['every resource and subresource, the resource itself', ['*/*'], undefined, true],
    ['every status', ['*/status'], 'status', true],
    ['every status, not the resource', ['*/status'], undefined, false],
    ['every subresource of one', ['things/*'], 'status', true],
    ['another resource', ['others', 'others/status'], 'status', false],
  ];
  test.each(resources)('matches %s', (_, wanted, subresource, matched) => {
    const spec = { ...rule('false'), matchConstraints: { resourceRules: [{ ...everything.resourceRules[0], resources: wanted }] } };
    const result = compileAdmission([policy(spec), binding])({ ...write, ...(subresource !== undefined && { subresource }) });
    expect(result.allowed).toBe(!matched);
  });

  test('an excluded operation is not matched', () => {
    const spec = { ...rule('false'), matchConstraints: { ...everything, excludeResourceRules: [{ ...everything.resourceRules[0], operations: ['CREATE'] }] } };
    expect(compileAdmission([policy(spec), binding])(write)).toEqual({ allowed: true });
    expect(compileAdmission([policy(spec), binding])({ ...write, operation: 'UPDATE' }).allowed).toBe(false);
  });
});
