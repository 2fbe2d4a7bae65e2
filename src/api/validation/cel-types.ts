import { Environment } from '@marcbachmann/cel-js';
import { celName, isTime } from './cel-values.ts';
import type { StructuralSchema } from './structural.ts';

/** An environment with what Kubernetes enables: optional values, and lists that mix types. */
export function newEnvironment(): Environment {
  return new Environment({ unlistedVariablesAreDyn: false, enableOptionalTypes: true, homogeneousAggregateLiterals: false });
}

/**
 * The type of a CEL expression whose `self` (and `oldSelf`) has this schema.
 * Throws for an expression that cannot run, a field the schema does not have included: in a dynamic evaluation that
 * would only show when the rule meets an object, and `has()` of a misspelt field would be false for ever.
 */
export function checkRule(expression: string, schema: StructuralSchema, oldSelf: 'Same' | 'Optional'): string | undefined {
  const environment = newEnvironment();
  const type = new TypeRegistry(environment).typeOf(schema);
  environment.registerVariable('self', type);
  environment.registerVariable('oldSelf', oldSelf === 'Optional' ? `optional<${type}>` : type);
  // The library does not look into has(); a list of the same selection makes it.
  const result = environment.check(expression.replaceAll(/\bhas\(([\w.]+)\)/g, '(size([$1]) == 1)'));
  if (!result.valid) throw new Error(`${result.error?.message.split('\n')[0] ?? 'not valid'} in the rule ${expression}`);
  return result.type;
}

/** Gives each object of a schema a type of its own in one environment. */
class TypeRegistry {
  readonly #environment: Environment;
  #count = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  typeOf(schema: StructuralSchema): string {
    switch (schema.type) {
      case 'integer':
        return 'int';
      case 'number':
        return 'double';
      case 'boolean':
        return 'bool';
      case 'string':
        return isTime(schema) ? 'google.protobuf.Timestamp' : 'string';
      case 'array':
        return schema.items === undefined ? 'list<dyn>' : `list<${this.typeOf(schema.items)}>`;
      case 'object':
        return schema.additionalProperties === undefined ? this.#objectType(schema) : `map<string, ${this.typeOf(schema.additionalProperties)}>`;
    }
  }

  #objectType(schema: StructuralSchema): string {
    const fields = Object.entries(schema.properties ?? {}).map(([name, child]) => [celName(name), this.typeOf(child)] as const);
    this.#count += 1;
    const name = `Object${this.#count}`;
    this.#environment.registerType(name, { fields: Object.fromEntries(fields) });
    this.#environment.registerOperator(`${name} == ${name}`, () => true);
    return name;
  }
}
