import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { apiRequest } from './api-request.ts';

/** A piece of output somebody may read, and where it came from. */
export interface Readable {
  readonly where: string;
  readonly text: string;
}

export interface ApiAccess {
  readonly url: string;
  readonly caPem: string;
  /** Of somebody who may read everything. */
  readonly token: string;
}

/** Each identifier found, and where: `object /api/v1/configmaps: reader7@mail.example`. Empty is what a test wants. */
export function leaks(readables: readonly Readable[], identifiers: readonly string[]): string[] {
  return readables.flatMap(({ where, text }) => identifiers.filter((identifier) => text.includes(identifier)).map((identifier) => `${where}: ${identifier}`));
}

interface ResourceList {
  readonly resources: readonly { readonly name: string; readonly verbs: readonly string[] }[];
}

/** Every object of every kind the server knows, in all namespaces. Secrets are left out: passwords are their business. */
export async function allObjects(access: ApiAccess): Promise<Readable[]> {
  const read = async (path: string): Promise<unknown> => (await apiRequest({ url: access.url + path, ca: access.caPem, token: access.token, method: 'GET', contentType: 'application/json', body: undefined })).body;
  const { groups } = (await read('/apis')) as { groups: { preferredVersion: { groupVersion: string } }[] };
  const roots = ['/api/v1', ...groups.map((group) => `/apis/${group.preferredVersion.groupVersion}`)];
  const found: Readable[] = [];
  for (const root of roots) {
    const { resources } = (await read(root)) as ResourceList;
    for (const { name, verbs } of resources) {
      if (!verbs.includes('list') || name === 'secrets') continue;
      found.push({ where: `object ${root}/${name}`, text: JSON.stringify(await read(`${root}/${name}`)) });
    }
  }
  return found;
}

/** Every file below a folder, as text. */
export async function allFiles(folder: string): Promise<Readable[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => ({ where: `file ${join(entry.parentPath, entry.name).slice(folder.length + 1)}`, text: await readFile(join(entry.parentPath, entry.name), 'utf8') })),
  );
}
