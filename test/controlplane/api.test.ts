import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { ownKind } from '../../src/api/kinds.ts';
import type { KindRef } from '../../src/api/object.ts';
import { loadApi } from '../../src/api/validation/load.ts';
import type { FieldError } from '../../src/api/validation/validator.ts';
import { ADMISSION_CASES, APPROVERS, USERS } from '../crds/admission-cases.ts';
import type { User } from '../crds/admission-cases.ts';
import { CRDS, acceptedObjects, cases, mergePatch, writesOf } from '../crds/cases.ts';
import type { Case, Manifest } from '../crds/cases.ts';
import { FORMAT_EXAMPLES } from '../crds/format-examples.ts';
import { PATTERN_EXAMPLES } from '../crds/pattern-examples.ts';
import type { PatternExamples } from '../crds/pattern-examples.ts';
import { valueUses, withValue } from '../crds/walk.ts';
import type { ValueUse } from '../crds/walk.ts';
import type { ApiAnswer } from '../support/api-request.ts';
import { controlPlaneBinaries } from '../support/controlplane-binaries.ts';
import { startControlPlane } from '../support/controlplane.ts';
import type { ControlPlane } from '../support/controlplane.ts';

/** What the API server answers to a refused write. */
interface Status {
  message: string;
  details?: { causes?: { reason: FieldError['type']; message: string; field: string }[] };
}

const CRD_PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const { admissionPolicies, crds, validator } = loadApi(CRDS);
const objects = acceptedObjects();
const binaries = await controlPlaneBinaries();

