import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { demoManifests, holdDates } from '../../examples/demo/manifests.ts';
import type { ManifestValues } from '../../examples/demo/manifests.ts';
import { isAlive } from '../../src/evidence/processes.ts';
import { controlPlaneBinaries } from '../support/controlplane-binaries.ts';
import { startControlPlane } from '../support/controlplane.ts';
import type { ControlPlane } from '../support/controlplane.ts';
import { kubectl } from '../support/kubectl.ts';

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

interface CustomResourceDefinition extends Manifest {
  readonly spec: { readonly names: { readonly kind: string } };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[] };
}

interface AdmissionPolicy extends Manifest {
  readonly metadata: { readonly name: string; readonly generation: number };
  readonly status?: { readonly observedGeneration?: number; readonly typeChecking?: { readonly expressionWarnings?: readonly unknown[] } };
}

const crdFolder = fileURLToPath(new URL('../../crds/', import.meta.url));
const crdPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const policyGroup = '/apis/admissionregistration.k8s.io/v1';
const policyPaths: Record<string, string> = {
  ValidatingAdmissionPolicy: `${policyGroup}/validatingadmissionpolicies`,
  ValidatingAdmissionPolicyBinding: `${policyGroup}/validatingadmissionpolicybindings`,
};

const misspelt = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicy',
  metadata: { name: 'misspelt' },
  spec: {
    matchConstraints: { resourceRules: [{ apiGroups: ['dataward.io'], apiVersions: ['v1alpha1'], operations: ['CREATE'], resources: ['datastores'] }] },
    validations: [{ expression: 'object.spec.enigne == "PostgreSQL"' }],
  },
};

async function manifests(folder: string): Promise<Manifest[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml')).sort();
  const texts = await Promise.all(names.map((name) => readFile(`${folder}/${name}`, 'utf8')));
  return texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Manifest));
}

async function eventually<Value>(read: () => Promise<Value>, accept: (value: Value) => boolean): Promise<Value> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const value = await read();
    if (accept(value) || Date.now() > deadline) return value;
    await delay(100);
  }
}

const binaries = await controlPlaneBinaries();

