import { KubeConfig } from '@kubernetes/client-node';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

/** A copy of a kubeconfig in the folder, with something in it that is other than it should be. Gives its path. */
export async function kubeconfigWith(kubeconfig: string, folder: string, change: (config: KubeConfig) => Promise<void>): Promise<string> {
  const config = read(kubeconfig);
  await change(config);
  const file = path.join(folder, `kubeconfig-${randomUUID()}`);
  await writeFile(file, config.exportConfig(), { mode: 0o600 });
  return file;
}

export function withCluster(config: KubeConfig, other: { server?: string; caData?: string }): void {
  config.clusters = config.clusters.map((cluster) => ({ ...cluster, ...other }));
}

export function withToken(config: KubeConfig, token: string): void {
  config.users = config.users.map((user) => ({ ...user, token }));
}

/** The bearer token of the current user; a secret. */
export function tokenOf(kubeconfig: string): string {
  return read(kubeconfig).getCurrentUser()?.token ?? '';
}

function read(kubeconfig: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  return config;
}
