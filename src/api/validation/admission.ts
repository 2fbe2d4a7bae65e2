import type { Environment } from '@marcbachmann/cel-js';
import { Authorizer, registerAuthorizer } from './authorizer.ts';
import { isMatched, readAdmission } from './admission-policy.ts';
import type { ValidatingAdmissionPolicy } from './admission-policy.ts';
import { newEnvironment } from './cel-types.ts';
import { toUntypedCelValue } from './cel-values.ts';
import { isRecord } from './structural.ts';
import type { AdmissionRequest, AdmissionResult } from './validator.ts';

type Expression = (context: Record<string, unknown>) => unknown;

interface CompiledPolicy {
  policy: ValidatingAdmissionPolicy;
  /** Name of the binding that makes it refuse. */
  binding: string;
  conditions: Expression[];
  variables: [string, Expression][];
  validations: { run: Expression; source: string; message?: string; messageExpression?: Expression; reason: string }[];
}

/**
 * Compiles ValidatingAdmissionPolicies with their bindings; a policy refuses only through a binding with `Deny`.
 * Throws for an expression or a field that cannot be evaluated here.
 */
export function compileAdmission(documents: readonly unknown[]): (request: AdmissionRequest) => AdmissionResult {
  const { policies, bindings } = readAdmission(documents);
  const compiled = bindings
    .filter((binding) => binding.spec.validationActions.includes('Deny'))
    .flatMap((binding) => {
      const policy = policies.find((candidate) => candidate.metadata.name === binding.spec.policyName);
      return policy === undefined ? [] : [compilePolicy(policy, binding.metadata.name)];
    });
  return (request) => {
    for (const policy of compiled) {
      const result = evaluate(policy, request);
      if (!result.allowed) return result;
    }
    return { allowed: true };
  };
}

/** `params` and `namespaceObject` are left out on purpose: a policy that uses them does not compile. */
function admissionEnvironment(): Environment {
  const environment = newEnvironment();
  registerAuthorizer(environment);
  return environment
    .registerVariable('object', 'dyn')
    .registerVariable('oldObject', 'dyn')
    .registerVariable('request', 'dyn')
    .registerVariable('variables', 'dyn')
    .registerVariable('authorizer', 'Authorizer');
}

function compilePolicy(policy: ValidatingAdmissionPolicy, binding: string): CompiledPolicy {
  const environment = admissionEnvironment();
  const compile = (source: string): Expression => {
    try {
      const result = environment.check(source);
      if (!result.valid) throw result.error ?? new Error('not valid');
      return environment.parse(source);
    } catch (error) {
      throw new Error(`ValidatingAdmissionPolicy ${policy.metadata.name}: the expression ${source} cannot be run`, { cause: error });
    }
  };
  const { matchConditions = [], variables = [], validations = [] } = policy.spec;
  return {
    policy,
    binding,
    conditions: matchConditions.map((condition) => compile(condition.expression)),
    variables: variables.map((variable) => [variable.name, compile(variable.expression)]),
    validations: validations.map((validation) => ({
      run: compile(validation.expression),
      source: validation.expression,
      ...(validation.message !== undefined && { message: validation.message }),
      ...(validation.messageExpression !== undefined && { messageExpression: compile(validation.messageExpression) }),
      reason: validation.reason ?? 'Invalid',
    })),
  };
}

function evaluate(compiled: CompiledPolicy, request: AdmissionRequest): AdmissionResult {
  const { kind, operation, subresource } = request;
  const resource = subresource === undefined ? kind.plural : `${kind.plural}/${subresource}`;
  if (!isMatched(compiled.policy, { group: kind.group, version: kind.version, operation, resource })) return { allowed: true };
  const context = contextOf(compiled, request);
  const refuse = (message: string, reason = 'Invalid', field?: string): AdmissionResult => ({
    allowed: false,
    ...(field === undefined ? {} : { field }),
    message: `ValidatingAdmissionPolicy '${compiled.policy.metadata.name}' with binding '${compiled.binding}' denied request: ${message}`,
    reason,
  });
  try {
    if (!meetsAll(compiled.conditions, context)) return { allowed: true };
    for (const validation of compiled.validations) {
      if (validation.run(context) !== true) return refuse(wordsOf(validation, context), validation.reason, fieldNamed(validation.source, request.object));
    }
    return { allowed: true };
  } catch (error) {
    if (compiled.policy.spec.failurePolicy === 'Ignore') return { allowed: true };
    const cause = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return refuse(`the policy could not be evaluated: ${cause}`);
  }
}

/** One condition that is false decides, even where another one cannot be evaluated, as in the API server. */
function meetsAll(conditions: readonly Expression[], context: Record<string, unknown>): boolean {
  const failures: unknown[] = [];
  for (const condition of conditions) {
    try {
      if (condition(context) !== true) return false;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return true;
}

/** The first field of the object an expression looks at, if the object has it. */
function fieldNamed(source: string, object: unknown): string | undefined {
  const path = /\bobject\.([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)/.exec(source)?.[1];
  const found = path?.split('.').reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), object);
  return found === undefined ? undefined : path;
}

function wordsOf(validation: CompiledPolicy['validations'][number], context: Record<string, unknown>): string {
  const fallback = validation.message ?? `failed expression: ${validation.source}`;
  if (validation.messageExpression === undefined) return fallback;
  try {
    const text = validation.messageExpression(context);
    return typeof text === 'string' && text.trim() !== '' && !text.includes('\n') ? text : fallback;
  } catch {
    return fallback;
  }
}

function contextOf(compiled: CompiledPolicy, request: AdmissionRequest): Record<string, unknown> {
  const { kind, object, oldObject, operation, subresource, userInfo } = request;
  const subject = object ?? oldObject;
  const gvk = { group: kind.group, version: kind.version, kind: kind.kind };
  const gvr = { group: kind.group, version: kind.version, resource: kind.plural };
  const context: Record<string, unknown> = {
    object: object === undefined ? null : toUntypedCelValue(object),
    oldObject: oldObject === undefined ? null : toUntypedCelValue(oldObject),
    request: {
      kind: gvk,
      requestKind: gvk,
      resource: gvr,
      requestResource: gvr,
      subResource: subresource ?? '',
      name: subject?.metadata.name ?? '',
      namespace: subject?.metadata.namespace ?? '',
      operation,
      userInfo: { username: userInfo.username, groups: userInfo.groups },
    },
    authorizer: new Authorizer(request.authorize),
  };
  // Lazy, as in the API server: a variable that fails matters only to the expressions that use it.
  const variables = {};
  for (const [name, run] of compiled.variables) {
    Object.defineProperty(variables, name, { enumerable: true, get: () => run(context) });
  }
  context.variables = variables;
  return context;
}
