import { describe, expect, test } from '@jest/globals';
import { parseJsonPath } from '../../../src/local/jsonpath.ts';
import { humanDuration, printerColumns, toTable } from '../../../src/local/table.ts';

const OBJECT = {
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name: 'one', creationTimestamp: '2026-01-01T00:00:00Z', labels: { 'x.io/a': 'yes' } },
  spec: { size: 3, on: false, parts: [{ name: 'a', n: 1 }, { name: 'b', n: 2 }] },
  status: { conditions: [{ type: 'Ready', status: 'True' }, { type: 'Compliant', status: 'False' }] },
};

describe('JSONPath', () => {
  test.each([
    { path: '.spec.size', values: [3] },
    { path: '.spec.nothing', values: [] },
    { path: '.spec.size.deeper', values: [] },
    { path: '.status.conditions[?(@.type=="Ready")].status', values: ['True'] },
    { path: ".status.conditions[?(@.type=='Compliant')].status", values: ['False'] },
    { path: '.status.conditions[?(@.type!="Ready")].type', values: ['Compliant'] },
    { path: '.status.conditions[?(@.reason)].type', values: [] },
    { path: '.spec.parts[?(@.n>1)].name', values: ['b'] },
    { path: '.spec.parts[*].name', values: ['a', 'b'] },
    { path: '.spec.parts[0].name', values: ['a'] },
    { path: '.spec.parts[-1].name', values: ['b'] },
    { path: ".metadata.labels['x.io/a']", values: ['yes'] },
    { path: '.metadata.labels.x\\.io/a', values: ['yes'] },
  ])('$path', ({ path, values }) => {
    expect(parseJsonPath(path)(OBJECT)).toEqual(values);
  });

  test.each(['spec', '.spec[', '.spec[abc]', '.a[?(b==1)]', '.a[?(@.b==c)]'])('refuses %s', (path) => {
    expect(() => parseJsonPath(path)).toThrow();
  });
});

test.each([
  [0, '0s'], [-5, '0s'], [119, '119s'], [120, '2m'], [200, '3m20s'], [600, '10m'], [10_799, '179m'], [10_800, '3h'], [13_000, '3h36m'],
  [8 * 3600, '8h'], [48 * 3600, '2d'], [49 * 3600, '2d1h'], [8 * 86_400, '8d'], [800 * 86_400, '2y70d'], [4000 * 86_400, '10y'],
])('%d seconds read %s', (seconds, words) => {
  expect(humanDuration(seconds * 1000)).toBe(words);
});

test('a table has a row of cells for each object, in the order of the columns', () => {
  const columns = printerColumns([
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
    { name: 'On', type: 'boolean', jsonPath: '.spec.on' },
    { name: 'Parts', type: 'string', jsonPath: '.spec.parts', priority: 1 },
    { name: 'Nothing', type: 'string', jsonPath: '.spec.nothing' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ]);
  const now = Date.parse('2026-01-01T00:03:20Z');
  expect(toTable(columns, [OBJECT], { resourceVersion: '7', items: 'ignored' }, 'Metadata', now)).toMatchObject({
    kind: 'Table',
    metadata: { resourceVersion: '7' },
    rows: [{
      cells: ['one', 'True', 3, false, '[{"n":1,"name":"a"},{"n":2,"name":"b"}]', null, '3m20s'],
      object: { kind: 'PartialObjectMetadata', metadata: OBJECT.metadata },
    }],
  });
});

test('a kind without columns of its own shows its age', () => {
  expect(printerColumns([]).map(({ name }) => name)).toEqual(['Name', 'Age']);
});
