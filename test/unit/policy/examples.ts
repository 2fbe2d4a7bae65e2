import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { PolicyInput } from '../../../src/policy/input.ts';
import type { ControlResult } from '../../../src/policy/result.ts';

/** The examples beside the controls, as the Rego tests read them. */

export const bundleDir = 'policies/bundle';

export interface Example {
  control: string;
  name: string;
  input: PolicyInput;
  want: string[];
}

interface ExampleFile {
  examples: Record<string, { set?: unknown; without?: string[]; want: string[] }>;
}

/** The store that passes every control; a fresh copy each time. */
export function healthyInput(): PolicyInput {
  return (parse(readFileSync('policies/examples.yaml', 'utf8')) as { base: PolicyInput }).base;
}

export function readExamples(): Example[] {
  return readdirSync('policies/controls', { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('examples.yaml'))
    .sort()
    .flatMap((path) => {
      const control = path.split('/').at(-2)?.toUpperCase().replace('_', '-') ?? '';
      const { examples } = parse(readFileSync(join('policies/controls', path), 'utf8')) as ExampleFile;
      return Object.entries(examples).map(([name, { set = {}, without = [], want }]) => {
        const input = merge(healthyInput(), set) as PolicyInput;
        for (const pointer of without) remove(input, pointer.split('/'));
        return { control, name, input, want: [...want].sort() };
      });
    });
}

/** What a result says, in the short form of the examples, sorted. */
export function said(result: ControlResult): string[] {
  return result.findings.map(({ outcome, code, subject }) => [outcome, code, ...(subject.collection === undefined ? [] : [subject.collection])].join(' ')).sort();
}

export function merge(base: unknown, change: unknown): unknown {
  if (!isRecord(base) || !isRecord(change)) return change;
  const merged = { ...base };
  for (const [name, value] of Object.entries(change)) merged[name] = merge(base[name], value);
  return merged;
}

/** Takes the value at a path away; the path must be there. */
export function remove(value: unknown, path: readonly string[]): void {
  const [first, ...rest] = path;
  if (typeof value !== 'object' || value === null || first === undefined || !(first in value)) throw new Error(`no ${path.join('/')} to take away`);
  const fields = value as Record<string, unknown>;
  if (rest.length > 0) remove(fields[first], rest);
  else delete fields[first];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
