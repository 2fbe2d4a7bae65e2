import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocalServer } from '../../../src/local/server.ts';
import { OPERATOR_USER_NAME, operatorUser, personUser } from '../../../src/local/users.ts';
import type { ObjectValidator } from '../../../src/api/validation/validator.ts';
import { WIDGET_CRD } from '../../controlplane/widget-crd.ts';
import { OPERATOR_TOKEN, SECOND_PERSON_TOKEN, startTestLocalServer } from '../../support/local-server.ts';
import type { TestLocalServer } from '../../support/local-server.ts';

const WIDGETS = '/apis/test.dataward.io/v1alpha1/namespaces/default/widgets';

function widget(name: string): object {
  return { apiVersion: 'test.dataward.io/v1alpha1', kind: 'Widget', metadata: { name }, spec: { size: 1 } };
}

const permissive: ObjectValidator = {
  prepare: (_kind, object) => ({ object, unknownFields: [] }),
  validate: () => [],
  admit: () => ({ allowed: true }),
};

describe('who may talk to the server', () => {
  let server: TestLocalServer;
  beforeAll(async () => {
    server = await startTestLocalServer([WIDGET_CRD]);
  });
  afterAll(() => server.close());

  test.each([
    { path: '/healthz', status: 200 },
    { path: '/version', status: 200 },
    { path: '/api', status: 401 },
    { path: WIDGETS, status: 401 },
    { path: '/openapi/v3', status: 401 },
  ])('without a valid token $path answers $status', async ({ path, status }) => {
    expect(await server.request('GET', path, undefined, { token: 'wrong' })).toMatchObject({ status });
  });

  test.each([
    { who: 'the operator', token: OPERATOR_TOKEN, username: OPERATOR_USER_NAME, approve: false, create: true },
    { who: 'a person', token: SECOND_PERSON_TOKEN, username: 'second-person', approve: true, create: true },
  ])('$who is known by name and may approve: $approve', async ({ token, username, approve, create }) => {
    const self = await server.request('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }, { token });
    expect(self.body).toMatchObject({ status: { userInfo: { username } } });
    for (const [verb, allowed] of [['approve', approve], ['create', create]] as const) {
      const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes: { group: 'dataward.io', resource: 'purgeruns', verb } } };
      const answer = await server.request('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', review, { token });
      expect(answer.body).toMatchObject({ status: { allowed } });
    }
  });

  test('a question about somebody nobody knows is answered with no', async () => {
    const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec: { user: 'stranger', resourceAttributes: { resource: 'secrets', verb: 'get' } } };
    const { body } = await server.request('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', review);
    expect(body).toMatchObject({ status: { allowed: false } });
  });

  test('protobuf and server-side apply are answered with 415', async () => {
    const { status } = await server.request('POST', WIDGETS, widget('x'), { contentType: 'application/vnd.kubernetes.protobuf' });
    expect(status).toBe(415);
    expect((await server.request('PATCH', `${WIDGETS}/x`, widget('x'), { contentType: 'application/apply-patch+yaml' })).status).toBe(415);
  });

  test('a watch with initial events is refused, so that clients list first', async () => {
    const { status, body } = await server.request('GET', `${WIDGETS}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`);
    expect(status).toBe(422);
    expect(body).toMatchObject({ reason: 'Invalid' });
  });

  test('names that every object inherits are fields like others, and __proto__ is refused', async () => {
    const strange = await server.request('POST', '/api/v1/namespaces/default/configmaps?fieldValidation=Strict', { metadata: { name: 'strange' }, constructor: { a: 'b' } });
    expect(strange).toMatchObject({ status: 400, body: { message: expect.stringContaining('unknown field "constructor"') } });
    const patch = JSON.parse('{"__proto__": {"metadata": {"finalizers": ["x"]}}}') as object;
    const answer = await server.request('PATCH', '/api/v1/namespaces/default', patch, { contentType: 'application/merge-patch+json' });
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining('__proto__') } });
  });

  test('a path that is none is not found', async () => {
    expect((await server.request('GET', '//')).status).toBe(404);
    expect((await server.request('GET', '/api/v1/namespaces/%zz')).status).toBe(404);
  });

  test('a body beyond 3 MiB is refused', async () => {
    const { status } = await server.request('POST', WIDGETS, { ...widget('big'), padding: 'x'.repeat(3.1 * 1024 * 1024) });
    expect(status).toBe(413);
  });
});

describe('a server with a small history', () => {
  let server: TestLocalServer;
  beforeAll(async () => {
    server = await startTestLocalServer([WIDGET_CRD], [], { history: 4 });
  });
  afterAll(() => server.close());

  test('answers 410 to a page and an ERROR event to a watch from before it', async () => {
    await server.request('POST', WIDGETS, widget('one'));
    await server.request('POST', WIDGETS, widget('two'));
    const { body } = await server.request('GET', `${WIDGETS}?limit=1`);
    const { metadata } = body as { metadata: { continue: string; resourceVersion: string } };
    for (let index = 0; index < 10; index += 1) await server.request('POST', WIDGETS, widget(`more-${index}`));
    expect(await server.request('GET', `${WIDGETS}?limit=1&continue=${metadata.continue}`)).toMatchObject({ status: 410, body: { reason: 'Expired' } });
    const watch = await server.request('GET', `${WIDGETS}?watch=true&resourceVersion=${metadata.resourceVersion}`);
    expect(watch).toMatchObject({ status: 200, body: { type: 'ERROR', object: { code: 410, reason: 'Expired' } } });
  });
});

describe('a server with a state folder', () => {
  test('goes on after a restart: objects, identities, certificate', async () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'dataward-state-'));
    try {
      const first = await startTestLocalServer([WIDGET_CRD], [], { stateDir });
      const created = await first.request('POST', WIDGETS, widget('one'));
      await expect(startTestLocalServer([WIDGET_CRD], [], { stateDir })).rejects.toThrow('is in use by process');
      await first.close();
      const second = await startTestLocalServer([WIDGET_CRD], [], { stateDir });
      expect((await second.request('GET', `${WIDGETS}/one`)).body).toEqual(created.body);
      expect(second.caPem).toBe(first.caPem);
      await second.close();
    } finally {
      rmSync(stateDir, { recursive: true });
    }
  });
});

describe('a server that cannot start', () => {
  const options = { crds: [WIDGET_CRD], admissionPolicies: [], validator: permissive, listen: { host: '127.0.0.1', port: 0 }, users: [personUser('a')], clock: Date };

  test.each([
    { name: 'an address others can reach', change: { listen: { host: '0.0.0.0', port: 0 } }, message: 'listens on loopback only' },
    { name: 'a kind defined twice', change: { crds: [WIDGET_CRD, WIDGET_CRD] }, message: 'is defined twice' },
    { name: 'two users with one token', change: { users: [personUser('a'), operatorUser('a')] }, message: "another user's token" },
    { name: 'a user without a token', change: { users: [personUser('')] }, message: 'empty token' },
    { name: 'a CRD without versions', change: { crds: [{ ...WIDGET_CRD, spec: {} }] }, message: 'spec.versions is missing' },
  ])('says so: $name', async ({ change, message }) => {
    await expect(startLocalServer({ ...options, ...change })).rejects.toThrow(message);
  });
});
