import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { buildCatalogue } from '../../../scripts/catalogue.ts';
import { compileInputTypes, sourcesDigest } from '../../../scripts/policies.ts';
import { loadBundle } from '../../../src/policy/bundle.ts';
import { bundleDir } from './examples.ts';

/** What is checked in must be what the sources say; these need neither opa nor Go. */

test('the compiled policies were built from the sources as they are', async () => {
  const [first] = readFileSync('policies/bundle/SHA256SUMS', 'utf8').split('\n');
  expect(first).toBe(`# sources ${await sourcesDigest()}`);
});

test('the input types were made from the schema as it is', async () => {
  const { catalogue } = await loadBundle(bundleDir);
  expect(await compileInputTypes(catalogue.inputSchema)).toBe(readFileSync('src/policy/input.ts', 'utf8'));
});

test('the catalogue holds the schema of the sources', async () => {
  const { catalogue } = await loadBundle(bundleDir);
  expect(catalogue.inputSchema).toEqual(JSON.parse(readFileSync('policies/schemas/input.json', 'utf8')));
});

test('every clause of the statement is mapped, in order', async () => {
  const { catalogue } = await loadBundle(bundleDir);
  const statement = catalogue.frameworks.find(({ id }) => id === 'statement');
  expect(statement?.clauses.map(({ id }) => id)).toEqual(Array.from({ length: 25 }, (_, index) => `S${String(index + 1).padStart(2, '0')}`));
});

test('controls and the gdpr mapping name the same articles', async () => {
  const { catalogue } = await loadBundle(bundleDir);
  const gdpr = catalogue.frameworks.find(({ id }) => id === 'gdpr');
  const mapped = (gdpr?.clauses ?? []).flatMap((clause) => clause.controls.map((control) => `${control} ${clause.id}`));
  const cited = catalogue.controls.flatMap((control) => (control.refs['gdpr'] ?? []).map((article) => `${control.id} ${article}`));
  expect(mapped.sort()).toEqual(cited.sort());
});

describe('a catalogue is refused', () => {
  const annotation = (id: string, path: string, custom = {}): unknown => ({
    annotations: { title: 'T', description: 'D', custom: { id, severity: 'low', facts: [], reasonCodes: {}, refs: {}, remediation: 'R', ...custom } },
    path: ['data', 'dataward', 'controls', ...path.split('/')].map((value) => ({ value })),
  });
  const build = (annotations: unknown[], clauses: object[] = [{ id: 'S', title: 'S', controls: ['A-01'] }]): unknown =>
    buildCatalogue({
      opa: '1',
      annotations: annotations as Parameters<typeof buildCatalogue>[0]['annotations'],
      frameworks: [{ id: 'f', title: 'F', clauses: clauses as never }],
      inputSchema: { properties: { params: { properties: {}, required: [] } } },
    });

  test('never when everything fits', () => expect(build([annotation('A-01', 'a/a_01')])).toMatchObject({ controls: [{ id: 'A-01', entrypoint: 'dataward/controls/a/a_01/facts' }] }));

  test.each<[string, unknown[], object[] | undefined, string]>([
    ['an id that is not its package', [annotation('A-02', 'a/a_01'), annotation('A-01', 'b/a_01')], undefined, 'custom.id is A-02, which is not its package'],
    ['a control without remediation', [annotation('A-01', 'a/a_01', { remediation: undefined })], undefined, 'custom.remediation is missing'],
    ['a clause of an unknown control', [annotation('A-01', 'a/a_01')], [{ id: 'S', controls: ['A-01', 'B-01'] }], 'clause S names B-01, which is no control'],
    ['a control no clause names', [annotation('A-01', 'a/a_01')], [], 'no clause names A-01'],
    ['a control said to have no facts', [annotation('A-01', 'a/a_01')], [{ id: 'S', controls: ['A-01'], noFactSource: ['A-01'] }], 'says A-01 has no fact source'],
    ['a parameter without the direction that asks for more', [annotation('A-01', 'a/a_01', { parameters: { p: { schema: { format: 'duration' } } } })], undefined, 'parameter p has to say in tighter'],
    ['a parameter of a shape nobody reads', [annotation('A-01', 'a/a_01', { parameters: { p: { tighter: 'Lower', schema: { type: 'string' } } } })], undefined, 'parameter p is no duration, no enum and no integer with minimum and maximum'],
    ['a parameter the schema lacks', [annotation('A-01', 'a/a_01', { parameters: { p: {} } })], undefined, 'params must be exactly the parameters of the controls'],
    [
      'a parameter declared twice',
      [annotation('A-01', 'a/a_01', { parameters: { p: {} } }), annotation('A-02', 'a/a_02', { parameters: { p: {} } })],
      undefined,
      'parameter p is declared by another control already',
    ],
  ])('for %s', (_, annotations, clauses, message) => {
    expect(() => build(annotations, clauses)).toThrow(message);
  });
});
