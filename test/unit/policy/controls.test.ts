import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Engine } from '../../../src/policy/engine.ts';
import { createEngine } from '../../../src/policy/engine.ts';
import { bundleDir, healthyInput, readExamples, said } from './examples.ts';

/** Every example through the compiled policies, because that is what ships. */

const examples = readExamples();
let engine: Engine;

beforeAll(async () => {
  engine = await createEngine({ bundleDir });
});
afterAll(() => engine.close());

describe.each([...new Set(examples.map((example) => example.control))])('%s', (control) => {
  const own = examples.filter((example) => example.control === control);

  test.each(own.map((example) => [example.name, example] as const))('%s', async (_, example) => {
    const [result] = await engine.evaluate(example.input, [control]);
    expect(result && said(result)).toEqual(example.want);
    for (const finding of result?.findings ?? []) expect(finding.message).not.toMatch(/unknown$|[{}]/);
  });

  test('has an example for each of its own reason codes', () => {
    const shown = new Set(own.flatMap((example) => example.want.map((line) => line.split(' ')[1])));
    const shared = ['FACT_MISSING', 'FACT_STALE', 'INPUT_MISSING', 'UNDECIDED'];
    const codes = Object.keys(engine.catalogue.controls.find(({ id }) => id === control)?.reasonCodes ?? {});
    expect(codes.filter((code) => !shared.includes(code) && !shown.has(code))).toEqual([]);
  });
});

test('a healthy store passes every control', async () => {
  const results = await engine.evaluate(healthyInput());
  expect(results.map(({ control, outcome }) => `${control} ${outcome}`)).toEqual(engine.catalogue.controls.map(({ id }) => `${id} Pass`));
});

test('a store of which nothing is known passes nothing', async () => {
  const { now, store, params } = healthyInput();
  const results = await engine.evaluate({ now, store, facts: {}, params });
  expect(new Set(results.map((result) => result.outcome))).toEqual(new Set(['Unknown']));
});
