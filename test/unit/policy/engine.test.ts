import { appendFile, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Engine, EngineOptions } from '../../../src/policy/engine.ts';
import { createEngine } from '../../../src/policy/engine.ts';
import type { PolicyInput } from '../../../src/policy/input.ts';
import type { ControlResult } from '../../../src/policy/result.ts';
import { bundleDir, healthyInput, merge } from './examples.ts';
import { passing, writeTinyBundle } from './tinyBundle.ts';
import { loops, traps } from './tinyWasm.ts';

const folders: string[] = [];
const engines: Engine[] = [];

async function start(options: EngineOptions): Promise<Engine> {
  const engine = await createEngine(options);
  engines.push(engine);
  return engine;
}

async function tiny(...bundle: Parameters<typeof writeTinyBundle>): Promise<string> {
  const dir = await writeTinyBundle(...bundle);
  folders.push(dir);
  return dir;
}

async function copyOfBundle(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'dataward-bundle-'));
  folders.push(dir);
  await cp(bundleDir, dir, { recursive: true });
  return dir;
}

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()));
  await Promise.all(folders.splice(0).map((dir) => rm(dir, { recursive: true })));
});

function codes(results: readonly ControlResult[]): string[] {
  return results.map(({ control, outcome, findings }) => `${control} ${outcome} ${findings.map((finding) => finding.code).join()}`);
}

describe('a bundle is refused', () => {
  test.each(['policy.wasm', 'data.json', 'catalogue.json'])('when %s was changed', async (name) => {
    const dir = await copyOfBundle();
    await appendFile(join(dir, name), ' ');
    await expect(createEngine({ bundleDir: dir })).rejects.toThrow(`${name} does not have the digest in SHA256SUMS`);
  });

  test('when a file has no digest', async () => {
    const dir = await copyOfBundle();
    await writeFile(join(dir, 'SHA256SUMS'), '');
    await expect(createEngine({ bundleDir: dir })).rejects.toThrow('does not have the digest');
  });

  test('when it needs a host builtin', async () => {
    const dir = await tiny({ entrypoints: { a: passing }, builtins: '{"http.send":0}' });
    await expect(createEngine({ bundleDir: dir })).rejects.toThrow('needs host builtins (http.send)');
  });

  test('when its ABI is older than 1.2', async () => {
    const dir = await tiny({ entrypoints: { a: passing }, minorVersion: 1 });
    await expect(createEngine({ bundleDir: dir })).rejects.toThrow('ABI 1.1 is not supported');
  });

  test('when module and catalogue have different controls', async () => {
    const dir = await tiny({ entrypoints: { a: passing } }, { controls: [] });
    await expect(createEngine({ bundleDir: dir })).rejects.toThrow('not those of catalogue.json');
  });
});

describe('an odd input', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ bundleDir, maxInputBytes: 20_000 });
  });
  afterAll(() => engine.close());

  const collection = { name: 'c', categories: [] };
  const cyclic: Record<string, unknown> = {};
  cyclic['now'] = cyclic;
  const cases: [string, unknown, string][] = [
    ['undefined', undefined, 'INPUT_INVALID'],
    ['null', null, 'INPUT_INVALID'],
    ['a string of JSON', JSON.stringify(healthyInput()), 'INPUT_INVALID'],
    ['bytes of JSON', new TextEncoder().encode('{"now":1}'), 'INPUT_INVALID'],
    ['an empty object', {}, 'INPUT_INVALID'],
    ['a cycle', cyclic, 'INPUT_INVALID'],
    ['a BigInt', merge(healthyInput(), { now: 1n }), 'INPUT_INVALID'],
    ['a time as text', merge(healthyInput(), { now: '2026-01-01T00:00:00Z' }), 'INPUT_INVALID'],
    ['a time that is NaN', merge(healthyInput(), { now: NaN }), 'INPUT_INVALID'],
    ['a fraction of a second', merge(healthyInput(), { now: 1.5 }), 'INPUT_INVALID'],
    ['a field nobody knows', merge(healthyInput(), { facts: { transprot: {} } }), 'INPUT_INVALID'],
    ['null for a fact', merge(healthyInput(), { facts: { transport: { pooler: null } } }), 'INPUT_INVALID'],
    ['a missing parameter', { ...healthyInput(), params: {} }, 'INPUT_INVALID'],
    ['a lone surrogate', merge(healthyInput(), { collections: [{ name: '\ud800', categories: [] }] }), 'INPUT_INVALID'],
    ['an object that turns into something else', merge(healthyInput(), { store: { toJSON: () => 1 } }), 'INPUT_INVALID'],
    ['too many bytes', { ...healthyInput(), collections: Array.from({ length: 1000 }, () => collection) }, 'INPUT_TOO_LARGE'],
  ];

  test.each(cases)('%s is an error of every control', async (_, input, code) => {
    const results = await engine.evaluate(input as PolicyInput);
    expect(results).toHaveLength(engine.catalogue.controls.length);
    for (const result of results) expect(result).toMatchObject({ outcome: 'Error', findings: [{ outcome: 'Error', code }] });
  });

  test('is refused without repeating any of its values', async () => {
    const [result] = await engine.evaluate(merge(healthyInput(), { now: 'jane@example.com' }) as PolicyInput, ['HOLD-01']);
    expect(result?.findings[0]?.message).toBe('the facts handed to the policy engine do not fit its schema: /now must be integer');
  });

  test('leaves the next one unharmed', async () => {
    await engine.evaluate(null as unknown as PolicyInput);
    expect((await engine.evaluate(healthyInput())).map(({ outcome }) => outcome)).not.toContain('Error');
  });

  test('text that only looks like a surrogate escape is no surrogate', async () => {
    const results = await engine.evaluate(merge(healthyInput(), { store: { name: 'a\\ud800' } }) as PolicyInput, ['HOLD-02']);
    expect(results[0]?.outcome).toBe('Pass');
  });
});

