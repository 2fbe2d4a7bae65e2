import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { apiVersionOf, ownKind } from '../../src/api/kinds.ts';
import { CRDS, acceptedObjects, cases, writesOf } from '../crds/cases.ts';
import type { Manifest } from '../crds/cases.ts';
import type { ApiAnswer } from '../support/api-request.ts';
import { controlPlaneBinaries } from '../support/controlplane-binaries.ts';
import { startControlPlane } from '../support/controlplane.ts';
import type { ControlPlane } from '../support/controlplane.ts';
import { installCrds } from '../support/install-crds.ts';

const binaries = await controlPlaneBinaries();
const objects = acceptedObjects();

const unchecked = 'some validation rules were not checked because the object was invalid';

interface Cause {
  readonly field: string;
  readonly message: string;
}

/** The examples that the offline validator is tested with: the server has to come to the same answers. */
(binaries === undefined ? describe.skip : describe)('the real API server agrees with the offline rules', () => {
  let server: ControlPlane;
  beforeAll(async () => {
    server = await startControlPlane();
    await installCrds(server, CRDS);
    for (const namespace of new Set(objects.map((object) => object.metadata.namespace))) {
      await server.request('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    }
  });
  afterAll(() => server.stop());

  test.each(objects.map((object) => [`${object.kind} ${object.metadata.name}`, object] as const))('%s is accepted whole, status too', async (_, object) => {
    const created = await server.request('POST', `${collectionPath(object)}?fieldValidation=Strict`, object);
    expect([created.status, causesOf(created), created.warnings]).toEqual([201, [], []]);
    const stored = created.body as Manifest;
    const written = await server.request('PUT', `${objectPath(object)}/status?fieldValidation=Strict`, { ...stored, status: object.status });
    expect([written.status, causesOf(written)]).toEqual([200, []]);
    expect((written.body as Manifest).status).toEqual(object.status);
    await server.request('DELETE', objectPath(object));
  });

  test.each(cases().map((example) => [`${example.from}: ${example.name}`, example] as const))('%s', async (_, example) => {
    const answers: ApiAnswer[] = [];
    for (const write of writesOf(example, objects)) {
      const before = answers.at(-1)?.body as Manifest | undefined;
      answers.push(before === undefined ? await server.request('POST', collectionPath(write), write) : await server.request('PUT', objectPath(write), withVersionOf(write, before)));
    }
    const [first] = writesOf(example, objects);
    if (first !== undefined) await server.request('DELETE', objectPath(first));
    const last = answers.pop();
    expect(answers.flatMap(causesOf)).toEqual([]);
    const causes = last === undefined ? [] : causesOf(last);
    if (example.refused === undefined) expect(causes).toEqual([]);
    // The server looks at no rule while the form is wrong; then the field is all that the two can agree on.
    else if (causes.some(({ message }) => message.includes(unchecked))) expect(causes.map(({ field }) => field)).toContain(example.at);
    else expect(causes).toContainEqual({ field: example.at, message: expect.stringContaining(example.refused) });
  });
});

function collectionPath(object: Manifest): string {
  const kind = ownKind(object.kind);
  if (kind === undefined) throw new Error(`${object.kind} is no kind of this project`);
  return `/apis/${apiVersionOf(kind)}/namespaces/${object.metadata.namespace}/${kind.plural}`;
}

function objectPath(object: Manifest): string {
  return `${collectionPath(object)}/${object.metadata.name}`;
}

function withVersionOf(object: Manifest, stored: Manifest): Manifest {
  const { resourceVersion } = stored.metadata;
  return resourceVersion === undefined ? object : { ...object, metadata: { ...object.metadata, resourceVersion } };
}

/** Why a write was refused; a refusal without causes, such as one for its form, becomes one about no field. */
function causesOf({ status, body }: ApiAnswer): Cause[] {
  if (status < 300) return [];
  const { message = '', details } = body as { message?: string; details?: { causes?: readonly Cause[] } };
  return (details?.causes ?? [{ field: '', message }]).map(({ field, message: text }) => ({ field: field === '<nil>' ? '' : field, message: text }));
}
