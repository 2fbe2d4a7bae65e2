import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { systemClock } from '../runtime/clock.ts';
import { SERVICE_ACCOUNT_DIR, serviceAccount } from '../runtime/service-account.ts';
import { CliError, type Cluster } from './context.ts';

export interface ClusterWanted {
  /** File given with `--kubeconfig`. */
  kubeconfig?: string;
  context?: string;
}

/**
 * Finds the cluster as kubectl does: `--kubeconfig`, `KUBECONFIG`, `~/.kube/config`, then the service account of a pod.
 *
 * @throws CliError when there is none, it cannot be read, or its context leads nowhere. The text of the file is not
 *   quoted: it holds tokens.
 */
export async function findCluster({ kubeconfig, context }: ClusterWanted, env: NodeJS.ProcessEnv): Promise<Cluster> {
  if (kubeconfig === undefined && context === undefined) {
    const pod = clusterOfPod(env);
    if (pod) return pod;
  }
  const file = kubeconfig === undefined ? standard(env) : `--kubeconfig ${kubeconfig}`;
  const config = await read(kubeconfig, file);
  if (context !== undefined) {
    if (!config.getContextObject(context)) throw new CliError(`--context ${context}: ${file} has no such context; it has ${listed(config.getContexts().map(({ name }) => name))}`);
    config.setCurrentContext(context);
  }
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new CliError(`${file}: its current context names no cluster; choose a context with --context`);
  const current = config.getCurrentContext();
  if (!isAddress(cluster.server)) throw new CliError(`${file}: the server of cluster ${cluster.name}, which context ${current} names, is no address; write https://HOST:PORT`);
  const namespace = config.getContextObject(current)?.namespace;
  // An address may carry a password, which is for no message.
  return { access: config, server: cluster.server.replace(/\/\/[^/]*@/, '//'), from: `context ${current} of ${file}`, ...(namespace ? { namespace } : {}) };
}

/** The kubeconfig that is read when none is given. */
function standard({ KUBECONFIG, HOME = '~' }: NodeJS.ProcessEnv): string {
  return KUBECONFIG ? `KUBECONFIG=${KUBECONFIG}` : path.join(HOME, '.kube', 'config');
}

function isAddress(server: unknown): boolean {
  return typeof server === 'string' && URL.canParse(server) && /^https?:$/.test(new URL(server).protocol);
}

/** The cluster this process is a pod of; undefined outside of one, or where a kubeconfig goes before it. */
function clusterOfPod(env: NodeJS.ProcessEnv): Cluster | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443', HOME: home } = env;
  const dir = env['DATAWARD_SERVICE_ACCOUNT_DIR'] ?? SERVICE_ACCOUNT_DIR;
  if (!host || env['KUBECONFIG'] || (home && existsSync(path.join(home, '.kube', 'config'))) || !existsSync(path.join(dir, 'token'))) return undefined;
  const namespaceFile = path.join(dir, 'namespace');
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    access: serviceAccount({ server, dir, clock: systemClock }),
    server,
    from: `the service account of this pod, in ${dir}`,
    ...(existsSync(namespaceFile) ? { namespace: readFileSync(namespaceFile, 'utf8').trim() } : {}),
  };
}

/** Where the client library points when it found no kubeconfig at all; nobody's API server has been there for years. */
const NOWHERE = 'http://localhost:8080';

async function read(kubeconfig: string | undefined, file: string): Promise<KubeConfig> {
  if (kubeconfig !== undefined && !existsSync(kubeconfig)) throw new CliError(`${file}: there is no such file`);
  // Loaded here and nowhere else: a pod, which reads no kubeconfig, does without its 70 MB.
  const library = await import('@kubernetes/client-node');
  const config = new library.KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (error) {
    throw new CliError(`${file}: ${whyUnreadable(error)}`, undefined, { cause: error });
  }
  if (kubeconfig === undefined && config.getCurrentCluster()?.server === NOWHERE) throw new CliError('there is no kubeconfig; name one with --kubeconfig or KUBECONFIG, or put it at ~/.kube/config');
  return config;
}

function whyUnreadable(error: unknown): string {
  const { code, path: file } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `there is no file ${file}`;
  if (code !== undefined) return `cannot be read (${code})`;
  return 'is not a kubeconfig, which is YAML of kind Config; name another with --kubeconfig or KUBECONFIG';
}

const listed = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '));
