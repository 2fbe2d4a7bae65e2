import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { goBuild, hasGo, leaveOut, pinnedVersion, withLock } from './go-build.ts';

const packages = {
  etcd: 'go.etcd.io/etcd/server/v3',
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
} as const;

type Name = keyof typeof packages;

/** Paths of executables. The controller manager is missing from the usual KUBEBUILDER_ASSETS. */
export interface ControlPlaneBinaries {
  readonly etcd: string;
  readonly apiServer: string;
  readonly controllerManager: string | undefined;
}

/**
 * The programs of a real control plane: from KUBEBUILDER_ASSETS, else built once from the Go modules pinned in
 * test/tools (about 5 minutes on 2 cores) and kept in the user's cache folder.
 *
 * @returns undefined, after one loud line, when neither is possible; the suites that need it are then left out
 * @throws in the same case when CI=true, so that a pipeline cannot pass without them; and when the build fails
 */
export async function controlPlaneBinaries(environment: NodeJS.ProcessEnv = process.env): Promise<ControlPlaneBinaries | undefined> {
  const assets = environment['KUBEBUILDER_ASSETS'];
  if (assets !== undefined && assets !== '') return fromAssets(assets);
  const folder = await cacheFolder(environment);
  const missing = (Object.keys(packages) as Name[]).filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) {
    if (!(await hasGo(environment))) return leaveOut('the tests against a real Kubernetes API server. Install Go (https://go.dev/dl), or point KUBEBUILDER_ASSETS at a folder with etcd and kube-apiserver.', environment);
    await withLock(folder, async () => {
      for (const name of missing) if (!existsSync(join(folder, name))) await build(name, folder, environment);
    });
  }
  return {
    etcd: join(folder, 'etcd'),
    apiServer: join(folder, 'kube-apiserver'),
    controllerManager: join(folder, 'kube-controller-manager'),
  };
}

function fromAssets(folder: string): ControlPlaneBinaries {
  for (const name of ['etcd', 'kube-apiserver']) {
    if (!existsSync(join(folder, name))) throw new Error(`KUBEBUILDER_ASSETS is ${folder}, but there is no ${name} in it.`);
  }
  const controllerManager = join(folder, 'kube-controller-manager');
  return {
    etcd: join(folder, 'etcd'),
    apiServer: join(folder, 'kube-apiserver'),
    controllerManager: existsSync(controllerManager) ? controllerManager : undefined,
  };
}

async function cacheFolder(environment: NodeJS.ProcessEnv): Promise<string> {
  const base = environment['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const kubernetes = await pinnedVersion('k8s.io/kubernetes');
  return join(base, 'dataward', 'controlplane', `${kubernetes}-etcd-${await pinnedVersion('go.etcd.io/etcd/server/v3')}`);
}

async function build(name: Name, folder: string, environment: NodeJS.ProcessEnv): Promise<void> {
  process.stderr.write(`building ${name} from Go modules (once; minutes) ...\n`);
  const version = await pinnedVersion('k8s.io/kubernetes');
  const [major, minor] = version.slice(1).split('.');
  const field = 'k8s.io/component-base/version';
  // Without these a server says v0.0.0, and clients that compare versions go wrong.
  await goBuild(packages[name], join(folder, name), environment, ['-ldflags', `-s -w -X ${field}.gitVersion=${version} -X ${field}.gitMajor=${major} -X ${field}.gitMinor=${minor}`]);
}
