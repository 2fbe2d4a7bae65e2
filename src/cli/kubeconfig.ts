import { existsSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node';
import { CliError } from './context.ts';

/** Where the client library points when it found no kubeconfig at all; nobody's API server has been there for years. */
const NOWHERE = 'http://localhost:8080';

/**
 * Finds the cluster as kubectl does: `--kubeconfig`, `KUBECONFIG`, `~/.kube/config`, then the service account of a pod.
 *
 * @throws CliError when there is none, it cannot be read, or its context leads nowhere. The text of the file is not
 *   quoted: it holds tokens.
 */
export function loadKubeConfig({ kubeconfig, context }: { kubeconfig?: string; context?: string }): KubeConfig {
  const config = read(kubeconfig);
  const file = kubeconfig === undefined ? 'the kubeconfig' : `--kubeconfig ${kubeconfig}`;
  if (context !== undefined) {
    if (!config.getContextObject(context)) throw new CliError(`--context ${context}: ${file} has no such context; it has ${listed(config.getContexts().map(({ name }) => name))}`);
    config.setCurrentContext(context);
  }
  if (!config.getCurrentCluster()) throw new CliError(`${file}: its current context names no cluster; choose a context with --context`);
  return config;
}

function read(kubeconfig: string | undefined): KubeConfig {
  const config = new KubeConfig();
  const file = kubeconfig === undefined ? 'the kubeconfig' : `--kubeconfig ${kubeconfig}`;
  if (kubeconfig !== undefined && !existsSync(kubeconfig)) throw new CliError(`${file}: there is no such file`);
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
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `there is no file ${path}`;
  if (code !== undefined) return `cannot be read (${code})`;
  return 'is not a kubeconfig';
}

const listed = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '));
