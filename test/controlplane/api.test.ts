import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { loadApi } from '../../src/api/validation/load.ts';
import type { FieldError } from '../../src/api/validation/validator.ts';
import { ADMISSION_CASES } from '../crds/admission-cases.ts';
import { CRDS, acceptedObjects, cases, mergePatch, writesOf } from '../crds/cases.ts';
import type { Case, Manifest } from '../crds/cases.ts';
import { FORMAT_EXAMPLES } from '../crds/format-examples.ts';
import { PATTERN_EXAMPLES } from '../crds/pattern-examples.ts';
import type { PatternExamples } from '../crds/pattern-examples.ts';
import { valueUses, withValue } from '../crds/walk.ts';
import type { ValueUse } from '../crds/walk.ts';
import type { ApiAnswer } from '../support/api-request.ts';
import { controlPlaneBinaries } from '../support/controlplane-binaries.ts';
import { kindOf, startOwnKindsServer } from './own-kinds.ts';
import type { OwnKindsServer } from './own-kinds.ts';

interface Cause {
  readonly reason: FieldError['type'];
  readonly message: string;
  readonly field: string;
}

/** What the API server answers to a refused write. */
interface Status {
  readonly message: string;
  readonly details?: { readonly causes?: readonly Cause[] };
}

const { validator } = loadApi(CRDS);
const objects = acceptedObjects();
const binaries = await controlPlaneBinaries();

