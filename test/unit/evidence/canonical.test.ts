import { describe, expect, test } from '@jest/globals';
import { canonicalDigest, canonicalJson, CanonicalJsonError, isCanonicalText } from '../../../src/evidence/canonical.ts';
import { fc } from '../../support/properties.ts';

const json = () => fc.jsonValue({ maxDepth: 5 });

describe('canonicalJson', () => {
  test('writes the example of RFC 8785 section 3.2.2 as the RFC does', () => {
    const value = {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test('sorts keys by UTF-16 code units as RFC 8785 section 3.2.3 does', () => {
    const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 };
    expect(Object.values(JSON.parse(canonicalJson(value).replaceAll('"1"', '"x1"')) as object)).toEqual([2, 4, 6, 7, 1, 5, 3]);
  });

  test('reading the text back gives the value', () => {
    fc.assert(fc.property(json(), (value) => expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))));
  });

  test('the order in which an object was built does not matter', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), json()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(reversed)).toBe(canonicalJson(value));
        expect(canonicalDigest(reversed)).toBe(canonicalDigest(value));
      }),
    );
  });

  test.each<[string, unknown, string]>([
    ['undefined', undefined, '$ is of type undefined'],
    ['an undefined property', { a: { b: undefined } }, '$.a.b is of type undefined'],
    ['NaN', [1, NaN], '$[1] is NaN'],
    ['infinity', { rate: -Infinity }, '$.rate is -Infinity'],
    ['a bigint', { n: 1n }, '$.n is of type bigint'],
    ['a function', () => 1, '$ is of type function'],
    ['a lone high surrogate', ['\ud800'], '$[0] holds half of a surrogate pair'],
    ['a lone low surrogate in a key', { '\udc00': 1 }, '$ has a key that holds half of a surrogate pair'],
    ['a date', { at: new Date(0) }, '$.at is not a plain object'],
    ['a map', new Map(), '$ is not a plain object'],
    ['a hole in a list', Object.assign(Array(2), { 0: 1 }), '$[1] is of type undefined'],
    ['65 levels', nested(65), 'nested deeper than 64 levels'],
  ])('refuses %s and says where', (_name, value, message) => {
    expect(() => canonicalJson(value)).toThrow(CanonicalJsonError);
    expect(() => canonicalJson(value)).toThrow(message);
  });

  test('never quotes a value it refuses', () => {
    expect(() => canonicalJson({ email: 'jane@example.com\ud800' })).not.toThrow(/jane/);
  });
});

describe('isCanonicalText', () => {
  test('is true of exactly the canonical text', () => {
    fc.assert(
      fc.property(json(), fc.boolean(), (value, pretty) => {
        const text = pretty ? JSON.stringify(value, null, 1) : JSON.stringify(value);
        expect(isCanonicalText(text, JSON.parse(text))).toBe(text === canonicalJson(JSON.parse(text)));
        expect(isCanonicalText(canonicalJson(value), JSON.parse(canonicalJson(value)))).toBe(true);
      }),
    );
  });

  test.each([
    ['a doubled key', '{"a":1,"a":1}'],
    ['white space', '{"a": 1}'],
    ['keys out of order', '{"b":1,"a":2}'],
    ['keys out of order further down', '[{"x":{"b":1,"a":2}}]'],
    ['another spelling of a number', '{"a":1.0}'],
    ['minus zero', '[-0]'],
    ['another spelling of a letter', '["\\u0041"]'],
    ['an escaped lone surrogate', '["\\ud800"]'],
    ['an escaped slash', '["\\/"]'],
  ])('is false for %s', (_name, text) => {
    expect(isCanonicalText(text, JSON.parse(text))).toBe(false);
  });

  test('is true for keys that look like numbers, which the engine keeps in an order of its own', () => {
    expect(isCanonicalText('{"1":0,"10":0,"2":0}', { 1: 0, 10: 0, 2: 0 })).toBe(true);
  });
});

function nested(levels: number): unknown {
  return levels === 0 ? 0 : [nested(levels - 1)];
}
