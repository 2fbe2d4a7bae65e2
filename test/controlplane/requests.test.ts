import { beforeAll, describe, expect, test } from '@jest/globals';
import { createObjectValidator } from '../../src/api/validation/object-validator.ts';
import type { CustomResourceDefinition } from '../../src/api/validation/object-validator.ts';
import { startLocalServer } from '../../src/local/server.ts';
import { personUser } from '../../src/local/users.ts';
import { controlPlaneBinaries } from '../support/controlplane-binaries.ts';
import { startControlPlane } from '../support/controlplane.ts';
import { REQUESTS } from './requests.ts';
import { runRequests } from './run-requests.ts';
import type { Comparable } from './run-requests.ts';
import { WIDGET_CRD } from './widget-crd.ts';

const TOKEN = 'a-person';

async function answersOfLocalServer(): Promise<Comparable[]> {
  const validator = createObjectValidator([WIDGET_CRD as unknown as CustomResourceDefinition], []);
  const server = await startLocalServer({
    crds: [WIDGET_CRD], admissionPolicies: [], validator, listen: { host: '127.0.0.1', port: 0 }, users: [personUser(TOKEN)], clock: Date,
  });
  try {
    return await runRequests(server.url, TOKEN, server.caPem, REQUESTS, 0.05);
  } finally {
    await server.close();
  }
}

async function answersOfRealServer(): Promise<Comparable[]> {
  const plane = await startControlPlane({ controllerManager: true });
  try {
    const created = await plane.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', WIDGET_CRD);
    if (created.status !== 201) throw new Error(`the API server refuses the CRD of the test: ${JSON.stringify(created.body)}`);
    const isServed = async (): Promise<boolean> => (await plane.request('GET', '/apis/test.dataward.io/v1alpha1/widgets')).status === 200;
    const deadline = Date.now() + 20_000;
    while (!(await isServed())) {
      if (Date.now() > deadline) throw new Error('the API server does not serve the CRD of the test');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return await runRequests(plane.url, plane.adminToken, plane.caPem, REQUESTS);
  } finally {
    await plane.stop();
  }
}

const binaries = await controlPlaneBinaries();

(binaries === undefined ? describe.skip : describe)('the local API server answers as kube-apiserver does', () => {
  const answers = { local: [] as Comparable[], real: [] as Comparable[] };

  beforeAll(async () => {
    [answers.real, answers.local] = await Promise.all([answersOfRealServer(), answersOfLocalServer()]);
  }, 120_000);

  test.each(REQUESTS.map(({ name }, index) => ({ name, index })))('$name', ({ index }) => {
    expect(answers.local[index]).toEqual(answers.real[index]);
  });
});
