import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import type { PurgeRun } from '../../src/api/generated/purgeRun.ts';
import { OPERATOR_USERNAME } from '../../src/api/kinds.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { controlPlaneBinaries } from '../support/controlplane-binaries.ts';
import type { ControlPlane } from '../support/controlplane.ts';
import { startClusterOperator } from '../support/dataward-process.ts';
import { GATEWAY_CRDS } from '../support/gateway-crds.ts';
import { until } from '../support/until.ts';
import { clusterStage } from './cluster-stage.ts';
import { judgesGateway, judgesIngress, openDoor } from './entry-points.ts';
import type { Door } from './entry-points.ts';
import { FORBIDDEN, grantedBy, refusedOf, UNUSED_HERE, usedBy } from './rights.ts';
import { person, refOf } from './people.ts';
import type { Person } from './people.ts';
import { deletionDeletesNothing, FORGERIES, observed, planned, purged, refusesForgeries, tellsNothingPersonal } from './scenario.ts';
import type { Forgery, Stage } from './scenario.ts';

/** Here people have only the rights somebody gave them. */
const WITHOUT_A_RIGHT: readonly Forgery[] = [
  { attempt: 'approving under the own name without the verb approve', by: ({ alice }, run) => alice.client.mergePatch({ group: 'dataward.io', version: 'v1alpha1', plural: 'purgeruns', kind: 'PurgeRun', namespaced: true }, refOf(run), { spec: { approvals: [{ by: alice.name, planDigest: run.spec.planDigest }] } }) },
];

const binaries = await controlPlaneBinaries();

/** The whole chain on kube-apiserver, etcd and kube-controller-manager, under RBAC. */
(binaries === undefined ? describe.skip : describe)('in a real cluster', () => {
  let cluster: ControlPlane;
  let stage: Stage;
  let cleanup: Cleanup | undefined;
  let run: PurgeRun;
  let door: Door;
  /** Plays the controllers of Ingresses and Gateways. */
  let admin: Person;

  beforeAll(async () => {
    const { account, ...begun } = await clusterStage({ sessions: 2_000, controllerManager: true });
    ({ cluster, cleanup } = begun);
    const operator = cleanup.add(await startClusterOperator(account), (started) => started.close());
    door = cleanup.add(await openDoor(), (opened) => opened.close());
    admin = cleanup.add(person('admin', cluster.adminKubeconfig), (who) => who.client.close());
    // After the operator began, which has to notice.
    await installGateways();
    const thief = cleanup.add(person(OPERATOR_USERNAME, account), (who) => who.client.close());
    stage = { ...begun, operator, thief, reader: cluster.adminKubeconfig, serverLogs: [cluster.auditLogPath, ...cluster.logPaths], said: [] };
  }, 180_000);
  afterAll(() => cleanup?.run());

  async function installGateways(): Promise<void> {
    for (const crd of GATEWAY_CRDS) {
      const created = await cluster.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd);
      if (created.status !== 201) throw new Error(`the API server refuses a CRD: ${JSON.stringify(created.body)}`);
    }
    for (const plural of ['gateways', 'httproutes']) await until(`${plural} are served`, async () => (await cluster.request('GET', `/apis/gateway.networking.k8s.io/v1/${plural}`)).status === 200);
  }

  test('what is declared is observed, and what nobody declared is found', () => observed(stage));

  test('an Ingress beside the data is judged as it changes', () => judgesIngress(admin, door), 120_000);

  test('a plan says what SQL says, and leaves everything as it was', () => planned(stage));

  test('a run waits for a person, and no forged approval is taken', async () => {
    run = await refusesForgeries(stage, [...FORGERIES, ...WITHOUT_A_RIGHT]);
  });

  test('after an approval exactly the due rows are gone, verified and certified', async () => {
    run = await purged(stage, run);
  }, 90_000);

  test('a plan after the run says what came since, and leaves everything as it was too', () => planned(stage, run));

  test('a Gateway is judged though its API came after the operator', () => judgesGateway(admin, door), 120_000);

  test('deleting the run, the hold and the policy deletes no row and lifts no protection', () => deletionDeletesNothing(stage, run));

  test('no object, event, log line, metric, audit record, certificate, output of a command or log of a server has personal data in it', () => tellsNothingPersonal(stage, run));

  test('the operator was never refused, but for the forgeries it tries itself', async () => {
    const log = await readFile(cluster.auditLogPath, 'utf8');
    expect(usedBy(log, OPERATOR_USERNAME).size).toBeGreaterThan(20);
    expect(refusedOf(log, OPERATOR_USERNAME)).toEqual([]);
  });

  test.each(FORBIDDEN)('the operator may not $verb $resource in $namespace', async ({ verb, group, resource, namespace, name }) => {
    const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec: { user: OPERATOR_USERNAME, groups: ['system:serviceaccounts', 'system:serviceaccounts:dataward-system', 'system:authenticated'], resourceAttributes: { verb, group, resource, namespace, ...(name ? { name } : {}) } } };
    const answer = await cluster.request('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', review);
    expect((answer.body as { status: { allowed: boolean } }).status.allowed).toBe(false);
  });

  test('every right the operator has was used: there is none to take away', async () => {
    const used = usedBy(await readFile(cluster.auditLogPath, 'utf8'), OPERATOR_USERNAME);
    expect((await grantedBy('dataward-operator')).filter((right) => !used.has(right) && !UNUSED_HERE.includes(right))).toEqual([]);
  });
});
