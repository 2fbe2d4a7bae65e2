import { setTimeout as delay } from 'node:timers/promises';
import { apiVersionOf, ownKind } from '../../src/api/kinds.ts';
import type { KindRef } from '../../src/api/object.ts';
import { loadApi } from '../../src/api/validation/load.ts';
import { APPROVERS, USERS } from '../crds/admission-cases.ts';
import type { User } from '../crds/admission-cases.ts';
import { CRDS, acceptedObjects, mergePatch } from '../crds/cases.ts';
import type { Manifest } from '../crds/cases.ts';
import type { ApiAnswer } from '../support/api-request.ts';
import { startControlPlane } from '../support/controlplane.ts';
import { installCrds } from '../support/install-crds.ts';

export interface WriteOptions {
  /** The admin of the cluster when left out. */
  as?: User;
  dryRun?: boolean;
  status?: boolean;
  /** What the schema does not know is refused; pruned when false. */
  strict?: boolean;
}

/** A real API server with our kinds, on which each user of the admission cases has a token and every right of RBAC they may have. */
export interface OwnKindsServer {
  /** Creates the object, or changes what is stored of it. */
  write(stored: Manifest | undefined, object: Manifest, options?: WriteOptions): Promise<ApiAnswer>;
  /** Removes what was stored, so that the next example finds its name free; nobody else removes finalizers here. */
  removeAll(): Promise<void>;
  /** Puts the shipped admission policies in force; until then there are none. */
  admit(): Promise<void>;
  stop(): Promise<void>;
}

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const ACCOUNT = 'system:serviceaccount:';
const NAMES = Object.keys(USERS) as User[];
const PEOPLE = NAMES.filter((name) => !USERS[name].startsWith(ACCOUNT));

/** @throws with the server's words when it refuses a part of the installation */
export async function startOwnKindsServer(): Promise<OwnKindsServer> {
  const server = await startControlPlane({ users: PEOPLE.map((name) => ({ name: USERS[name], token: `${name}-token`, groups: ['staff'] })) });
  const tokens = new Map<User, string>(PEOPLE.map((name) => [name, `${name}-token`]));
  const present: Manifest[] = [];

  const send = (method: string, at: string, body?: unknown, as?: User): Promise<ApiAnswer> => {
    const token = as === undefined ? undefined : tokens.get(as);
    return server.request(method, at, body, token === undefined ? {} : { token });
  };

  async function create(at: string, body: unknown): Promise<void> {
    const answer = await send('POST', `${at}?fieldValidation=Strict`, body);
    if (answer.status !== 201) throw new Error(`${at}: ${JSON.stringify(answer.body)}`);
  }

  async function giveToken(name: User): Promise<void> {
    const [namespace = '', account = ''] = USERS[name].slice(ACCOUNT.length).split(':');
    await create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: account } });
    tokens.set(name, await server.serviceAccountToken(namespace, account));
  }

  async function bind(name: string, rule: object, users: readonly User[]): Promise<void> {
    await create(`${RBAC}/clusterroles`, { metadata: { name }, rules: [rule] });
    const subjects = users.map((user) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: USERS[user] }));
    await create(`${RBAC}/clusterrolebindings`, { metadata: { name }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name }, subjects });
  }

  async function write(stored: Manifest | undefined, object: Manifest, options: WriteOptions = {}): Promise<ApiAnswer> {
    const query = `?fieldValidation=${options.strict === false ? 'Ignore' : 'Strict'}${options.dryRun === true ? '&dryRun=All' : ''}`;
    if (stored === undefined) {
      const answer = await send('POST', `${collectionPath(object)}${query}`, object, options.as);
      if (answer.status === 201 && options.dryRun !== true) present.push(object);
      return answer;
    }
    const { resourceVersion } = stored.metadata;
    const body = { ...object, metadata: { ...object.metadata, ...(resourceVersion !== undefined && { resourceVersion }) } };
    return send('PUT', `${objectPath(object)}${options.status === true ? '/status' : ''}${query}`, body, options.as);
  }

  /**
   * Policies and roles take hold a moment after they are created, all that are older with the newest. So one more
   * policy is created last, and tried by a user who gets past RBAC until it refuses.
   */
  async function untilInForce(): Promise<void> {
    const store = acceptedObjects().find(({ kind }) => kind === 'DataStore') as Manifest;
    const resourceRules = [{ apiGroups: ['dataward.io'], apiVersions: ['*'], operations: ['CREATE'], resources: ['datastores'] }];
    await create(`${ADMISSION}/validatingadmissionpolicies`, {
      metadata: { name: 'marker' },
      spec: { matchConstraints: { resourceRules }, validations: [{ expression: 'object.metadata.name != "marker"', message: 'the marker is refused' }] },
    });
    await create(`${ADMISSION}/validatingadmissionpolicybindings`, { metadata: { name: 'marker' }, spec: { policyName: 'marker', validationActions: ['Deny'] } });
    for (let waited = 0; waited < 20_000; waited += 100) {
      const answer = await write(undefined, mergePatch(store, { metadata: { name: 'marker' }, status: null }) as Manifest, { dryRun: true, as: 'operator' });
      if (JSON.stringify(answer.body).includes('the marker is refused')) return;
      await delay(100);
    }
    throw new Error('The admission policies did not come into force within 20 s.');
  }

  try {
    await installCrds(server, CRDS);
    for (const name of ['dataward-system', 'platform-db', 'shop']) await create('/api/v1/namespaces', { metadata: { name } });
    for (const name of NAMES.filter((each) => !PEOPLE.includes(each))) await giveToken(name);
    await bind('writer', { apiGroups: ['dataward.io'], resources: ['*'], verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'] }, NAMES);
    await bind('approver', { apiGroups: ['dataward.io'], resources: ['purgeruns'], verbs: ['approve'] }, APPROVERS);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    write,
    async removeAll() {
      for (const object of present.splice(0)) {
        const current = (await send('GET', objectPath(object))).body as Manifest;
        if ((current.metadata.finalizers ?? []).length > 0) await send('PUT', objectPath(object), mergePatch(current, { metadata: { finalizers: null } }));
        await send('DELETE', objectPath(object));
      }
    },
    async admit() {
      for (const policy of loadApi(CRDS).admissionPolicies as { kind: string }[]) {
        await create(`${ADMISSION}/${policy.kind === 'ValidatingAdmissionPolicy' ? 'validatingadmissionpolicies' : 'validatingadmissionpolicybindings'}`, policy);
      }
      await untilInForce();
    },
    stop: () => server.stop(),
  };
}

export function kindOf(object: Manifest): KindRef {
  const kind = ownKind(object.kind);
  if (kind === undefined) throw new Error(`${object.kind} is no kind of this project`);
  return kind;
}

const collectionPath = (object: Manifest): string => `/apis/${apiVersionOf(kindOf(object))}/namespaces/${object.metadata.namespace ?? ''}/${kindOf(object).plural}`;
const objectPath = (object: Manifest): string => `${collectionPath(object)}/${object.metadata.name}`;
