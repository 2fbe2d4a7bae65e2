import { describe, expect, test } from '@jest/globals';
import { compileRules } from '../../../../src/api/validation/cel-rules.ts';
import type { StructuralSchema, ValidationRule } from '../../../../src/api/validation/structural.ts';

const text: StructuralSchema = { type: 'string' };
const number: StructuralSchema = { type: 'integer' };
const day: StructuralSchema = { type: 'string', format: 'date' };
const fields = { name: text, size: number, share: { type: 'number' } as StructuralSchema, from: day, to: day, namespace: text };
const item: StructuralSchema = { type: 'object', required: ['name'], properties: { name: text, size: number } };
const listOf = (type: 'atomic' | 'set' | 'map', items: StructuralSchema, rules: ValidationRule[] = []): StructuralSchema => ({
  type: 'array',
  items,
  'x-kubernetes-list-type': type,
  ...(type === 'map' && { 'x-kubernetes-list-map-keys': ['name'] }),
  'x-kubernetes-validations': rules,
});

/** A root with one field `spec`. */
function rules(spec: StructuralSchema): (value: unknown, old?: unknown) => string[] {
  const check = compileRules({ type: 'object', properties: { spec } });
  return (value, old) => check({ spec: value }, old === undefined ? undefined : { spec: old }).map(({ path, message }) => `${path}: ${message}`);
}
const ruled = (schema: StructuralSchema, ...list: ValidationRule[]): StructuralSchema => ({ ...schema, 'x-kubernetes-validations': list });
const object = (...list: ValidationRule[]): StructuralSchema => ruled({ type: 'object', properties: fields }, ...list);

describe('values', () => {
  const verdicts: [string, string, Record<string, unknown>, boolean][] = [
    ['integers divide as integers', 'self.size / 2 == 2', { size: 5 }, true],
    ['numbers divide as numbers', 'self.share / 2.0 == 2.5', { share: 5 }, true],
    ['days compare as days', 'self.from < self.to', { from: '2025-12-31', to: '2026-01-01' }, true],
    ['days compare as days, the other way', 'self.from < self.to', { from: '2026-01-01', to: '2025-12-31' }, false],
    ['a reserved word is reached by its escaped name', "self.__namespace__ == 'a'", { namespace: 'a' }, true],
    ['an absent field is absent', 'has(self.name)', {}, false],
    ['an empty text is there', 'has(self.name)', { name: '' }, true],
  ];
  test.each(verdicts)('%s', (_, rule, value, holds) => {
    expect(rules(object({ rule, message: 'broken' }))(value)).toEqual(holds ? [] : ['spec: Invalid value: broken']);
  });

  test('an entry of a set is reported with its value', () => {
    const spec = listOf('set', ruled(text, { rule: "self != 'a'", message: 'not a' }));
    expect(rules(spec)(['b', 'a'])).toEqual(['spec[1]: Invalid value: "a": not a']);
  });

  test('the keys of a map may be any words', () => {
    const spec: StructuralSchema = { type: 'object', additionalProperties: ruled(text, { rule: 'size(self) > 1', message: 'too short' }) };
    expect(rules(spec)({ 'a.b/c': 'x', constructor: 'yy' })).toEqual(['spec.a.b/c: Invalid value: "x": too short']);
  });
});

