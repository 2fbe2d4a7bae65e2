import { stringify } from 'yaml';

export interface KubeconfigParts {
  url: string;
  caPem: string;
  userName: string;
  /** A secret: the result must be stored readable by its owner only. */
  token: string;
  namespace?: string;
}

/** A kubeconfig (YAML) with which kubectl and every client library reach the local server as this user. */
export function renderKubeconfig({ url, caPem, userName, token, namespace }: KubeconfigParts): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'dataward-local', cluster: { server: url, 'certificate-authority-data': Buffer.from(caPem).toString('base64') } }],
    users: [{ name: userName, user: { token } }],
    contexts: [{ name: 'dataward-local', context: { cluster: 'dataward-local', user: userName, ...(namespace && { namespace }) } }],
    'current-context': 'dataward-local',
  });
}