describe('a control that misbehaves', () => {
  test('loops: it is stopped at its deadline, and those around it answer', async () => {
    const engine = await start({ bundleDir: await tiny({ entrypoints: { a: passing, b: loops, c: passing } }), timeoutMs: 400 });
    expect(codes(await engine.evaluate(healthyInput()))).toEqual(['a Pass FINE', 'b Error TIMEOUT', 'c Pass FINE']);
    expect(codes(await engine.evaluate(healthyInput(), ['a']))).toEqual(['a Pass FINE']);
  });

  test('loops: this thread goes on meanwhile', async () => {
    const engine = await start({ bundleDir: await tiny({ entrypoints: { a: loops } }), timeoutMs: 200 });
    let ticks = 0;
    const ticking = setInterval(() => (ticks += 1), 10);
    await engine.evaluate(healthyInput());
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(5);
  });

  test('loops: after three lost threads the rest is not tried', async () => {
    const engine = await start({ bundleDir: await tiny({ entrypoints: { a: loops, b: loops, c: loops, d: passing } }), timeoutMs: 50 });
    const results = await engine.evaluate(healthyInput());
    expect(codes(results)).toEqual(['a Error TIMEOUT', 'b Error TIMEOUT', 'c Error TIMEOUT', 'd Error TIMEOUT']);
    expect(results[3]?.findings[0]?.message).toContain('not tried');
  });

  test('traps: it costs itself alone, again and again', async () => {
    const engine = await start({ bundleDir: await tiny({ entrypoints: { a: passing, b: traps, c: passing } }) });
    for (let round = 0; round < 30; round += 1) {
      expect(codes(await engine.evaluate(healthyInput()))).toEqual(['a Pass FINE', 'b Error THREW', 'c Pass FINE']);
    }
  });

  test('answers after this thread was busy beyond the deadline: it is not blamed', async () => {
    const engine = await start({ bundleDir: await tiny({ entrypoints: { a: passing } }), timeoutMs: 100 });
    const evaluated = engine.evaluate(healthyInput());
    // Let the request out, then keep this thread from seeing the answer.
    await new Promise((resolve) => setImmediate(resolve));
    const until = Date.now() + 500;
    while (Date.now() < until);
    expect(codes(await evaluated)).toEqual(['a Pass FINE']);
  });
});

test('memory is bounded: an input that needs more is an error, and the next one is answered', async () => {
  const engine = await start({ bundleDir, pages: 40 });
  const many = Array.from({ length: 4000 }, (_, index) => ({ name: `c${index}`, categories: ['user'], hasMaximum: true }));
  const outcomes = new Set((await engine.evaluate({ ...healthyInput(), collections: many })).map(({ outcome }) => outcome));
  expect(outcomes).toEqual(new Set(['Error']));
  expect(new Set((await engine.evaluate(healthyInput())).map(({ outcome }) => outcome))).toEqual(new Set(['Pass']));
});

test('evaluations that run at the same time do not mix', async () => {
  const engine = await start({ bundleDir });
  const names = Array.from({ length: 20 }, (_, index) => `store-${index}`);
  const results = await Promise.all(names.map((name) => engine.evaluate(merge(healthyInput(), { store: { name } }) as PolicyInput)));
  expect(results.map((result) => [...new Set(result.map(({ store, outcome }) => `${store.name} ${outcome}`))])).toEqual(names.map((name) => [`${name} Pass`]));
});

test('a closed engine answers with errors and does not hang', async () => {
  const engine = await start({ bundleDir: await tiny({ entrypoints: { a: loops, b: passing } }), timeoutMs: 60_000 });
  const running = engine.evaluate(healthyInput());
  await new Promise((resolve) => setImmediate(resolve));
  await engine.close();
  expect(codes(await running)).toEqual(['a Error CLOSED', 'b Error CLOSED']);
  expect(codes(await engine.evaluate(healthyInput()))).toEqual(['a Error CLOSED', 'b Error CLOSED']);
});

test('a control that is not in the catalogue is refused by name', async () => {
  const engine = await start({ bundleDir });
  await expect(engine.evaluate(healthyInput(), ['TRANSIT-01', 'TRANSIT-99'])).rejects.toThrow('control TRANSIT-99: not in this policy bundle');
});

test('the digest names the bundle', async () => {
  const engine = await start({ bundleDir });
  expect(engine.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
});
