import { mkdir, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Where packages are found from, and nobody looks for files. */
const folder = fileURLToPath(new URL('../../node_modules/.dataward-programs/', import.meta.url));

/**
 * A program of the tests and what it takes from src as one file of JavaScript that node starts as it is. A program that is
 * killed thirty times would otherwise spend most of its time on having its modules compiled.
 *
 * @param program a TypeScript file
 * @returns the path of the file; two test processes that ask at once get the same
 */
export async function bundled(program: URL): Promise<string> {
  const source = fileURLToPath(program);
  const file = join(folder, `${basename(source, '.ts')}.mjs`);
  const { outputFiles } = await build({ entryPoints: [source], bundle: true, packages: 'external', platform: 'node', target: 'node20', format: 'esm', write: false, logLevel: 'silent' });
  await mkdir(folder, { recursive: true });
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, outputFiles[0]?.contents ?? '');
  await rename(draft, file);
  return file;
}
