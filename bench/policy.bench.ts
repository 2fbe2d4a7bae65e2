import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { findOpa, runOpa } from '../scripts/opa.ts';
import { createEngine } from '../src/policy/engine.ts';
import type { Engine } from '../src/policy/engine.ts';
import type { PolicyInput } from '../src/policy/input.ts';

/**
 * What judging a store costs, by its number of collections, and whether the compiled policies say what native opa says.
 * Compared are all controls on one input, JSON in and facts out, thread and contract included on our side; natively,
 * opa's own benchmark of the same rules, which leaves JSON out.
 *
 *     npx tsx bench/policy.bench.ts [mutations]
 *
 * Prints a table. Run from the root of the repository.
 */

const MUTATIONS = Number(process.argv[2] ?? 500);
const SIZES = [5, 50, 500] as const;
/** Warm before measuring: the first evaluations run code that is not optimised yet. */
const WARM = 50;
const ROUNDS = { 5: 1000, 50: 500, 500: 100 } as const;
const everything = '{c | some g, i; c := {i: f | f := data.dataward.controls[g][i].facts}}';

function storeWith(base: PolicyInput, collections: number): PolicyInput {
  const names = Array.from({ length: collections }, (_, index) => `shop/web/collection-${index}`);
  const [collection] = base.collections ?? [];
  const [count] = base.facts.retention?.collections ?? [];
  if (!collection || !count || !base.facts.retention) throw new Error('policies/examples.yaml: the base has no collection');
  return {
    ...base,
    facts: { ...base.facts, retention: { ...base.facts.retention, collections: names.map((name) => ({ ...count, name })) } },
    collections: names.map((name) => ({ ...collection, name })),
  };
}

async function measure(engine: Engine, input: PolicyInput, rounds: number): Promise<{ p50: number; p99: number }> {
  for (let i = 0; i < WARM; i++) await engine.evaluate(input);
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    await engine.evaluate(input);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { p50: times[Math.floor(rounds / 2)]!, p99: times[Math.floor(rounds * 0.99)]! };
}

/** Milliseconds per evaluation by `opa bench`, of the same controls on the same input. */
async function measureNative(opa: string, input: PolicyInput, dir: string): Promise<number> {
  const path = join(dir, 'input.json');
  await writeFile(path, JSON.stringify(input));
  const printed = await runOpa(opa, ['bench', '--format', 'json', '--data', 'policies/lib', '--data', 'policies/controls', '--data', 'policies/data.json', '--ignore', '*_test.rego', '--ignore', '*.yaml', '--input', path, everything]);
  const { N, T } = JSON.parse(printed) as { N: number; T: number };
  return T / N / 1e6;
}

/** Inputs with fields taken away, numbers moved and booleans turned; always the same ones. */
function mutations(base: PolicyInput, count: number): PolicyInput[] {
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const fixed = new Set(['name', 'namespace', 'engine', 'policy', 'now', 'params', 'store', 'observedAt', 'validUntil', 'mode', 'state', 'suspended', 'categories']);
  const change = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const fields = value as Record<string, unknown>;
    for (const [name, item] of Object.entries(fields)) {
      const dice = random(24);
      if (fixed.has(name) && !(name === 'validUntil' && dice === 0)) continue;
      if (dice === 0 && !Array.isArray(value) && name !== 'facts' && name !== 'validUntil') delete fields[name];
      else if (dice <= 2 && typeof item === 'boolean') fields[name] = !item;
      else if (dice <= 2 && typeof item === 'number') fields[name] = Math.max(1, item + [-1e7, -86_400, 1, 86_400, 1e7][random(5)]!);
      else change(item);
    }
  };
  return Array.from({ length: count }, () => {
    const input = structuredClone(base);
    change(input);
    return input;
  });
}

/** Facts of both engines for each input, as sorted JSON; returns how many inputs differ. */
async function differences(opa: string, engine: Engine, inputs: readonly PolicyInput[], dir: string): Promise<{ valid: number; different: number; facts: number }> {
  const path = join(dir, 'inputs.json');
  const valid: { input: PolicyInput; ours: string[] }[] = [];
  for (const input of inputs) {
    const results = await engine.evaluate(input);
    const facts = results.flatMap(({ control, findings }) => findings.map(({ outcome, code, subject, args }) => canonical([control, outcome, code, subject, args])));
    if (results.every(({ outcome }) => outcome !== 'Error')) valid.push({ input, ours: facts.sort() });
  }
  await writeFile(path, JSON.stringify({ inputs: valid.map(({ input }) => input) }));
  const query = '[r | some i in data.inputs; r := {c: f | some g; f := data.dataward.controls[g][c].facts with input as i}]';
  const printed = await runOpa(opa, ['eval', '--format', 'json', '--data', 'policies/lib', '--data', 'policies/controls', '--data', 'policies/data.json', '--data', path, '--ignore', '*_test.rego', '--ignore', '*.yaml', query]);
  const native = (JSON.parse(printed) as { result: { expressions: { value: Record<string, Fact[]>[] }[] }[] }).result[0]?.expressions[0]?.value ?? [];
  if (native.length !== valid.length) throw new Error(`opa answered for ${native.length} of ${valid.length} inputs`);
  let different = 0;
  for (const [index, { ours }] of valid.entries()) {
    const theirs = Object.entries(native[index] ?? {}).flatMap(([id, facts]) => facts.map(({ outcome, code, subject, args }) => canonical([id.toUpperCase().replace('_', '-'), outcome, code, subject, args])));
    if (JSON.stringify(theirs.sort()) !== JSON.stringify(ours)) different += 1;
  }
  return { valid: valid.length, different, facts: valid.reduce((sum, { ours }) => sum + ours.length, 0) };
}

interface Fact {
  outcome: string;
  code: string;
  subject: Record<string, unknown>;
  args: Record<string, unknown>;
}

/** JSON with sorted keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'object' && item !== null && !Array.isArray(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item));
}

const { base } = parse(await readFile('policies/examples.yaml', 'utf8')) as { base: PolicyInput };
const opa = await findOpa();
const start = performance.now();
const engine = await createEngine({ bundleDir: 'policies/bundle' });
console.log(`start: ${(performance.now() - start).toFixed(0)} ms (from sources; the thread loads its compiler)`);
const dir = await mkdtemp(join(tmpdir(), 'dataward-bench-'));
try {
  for (const size of SIZES) {
    const input = storeWith(base, size);
    const { p50, p99 } = await measure(engine, input, ROUNDS[size]);
    const native = opa === undefined ? '' : `, native opa without JSON ${(await measureNative(opa, input, dir)).toFixed(2)} ms`;
    console.log(`${size} collections, ${(JSON.stringify(input).length / 1024).toFixed(0)} KB: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms${native}`);
  }
  if (opa !== undefined) {
    const { valid, different, facts } = await differences(opa, engine, mutations(base, MUTATIONS), dir);
    console.log(`${valid} mutated inputs, ${facts} facts: ${different} inputs on which compiled and native policies differ`);
    if (different > 0) process.exitCode = 1;
  }
} finally {
  await engine.close();
  await rm(dir, { recursive: true });
}
