import { Optional } from '@marcbachmann/cel-js';
import { checkRule, newEnvironment } from './cel-types.ts';
import { toCelValue } from './cel-values.ts';
import { itemKey } from './list-types.ts';
import { isRecord } from './structural.ts';
import type { StructuralSchema, ValidationRule } from './structural.ts';
import type { FieldError } from './validator.ts';

/** Runs the CEL rules of a schema; `old` is the stored value, undefined on create. */
export type RuleCheck = (value: unknown, old: unknown) => FieldError[];

interface CompiledRule {
  source: ValidationRule;
  /** Looks at `oldSelf` and therefore runs only where there is an old value. */
  transition: boolean;
  run: (context: Record<string, unknown>) => unknown;
  message: (context: Record<string, unknown>) => string;
}

/** A place in the schema with rules at it or below it. */
interface RuleNode {
  schema: StructuralSchema;
  rules: CompiledRule[];
  properties: Map<string, RuleNode>;
  items?: RuleNode;
  values?: RuleNode;
}

/** What rules at the root may see besides the schema's own fields. */
const METADATA: StructuralSchema = {
  type: 'object',
  properties: { name: { type: 'string' }, generateName: { type: 'string' } },
};

/**
 * Compiles every `x-kubernetes-validations` of a CRD's schema.
 * Throws for a rule that cannot be compiled, so that a rule is never skipped for want of a function.
 */
export function compileRules(root: StructuralSchema): RuleCheck {
  const schema = { ...root, properties: { ...root.properties, metadata: METADATA } };
  const node = compileNode(schema, '');
  return (value, old) => (node === undefined ? [] : checkNode(node, value, old, ''));
}

function compileNode(schema: StructuralSchema, path: string): RuleNode | undefined {
  const rules = (schema['x-kubernetes-validations'] ?? []).map((rule) => compileRule(rule, schema, path));
  const children = Object.entries(schema.properties ?? {}).flatMap(([name, child]): [string, RuleNode][] => {
    const node = compileNode(child, `${path}.${name}`);
    return node === undefined ? [] : [[name, node]];
  });
  const items = schema.items && compileNode(schema.items, `${path}[]`);
  const values = schema.additionalProperties && compileNode(schema.additionalProperties, `${path}{}`);
  if (rules.length === 0 && children.length === 0 && items === undefined && values === undefined) return undefined;
  return { schema, rules, properties: new Map(children), ...(items && { items }), ...(values && { values }) };
}

function compileRule(source: ValidationRule, schema: StructuralSchema, path: string): CompiledRule {
  const optional = source.optionalOldSelf === true;
  const compile = (expression: string, wanted: string): ((context: Record<string, unknown>) => unknown) => {
    try {
      const type = checkRule(expression, schema, optional ? 'Optional' : 'Same');
      if (type !== wanted) throw new Error(`the rule ${expression} gives ${type ?? 'nothing'}, not ${wanted}`);
      return newEnvironment().registerVariable('self', 'dyn').registerVariable('oldSelf', optional ? 'optional<dyn>' : 'dyn').parse(expression);
    } catch (error) {
      throw new Error(`x-kubernetes-validations at ${path === '' ? 'the root' : path.slice(1)} cannot be run`, { cause: error });
    }
  };
  const words = source.message ?? `failed rule: ${source.rule}`;
  const expression = source.messageExpression === undefined ? undefined : compile(source.messageExpression, 'string');
  return {
    source,
    transition: !optional && /\boldSelf\b/.test(source.rule),
    run: compile(source.rule, 'bool'),
    message: (context) => (expression === undefined ? words : evaluatedMessage(expression, context, words)),
  };
}

/** The API server falls back to the fixed message when the expression fails or says nothing. */
function evaluatedMessage(expression: CompiledRule['run'], context: Record<string, unknown>, fallback: string): string {
  try {
    const text = expression(context);
    return typeof text === 'string' && text.trim() !== '' && !text.includes('\n') ? text : fallback;
  } catch {
    return fallback;
  }
}

function checkNode(node: RuleNode, value: unknown, old: unknown, path: string): FieldError[] {
  const errors = applyRules(node, value, old, path);
  if (Array.isArray(value) && node.items !== undefined) {
    const { items } = node;
    const before = correlate(old, node.schema);
    errors.push(...value.flatMap((item, index) => checkNode(items, item, before(item), `${path}[${index}]`)));
  } else if (isRecord(value)) {
    for (const [name, child] of Object.entries(value)) {
      const known = node.values ?? node.properties.get(name);
      const oldChild = isRecord(old) && Object.hasOwn(old, name) ? old[name] : undefined;
      if (known !== undefined) errors.push(...checkNode(known, child, oldChild, path === '' ? name : `${path}.${name}`));
    }
  }
  return errors;
}

function applyRules(node: RuleNode, value: unknown, old: unknown, path: string): FieldError[] {
  const rules = node.rules.filter((rule) => !rule.transition || old !== undefined);
  if (rules.length === 0) return [];
  const self = toCelValue(value, node.schema);
  const before = old === undefined ? undefined : toCelValue(old, node.schema);
  return rules.flatMap((rule) => {
    const optional = rule.source.optionalOldSelf === true;
    const oldSelf = optional ? (before === undefined ? Optional.none() : Optional.of(before)) : before;
    const failure = failureOf(rule, { self, oldSelf });
    if (failure === undefined) return [];
    const at = `${path}${rule.source.fieldPath ?? ''}`.replace(/^\./, '');
    return [{ path: at, message: `Invalid value: ${shownValue(value)}${failure}`, type: rule.source.reason ?? ('FieldValueInvalid' as const) }];
  });
}

/** A single value stands in the message; an object or a list would be too long for one line. */
function shownValue(value: unknown): string {
  return typeof value === 'object' ? '' : `${JSON.stringify(value)}: `;
}

/** Why the rule refuses, or undefined when it holds. A rule that cannot be evaluated refuses. */
function failureOf(rule: CompiledRule, context: Record<string, unknown>): string | undefined {
  try {
    return rule.run(context) === true ? undefined : rule.message(context);
  } catch (error) {
    const cause = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return `${cause} evaluating rule: ${rule.source.rule}`;
  }
}

/** Finds the old entry of a list-map by key. Entries of other lists have no identity, so no old value. */
function correlate(old: unknown, schema: StructuralSchema): (item: unknown) => unknown {
  if (!Array.isArray(old) || schema['x-kubernetes-list-type'] !== 'map') return () => undefined;
  const byKey = new Map(old.map((item) => [itemKey(item, schema), item]));
  return (item) => byKey.get(itemKey(item, schema));
}
