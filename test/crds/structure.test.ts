import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { OWN_KINDS, apiVersionOf, ownKind } from '../../src/api/kinds.ts';
import { loadApi } from '../../src/api/validation/load.ts';
import { compileSchema } from '../../src/api/validation/schema-errors.ts';
import { CRDS, acceptedObjects, cases, writesOf } from './cases.ts';
import type { Manifest } from './cases.ts';
import { FORMAT_EXAMPLES } from './format-examples.ts';
import { PATTERN_EXAMPLES } from './pattern-examples.ts';
import { rootSchema, schemaNodes, valueNodes, valueUses, withValue } from './walk.ts';
import type { SchemaNode } from './walk.ts';

const { crds, validator } = loadApi(CRDS);
const nodes = crds.flatMap(schemaNodes);
const objects = acceptedObjects();
const where = ({ kind, path: at }: SchemaNode): string => `${kind} ${at}`;
/** Kubernetes' own part of an object, described elsewhere. */
const isOurs = ({ path: at }: SchemaNode): boolean => !['', 'apiVersion', 'kind', 'metadata'].includes(at);

/** Names of the nodes that break a rule; a test expects none. */
function offenders(test: (node: SchemaNode) => boolean): string[] {
  return nodes.filter((node) => isOurs(node) && test(node)).map(where);
}

describe('names', () => {
  test.each(crds.map((crd) => [crd.spec.names.kind, crd] as const))('%s agrees with what the code calls it', (kind, crd) => {
    const { spec, metadata } = crd as unknown as {
      metadata: { name: string };
      spec: { group: string; scope: string; names: { plural: string; listKind: string; singular: string; categories: string[]; shortNames: string[] }; versions: { name: string }[] };
    };
    const ref = OWN_KINDS.find((candidate) => candidate.kind === kind);
    expect(ref).toEqual({ group: spec.group, version: spec.versions[0]?.name, plural: spec.names.plural, kind, namespaced: spec.scope === 'Namespaced' });
    expect(metadata.name).toBe(`${spec.names.plural}.${spec.group}`);
    expect(spec.names).toMatchObject({ listKind: `${kind}List`, singular: kind.toLowerCase(), categories: ['dataward'] });
  });

  test('every kind of the code has a CRD, and short names are its own', () => {
    expect(crds.map((crd) => crd.spec.names.kind).toSorted()).toEqual(OWN_KINDS.map(({ kind }) => kind).toSorted());
    const shortNames = crds.flatMap((crd) => (crd.spec.names as unknown as { shortNames: string[] }).shortNames);
    expect(shortNames.toSorted()).toEqual(['cprof', 'dmap', 'dst', 'hold', 'purge', 'ret']);
  });
});

