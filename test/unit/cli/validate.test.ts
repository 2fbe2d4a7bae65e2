import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import { acceptedObjects } from '../../crds/cases.ts';
import { runCli } from '../../support/cli.ts';

const EXAMPLE = 'examples/retention-behaviour-25-months.yaml';
let folder: string;
let file: string;
let good: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'dataward-validate-'));
  file = path.join(folder, 'policy.yaml');
  good = await readFile(EXAMPLE, 'utf8');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const validate = async (text: string, ...flags: string[]): ReturnType<typeof runCli> => {
  await writeFile(file, text);
  return runCli(['validate', '-f', file, ...flags]);
};
/** Number of the line that holds the text. */
const lineOf = (text: string, part: string): number => text.split('\n').findIndex((line) => line.includes(part)) + 1;

test('what is right ends with 0 and says so on stderr only', async () => {
  expect(await validate(good)).toEqual({ code: 0, stdout: '', stderr: '1 object is valid\n' });
});

test.each([
  ['an empty file', ''],
  ['a file of comments', '# nothing\n---\n'],
])('%s is no folder in which all is well', async (_what, text) => {
  expect(await validate(text)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/policy\.yaml: holds no object; look at what wrote it/) });
});

test('of other kinds it says that nobody looked into them', async () => {
  expect(await validate('apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n')).toEqual({ code: 0, stdout: '', stderr: '1 object is valid; none is of dataward.io, and other kinds are not looked into\n' });
});

test('the examples are right as they are', async () => {
  expect(await runCli(['validate', '-f', 'examples'])).toEqual({ code: 0, stdout: '', stderr: '15 objects are valid\n' });
});

describe('what is wrong ends with 1 and stands with file, line and field on stdout', () => {
  const cases: [string, (text: string) => string, string, RegExp][] = [
    ['an unknown field', (text) => text.replace('  maximum:', '  maximumm: 1\n  maximum:'), 'maximumm', /spec\.maximumm: unknown field/],
    ['an impossible period', (text) => text.replace('period: P25M', 'period: 25 months'), 'period: 25 months', /spec\.maximum\.period: /],
    ['a zone nobody knows', (text) => text.replace(/timeZone: .*/, 'timeZone: Europe/Pariss'), 'Pariss', /spec\.timeZone: /],
  ];
  test.each(cases)('%s', async (_what, spoil, part, says) => {
    const text = spoil(good);
    const result = await validate(text);
    expect(result).toMatchObject({ code: 1, stdout: expect.stringMatching(says) });
    expect(result.stdout).toContain(`policy.yaml:${lineOf(text, part)}: RetentionPolicy `);
    expect(result.stderr).toMatch(/^(1 finding|\d+ findings) in 1 object\n$/);
  });

  test.each<[string, (text: string) => string, string]>([
    ['a version that is not served, with the one that is', (text) => text.replace('v1alpha1', 'v1'), 'apiVersion: RetentionPolicy is not served as dataward.io/v1; write dataward.io/v1alpha1'],
    ['a kind that is misspelt, with those there are', (text) => text.replace('kind: RetentionPolicy', 'kind: RetentionPolcy'), 'kind: dataward.io has no kind RetentionPolcy; there are DataStore, '],
  ])('%s', async (_what, spoil, says) => {
    expect(await validate(spoil(good))).toMatchObject({ code: 1, stdout: expect.stringContaining(says) });
  });

  test('what is missing, without the remark that more was not looked at', async () => {
    const { code, stdout, stderr } = await validate(good.slice(0, good.indexOf('spec:')) + 'spec: {}\n');
    expect([code, stdout.includes('<nil>')]).toEqual([1, false]);
    expect(stderr).toBe(`${stdout.trimEnd().split('\n').length} findings in 1 object\n`);
  });

  test('a file that is no YAML, named by its line', async () => {
    expect(await validate('kind: [\n')).toMatchObject({ code: 1, stdout: expect.stringMatching(/policy\.yaml:\d+: /) });
  });

  test('an object declared twice, and both places', async () => {
    const result = await validate(`${good}\n---\n${good}`);
    expect(result).toMatchObject({ code: 1, stdout: expect.stringMatching(/declared before at .*policy\.yaml:\d+; the later one would win/) });
  });

  test('for programs as JSON with the same findings', async () => {
    const { stdout } = await validate(good.replace('period: P25M', 'period: P0D'), '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({ objects: 1, findings: [{ file: expect.stringContaining('policy.yaml'), line: expect.any(Number), field: 'spec.maximum.period', message: expect.any(String) }] });
  });
});

describe('what only the admission policies refuse', () => {
  const reaching = (namespace: string): string => good.replace(/namespace: platform-db/, `namespace: ${namespace}`).replace(/^spec:$/m, 'spec:\n  namespaceSelector:\n    all: {}');

  test('a selector of namespaces outside the root namespace, with its line', async () => {
    const text = reaching('platform-db');
    expect(await validate(text)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(`policy.yaml:${lineOf(text, 'namespaceSelector')}: RetentionPolicy platform-db/behaviour-25-months: spec.namespaceSelector: ValidatingAdmissionPolicy 'dataward-namespace-selector'`),
    });
  });

  test('not one in it, whatever it is called', async () => {
    expect(await validate(reaching('dataward-system'))).toMatchObject({ code: 0 });
    expect(await validate(reaching('guard'), '--root-namespace', 'guard')).toMatchObject({ code: 0 });
    expect(await validate(reaching('dataward-system'), '--root-namespace', 'guard')).toMatchObject({ code: 1, stdout: expect.stringContaining('accepted in the namespace guard only') });
  });

  test('a run, which only the operator plans', async () => {
    const run = acceptedObjects().find(({ kind, spec }) => kind === 'PurgeRun' && spec.approvals === undefined);
    expect(await validate(stringify(run))).toMatchObject({ code: 1, stdout: expect.stringMatching(/policy\.yaml:1: PurgeRun .*: ValidatingAdmissionPolicy .* only the operator creates PurgeRuns/) });
  });

  test('and a plan of such a folder is refused too', async () => {
    await writeFile(file, reaching('platform-db'));
    expect(await runCli(['plan', '-f', file])).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('accepted in the namespace dataward-system only') });
  });
});

test('colours are for terminals that want them', async () => {
  await writeFile(file, good.replace('period: P25M', 'period: P0D'));
  const escape = '\u001b[';
  expect((await runCli(['validate', '-f', file])).stdout).not.toContain(escape);
  expect((await runCli(['validate', '-f', file], { colour: true })).stdout).toContain(escape);
  expect((await runCli(['validate', '-f', file], { colour: true, env: { NO_COLOR: '1' } })).stdout).not.toContain(escape);
});

test('a plan of a folder with a finding is refused with that finding, before any store is asked', async () => {
  const all = path.join(folder, 'all');
  await cp('examples', all, { recursive: true, filter: (source) => !/\.(md|ts|sql)$/.test(source) });
  await writeFile(path.join(all, path.basename(EXAMPLE)), good.replace('  maximum:', '  maximumm: 1\n  maximum:'));
  expect(await runCli(['plan', '-f', all])).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/retention-behaviour-25-months\.yaml:\d+: .*spec\.maximumm: unknown field/) });
});
