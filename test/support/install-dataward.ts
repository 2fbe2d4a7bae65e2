import { fileURLToPath } from 'node:url';
import type { ControlPlane } from './controlplane.ts';
import { kubectl } from './kubectl.ts';
import { holdOf } from './sample-manifests.ts';
import { until } from './until.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What a team that declares needs: everything of the API but approving, and the Secrets and namespaces beside it. */
const DECLARERS = {
  apiVersion: 'v1',
  kind: 'List',
  items: [
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'declarer' },
      rules: [
        { apiGroups: ['dataward.io'], resources: ['*'], verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'] },
        { apiGroups: [''], resources: ['namespaces', 'secrets', 'configmaps'], verbs: ['get', 'list', 'create', 'patch', 'delete'] },
      ],
    },
    binding('declarers', 'declarer', 'platform'),
    binding('approvers', 'dataward-approver', 'data-protection'),
    binding('status-writers', 'declarer', 'data-protection'),
  ],
};

function binding(name: string, role: string, group: string): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: group }],
  };
}

/**
 * Installs the way the documentation says, then gives the groups `platform` and `data-protection` their rights.
 * Resolves when the kinds are served and the admission policies refuse.
 */
export async function installDataward(cluster: ControlPlane): Promise<void> {
  const folders = ['crds', 'crds/admission', 'deploy'].flatMap((folder) => ['-f', root + folder]);
  const installed = await kubectl(cluster.adminKubeconfig, ['apply', ...folders]);
  if (installed.code !== 0) throw new Error(`the documented installation fails: ${installed.stderr}`);
  const granted = await kubectl(cluster.adminKubeconfig, ['apply', '-f', '-'], JSON.stringify(DECLARERS));
  if (granted.code !== 0) throw new Error(granted.stderr);
  await until('the kinds are served', async () => (await cluster.request('GET', '/apis/dataward.io/v1alpha1/complianceprofiles')).status === 200);
  // A policy is in force some moments after it was accepted.
  const path = '/apis/dataward.io/v1alpha1/namespaces/default/legalholds?dryRun=All';
  const hold = holdOf({ namespace: 'default', name: 'probe' }, { from: '2026-01-01', to: '2026-02-01' });
  const probe = { ...hold, spec: { ...(hold['spec'] as object), namespaceSelector: { matchLabels: { probe: 'true' } } } };
  let answer = '';
  await until(
    'the admission policies are in force',
    async () => {
      answer = JSON.stringify((await cluster.request('POST', path, probe)).body);
      return answer.includes('namespaceSelector is accepted in the namespace dataward-system only');
    },
    { or: () => answer },
  );
}
