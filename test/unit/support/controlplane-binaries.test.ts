import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { controlPlaneBinaries } from '../../support/controlplane-binaries.ts';

/** Stands for the Go tools: notes each build in a file beside it and writes something where -o says. */
const go = `#!/bin/sh
[ "$1" = version ] && exit 0
for argument; do last=$argument; done
echo "$last" >> "$(dirname "$0")/builds"
while [ "$1" != -o ]; do shift; done
echo built > "$2"
`;

describe('the binaries of the control plane', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dataward-binaries-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function withGo(): Promise<NodeJS.ProcessEnv> {
    await writeFile(join(folder, 'go'), go, { mode: 0o755 });
    return { PATH: `${folder}:/usr/bin:/bin`, XDG_CACHE_HOME: join(folder, 'cache') };
  }

  test('are built once and kept, also when two processes ask at the same time', async () => {
    const environment = await withGo();
    const [first, second] = await Promise.all([controlPlaneBinaries(environment), controlPlaneBinaries(environment)]);
    expect(second).toEqual(first);
    expect(await readFile(first?.apiServer ?? '', 'utf8')).toBe('built\n');
    expect(first?.apiServer).toMatch(/controlplane\/v\d+\.\d+\.\d+-etcd-v\d+\.\d+\.\d+\/kube-apiserver$/);
    expect((await readFile(join(folder, 'builds'), 'utf8')).split('\n').filter((line) => line !== '')).toEqual([
      'go.etcd.io/etcd/server/v3',
      'k8s.io/kubernetes/cmd/kube-apiserver',
      'k8s.io/kubernetes/cmd/kube-controller-manager',
    ]);
    expect((await readdir(dirname(first?.etcd ?? ''))).sort()).toEqual(['etcd', 'kube-apiserver', 'kube-controller-manager']);
    expect(await controlPlaneBinaries({ ...environment, PATH: '/nowhere' })).toEqual(first);
  });

  test('are built by the next one when a build was killed and left its lock', async () => {
    const environment = await withGo();
    const built = await controlPlaneBinaries(environment);
    const cache = dirname(built?.etcd ?? '');
    await rm(join(cache, 'etcd'));
    await writeFile(join(cache, '.building'), '999999999');
    expect(await controlPlaneBinaries(environment)).toEqual(built);
    expect(await readFile(join(cache, 'etcd'), 'utf8')).toBe('built\n');
  });

  test('are left out on a machine without Go, but missing ones fail a pipeline', async () => {
    const environment = { PATH: '/nowhere', XDG_CACHE_HOME: folder };
    expect(await controlPlaneBinaries(environment)).toBeUndefined();
    await expect(controlPlaneBinaries({ ...environment, CI: 'true' })).rejects.toThrow(/LEFT OUT.*Install Go/);
  });

  test('come from KUBEBUILDER_ASSETS, which needs no controller manager, when that is set', async () => {
    await mkdir(join(folder, 'assets'));
    const environment = { PATH: '/nowhere', KUBEBUILDER_ASSETS: join(folder, 'assets') };
    await expect(controlPlaneBinaries(environment)).rejects.toThrow(/there is no etcd in it/);
    for (const name of ['etcd', 'kube-apiserver']) await writeFile(join(folder, 'assets', name), '');
    expect(await controlPlaneBinaries(environment)).toEqual({
      etcd: join(folder, 'assets', 'etcd'),
      apiServer: join(folder, 'assets', 'kube-apiserver'),
      controllerManager: undefined,
    });
  });
});
