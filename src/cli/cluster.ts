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
  const config = await read(kubeconfig);
  const file = kubeconfig === undefined ? 'the kubeconfig' : `--kubeconfig ${kubeconfig}`;
  if (context !== undefined) {
    if (!config.getContextObject(context)) throw new CliError(`--context ${context}: ${file} has no such context; it has ${listed(config.getContexts().map(({ name }) => name))}`);
    config.setCurrentContext(context);
  }
  if (!config.getCurrentCluster()) throw new CliError(`${file}: its current context names no cluster; choose a context with --context`);
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace;
  return { access: config, ...(namespace ? { namespace } : {}) };
}

/** The cluster this process is a pod of; undefined outside of one, or where a kubeconfig goes before it. */
function clusterOfPod(env: NodeJS.ProcessEnv): Cluster | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443', HOME: home } = env;
  const dir = env['DATAWARD_SERVICE_ACCOUNT_DIR'] ?? SERVICE_ACCOUNT_DIR;
  if (!host || env['KUBECONFIG'] || (home && existsSync(path.join(home, '.kube', 'config'))) || !existsSync(path.join(dir, 'token'))) return undefined;
  const namespaceFile = path.join(dir, 'namespace');
  return {
    access: serviceAccount({ server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`, dir, clock: systemClock }),
    ...(existsSync(namespaceFile) ? { namespace: readFileSync(namespaceFile, 'utf8').trim() } : {}),
  };
}

/** Where the client library points when it found no kubeconfig at all; nobody's API server has been there for years. */
const NOWHERE = 'http://localhost:8080';

async function read(kubeconfig: string | undefined): Promise<KubeConfig> {
  const file = kubeconfig === undefined ? 'the kubeconfig' : `--kubeconfig ${kubeconfig}`;
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
  return 'is not a kubeconfig';
}

const listed = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '));
