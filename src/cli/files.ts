import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { KubeObject } from '../api/object.ts';
import { parseManifest, type ManifestFinding, type ManifestObject } from '../api/validation/manifest.ts';
import { CliError } from './context.ts';

export interface ManifestFiles {
  objects: ManifestObject[];
  findings: ManifestFinding[];
}

/** Reads a file, or all YAML and JSON files of a folder and those below. Throws `CliError` for what is not there, or empty. */
export async function readManifests(from: string): Promise<ManifestFiles> {
  const found: ManifestFiles = { objects: [], findings: [] };
  for (const file of await filesOf(from)) {
    const parsed = parseManifest(await readFile(file, 'utf8'), shown(file));
    found.objects.push(...parsed.objects);
    found.findings.push(...parsed.findings);
  }
  // What a template that failed leaves behind would pass for a folder in which all is well.
  if (found.objects.length + found.findings.length === 0) throw new CliError(`-f ${from}: holds no object; look at what wrote it`);
  return found;
}

/** From here where it lies below; else as it was named, since `../../tmp/x` helps nobody. */
function shown(file: string): string {
  const relative = path.relative('.', file);
  return relative === '' || relative.startsWith('..') ? file : relative;
}

async function filesOf(from: string): Promise<string[]> {
  const info = await stat(from).catch((error: unknown) => {
    throw new CliError(`-f ${from}: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file or folder' : 'cannot be read'}`);
  });
  if (info.isFile()) return [from];
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && /\.(ya?ml|json)$/.test(entry.name)).map((entry) => path.join(entry.parentPath, entry.name));
  if (files.length === 0) throw new CliError(`-f ${from}: the folder holds no .yaml, .yml or .json file`);
  return files.toSorted();
}

/** `DataStore platform-db/analytics` */
export function title(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return `${object.kind} ${namespace ? `${namespace}/` : ''}${name}`;
}