(binaries === undefined ? describe.skip : describe)('the API server and the validation without one', () => {
  let server: ControlPlane;
  const tokens = new Map<User, string>();
  const present: Manifest[] = [];

  beforeAll(async () => {
    const people = (['alice', 'bob', 'carol'] as const).map((name) => ({ name: USERS[name], token: `${name}-token`, groups: ['staff'] }));
    server = await startControlPlane({ users: people });
    for (const name of ['alice', 'bob', 'carol'] as const) tokens.set(name, `${name}-token`);
    for (const name of ['platform-db', 'shop', 'dataward-system']) await created('/api/v1/namespaces', { metadata: { name } });
    for (const crd of crds) await created(CRD_PATH, crd);
    for (const crd of crds) await eventually(() => send('GET', `/apis/dataward.io/v1alpha1/${crd.spec.names.plural}`), ({ status }) => status === 200);
    await grant();
  }, 120_000);
  afterAll(() => server.stop());

  const send = (method: string, at: string, body?: unknown, as?: User): Promise<ApiAnswer> => {
    const token = as === undefined ? undefined : tokens.get(as);
    return server.request(method, at, body, token === undefined ? {} : { token });
  };

  async function created(at: string, body: unknown): Promise<void> {
    const answer = await send('POST', `${at}?fieldValidation=Strict`, body);
    if (answer.status !== 201) throw new Error(`${at}: ${JSON.stringify(answer.body)}`);
  }

  /** Everybody may write every kind; the approvers may approve. */
  async function grant(): Promise<void> {
    for (const [user, namespace, name] of [['operator', 'dataward-system', 'dataward'], ['robot', 'platform-db', 'deployer']] as const) {
      await created(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
      tokens.set(user, await server.serviceAccountToken(namespace, name));
    }
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    const subject = (user: User): object => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: USERS[user] });
    const bind = async (name: string, rules: object[], users: readonly User[]): Promise<void> => {
      await created(`${rbac}/clusterroles`, { metadata: { name }, rules });
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name };
      await created(`${rbac}/clusterrolebindings`, { metadata: { name }, roleRef, subjects: users.map(subject) });
    };
    const verbs = ['get', 'list', 'create', 'update', 'delete'];
    await bind('writer', [{ apiGroups: ['dataward.io'], resources: ['*'], verbs }], Object.keys(USERS) as User[]);
    await bind('approver', [{ apiGroups: ['dataward.io'], resources: ['purgeruns'], verbs: ['approve'] }], APPROVERS);
  }

  function kindOf(object: Manifest): KindRef {
    const kind = ownKind(object.kind);
    if (kind === undefined) throw new Error(`${object.kind} is no kind of this project`);
    return kind;
  }

  const collection = (object: Manifest): string => `/apis/dataward.io/v1alpha1/namespaces/${object.metadata.namespace ?? ''}/${kindOf(object).plural}`;
  const itself = (object: Manifest): string => `${collection(object)}/${object.metadata.name}`;

  /** Creates the object, or changes what is stored of it. */
  async function write(stored: Manifest | undefined, object: Manifest, options: { as?: User; dryRun?: boolean; status?: boolean; strict?: boolean } = {}): Promise<ApiAnswer> {
    const query = `?fieldValidation=${options.strict === false ? 'Ignore' : 'Strict'}${options.dryRun === true ? '&dryRun=All' : ''}`;
    if (stored === undefined) {
      const answer = await send('POST', `${collection(object)}${query}`, object, options.as);
      if (answer.status === 201 && options.dryRun !== true) present.push(object);
      return answer;
    }
    const { resourceVersion } = stored.metadata;
    const body = { ...object, metadata: { ...object.metadata, ...(resourceVersion !== undefined && { resourceVersion }) } };
    return send('PUT', `${itself(object)}${options.status === true ? '/status' : ''}${query}`, body, options.as);
  }

  /** Removes what was stored, so that the next example finds its name free; nobody else removes finalizers here. */
  async function removeAll(): Promise<void> {
    for (const object of present.splice(0)) {
      const current = (await send('GET', itself(object))).body as Manifest;
      if ((current.metadata.finalizers ?? []).length > 0) await send('PUT', itself(object), mergePatch(current, { metadata: { finalizers: null } }));
      await send('DELETE', itself(object));
    }
  }

  /** Both verdicts on one write, in the same form. */
  function verdicts(answer: ApiAnswer, errors: readonly FieldError[]): { real: string[]; ours: string[] } {
    const causes = (answer.body as Status).details?.causes ?? [];
    const real = answer.status < 300 ? [] : causes.map(({ field, reason, message }) => `${field} ${reason} ${message}`);
    return { real: real.toSorted(), ours: errors.map(({ path, type, message }) => `${path === '' ? '<nil>' : path} ${type} ${message}`).toSorted() };
  }

  test.each(objects.map((object) => [`${object.kind} ${object.metadata.name}`, object] as const))('store %s alike, defaults and status included', async (_, object) => {
    await removeAll();
    const { status, ...spec } = object;
    const first = await write(undefined, spec);
    expect(first.body).toMatchObject({ kind: object.kind });
    expect(first.status).toBe(201);
    const { object: prepared } = validator.prepare(kindOf(object), object);
    expect((first.body as Manifest).spec).toEqual((prepared as Manifest).spec);
    if (status === undefined) return;
    const second = await write(first.body as Manifest, object, { status: true });
    expect(second.body).toMatchObject({ kind: object.kind });
    expect((second.body as Manifest).status).toEqual((prepared as Manifest).status);
  });

  async function compare(example: Case): Promise<Record<string, unknown> | undefined> {
    let stored: Manifest | undefined;
    for (const object of writesOf(example, objects)) {
      const { object: prepared } = validator.prepare(kindOf(object), object);
      const errors = validator.validate(kindOf(object), prepared, stored);
      // Without strictness: what the schema does not know is pruned, here as there.
      const answer = await write(stored, object, { strict: false });
      const { real, ours } = verdicts(answer, errors);
      if (JSON.stringify(real) !== JSON.stringify(ours) || (answer.status >= 300) !== errors.length > 0) {
        return { name: `${example.from}: ${example.name}`, status: answer.status, message: (answer.body as Status).message, real, ours };
      }
      if (answer.status < 300) stored = answer.body as Manifest;
    }
    return undefined;
  }

  test('refuse and accept the same cases, for the same reasons, in the same words', async () => {
    const differences: unknown[] = [];
    for (const example of cases()) {
      await removeAll();
      const difference = await compare(example);
      if (difference !== undefined) differences.push(difference);
    }
    expect(differences).toEqual([]);
  }, 120_000);

  /** Puts each value where `use` stands; what is not judged as the examples say. */
  async function misjudged(use: ValueUse, { accepted, refused }: PatternExamples): Promise<string[]> {
    const isStatus = use.keys[0] === 'status';
    const { status: _, ...base } = use.object;
    const stored = isStatus ? ((await write(undefined, base)).body as Manifest) : undefined;
    const wrong: string[] = [];
    for (const value of [...accepted, ...refused]) {
      const answer = await write(stored, withValue(use.object, use.keys, value), { dryRun: true, status: isStatus });
      const causes = (answer.body as Status).details?.causes ?? [];
      const isRefused = causes.some(({ field, message }) => field === use.path && / in body (should match|should be at least|must be of type)/.test(message));
      if (isRefused !== refused.includes(value)) wrong.push(`${use.path} ${JSON.stringify(value)}: ${JSON.stringify(answer.body)}`);
    }
    await removeAll();
    return wrong;
  }

  const uses = valueUses();
  /** Rather in spec, which is written with one request. */
  const useOf = (governs: (use: ValueUse) => boolean): ValueUse | undefined => uses.find((use) => use.keys[0] === 'spec' && governs(use)) ?? uses.find(governs);

  test('read every pattern alike', async () => {
    const wrong: string[] = [];
    for (const [pattern, examples] of Object.entries(PATTERN_EXAMPLES)) {
      const use = useOf(({ schema }) => schema.pattern === pattern);
      if (use !== undefined) wrong.push(...(await misjudged(use, examples)));
    }
    expect(wrong).toEqual([]);
  }, 60_000);

  test.each(['date', 'date-time'] as const)('read the format %s alike', async (format) => {
    const use = useOf(({ schema }) => schema.format === format);
    if (use === undefined) throw new Error(`no example has a ${format}`);
    expect(await misjudged(use, FORMAT_EXAMPLES[format])).toEqual([]);
  });

  describe('with the admission policies', () => {
    beforeAll(async () => {
      await removeAll();
      for (const policy of admissionPolicies as { kind: string }[]) {
        const plural = policy.kind === 'ValidatingAdmissionPolicy' ? 'validatingadmissionpolicies' : 'validatingadmissionpolicybindings';
        await created(`/apis/admissionregistration.k8s.io/v1/${plural}`, policy);
      }
      // Policies come into force some time after they are stored, each for itself; the last case of each tells.
      for (const example of ADMISSION_CASES.filter(({ refused, writes }) => refused !== undefined && writes.length === 1)) {
        await eventually(() => attempt(example.from, example.writes[0]), ({ status }) => status >= 400);
      }
      await delay(1_500);
    }, 60_000);

    function attempt(from: string, step: (typeof ADMISSION_CASES)[number]['writes'][number] | undefined): Promise<ApiAnswer> {
      const object = mergePatch(baseOf(from), step?.patch ?? {}) as Manifest;
      return write(undefined, object, { dryRun: true, ...(step !== undefined && { as: step.as }) });
    }

    function baseOf(from: string): Manifest {
      const found = objects.find((object) => `${object.kind}/${object.metadata.name}` === from);
      if (found === undefined) throw new Error(`there is no object ${from}`);
      const { status: _, ...base } = found;
      return base;
    }

    test.each(ADMISSION_CASES.map((example) => [example.name, example] as const))('%s', async (_, example) => {
      await removeAll();
      let stored: Manifest | undefined;
      const last = example.writes.length - 1;
      for (const [index, step] of example.writes.entries()) {
        const patch = step.status === undefined ? (step.patch ?? {}) : { status: step.status };
        const object = mergePatch(stored ?? baseOf(example.from), patch) as Manifest;
        const answer: ApiAnswer = await write(stored, object, { as: step.as, status: step.status !== undefined });
        if (index === last && example.refused !== undefined) {
          expect((answer.body as Status).message).toContain(example.refused);
        } else {
          expect(answer.body).toMatchObject({ kind: object.kind });
          stored = answer.body as Manifest;
        }
      }
    });
  });
});

async function eventually<Value>(read: () => Promise<Value>, accept: (value: Value) => boolean): Promise<Value> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const value = await read();
    if (accept(value) || Date.now() > deadline) return value;
    await delay(100);
  }
}
