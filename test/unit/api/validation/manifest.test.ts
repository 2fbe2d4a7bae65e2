import { describe, expect, test } from '@jest/globals';
import { parseManifest } from '../../../../src/api/validation/manifest.ts';

const OBJECT = 'apiVersion: dataward.io/v1alpha1\nkind: DataStore\nmetadata: { name: a }\n';

describe('parseManifest', () => {
  test('gives each document with the line it starts on', () => {
    const { objects, findings } = parseManifest(`${OBJECT}---\n# nothing but a comment\n---\n${OBJECT}`, 'stores.yaml');
    expect(findings).toEqual([]);
    expect(objects.map(({ position }) => position)).toEqual([
      { file: 'stores.yaml', line: 1, column: 1 },
      { file: 'stores.yaml', line: 7, column: 1 },
    ]);
    expect(objects[0]?.object).toEqual({ apiVersion: 'dataward.io/v1alpha1', kind: 'DataStore', metadata: { name: 'a' } });
  });

  test('finds the line of a field, of a list entry, and of the nearest parent of what is absent', () => {
    const text = `${OBJECT}spec:\n  endpoint:\n    replicas:\n    - host: a\n    - host: b\n      port: 1\n`;
    const [entry] = parseManifest(text, 'f').objects;
    const line = (path: string): number | undefined => entry?.locate(path).line;
    expect(line('spec')).toBe(4);
    expect(line('spec.endpoint.replicas')).toBe(6);
    expect(line('spec.endpoint.replicas[1]')).toBe(8);
    expect(line('spec.endpoint.replicas[1].port')).toBe(9);
    expect(line('spec.endpoint.replicas[1].missing')).toBe(8);
    expect(line('spec.endpoint.replicas[7].port')).toBe(6);
    expect(line('spec.owner')).toBe(4);
    expect(line('status.conditions[0]')).toBe(1);
    expect(line('')).toBe(1);
  });

  test('reads JSON, with positions', () => {
    const text = `{\n  "apiVersion": "v1", "kind": "Secret",\n  "metadata": { "name": "s" },\n  "data": { "a": "NO" }\n}\n`;
    const { objects, findings } = parseManifest(text, 'secret.json');
    expect(findings).toEqual([]);
    expect(objects[0]?.locate('data.a')).toEqual({ file: 'secret.json', line: 4, column: 13 });
  });

  test('takes a List apart and keeps the lines', () => {
    const text = 'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata:\n    name: s\n- {}\n';
    const { objects, findings } = parseManifest(text, 'f');
    expect(objects.map(({ position, locate }) => [position.line, locate('metadata.name').line])).toEqual([[4, 7]]);
    expect(findings).toEqual([{ file: 'f', line: 8, column: 3, message: expect.stringContaining('apiVersion is missing') }]);
  });

  test('places a field behind an alias on the line of the alias', () => {
    const text = `${OBJECT}spec:\n  a: &shared\n    deep: 1\n  b: *shared\n`;
    const [entry] = parseManifest(text, 'f').objects;
    expect(entry?.locate('spec.b.deep').line).toBe(7);
  });

  test('has nothing to say about an empty file', () => {
    expect(parseManifest('', 'f')).toEqual({ objects: [], findings: [] });
    expect(parseManifest('---\n---\n', 'f')).toEqual({ objects: [], findings: [] });
  });

  const faults: [string, string, number, string][] = [
    ['a key that occurs twice', `${OBJECT}spec:\n  a: 1\n  a: 2\n`, 6, 'a key occurs twice'],
    ['a flow list that never ends', `${OBJECT}spec:\n  a: [1,\nb: 2\n`, 6, 'not valid YAML'],
    ['a tab as indentation', `${OBJECT}spec:\n\ta: 1\n`, 5, 'not valid YAML'],
    ['an alias to nothing', `${OBJECT}spec: *gone\n`, 1, 'not valid YAML'],
    ['Norway without quotes', `${OBJECT}spec:\n  country: NO\n`, 5, 'write "NO" in quotes'],
    ['a key that is a boolean in the cluster', `${OBJECT}spec:\n  on: a\n`, 5, 'write "on" in quotes'],
    ['an octal number', `${OBJECT}spec:\n  port: 05432\n`, 5, '05432 is a number for kubectl only'],
    ['a number in groups', `${OBJECT}spec:\n  rows: 1_000\n`, 5, '1_000 is a number for kubectl only'],
    ['a list instead of an object', '- a\n', 1, 'not a Kubernetes object'],
    ['a text instead of an object', 'hello\n', 1, 'not a Kubernetes object'],
    ['no apiVersion', 'kind: DataStore\nmetadata: { name: a }\n', 1, 'apiVersion is missing'],
    ['no kind', 'apiVersion: v1\nmetadata: { name: a }\n', 1, 'kind is missing'],
    ['no name', 'apiVersion: v1\nkind: Secret\nmetadata: {}\n', 1, 'Secret has no name'],
  ];
  test.each(faults)('%s is a finding, and the document yields no object', (_, text, line, message) => {
    const { objects, findings } = parseManifest(text, 'f.yaml');
    expect(objects).toEqual([]);
    expect(findings[0]).toEqual({ file: 'f.yaml', line, column: expect.any(Number), message: expect.stringContaining(message) });
  });

  test.each(['"NO"', 'oFF', 'yEs', '0', '007x', '1.5', '2027-01-01'])('%s means the same everywhere and is left alone', (scalar) => {
    expect(parseManifest(`${OBJECT}spec:\n  a: ${scalar}\n`, 'f').findings).toEqual([]);
  });

  test('a finding in one document leaves the others alone', () => {
    const { objects, findings } = parseManifest(`${OBJECT}---\na: 1\na: 2\n---\n${OBJECT}`, 'f');
    expect(objects.map(({ position }) => position.line)).toEqual([1, 8]);
    expect(findings).toHaveLength(1);
  });

  test('does not unfold an alias bomb', () => {
    const levels = Array.from({ length: 9 }, (_, level) => `l${level + 1}: &l${level + 1} [${`*l${level},`.repeat(9)}]`);
    const bomb = `${OBJECT}l0: &l0 [a]\n${levels.join('\n')}\n`;
    const { objects, findings } = parseManifest(bomb, 'f');
    expect(objects).toEqual([]);
    expect(findings[0]?.message).toContain('alias');
  });
});