/** The examples that the validation without a server is tested with: both have to come to the same answers, and to the expected ones. */
(binaries === undefined ? describe.skip : describe)('the API server and the validation without one', () => {
  let server: OwnKindsServer;
  beforeAll(async () => {
    server = await startOwnKindsServer();
  }, 120_000);
  afterAll(() => server?.stop());

  test.each(objects.map((object) => [`${object.kind} ${object.metadata.name}`, object] as const))('store %s alike, defaults and status included', async (_, object) => {
    await server.removeAll();
    const { status, ...spec } = object;
    const first = await server.write(undefined, spec);
    expect(first.body).toMatchObject({ kind: object.kind });
    expect([first.status, first.warnings]).toEqual([201, []]);
    const { object: prepared } = validator.prepare(kindOf(object), object);
    expect((first.body as Manifest).spec).toEqual((prepared as Manifest).spec);
    if (status === undefined) return;
    const second = await server.write(first.body as Manifest, object, { status: true });
    expect(second.body).toMatchObject({ kind: object.kind });
    expect(second.status).toBe(200);
    expect((second.body as Manifest).status).toEqual((prepared as Manifest).status);
    expect((second.body as Manifest).status).toEqual(status);
  });

  test.each(cases().map((example) => [`${example.from}: ${example.name}`, example] as const))('refuse or accept alike, for the reason that is expected, in the same words: %s', async (_, example) => {
    await server.removeAll();
    const answers: ApiAnswer[] = [];
    let stored: Manifest | undefined;
    for (const object of writesOf(example, objects)) {
      const { object: prepared } = validator.prepare(kindOf(object), object);
      const errors = validator.validate(kindOf(object), prepared, stored);
      // Without strictness: what the schema does not know is pruned, here as there.
      const answer = await server.write(stored, object, { strict: false });
      const { real, ours } = verdicts(answer, errors);
      expect({ refused: answer.status >= 300, causes: real }).toEqual({ refused: errors.length > 0, causes: ours });
      if (answer.status < 300) stored = answer.body as Manifest;
      answers.push(answer);
    }
    const last = answers.pop();
    expect(answers.map(messageOf)).toEqual(answers.map(() => ''));
    expectVerdict(example, last);
  });

  /** Puts each value where `use` stands; what is not judged as the examples say. */
  async function misjudged(use: ValueUse, { accepted, refused }: PatternExamples): Promise<string[]> {
    const isStatus = use.keys[0] === 'status';
    const { status: _, ...base } = use.object;
    const stored = isStatus ? ((await server.write(undefined, base)).body as Manifest) : undefined;
    const wrong: string[] = [];
    for (const value of [...accepted, ...refused]) {
      const answer = await server.write(stored, withValue(use.object, use.keys, value), { dryRun: true, status: isStatus });
      const isRefused = causesOf(answer).some(({ field, message }) => field === use.path && / in body (should match|should be at least|must be of type)/.test(message));
      if (isRefused !== refused.includes(value)) wrong.push(`${use.path} ${JSON.stringify(value)}: ${JSON.stringify(answer.body)}`);
    }
    await server.removeAll();
    return wrong;
  }

  const uses = valueUses();
  /** Rather in spec, which is written with one request. */
  const useOf = (governs: (use: ValueUse) => boolean): ValueUse | undefined => uses.find((use) => use.keys[0] === 'spec' && governs(use)) ?? uses.find(governs);

  test('read every pattern alike', async () => {
    await server.removeAll();
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

  /** The same writes by the same users as offline, here with real tokens, real RBAC and the shipped policies. */
  describe('with the admission policies let write who should, and nobody else', () => {
    beforeAll(async () => {
      await server.removeAll();
      await server.admit();
    }, 60_000);

    test.each(ADMISSION_CASES.map((example) => [example.name, example] as const))('%s', async (_, example) => {
      await server.removeAll();
      const { status: __, ...base } = exampleObject(({ kind, metadata }) => `${kind}/${metadata.name}` === example.from);
      const answers: ApiAnswer[] = [];
      for (const step of example.writes) {
        const stored = answers.at(-1)?.body as Manifest | undefined;
        const patch = step.status === undefined ? (step.patch ?? {}) : { status: step.status };
        answers.push(await server.write(stored, mergePatch(stored ?? base, patch) as Manifest, { as: step.as, status: step.status !== undefined }));
      }
      const last = answers.pop();
      expect(answers.map(messageOf)).toEqual(answers.map(() => ''));
      if (example.refused === undefined) expect(last && messageOf(last)).toBe('');
      else expect(last && messageOf(last)).toContain(example.refused);
    });

    test('an administrator of the cluster makes no run either', async () => {
      const run = exampleObject(({ kind, spec }) => kind === 'PurgeRun' && spec.approvals === undefined);
      const answer = await server.write(undefined, run, { dryRun: true });
      expect([answer.status, messageOf(answer)]).toEqual([403, expect.stringContaining('only the operator creates PurgeRuns')]);
    });
  });
});

function exampleObject(wanted: (object: Manifest) => boolean): Manifest {
  const found = objects.find(wanted);
  if (found === undefined) throw new Error('the accepted objects lack one that a case begins with');
  return found;
}

/** Empty for an accepted write. */
function messageOf({ status, body }: ApiAnswer): string {
  return status < 300 ? '' : ((body as Partial<Status>).message ?? `status ${status}`);
}

function causesOf({ status, body }: ApiAnswer): readonly Cause[] {
  return status < 300 ? [] : ((body as Status).details?.causes ?? []);
}

/** Both verdicts on one write, in the same form. */
function verdicts(answer: ApiAnswer, errors: readonly FieldError[]): { real: string[]; ours: string[] } {
  return {
    real: causesOf(answer).map(({ field, reason, message }) => `${field} ${reason} ${message}`).toSorted(),
    ours: errors.map(({ path, type, message }) => `${path === '' ? '<nil>' : path} ${type} ${message}`).toSorted(),
  };
}

const UNCHECKED = 'some validation rules were not checked because the object was invalid';

/** The last write of a case is judged as the case says. */
function expectVerdict(example: Case, last: ApiAnswer | undefined): void {
  const causes = (last === undefined ? [] : causesOf(last)).map(({ field, message }) => ({ field: field === '<nil>' ? '' : field, message }));
  if (example.refused === undefined) expect(last && messageOf(last)).toBe('');
  // The server looks at no rule while the form is wrong; then the field is all that can be expected.
  else if (causes.some(({ message }) => message.includes(UNCHECKED))) expect(causes.map(({ field }) => field)).toContain(example.at);
  else expect(causes).toContainEqual({ field: example.at, message: expect.stringContaining(example.refused) });
}
