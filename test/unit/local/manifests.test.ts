import { describe, expect, test } from '@jest/globals';
import { Declarations } from '../../../src/local/declarations.ts';
import { parseManifests } from '../../../src/local/manifests.ts';

const KINDS = [
  { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true },
  { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false },
];

function configMap(name: string, namespace = 'shop'): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: ${namespace} }\n`;
}

describe('a manifest file', () => {
  test('gives its documents with the lines they begin at', () => {
    const { manifests, problems } = parseManifests('a.yaml', `# first\n${configMap('one')}---\n---\n${configMap('two')}`);
    expect(problems).toEqual([]);
    expect(manifests.map(({ line, object }) => [line, object.metadata.name])).toEqual([[2, 'one'], [7, 'two']]);
  });

  test('may be JSON', () => {
    expect(parseManifests('a.json', '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}').manifests).toHaveLength(1);
  });

  test.each([
    { name: 'YAML that is not closed', text: `${configMap('one')}---\ndata: [1, 2\n`, line: 6, message: 'not valid YAML' },
    { name: 'a key given twice', text: 'apiVersion: v1\nkind: A\nkind: B\n', line: 3, message: 'not valid YAML' },
    { name: 'a list in place of an object', text: '- a\n', line: 1, message: 'a manifest is a mapping' },
    { name: 'no kind', text: 'apiVersion: v1\nmetadata: { name: x }\n', line: 1, message: 'kind is missing' },
    { name: 'no name', text: '\napiVersion: v1\nkind: A\nmetadata: { generateName: x }\n', line: 2, message: 'metadata.name is missing' },
  ])('with $name is not used at all, and the line is named', ({ text, line, message }) => {
    const { manifests, problems } = parseManifests('a.yaml', text);
    expect(manifests).toEqual([]);
    expect(problems[0]).toMatchObject({ file: 'a.yaml', line, message: expect.stringContaining(message) });
  });

  test('cannot fill the memory with aliases', () => {
    const levels = Array.from({ length: 12 }, (_, index) => `l${index + 1}: &l${index + 1} [${Array(9).fill(`*l${index}`).join(', ')}]`);
    const text = `apiVersion: v1\nkind: A\nmetadata: { name: x }\nl0: &l0 [x]\n${levels.join('\n')}\n`;
    expect(parseManifests('a.yaml', text).problems[0]?.message).toContain('not usable YAML');
  });
});

describe('the declarations of a folder', () => {
  function pendingOf(declarations: Declarations): string[] {
    return declarations.pending().map(({ label }) => label);
  }

  test('come namespaces first, and once each', () => {
    const declarations = new Declarations(KINDS);
    const files = new Map([['a.yaml', configMap('one')], ['b.yaml', 'apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n']]);
    expect(declarations.update('.', files)).toEqual([]);
    expect(pendingOf(declarations)).toEqual(['Namespace shop', 'ConfigMap shop/one']);
    declarations.pending().forEach((declared) => declarations.applied(declared));
    declarations.update('.', files);
    expect(pendingOf(declarations)).toEqual([]);
  });

  test('a changed file is pending again; a broken one leaves what was', () => {
    const declarations = new Declarations(KINDS);
    declarations.update('.', new Map([['a.yaml', configMap('one')]]));
    declarations.pending().forEach((declared) => declarations.applied(declared));
    expect(declarations.update('.', new Map([['a.yaml', 'data: [']]))).toHaveLength(1);
    expect(pendingOf(declarations)).toEqual([]);
    declarations.update('.', new Map([['a.yaml', `${configMap('one')}data: { a: b }\n`]]));
    expect(pendingOf(declarations)).toEqual(['ConfigMap shop/one']);
  });

  test('a file that is removed before its objects could be applied no longer asks for them', () => {
    const declarations = new Declarations(KINDS);
    declarations.update('.', new Map([['a.yaml', configMap('one')]]));
    declarations.update('.', new Map());
    expect(pendingOf(declarations)).toEqual([]);
  });

  test('a second document for one object is refused with the place of the first', () => {
    const declarations = new Declarations(KINDS);
    const problems = declarations.update('/f', new Map([['/f/a.yaml', configMap('one')], ['/f/b.yaml', configMap('one')]]));
    expect(problems).toEqual([{ file: '/f/b.yaml', line: 1, object: 'ConfigMap shop/one', message: 'also declared at a.yaml:1; remove one of the two' }]);
  });

  test('a kind that is not known is named', () => {
    const problems = new Declarations(KINDS).update('.', new Map([['a.yaml', 'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: x }\n']]));
    expect(problems[0]?.message).toBe('Deployment of apps/v1 is not known here; check apiVersion and kind');
  });
});
