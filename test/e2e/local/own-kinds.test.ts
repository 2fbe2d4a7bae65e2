import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { apiVersionOf, ownKind } from '../../../src/api/kinds.ts';
import { loadApi } from '../../../src/api/validation/load.ts';
import { OPERATOR_USER_NAME, operatorUser, personUser } from '../../../src/local/users.ts';
import type { LocalUser } from '../../../src/local/users.ts';
import { ADMISSION_CASES, APPROVERS, USERS } from '../../crds/admission-cases.ts';
import type { AdmissionWrite, User } from '../../crds/admission-cases.ts';
import { CRDS, acceptedObjects, cases, mergePatch, writesOf } from '../../crds/cases.ts';
import type { Manifest } from '../../crds/cases.ts';
import type { ApiAnswer } from '../../support/api-request.ts';
import { startTestLocalServer } from '../../support/local-server.ts';
import type { TestLocalServer } from '../../support/local-server.ts';

const api = loadApi(CRDS);
const objects = acceptedObjects();
const names = Object.keys(USERS) as User[];

function userOf(name: User): LocalUser {
  const token = `${name}-token`;
  if (USERS[name] === OPERATOR_USER_NAME) return operatorUser(token);
  const user = personUser(token, USERS[name]);
  return APPROVERS.includes(name) ? user : { ...user, denied: [{ group: 'dataward.io', verb: 'approve' }] };
}

let server: TestLocalServer;
/** The same kinds without the policies on who may write what. */
let open: TestLocalServer;
beforeAll(async () => {
  const users = [...names.map(userOf), personUser('person-token')];
  server = await startTestLocalServer(api.crds, api.admissionPolicies, { validator: api.validator, users });
  open = await startTestLocalServer(api.crds);
  for (const name of ['dataward-system', 'platform-db', 'shop']) {
    for (const each of [server, open]) await each.request('POST', '/api/v1/namespaces', { metadata: { name } });
  }
});
afterAll(async () => {
  await server.close();
  await open.close();
});

function collectionPath(object: Manifest): string {
  const kind = ownKind(object.kind);
  if (kind === undefined) throw new Error(`${object.kind} is no kind of this project`);
  return `/apis/${apiVersionOf(kind)}/namespaces/${object.metadata.namespace}/${kind.plural}`;
}

/** Empty for an accepted write. */
function messageOf({ status, body }: ApiAnswer): string {
  return status < 300 ? '' : (body as { message: string }).message;
}

async function remove(from: TestLocalServer, object: Manifest): Promise<void> {
  const path = `${collectionPath(object)}/${object.metadata.name}`;
  await from.request('PATCH', path, { metadata: { finalizers: null } }, { contentType: 'application/merge-patch+json' });
  await from.request('DELETE', path);
}

describe('every case of the admission policies, over the API', () => {
  function write(base: Manifest, stored: Manifest | undefined, { as, patch, status }: AdmissionWrite): Promise<ApiAnswer> {
    const changed = mergePatch(stored ?? base, status === undefined ? (patch ?? {}) : { status }) as Manifest;
    const path = collectionPath(changed);
    const token = `${as}-token`;
    if (stored === undefined) return server.request('POST', path, changed, { token });
    return server.request('PUT', `${path}/${changed.metadata.name}${status === undefined ? '' : '/status'}`, changed, { token });
  }

  test.each(ADMISSION_CASES.map((example) => [example.name, example] as const))('%s', async (_, example) => {
    const from = objects.find((object) => `${object.kind}/${object.metadata.name}` === example.from);
    if (from === undefined) throw new Error(`there is no object ${example.from}`);
    const { status: __, ...base } = from;
    const answers: ApiAnswer[] = [];
    for (const step of example.writes) answers.push(await write(base, answers.at(-1)?.body as Manifest | undefined, step));
    await remove(server, mergePatch(base, example.writes[0]?.patch ?? {}) as Manifest);
    const last = answers.pop();
    expect(answers.map(messageOf)).toEqual(answers.map(() => ''));
    if (example.refused === undefined) expect(last && messageOf(last)).toBe('');
    else expect(last && messageOf(last)).toContain(example.refused);
  });
});

describe('every case of the schemas and rules, over the API', () => {
  test.each(cases().map((example) => [`${example.from}: ${example.name}`, example] as const))('%s', async (_, example) => {
    const [first, ...later] = writesOf(example, objects);
    if (first === undefined) throw new Error('a case has at least one write');
    const answers = [await open.request('POST', collectionPath(first), first)];
    for (const object of later) {
      const stored = answers.at(-1)?.body as Manifest | undefined;
      const body = { ...object, metadata: { ...object.metadata, resourceVersion: stored?.metadata.resourceVersion } };
      answers.push(await open.request('PUT', `${collectionPath(object)}/${object.metadata.name}`, body));
    }
    await remove(open, first);
    const last = answers.pop();
    expect(answers.map(messageOf)).toEqual(answers.map(() => ''));
    if (example.refused === undefined) expect(last && messageOf(last)).toBe('');
    else expect(last && messageOf(last)).toContain(example.refused);
  });
});
