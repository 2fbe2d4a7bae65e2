import { describe, expect, test } from '@jest/globals';
import { canonicalJson, digestOf } from '../../../src/stores/canonical.ts';
import { fc } from '../../support/properties.ts';

const shuffled = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shuffled);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).toReversed().map(([key, member]) => [key, shuffled(member)]));
};

describe('canonical JSON', () => {
  test.each<[string, unknown, string]>([
    ['sorts keys by code unit, at every depth', { b: 1, a: { d: 1, c: [{ f: 1, e: 2 }] }, B: 0 }, '{"B":0,"a":{"c":[{"e":2,"f":1}],"d":1},"b":1}'],
    ['keeps the order of lists', [3, 1, 2], '[3,1,2]'],
    ['leaves out what is undefined', { a: undefined, b: null }, '{"b":null}'],
    ['keeps a key called __proto__', JSON.parse('{"__proto__":1,"a":2}'), '{"__proto__":1,"a":2}'],
  ])('%s', (_name, value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  test('does not depend on the order in which keys were set, and loses nothing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(shuffled(value))).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test('has the digest that other tools compute', () => {
    expect(digestOf({})).toBe('sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
  });
});
