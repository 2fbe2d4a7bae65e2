import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'yaml';
import type { ControlPlane } from './controlplane.ts';

const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/**
 * Creates every CRD of a folder, and waits until the server answers for each of its kinds.
 *
 * @throws with the server's message when it refuses one
 */
export async function installCrds(server: ControlPlane, folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml'));
  await Promise.all(names.map(async (name) => install(server, parse(await readFile(join(folder, name), 'utf8')) as Definition)));
}

interface Definition {
  readonly spec: { readonly group: string; readonly names: { readonly plural: string }; readonly versions: readonly { readonly name: string }[] };
}

async function install(server: ControlPlane, crd: Definition): Promise<void> {
  const created = await server.request('POST', `${path}?fieldValidation=Strict`, crd);
  if (created.status !== 201) throw new Error((created.body as { message?: string }).message ?? `status ${created.status}`);
  const { group, names, versions } = crd.spec;
  const list = `/apis/${group}/${versions[0]?.name}/${names.plural}`;
  // Established comes a moment before the handler does.
  for (let waited = 0; (await server.request('GET', list)).status !== 200; waited += 100) {
    if (waited > 20_000) throw new Error(`The API server does not serve ${list}`);
    await delay(100);
  }
}