describe('every schema', () => {
  test('has a description', () => {
    expect(offenders(({ schema }) => schema.description === undefined || schema.description.length < 5)).toEqual([]);
  });

  test('has a type, and lists have items', () => {
    expect(offenders(({ schema }) => schema.type === undefined || (schema.type === 'array') !== (schema.items !== undefined))).toEqual([]);
  });

  test('is bounded: strings, lists, maps and numbers alike', () => {
    const isOpen = ({ schema }: SchemaNode): boolean => {
      switch (schema.type) {
        case 'string':
          return schema.maxLength === undefined && schema.enum === undefined;
        case 'array':
          return schema.maxItems === undefined;
        case 'object':
          return schema.additionalProperties !== undefined && schema.maxProperties === undefined;
        case 'integer':
        case 'number':
          return schema.minimum === undefined;
        case 'boolean':
          return false;
      }
    };
    expect(offenders(isOpen)).toEqual([]);
  });

  test('has in spec an upper bound for each number, so that no sum overflows', () => {
    const counts = /^spec\.forecast\./;
    expect(offenders(({ schema, path: at }) => schema.type === 'integer' && at.startsWith('spec') && !counts.test(at) && schema.maximum === undefined)).toEqual([]);
  });

  test('says how a list is merged, and its keys are there in every entry', () => {
    const isWrong = ({ schema }: SchemaNode): boolean => {
      if (schema.type !== 'array') return false;
      const keys = schema['x-kubernetes-list-map-keys'];
      if (schema['x-kubernetes-list-type'] !== 'map') return schema['x-kubernetes-list-type'] === undefined || keys !== undefined;
      return !(keys ?? ['']).every((key) => schema.items?.required?.includes(key) === true || schema.items?.properties?.[key]?.default !== undefined);
    };
    expect(offenders(isWrong)).toEqual([]);
  });

  test('does not have fields and free keys at once, and requires only fields it has', () => {
    expect(offenders(({ schema }) => schema.properties !== undefined && schema.additionalProperties !== undefined)).toEqual([]);
    expect(offenders(({ schema }) => (schema.required ?? []).some((name) => schema.properties?.[name] === undefined))).toEqual([]);
  });

  test('has names that CEL and YAML 1.1 leave alone', () => {
    const awkward = /^(in|true|false|null|[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$/;
    const isAwkward = ({ schema }: SchemaNode): boolean => [...Object.keys(schema.properties ?? {}), ...(schema.enum ?? [])].some((word) => awkward.test(String(word)));
    const conditionStatus = /conditions\[\]\.status$/;
    expect(offenders((node) => isAwkward(node) && !conditionStatus.test(node.path))).toEqual([]);
  });

  test('has PascalCase words in enums', () => {
    expect(offenders(({ schema }) => (schema.enum ?? []).some((word) => typeof word !== 'string' || !/^[A-Z][A-Za-z]*$/.test(word)))).toEqual([]);
  });

  test('has patterns that RE2 understands and that cover the whole value', () => {
    const isForeign = ({ schema: { pattern } }: SchemaNode): boolean =>
      pattern !== undefined && (/\(\?[=!<]|\\[1-9dwsbDWSB]/.test(pattern) || !pattern.startsWith('^') || !pattern.endsWith('$'));
    expect(offenders(isForeign)).toEqual([]);
  });

  test('has defaults that it accepts itself', () => {
    expect(offenders(({ schema }) => schema.default !== undefined && schema.type !== 'object' && compileSchema(schema)(schema.default).length > 0)).toEqual([]);
  });

  test('has rules with a message of one line that says more than the rule', () => {
    const isMute = ({ schema }: SchemaNode): boolean =>
      (schema['x-kubernetes-validations'] ?? []).some(({ message }) => message === undefined || message.length < 20 || message.includes('\n'));
    expect(nodes.filter(isMute).map(where)).toEqual([]);
  });

  test('gives one title to one shape only, so that a fragment is the same wherever it occurs', () => {
    const shapes = new Map<string, Set<string>>();
    for (const { schema } of nodes) {
      if (schema.title === undefined) continue;
      const { description: _, 'x-kubernetes-validations': rules, ...shape } = schema;
      const lasting = rules?.filter(({ rule }) => !rule.includes('oldSelf'));
      const text = JSON.stringify({ ...shape, rules: lasting?.length === 0 ? undefined : lasting });
      shapes.set(schema.title, (shapes.get(schema.title) ?? new Set()).add(text));
    }
    expect([...shapes].filter(([, texts]) => texts.size > 1).map(([title]) => title)).toEqual([]);
    expect(shapes.size).toBeGreaterThan(30);
  });

  test('has conditions that are the same in every kind', () => {
    const conditions = nodes.filter(({ path: at }) => at === 'status.conditions').map(({ schema }) => JSON.stringify(schema));
    expect(conditions).toHaveLength(crds.length);
    expect(new Set(conditions).size).toBe(1);
  });
});

describe('the examples', () => {
  test('use every field of every spec', () => {
    const used = new Set(
      [...objects, ...cases().flatMap((example) => writesOf(example, objects))].flatMap((object) => {
        const crd = crds.find((candidate) => candidate.spec.names.kind === object.kind);
        return crd === undefined ? [] : valueNodes(object, rootSchema(crd)).map(({ schemaPath }) => `${object.kind} ${schemaPath}`);
      }),
    );
    expect(offenders((node) => node.path.startsWith('spec') && !used.has(where(node)))).toEqual([]);
    expect(new Set(objects.map(({ apiVersion }) => apiVersion))).toEqual(new Set(OWN_KINDS.map(apiVersionOf)));
  });

  test('refuse something by every CEL rule', () => {
    const seen = new Set<string>();
    for (const example of cases().filter(({ refused }) => refused !== undefined)) {
      let stored: Manifest | undefined;
      for (const write of writesOf(example, objects)) {
        const kind = ownKind(write.kind);
        if (kind === undefined) continue;
        const { object } = validator.prepare(kind, write);
        for (const error of validator.validate(kind, object, stored)) {
          seen.add(`${kind.kind} ${error.path.replaceAll(/\[\d+\]/g, '[]')} ${error.message.replace(/^Invalid value: ("[^"]*": )?/, '')}`);
        }
        stored = object as Manifest;
      }
    }
    const never = nodes.flatMap(({ kind, path: at, schema }) =>
      (schema['x-kubernetes-validations'] ?? [])
        .map(({ message, fieldPath = '' }) => `${kind} ${`${at}${fieldPath}`.replace(/^\./, '')} ${message ?? ''}`)
        .filter((text) => !seen.has(text)),
    );
    // As long as there is one engine, no other can be asked for.
    expect(never).toEqual(['DataStore spec.engine engine cannot be changed: create another DataStore for the other store']);
  });
});

describe('formats', () => {
  test.each(['date', 'date-time'] as const)('%s', (format) => {
    const check = compileSchema({ type: 'string', format });
    const { accepted, refused } = FORMAT_EXAMPLES[format];
    expect(accepted.filter((value) => check(value).length > 0)).toEqual([]);
    expect(refused.filter((value) => check(value).length === 0)).toEqual([]);
  });
});

describe('patterns', () => {
  test('all have values they accept and values they refuse', () => {
    const patterns = new Set(nodes.flatMap(({ schema }) => schema.pattern ?? []));
    expect([...patterns].toSorted()).toEqual(Object.keys(PATTERN_EXAMPLES).toSorted());
  });

  test.each(Object.entries(PATTERN_EXAMPLES))('%s', (pattern, { accepted, refused }) => {
    const regex = new RegExp(pattern);
    expect(accepted.filter((value) => !regex.test(value))).toEqual([]);
    expect(refused.filter((value) => regex.test(value))).toEqual([]);
    expect(accepted.length > 0 && refused.length > 0).toBe(true);
  });

  test('govern the place they stand at: a blank is refused there and nowhere else', () => {
    for (const use of valueUses().filter(({ schema }) => schema.pattern !== undefined)) {
      const kind = ownKind(use.object.kind);
      if (kind === undefined) throw new Error(`${use.object.kind} is no kind of this project`);
      const { object } = validator.prepare(kind, withValue(use.object, use.keys, ' '));
      const errors = validator.validate(kind, object).filter(({ message }) => message.includes('should match'));
      expect(errors.map(({ path: at }) => at)).toEqual([use.path]);
    }
  });
});

test('what is generated from the CRDs is up to date', async () => {
  const root = path.dirname(CRDS);
  const tsx = createRequire(import.meta.url).resolve('tsx/cli');
  const run = promisify(execFile)(process.execPath, [tsx, path.join(root, 'scripts', 'generate.ts'), '--check'], { cwd: root });
  await expect(run).resolves.toMatchObject({ stderr: '' });
}, 60_000);
