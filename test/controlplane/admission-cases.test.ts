import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { apiVersionOf, ownKind } from '../../src/api/kinds.ts';
import { ADMISSION_CASES, APPROVERS, USERS } from '../crds/admission-cases.ts';
import type { AdmissionWrite, User } from '../crds/admission-cases.ts';
import { CRDS, acceptedObjects, mergePatch } from '../crds/cases.ts';
import type { Manifest } from '../crds/cases.ts';
import type { ApiAnswer } from '../support/api-request.ts';
import { controlPlaneBinaries } from '../support/controlplane-binaries.ts';
import { startControlPlane } from '../support/controlplane.ts';
import type { ControlPlane } from '../support/controlplane.ts';
import { installCrds } from '../support/install-crds.ts';

const binaries = await controlPlaneBinaries();
const objects = acceptedObjects();
const names = Object.keys(USERS) as User[];
const accountPrefix = 'system:serviceaccount:';
const people = names.filter((name) => !USERS[name].startsWith(accountPrefix));

/** The same writes by the same users as offline, here with real tokens, real RBAC and the shipped policies. */
(binaries === undefined ? describe.skip : describe)('the real API server lets write who should, and nobody else', () => {
  let server: ControlPlane;
  const tokens: Partial<Record<User, string>> = {};
  beforeAll(async () => {
    server = await startControlPlane({ users: people.map((name) => ({ name: USERS[name], token: `${name}-token`, groups: [] })) });
    await installCrds(server, CRDS);
    for (const name of ['dataward-system', 'platform-db', 'shop']) await create(server, '/api/v1/namespaces', { metadata: { name } });
    for (const name of names) tokens[name] = people.includes(name) ? `${name}-token` : await accountToken(server, USERS[name]);
    await grantRights(server);
    for (const policy of await admissionPolicies()) await create(server, admissionPath(policy.kind), policy);
    await untilInForce(server, tokens.operator ?? '');
  });
  afterAll(() => server.stop());

  test.each(ADMISSION_CASES.map((example) => [example.name, example] as const))('%s', async (_, example) => {
    const from = objects.find((object) => `${object.kind}/${object.metadata.name}` === example.from);
    if (from === undefined) throw new Error(`there is no object ${example.from}`);
    const { status: __, ...base } = from;
    const answers: ApiAnswer[] = [];
    for (const step of example.writes) answers.push(await write(server, tokens, base, answers.at(-1)?.body as Manifest | undefined, step));
    const first = mergePatch(base, example.writes[0]?.patch ?? {}) as Manifest;
    // As admin, and without finalizers, which would keep the name in use for the next case.
    await server.request('PATCH', objectPath(first), { metadata: { finalizers: null } }, { contentType: 'application/merge-patch+json' });
    await server.request('DELETE', objectPath(first));
    const last = answers.pop();
    expect(answers.map(messageOf)).toEqual(answers.map(() => ''));
    if (example.refused === undefined) expect(last && messageOf(last)).toBe('');
    else expect(last && messageOf(last)).toContain(example.refused);
  });

  test('an administrator of the cluster makes no run either', async () => {
    const run = objects.find(({ kind, spec }) => kind === 'PurgeRun' && spec.approvals === undefined);
    const answer = await server.request('POST', `${collectionPath(run as Manifest)}?dryRun=All`, run);
    expect([answer.status, messageOf(answer)]).toEqual([403, expect.stringContaining('only the operator creates PurgeRuns')]);
  });
});

async function write(server: ControlPlane, tokens: Partial<Record<User, string>>, base: Manifest, stored: Manifest | undefined, step: AdmissionWrite): Promise<ApiAnswer> {
  const changed = mergePatch(stored ?? base, step.status === undefined ? (step.patch ?? {}) : { status: step.status }) as Manifest;
  const token = tokens[step.as] ?? '';
  if (stored === undefined) return server.request('POST', collectionPath(changed), changed, { token });
  return server.request('PUT', `${objectPath(changed)}${step.status === undefined ? '' : '/status'}`, changed, { token });
}

async function create(server: ControlPlane, path: string, body: unknown): Promise<void> {
  const answer = await server.request('POST', path, body);
  if (answer.status !== 201) throw new Error(`${path}: ${messageOf(answer)}`);
}

async function accountToken(server: ControlPlane, username: string): Promise<string> {
  const [namespace = '', name = ''] = username.slice(accountPrefix.length).split(':');
  await create(server, `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
  return server.serviceAccountToken(namespace, name);
}

/** Everybody may write everything of ours, as far as RBAC goes; approving is a verb of its own. */
async function grantRights(server: ControlPlane): Promise<void> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const write = { apiGroups: ['dataward.io'], resources: ['*'], verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'] };
  const approve = { apiGroups: ['dataward.io'], resources: ['purgeruns'], verbs: ['approve'] };
  const roles = [
    { role: 'approver', rule: approve, users: APPROVERS },
    { role: 'writer', rule: write, users: names },
  ];
  for (const { role, rule, users } of roles) {
    await create(server, `${rbac}/clusterroles`, { metadata: { name: role }, rules: [rule] });
    await create(server, `${rbac}/clusterrolebindings`, {
      metadata: { name: role },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: users.map((user) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: USERS[user] })),
    });
  }
}

interface AdmissionObject {
  readonly kind: string;
}

async function admissionPolicies(): Promise<AdmissionObject[]> {
  const folder = join(CRDS, 'admission');
  const texts = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as AdmissionObject));
}

function admissionPath(kind: string): string {
  const plural = kind === 'ValidatingAdmissionPolicy' ? 'validatingadmissionpolicies' : 'validatingadmissionpolicybindings';
  return `/apis/admissionregistration.k8s.io/v1/${plural}`;
}

/**
 * Policies and roles take hold a moment after they are created, all that are older with the newest. So one more
 * policy is created last, and tried by a user who gets past RBAC until it refuses.
 */
async function untilInForce(server: ControlPlane, token: string): Promise<void> {
  const store = objects.find(({ kind }) => kind === 'DataStore') as Manifest;
  const marker = { ...store, metadata: { ...store.metadata, name: 'marker' } };
  const resourceRules = [{ apiGroups: ['dataward.io'], apiVersions: ['*'], operations: ['CREATE'], resources: ['datastores'] }];
  await create(server, admissionPath('ValidatingAdmissionPolicy'), {
    metadata: { name: 'marker' },
    spec: { matchConstraints: { resourceRules }, validations: [{ expression: 'object.metadata.name != "marker"', message: 'the marker is refused' }] },
  });
  await create(server, admissionPath('ValidatingAdmissionPolicyBinding'), { metadata: { name: 'marker' }, spec: { policyName: 'marker', validationActions: ['Deny'] } });
  for (let waited = 0; waited < 20_000; waited += 100) {
    const answer = await server.request('POST', `${collectionPath(marker)}?dryRun=All`, marker, { token });
    if (messageOf(answer).includes('the marker is refused')) return;
    await delay(100);
  }
  throw new Error('The admission policies did not come into force within 20 s.');
}

function collectionPath(object: Manifest): string {
  const kind = ownKind(object.kind);
  if (kind === undefined) throw new Error(`${object.kind} is no kind of this project`);
  return `/apis/${apiVersionOf(kind)}/namespaces/${object.metadata.namespace}/${kind.plural}`;
}

function objectPath(object: Manifest): string {
  return `${collectionPath(object)}/${object.metadata.name}`;
}

/** Empty for an accepted write. */
function messageOf({ status, body }: ApiAnswer): string {
  return status < 300 ? '' : ((body as { message?: string }).message ?? `status ${status}`);
}