describe('rules about a change', () => {
  const immutable: ValidationRule = { rule: 'self == oldSelf', message: 'fixed' };

  test('do not run on create, nor where there was nothing before', () => {
    const spec: StructuralSchema = { type: 'object', properties: { name: ruled(text, immutable) } };
    expect(rules(spec)({ name: 'a' })).toEqual([]);
    expect(rules(spec)({ name: 'a' }, {})).toEqual([]);
    expect(rules(spec)({ name: 'a' }, { name: 'b' })).toEqual(['spec.name: Invalid value: "a": fixed']);
  });

  test('follow the entry of a list-map by its key, wherever it moved', () => {
    const check = rules(listOf('map', ruled(item, immutable)));
    const old = [{ name: 'a', size: 1 }, { name: 'b', size: 2 }];
    expect(check([{ name: 'b', size: 2 }, { name: 'c', size: 9 }, { name: 'a', size: 1 }], old)).toEqual([]);
    expect(check([{ name: 'b', size: 3 }], old)).toEqual(['spec[0]: Invalid value: fixed']);
  });

  test('do not follow entries of other lists, which have no identity', () => {
    expect(rules(listOf('atomic', ruled(item, immutable)))([{ name: 'a', size: 1 }], [{ name: 'a', size: 2 }])).toEqual([]);
  });

  test('take sets and list-maps for equal in any order, other lists not', () => {
    const values = (type: 'atomic' | 'set' | 'map'): string[] => {
      const items = type === 'map' ? item : text;
      const [one, two] = type === 'map' ? [{ name: 'a' }, { name: 'b' }] : ['a', 'b'];
      return rules(listOf(type, items, [immutable]))([one, two], [two, one]);
    };
    expect(values('set')).toEqual([]);
    expect(values('map')).toEqual([]);
    expect(values('atomic')).toEqual(['spec: Invalid value: fixed']);
  });

  test('with optionalOldSelf run on create too, and can tell the two apart', () => {
    const rule: ValidationRule = { rule: "oldSelf.hasValue() ? oldSelf.value().name == self.name : self.name == 'first'", optionalOldSelf: true, message: 'no' };
    const check = rules(object(rule));
    expect(check({ name: 'first' })).toEqual([]);
    expect(check({ name: 'other' })).toEqual(['spec: Invalid value: no']);
    expect(check({ name: 'b' }, { name: 'b' })).toEqual([]);
    expect(check({ name: 'b' }, { name: 'a' })).toEqual(['spec: Invalid value: no']);
  });
});

describe('what is said', () => {
  test('the path of the field that the rule names, and its reason', () => {
    const check = compileRules({ type: 'object', properties: { spec: object({ rule: 'false', message: 'no', fieldPath: '.size', reason: 'FieldValueForbidden' }) } });
    expect(check({ spec: {} }, undefined)).toEqual([{ path: 'spec.size', message: 'Invalid value: no', type: 'FieldValueForbidden' }]);
  });

  test.each([
    ['the words that were worked out', "'size is ' + string(self.size)", { size: 3 }, 'size is 3'],
    ['the fixed words when nothing could be worked out', "'size is ' + string(self.size)", {}, 'fixed'],
    ['the fixed words instead of a blank', "' '", {}, 'fixed'],
    ['the fixed words instead of two lines', "'a\\nb'", {}, 'fixed'],
  ])('%s', (_, messageExpression, value, words) => {
    expect(rules(object({ rule: 'false', messageExpression, message: 'fixed' }))(value)).toEqual([`spec: Invalid value: ${words}`]);
  });

  test('the rule itself when it has no words', () => {
    expect(rules(object({ rule: 'self.size > 1' }))({ size: 1 })).toEqual(['spec: Invalid value: failed rule: self.size > 1']);
  });

  test('a rule that cannot be evaluated refuses and says why', () => {
    expect(rules(object({ rule: 'self.size > 1', message: 'no' }))({})).toEqual(['spec: Invalid value: No such key: size evaluating rule: self.size > 1']);
  });
});

describe('refused when loaded', () => {
  test.each([
    ['a field the schema does not have', 'self.sise > 1'],
    ['a field the schema does not have, inside has', 'has(self.sise) || true'],
    ['a field an entry does not have', "[self].all(x, x.sise > 1)"],
    ['a comparison of text with a number', "self.name == 1"],
    ['a function of Kubernetes that the library lacks', "isURL(self.name)"],
    ['a variable that is not there', 'other == 1'],
    ['a rule that is no verdict', 'self.size'],
    ['no rule', ''],
    ['an optional old value where none was asked for', 'oldSelf.hasValue()'],
    ['a parenthesis that is never closed', '(self.size > 1'],
  ])('%s', (_, rule) => {
    expect(() => rules(object({ rule, message: 'no' }))).toThrow('x-kubernetes-validations at spec cannot be run');
  });

  test('words that are no text', () => {
    expect(() => rules(object({ rule: 'true', messageExpression: 'self.size' }))).toThrow('cannot be run');
  });
});
