import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const goModule = fileURLToPath(new URL('../tools/', import.meta.url));

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
    if (!(await hasGo(environment))) return leaveOut(environment);
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

function leaveOut(environment: NodeJS.ProcessEnv): undefined {
  const message =
    'LEFT OUT: the tests against a real Kubernetes API server. Install Go (https://go.dev/dl), or point KUBEBUILDER_ASSETS at a folder with etcd and kube-apiserver.';
  if (environment['CI'] === 'true') throw new Error(message);
  process.stderr.write(`\n*** ${message} ***\n\n`);
  return undefined;
}

async function cacheFolder(environment: NodeJS.ProcessEnv): Promise<string> {
  const base = environment['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const kubernetes = await pinnedVersion('k8s.io/kubernetes');
  return join(base, 'dataward', 'controlplane', `${kubernetes}-etcd-${await pinnedVersion('go.etcd.io/etcd/server/v3')}`);
}

async function pinnedVersion(module: string): Promise<string> {
  const goMod = await readFile(join(goModule, 'go.mod'), 'utf8');
  const line = goMod.split('\n').find((candidate) => candidate.trim().startsWith(`${module} v`));
  const version = line?.trim().split(' ')[1];
  if (version === undefined) throw new Error(`test/tools/go.mod does not require ${module}.`);
  return version;
}

async function hasGo(environment: NodeJS.ProcessEnv): Promise<boolean> {
  const child = spawn('go', ['version'], { stdio: 'ignore', env: environment });
  const code: unknown = await once(child, 'exit').then(
    ([status]) => status as unknown,
    () => undefined, // not on the PATH
  );
  return code === 0;
}

async function build(name: Name, folder: string, environment: NodeJS.ProcessEnv): Promise<void> {
  process.stderr.write(`building ${name} from Go modules (once; minutes) ...\n`);
  const version = await pinnedVersion('k8s.io/kubernetes');
  const [major, minor] = version.slice(1).split('.');
  const field = 'k8s.io/component-base/version';
  // Without these a server says v0.0.0, and clients that compare versions go wrong.
  const flags = `-s -w -X ${field}.gitVersion=${version} -X ${field}.gitMajor=${major} -X ${field}.gitMinor=${minor}`;
  const draft = join(folder, `.${name}.${process.pid}`);
  const child = spawn('go', ['build', '-trimpath', '-ldflags', flags, '-o', draft, packages[name]], {
    cwd: goModule,
    env: environment,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`go build ${packages[name]} failed with code ${code}; its messages stand above.`);
  await rename(draft, join(folder, name));
}

/** One build at a time per machine: two would take the memory and the minutes twice. */
async function withLock(folder: string, body: () => Promise<void>): Promise<void> {
  await mkdir(folder, { recursive: true });
  const lock = join(folder, '.building');
  while (!(await claim(lock))) await delay(1000);
  try {
    await body();
  } finally {
    await rm(lock, { force: true });
  }
}

async function claim(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const owner = Number(await readFile(lock, 'utf8').catch(() => ''));
    if (owner > 0 && !isAlive(owner)) await rm(lock, { force: true }); // left by a build that was killed
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
