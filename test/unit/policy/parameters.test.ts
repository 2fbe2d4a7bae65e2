import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { Catalogue } from '../../../src/policy/catalogue.ts';
import { createInputCheck } from '../../../src/policy/check.ts';
import { durationSeconds, resolveParameters } from '../../../src/policy/parameters.ts';
import { healthyInput } from './examples.ts';

const catalogue = JSON.parse(readFileSync('policies/bundle/catalogue.json', 'utf8')) as Catalogue;

describe('a duration of fixed length', () => {
  test.each([
    ['P21D', 1_814_400],
    ['P2W', 1_209_600],
    ['PT36H', 129_600],
    ['P1DT12H', 129_600],
  ])('%s is %d seconds', (text, seconds) => expect(durationSeconds(text)).toBe(seconds));

  test.each(['', 'P', 'PT', 'P0D', 'PT0H', 'P1M', 'P1Y', 'P1YT1H', 'PT5M', 'PT5S', '-P1D', 'P-1D', 'P1.5D', 'p1d', ' P1D', 'P1D\n', 'P1W1D', 'P1DT', 'P99999W', '86400'])(
    '%j is none',
    (text) => expect(durationSeconds(text)).toBeUndefined(),
  );
});

describe('parameters', () => {
  test('are the defaults, which are those of the healthy example', () => {
    expect(resolveParameters(catalogue, {})).toMatchObject({ params: healthyInput().params, problems: [] });
  });

  test('are changed by an override that fits', () => {
    const { params, problems } = resolveParameters(catalogue, { minTLSVersion: '1.3', certExpiryWindow: 'P30D', minRSABits: '3072', minECBits: 384 });
    expect(params).toEqual({ ...healthyInput().params, minTLSVersion: '1.3', certExpiryWindow: 2_592_000, minRSABits: 3072, minECBits: 384 });
    expect(problems).toEqual([]);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['an old TLS version', { minTLSVersion: '1.0' }, 'parameters.minTLSVersion: write one of 1.2, 1.3; 1.2 is used until then'],
    ['a month', { purgeGrace: 'P1M' }, 'parameters.purgeGrace: write a duration of weeks, days or hours, such as P21D, P2W or PT36H; a month has no fixed length; P1D is used until then'],
    ['a number of seconds', { purgeGrace: 86_400 }, 'parameters.purgeGrace: write a duration of weeks, days or hours, such as P21D, P2W or PT36H; a month has no fixed length; P1D is used until then'],
    ['a short key', { minRSABits: 1024 }, 'parameters.minRSABits: write a whole number from 2048 to 16384; 2048 is used until then'],
    ['text that only begins as a number', { minRSABits: '3072 bits' }, 'parameters.minRSABits: write a whole number from 2048 to 16384; 2048 is used until then'],
    ['null', { minRSABits: null }, 'parameters.minRSABits: write a whole number from 2048 to 16384; 2048 is used until then'],
  ])('stay at their default beside %s', (_, overrides, message) => {
    const { params, problems } = resolveParameters(catalogue, overrides);
    expect(params).toEqual(healthyInput().params);
    expect(problems.map((problem) => problem.message)).toEqual([message]);
  });

  test('that no control has are named', () => {
    const { problems } = resolveParameters(catalogue, { minTlsVersion: '1.3' });
    expect(problems).toMatchObject([{ parameter: 'minTlsVersion', message: expect.stringContaining('no control has this parameter') }]);
  });

  test('always make an input that the engine takes', () => {
    const check = createInputCheck(catalogue.inputSchema, 1_000_000);
    const extremes = Object.entries(catalogue.parameters).map(([name, { schema }]) => [name, schema['maximum'] ?? (schema['enum'] as string[] | undefined)?.at(-1) ?? 'P9999D']);
    const { params, problems } = resolveParameters(catalogue, Object.fromEntries(extremes) as Record<string, unknown>);
    expect(problems).toEqual([]);
    expect(check({ ...healthyInput(), params })).toHaveProperty('text');
  });
});
