import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Engine } from '../../../src/policy/engine.ts';
import { createEngine } from '../../../src/policy/engine.ts';
import { answerHolds } from '../../../src/policy/horizon.ts';
import type { PolicyInput } from '../../../src/policy/input.ts';
import { bundleDir, readExamples, remove } from './examples.ts';
import { fc, runs } from '../../support/properties.ts';

/** What holds of all controls together, tried on their own examples. */

const examples = readExamples();
let engine: Engine;

beforeAll(async () => {
  engine = await createEngine({ bundleDir });
});
afterAll(() => engine.close());

test('the order of lists does not change an answer', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...examples), fc.integer(), async ({ input }, seed) => {
      expect(await engine.evaluate(shuffled(input, seed))).toEqual(await engine.evaluate(input));
    }),
    { numRuns: runs(100) },
  );
});

test('taking a fact away never makes a control pass or drop out', async () => {
  const good = new Set(['Pass', 'NotApplicable']);
  for (const example of examples) {
    const [before] = await engine.evaluate(example.input, [example.control]);
    if (before === undefined || good.has(before.outcome)) continue;
    for (const path of fieldsOf(example.input)) {
      const input = structuredClone(example.input);
      remove(input, path);
      const [after] = await engine.evaluate(input, [example.control]);
      if (after !== undefined && good.has(after.outcome)) throw new Error(`${example.control} "${example.name}": ${after.outcome} without ${path.join('/')}`);
    }
  }
});

test('an answer holds until the second that was computed for it', async () => {
  const outcomes = async (input: PolicyInput, now: number): Promise<unknown> => (await engine.evaluate({ ...input, now })).map(({ control, findings }) => [control, findings]);
  for (const { input } of examples.filter((_, index) => index % 4 === 0)) {
    let now = input.now - 200_000;
    for (let step = 0; step < 40; step += 1) {
      const until = answerHolds({ ...input, now });
      if (until === Infinity) break;
      expect(until).toBeGreaterThan(now);
      if (until - 1 > now) expect(await outcomes(input, until - 1)).toEqual(await outcomes(input, now));
      now = until;
    }
  }
});

function shuffled<T>(value: T, seed: number): T {
  if (Array.isArray(value)) {
    const keyed = value.map((item: unknown, index) => ({ item: shuffled(item, seed), key: Math.imul(index + 1, seed | 1) % 1009 }));
    return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item) as T;
  }
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shuffled(item, seed)])) as T;
  return value;
}

/** Paths to every optional field of an input. */
function fieldsOf(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => {
    const own = [...path, name];
    return [...(Array.isArray(value) ? [] : [own]), ...fieldsOf(item, own)];
  });
}