(binaries === undefined ? describe.skip : describe)('a real Kubernetes API server', () => {
  let server: ControlPlane;
  beforeAll(async () => {
    server = await startControlPlane({ controllerManager: true, users: [{ name: 'reader', token: 'reader-token', groups: ['staff'] }] });
  });
  afterAll(() => server.stop());

  test('accepts every CRD: established, names taken, schema structural, no warning', async () => {
    const found = (await manifests(crdFolder)).filter(({ kind }) => kind === 'CustomResourceDefinition');
    expect(found.length).toBeGreaterThan(0);
    const problems: Record<string, unknown> = {};
    await Promise.all(
      found.map(async (crd) => {
        const { name } = crd.metadata;
        const created = await server.request('POST', `${crdPath}?fieldValidation=Strict`, crd);
        if (created.status !== 201 || created.warnings.length > 0) problems[name] = [created.body, created.warnings];
        if (created.status !== 201) return;
        const settled = await eventually(
          async () => (await server.request('GET', `${crdPath}/${name}`)).body as CustomResourceDefinition,
          (current) => conditionOf(current, 'Established') === 'True' && conditionOf(current, 'NamesAccepted') === 'True',
        );
        if (conditionOf(settled, 'Established') !== 'True' || conditionOf(settled, 'NonStructuralSchema') === 'True') problems[name] = settled.status;
      }),
    );
    expect(problems).toEqual({});
  });

  test('accepts the admission policies, and its type check finds nothing to say', async () => {
    const problems: Record<string, unknown> = {};
    // Expressions are checked against the published schema, once; a kind that is not in it yet is passed over.
    const kinds = (await manifests(crdFolder)).map((crd) => (crd as CustomResourceDefinition).spec.names.kind);
    await eventually(
      async () => JSON.stringify((await server.request('GET', '/openapi/v3/apis/dataward.io/v1alpha1')).body),
      (schema) => kinds.every((kind) => schema.includes(`"kind":"${kind}"`)),
    );
    for (const policy of [misspelt, ...(await manifests(`${crdFolder}/admission`))]) {
      const path = policyPaths[policy.kind] ?? `no path for the kind ${policy.kind}`;
      const created = await server.request('POST', `${path}?fieldValidation=Strict`, policy);
      if (created.status !== 201 || created.warnings.length > 0) problems[policy.metadata.name] = created;
      if (policy.kind !== 'ValidatingAdmissionPolicy' || created.status !== 201) continue;
      const checked = await eventually(
        async () => (await server.request('GET', `${path}/${policy.metadata.name}`)).body as AdmissionPolicy,
        ({ status, metadata }) => status?.observedGeneration === metadata.generation,
      );
      expect(checked.status?.observedGeneration).toBe(checked.metadata.generation);
      const warnings = checked.status?.typeChecking?.expressionWarnings ?? [];
      if (warnings.length > 0) problems[policy.metadata.name] = warnings;
    }
    // The server checks types only where it knows the kind: silence counts only beside a complaint.
    expect(problems).toEqual({ [misspelt.metadata.name]: [expect.objectContaining({ warning: expect.stringContaining("undefined field 'enigne'") })] });
  });

  test('accepts the manifests of the demo, twice, without a warning', async () => {
    const identity = (role: string) => ({ [`${role}User`]: `dataward_${role}`, [`${role}Password`]: `it's "${role}": yes # no` });
    const values = {
      host: '127.0.0.1',
      port: 15432,
      database: 'analytics',
      serverName: 'localhost',
      caPem: server.caPem,
      ...identity('observe'),
      ...identity('enforce'),
      ...identity('verify'),
      ...holdDates(new Date()),
    } as ManifestValues;
    const yaml = [...(await demoManifests(values)).values()].join('\n---\n');
    for (const attempt of ['created', 'unchanged']) {
      const applied = await kubectl(server.adminKubeconfig, ['apply', '--server-side', '-f', '-'], yaml);
      expect({ attempt, code: applied.code, stderr: applied.stderr }).toEqual({ attempt, code: 0, stderr: '' });
    }
    const secret = await server.request('GET', '/api/v1/namespaces/platform-db/secrets/analytics-verify');
    const { data } = secret.body as { data: Record<string, string> };
    expect(Buffer.from(data['password'] ?? '', 'base64').toString()).toBe(values.verifyPassword);
  });

  test('answers 403 to a user without rights, writes that to the audit log, and 401 to a wrong token', async () => {
    const path = '/api/v1/namespaces/kube-system/secrets';
    expect((await server.request('GET', path, undefined, { token: 'reader-token' })).status).toBe(403);
    expect((await server.request('GET', path, undefined, { token: 'nobody' })).status).toBe(401);
    const forbidden = await eventually(
      async () => (await readFile(server.auditLogPath, 'utf8')).split('\n').filter((line) => line.includes('"code":403')),
      (lines) => lines.length > 0,
    );
    expect(forbidden.map((line) => (JSON.parse(line) as { user: { username: string }; requestURI: string }).user.username)).toContain('reader');
  });

  test('kubectl works with the kubeconfig of the admin, and is refused with that of a user', async () => {
    const created = await kubectl(server.adminKubeconfig, ['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'by-kubectl' } }));
    expect(created).toMatchObject({ code: 0, stdout: 'namespace/by-kubectl created\n' });
    const refused = await kubectl(await server.kubeconfig('reader'), ['get', 'namespaces']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('namespaces is forbidden: User "reader"');
  });

  test('gives tokens to service accounts, and its controllers collect orphans', async () => {
    const configMaps = '/api/v1/namespaces/default/configmaps';
    const accounts = '/api/v1/namespaces/default/serviceaccounts';
    const account = await eventually(
      () => server.request('GET', `${accounts}/default`),
      ({ status }) => status === 200,
    );
    const token = await server.serviceAccountToken('default', 'default');
    const denied = await server.request('GET', configMaps, undefined, { token });
    expect(denied).toMatchObject({ status: 403, body: { message: expect.stringContaining('system:serviceaccount:default:default') } });
    expect(account.status).toBe(200);

    const owner = (await server.request('POST', configMaps, { metadata: { name: 'owner' } })).body as { metadata: { uid: string } };
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid }];
    await server.request('POST', configMaps, { metadata: { name: 'owned', ownerReferences } });
    await server.request('DELETE', `${configMaps}/owner`);
    const orphan = await eventually(
      () => server.request('GET', `${configMaps}/owned`),
      ({ status }) => status === 404,
    );
    expect(orphan.status).toBe(404);
  });

  test('keeps its objects when it is killed and started again', async () => {
    const path = '/api/v1/namespaces/default/configmaps';
    expect((await server.request('POST', path, { metadata: { name: 'kept' } })).status).toBe(201);
    await server.killApiServer();
    await expect(server.request('GET', '/readyz')).rejects.toThrow(/ECONNREFUSED/);
    await server.restartApiServer();
    expect((await server.request('GET', `${path}/kept`)).status).toBe(200);
  });

  test('leaves neither process nor file behind', async () => {
    const other = await startControlPlane();
    const { pids, auditLogPath } = other;
    expect(pids.filter(isAlive)).toHaveLength(2);
    await other.stop();
    await other.stop();
    expect({ alive: pids.filter(isAlive), folder: existsSync(dirname(auditLogPath)) }).toEqual({ alive: [], folder: false });
  });
});

function conditionOf(crd: CustomResourceDefinition, type: string): string | undefined {
  return crd.status?.conditions?.find((condition) => condition.type === type)?.status;
}
