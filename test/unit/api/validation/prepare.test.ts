import { describe, expect, test } from '@jest/globals';
import { OWN_KINDS } from '../../../../src/api/kinds.ts';
import type { KubeObject } from '../../../../src/api/object.ts';
import { loadApi } from '../../../../src/api/validation/load.ts';
import { pruneAndDefault } from '../../../../src/api/validation/prepare.ts';
import type { StructuralSchema } from '../../../../src/api/validation/structural.ts';
import { CRDS, acceptedObjects } from '../../../crds/cases.ts';
import { fc, runs } from '../../../support/properties.ts';

const text: StructuralSchema = { type: 'string' };
const schema: StructuralSchema = {
  type: 'object',
  properties: {
    apiVersion: text,
    kind: text,
    metadata: { type: 'object' },
    spec: {
      type: 'object',
      properties: {
        name: text,
        mode: { type: 'string', default: 'Observe' },
        limits: { type: 'object', default: {}, properties: { rows: { type: 'integer', default: 10 } } },
        list: { type: 'array', items: { type: 'object', properties: { port: { type: 'integer', default: 5432 } } } },
        labels: { type: 'object', additionalProperties: text },
        note: { type: 'string', nullable: true },
      },
    },
  },
};

function prepare(spec: unknown): { spec: unknown; unknown: string[] } {
  const unknown: string[] = [];
  const object = pruneAndDefault({ apiVersion: 'a/v1', kind: 'K', metadata: { name: 'a', anything: 1 }, spec }, schema, unknown);
  expect(object).toMatchObject({ apiVersion: 'a/v1', kind: 'K', metadata: { name: 'a', anything: 1 } });
  return { spec: object.spec, unknown };
}

describe('pruneAndDefault', () => {
  test('fills in defaults, those inside a default included', () => {
    expect(prepare({})).toEqual({ spec: { mode: 'Observe', limits: { rows: 10 } }, unknown: [] });
  });

  test('fills in the rest of an object that is there', () => {
    expect(prepare({ mode: 'Apply', limits: {}, list: [{}, { port: 1 }] }).spec).toEqual({
      mode: 'Apply',
      limits: { rows: 10 },
      list: [{ port: 5432 }, { port: 1 }],
    });
  });

  test('takes null for absent, except where null is allowed', () => {
    expect(prepare({ mode: null, name: null, limits: { rows: null }, note: null }).spec).toEqual({ mode: 'Observe', limits: { rows: 10 }, note: null });
  });

  test('removes what the schema does not know, and says where it was', () => {
    const { spec, unknown } = prepare({ name: 'a', retain: 1, limits: { row: 3 }, list: [{ port: 1 }, { prot: 2 }], labels: { any: 'thing' } });
    expect(unknown).toEqual(['spec.retain', 'spec.limits.row', 'spec.list[1].prot']);
    expect(spec).toMatchObject({ name: 'a', limits: { rows: 10 }, list: [{ port: 1 }, { port: 5432 }], labels: { any: 'thing' } });
  });

  test('does not take a property of every JavaScript object for a field', () => {
    const { spec, unknown } = prepare(JSON.parse('{"constructor": 1, "toString": 2, "__proto__": {"mode": "Apply"}, "labels": {"__proto__": "x"}}'));
    expect(unknown).toEqual(['spec.constructor', 'spec.toString', 'spec.__proto__']);
    expect((spec as { mode: string }).mode).toBe('Observe');
    expect(Object.entries((spec as { labels: object }).labels)).toEqual([['__proto__', 'x']]);
  });

  test('leaves a value of a wrong type for the validation to refuse', () => {
    expect(prepare({ limits: 3, list: 'a' }).spec).toEqual({ mode: 'Observe', limits: 3, list: 'a' });
    expect(prepare('text').spec).toBe('text');
  });
});

describe('over the kinds of this project', () => {
  const { validator } = loadApi(CRDS);
  const accepted = acceptedObjects();
  const kind = fc.constantFrom(...OWN_KINDS);
  /** Objects close enough to real ones that their inside is looked at. */
  const names = ['stores', 'collections', 'names', 'all', 'purge', 'schedule', 'cron', 'scope', 'plan', 'steps', 'approvals', 'by', 'times', 'field', 'table', 'endpoint', 'release', 'request'];
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 5 }, fc.constantFrom(null, true, 0, -1, 1.5, '', 'a', 'P1D', '2026-01-01'), fc.array(tie('value'), { maxLength: 3 }), tie('record')),
    record: fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 5 }),
  }));
  const object = fc.record({ apiVersion: fc.constant('dataward.io/v1alpha1'), kind: fc.constant('K'), metadata: fc.record({ name: fc.constant('a') }), spec: value, status: value });

  test('prepared twice is prepared once, and the input stays as it was', () => {
    fc.assert(
      fc.property(kind, object, (ref, input) => {
        const before = JSON.stringify(input);
        const once = validator.prepare(ref, input as unknown as KubeObject);
        expect(JSON.stringify(input)).toBe(before);
        const twice = validator.prepare(ref, once.object);
        expect(twice).toEqual({ object: once.object, unknownFields: [] });
      }),
    );
  });

  test('no object, however odd, makes the validation throw, and none is accepted that lacks a spec', () => {
    fc.assert(
      fc.property(kind, object, value, (ref, input, old) => {
        const { object: prepared } = validator.prepare(ref, input as unknown as KubeObject);
        const before = { ...accepted.find((candidate) => candidate.kind === ref.kind), status: old } as unknown as KubeObject;
        const errors = [...validator.validate(ref, prepared), ...validator.validate(ref, prepared, before)];
        expect(errors.length).toBeGreaterThan(0);
        for (const error of errors) expect(error.message).not.toContain('\n');
      }),
      { numRuns: runs(50) },
    );
  });

  test('an accepted object is accepted again as it is stored, and as its own successor', () => {
    for (const example of accepted) {
      const ref = OWN_KINDS.find((candidate) => candidate.kind === example.kind);
      if (ref === undefined) throw new Error(`${example.kind} is no kind of this project`);
      const { object: stored } = validator.prepare(ref, example);
      const again = validator.prepare(ref, JSON.parse(JSON.stringify(stored)) as KubeObject);
      expect(again.object).toEqual(stored);
      expect(validator.validate(ref, again.object, stored)).toEqual([]);
    }
  });
});
