/** The parts of admissionregistration.k8s.io/v1 that are evaluated here. */
export interface ValidatingAdmissionPolicy {
  kind: 'ValidatingAdmissionPolicy';
  metadata: { name: string };
  spec: {
    failurePolicy?: 'Fail' | 'Ignore';
    matchConstraints?: { resourceRules?: ResourceRule[]; excludeResourceRules?: ResourceRule[] };
    matchConditions?: { name: string; expression: string }[];
    variables?: { name: string; expression: string }[];
    validations?: { expression: string; message?: string; messageExpression?: string; reason?: string }[];
  };
}

export interface ValidatingAdmissionPolicyBinding {
  kind: 'ValidatingAdmissionPolicyBinding';
  metadata: { name: string };
  spec: { policyName: string; validationActions: string[] };
}

export interface ResourceRule {
  apiGroups: string[];
  apiVersions: string[];
  operations: string[];
  resources: string[];
}

const POLICY_FIELDS = new Set(['failurePolicy', 'matchConstraints', 'matchConditions', 'variables', 'validations']);
const CONSTRAINT_FIELDS = new Set(['resourceRules', 'excludeResourceRules', 'matchPolicy']);
const RULE_FIELDS = new Set(['apiGroups', 'apiVersions', 'operations', 'resources', 'scope']);
const BINDING_FIELDS = new Set(['policyName', 'validationActions']);

/**
 * Sorts parsed documents into policies and bindings.
 * Throws for any part that is not evaluated here: leaving out a selector or a parameter would change who is refused.
 */
export function readAdmission(documents: readonly unknown[]): {
  policies: ValidatingAdmissionPolicy[];
  bindings: ValidatingAdmissionPolicyBinding[];
} {
  const policies: ValidatingAdmissionPolicy[] = [];
  const bindings: ValidatingAdmissionPolicyBinding[] = [];
  for (const document of documents as (ValidatingAdmissionPolicy | ValidatingAdmissionPolicyBinding)[]) {
    const where = `${document.kind} ${document.metadata.name}`;
    if (document.kind === 'ValidatingAdmissionPolicy') {
      const constraints = document.spec.matchConstraints ?? {};
      assertFields(document.spec, POLICY_FIELDS, where);
      assertFields(constraints, CONSTRAINT_FIELDS, where);
      for (const rule of [...(constraints.resourceRules ?? []), ...(constraints.excludeResourceRules ?? [])]) {
        assertFields(rule, RULE_FIELDS, where);
      }
      policies.push(document);
    } else if (document.kind === 'ValidatingAdmissionPolicyBinding') {
      assertFields(document.spec, BINDING_FIELDS, where);
      bindings.push(document);
    } else {
      throw new Error(`${where}: only ValidatingAdmissionPolicy and ValidatingAdmissionPolicyBinding belong here`);
    }
  }
  for (const binding of bindings) {
    if (!policies.some((policy) => policy.metadata.name === binding.spec.policyName)) {
      throw new Error(`binding ${binding.metadata.name} names the policy ${binding.spec.policyName}, which is not there`);
    }
  }
  return { policies, bindings };
}

function assertFields(value: object, known: ReadonlySet<string>, where: string): void {
  const unknown = Object.keys(value).filter((key) => !known.has(key));
  if (unknown.length > 0) throw new Error(`${where}: ${unknown.join(', ')} is not evaluated here; write the policy without it`);
}

/** Whether a policy's constraints cover a write to `resource` (`purgeruns` or `purgeruns/status`). */
export function isMatched(
  policy: ValidatingAdmissionPolicy,
  write: { group: string; version: string; operation: string; resource: string },
): boolean {
  const { resourceRules = [], excludeResourceRules = [] } = policy.spec.matchConstraints ?? {};
  const covers = (rule: ResourceRule): boolean =>
    has(rule.apiGroups, write.group) &&
    has(rule.apiVersions, write.version) &&
    has(rule.operations, write.operation) &&
    rule.resources.some((pattern) => matchesResource(pattern, write.resource));
  return resourceRules.some(covers) && !excludeResourceRules.some(covers);
}

function has(list: readonly string[], value: string): boolean {
  return list.includes('*') || list.includes(value);
}

/** `*` is every resource but no subresource, `pods/*` all below pods; `*` before a slash is any resource. */
function matchesResource(pattern: string, resource: string): boolean {
  const [wantedName = '', wantedSub] = pattern.split('/');
  const [name = '', sub] = resource.split('/');
  if (wantedName !== '*' && wantedName !== name) return false;
  if (wantedSub === '*') return wantedName === '*' || sub !== undefined;
  return wantedSub === sub;
}
