import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compile } from 'json-schema-to-typescript';
import { parse } from 'yaml';
import { bundleFiles, digestFile, sha256 } from '../src/policy/bundle.ts';
import type { Framework } from '../src/policy/catalogue.ts';
import type { Annotation } from './catalogue.ts';
import { buildCatalogue, entrypointsOf } from './catalogue.ts';
import { cacheDir, findOpa, opaVersion, runOpa } from './opa.ts';

/**
 * Builds policies/bundle and src/policy/input.ts from policies/.
 *
 *     npm run policies               build
 *     npm run policies -- --check    build elsewhere and compare bytes
 *     npm run policies -- --test     format, types, tests, full coverage
 *
 * Run from the root of the repository: the paths on opa's command line are part of the compiled bytes.
 */

const root = 'policies';
const inputTypes = 'src/policy/input.ts';
// In a bundle only *.rego and data.json count; these would be taken for data, or would ship tests.
const leaveOut = ['--ignore', 'bundle', '--ignore', '*_test.rego'];
const testIgnore = ['bundle', 'schemas', 'frameworks', 'capabilities.json'].flatMap((name) => ['--ignore', name]);

export interface Outputs {
  bundle: Record<(typeof bundleFiles)[number] | typeof digestFile, Uint8Array | string>;
  inputTypes: string;
}

export async function build(opa: string): Promise<Outputs> {
  const inspected = JSON.parse(await runOpa(opa, ['inspect', '-a', '-f', 'json', root])) as { annotations: Annotation[] };
  const inputSchema = JSON.parse(await readFile(join(root, 'schemas/input.json'), 'utf8')) as Record<string, unknown>;
  const frameworks = await Promise.all(['gdpr', 'statement'].map(async (id) => parse(await readFile(join(root, `frameworks/${id}.yaml`), 'utf8')) as Framework));
  const catalogue = buildCatalogue({ opa: opaVersion, annotations: inspected.annotations, frameworks, inputSchema });

  await mkdir(cacheDir(), { recursive: true });
  const scratch = await mkdtemp(join(cacheDir(), 'policies-'));
  try {
    const archive = join(scratch, 'bundle.tar.gz');
    const entrypoints = entrypointsOf(inspected.annotations).flatMap((entrypoint) => ['-e', entrypoint]);
    await runOpa(opa, ['build', '-t', 'wasm', '-b', '--capabilities', `${root}/capabilities.json`, ...leaveOut, ...entrypoints, '-o', archive, root]);
    const files = {
      'catalogue.json': `${JSON.stringify(catalogue, undefined, 1)}\n`,
      'data.json': extract(archive, '/data.json'),
      'policy.wasm': extract(archive, '/policy.wasm'),
    };
    const digests = [`# sources ${await sourcesDigest()}`, ...bundleFiles.map((name) => `${sha256(files[name])}  ${name}`)];
    return { bundle: { ...files, [digestFile]: `${digests.join('\n')}\n` }, inputTypes: await compileInputTypes(inputSchema) };
  } finally {
    await rm(scratch, { recursive: true });
  }
}

/** Hex digest over everything the bundle is made from. Tests, examples and prose are not in it. */
export async function sourcesDigest(): Promise<string> {
  const paths = (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).split('\\').join('/'))
    .filter((path) => /\.(rego|json|yaml)$/.test(path) && !/(_test\.rego|examples\.yaml)$/.test(path) && !path.startsWith(`${root}/bundle/`))
    .sort();
  const lines = await Promise.all(paths.map(async (path) => `${sha256(await readFile(path))}  ${path}\n`));
  return sha256(lines.join(''));
}

export async function compileInputTypes(schema: Record<string, unknown>): Promise<string> {
  const bannerComment = '// Made by scripts/policies.ts from policies/schemas/input.json: what policies may know, and in which units.';
  return compile(structuredClone(schema), 'PolicyInput', {
    bannerComment,
    additionalProperties: false,
    ignoreMinAndMaxItems: true,
    style: { singleQuote: true, printWidth: 140 },
  });
}

function extract(archive: string, member: string): Uint8Array {
  return execFileSync('tar', ['-xzOf', archive, member], { stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 64 * 1024 * 1024 });
}

async function write(outputs: Outputs): Promise<void> {
  await mkdir(join(root, 'bundle'), { recursive: true });
  for (const [name, content] of Object.entries(outputs.bundle)) await writeFile(join(root, 'bundle', name), content);
  await writeFile(inputTypes, outputs.inputTypes);
}

async function compare(outputs: Outputs): Promise<void> {
  const expected = [...Object.entries(outputs.bundle).map(([name, content]) => [join(root, 'bundle', name), content] as const), [inputTypes, outputs.inputTypes] as const];
  const different: string[] = [];
  for (const [path, content] of expected) {
    const found = await readFile(path).catch(() => undefined);
    if (found === undefined || !found.equals(Buffer.from(content))) different.push(path);
  }
  if (different.length > 0) throw new Error(`not built from the sources as they are now: ${different.join(', ')}; run npm run policies`);
}

async function test(opa: string): Promise<void> {
  await runOpa(opa, ['fmt', '--list', '--fail', root]);
  await runOpa(opa, ['check', '--strict', '--schema', `${root}/schemas`, ...testIgnore, '--ignore', '*.yaml', root]);
  await runOpa(opa, ['test', ...testIgnore, root]);
  const report = JSON.parse(await runOpa(opa, ['test', '--coverage', ...testIgnore, root])) as Coverage;
  const uncovered = Object.entries(report.files)
    .filter(([path]) => !path.endsWith('_test.rego'))
    .flatMap(([path, file]) => (file.not_covered ?? []).map((range) => `${path}:${range.start.row}`));
  if (uncovered.length > 0) throw new Error(`no test or example reaches ${uncovered.join(', ')}`);
}

interface Coverage {
  files: Record<string, { not_covered?: { start: { row: number } }[] }>;
}

async function main(mode: string | undefined): Promise<void> {
  const opa = await findOpa();
  if (opa === undefined) {
    const lack = `policies: NOT ${mode === '--test' ? 'TESTED' : mode === '--check' ? 'CHECKED' : 'BUILT'}: opa ${opaVersion} is not here, and no Go to build it with; install either`;
    if (mode === undefined || process.env['CI'] === 'true') throw new Error(lack);
    console.error(lack);
    return;
  }
  if (mode === '--test') await test(opa);
  else if (mode === '--check') await compare(await build(opa));
  else if (mode === undefined) await write(await build(opa));
  else throw new Error(`policies: unknown option ${mode}; use --check or --test`);
}

if (process.argv[1]?.endsWith('policies.ts')) {
  try {
    await main(process.argv[2]);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
