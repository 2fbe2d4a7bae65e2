import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleFiles, digestFile, sha256 } from '../../../src/policy/bundle.ts';
import type { Catalogue } from '../../../src/policy/catalogue.ts';
import type { TinyModule } from './tinyWasm.ts';
import { tinyWasm } from './tinyWasm.ts';

/** What a control of a tiny bundle answers when it is well. */
export const passing = answer({ outcome: 'Pass', subject: { namespace: 'platform-db', store: 'analytics' }, code: 'FINE', args: {} });

export function answer(...facts: unknown[]): string {
  return JSON.stringify([{ result: facts }]);
}

/** Writes a bundle around a hand-made module into a new folder; control ids are the names of its entrypoints. */
export async function writeTinyBundle(module: TinyModule, change: Partial<Catalogue> = {}): Promise<string> {
  const catalogue: Catalogue = {
    opa: 'none',
    controls: Object.keys(module.entrypoints).map((id) => ({
      id,
      entrypoint: id,
      title: id,
      description: id,
      severity: 'low',
      facts: [],
      parameters: [],
      reasonCodes: { FINE: { outcome: 'Pass', message: 'fine' }, BAD: { outcome: 'Fail', message: 'bad: {why}' } },
      refs: {},
      remediation: 'none',
    })),
    parameters: {},
    frameworks: [],
    inputSchema: { type: 'object' },
    ...change,
  };
  const dir = await mkdtemp(join(tmpdir(), 'dataward-bundle-'));
  const files = { 'catalogue.json': JSON.stringify(catalogue), 'data.json': '{}', 'policy.wasm': tinyWasm(module) };
  for (const name of bundleFiles) await writeFile(join(dir, name), files[name]);
  await writeFile(join(dir, digestFile), bundleFiles.map((name) => `${sha256(files[name])}  ${name}\n`).join(''));
  return dir;
}
