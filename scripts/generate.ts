/**
 * Writes everything that follows from crds/*.yaml and the list of reasons, and removes what follows from nothing any
 * more; with --check it only names the files that differ.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { REASONS, REFUSALS, WAITS } from '../src/api/reasons.ts';
import { readCrds } from './generate/crd.ts';
import type { CrdSource } from './generate/crd.ts';
import { jsonSchemaOf } from './generate/json-schema.ts';
import { reasonsPage, referenceOf } from './generate/reference.ts';
import { typesOf } from './generate/types.ts';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Path from the repository's root -> content, for every generated file. */
async function generatedFiles(crds: CrdSource[]): Promise<Map<string, string>> {
  const files = new Map<string, string>([['docs/reference/reasons.md', reasonsPage(REASONS, REFUSALS, WAITS)]]);
  for (const crd of crds) {
    const camel = crd.kind.charAt(0).toLowerCase() + crd.kind.slice(1);
    const lower = crd.kind.toLowerCase();
    files.set(`src/api/generated/${camel}.ts`, await typesOf(crd));
    files.set(`schemas/${lower}.json`, jsonSchemaOf(crd));
    files.set(`docs/reference/${lower}.md`, referenceOf(crd));
  }
  return files;
}

function current(file: string): string | undefined {
  try {
    return readFileSync(path.join(ROOT, file), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Files of an earlier run that nothing leads to now, such as those of a kind that was renamed. */
function leftovers(files: ReadonlyMap<string, string>): string[] {
  const folders = ['src/api/generated', 'schemas', 'docs/reference'];
  return folders
    .flatMap((folder) => readdirSync(path.join(ROOT, folder)).map((name) => `${folder}/${name}`))
    .filter((file) => !files.has(file) && (current(file) ?? '').includes('Generated from crds/'));
}

const files = await generatedFiles(readCrds(path.join(ROOT, 'crds')));
const drifted = [...files].filter(([file, content]) => current(file) !== content);
const stale = leftovers(files);
if (process.argv.includes('--check')) {
  for (const [file] of drifted) console.error(`${file} does not match its source: run npm run generate`);
  for (const file of stale) console.error(`${file} has no source any more: run npm run generate`);
  process.exitCode = drifted.length + stale.length === 0 ? 0 : 1;
} else {
  for (const [file, content] of drifted) {
    mkdirSync(path.dirname(path.join(ROOT, file)), { recursive: true });
    writeFileSync(path.join(ROOT, file), content);
    console.log(`wrote ${file}`);
  }
  for (const file of stale) {
    rmSync(path.join(ROOT, file));
    console.log(`removed ${file}`);
  }
}
