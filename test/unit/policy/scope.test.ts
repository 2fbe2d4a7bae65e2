import { expect, test } from '@jest/globals';
import type { Catalogue, CatalogueControl } from '../../../src/policy/catalogue.ts';
import { controlsInScope } from '../../../src/policy/scope.ts';

const control = (id: string): CatalogueControl => ({ id, entrypoint: id, title: id, description: id, severity: 'low', facts: [], parameters: [], reasonCodes: {}, refs: {}, remediation: '' });
const catalogue: Catalogue = {
  opa: '1',
  controls: ['A', 'B', 'C'].map(control),
  parameters: {},
  frameworks: [
    { id: 'gdpr', title: 'G', clauses: [{ id: '5', title: '5', controls: ['B', 'A'], noFactSource: ['X'] }] },
    { id: 'statement', title: 'S', clauses: [{ id: 'S01', title: '1', controls: ['A'], noFactSource: [] }] },
  ],
  inputSchema: {},
};

test('frameworks bring their controls, once and sorted, and what they lack', () => {
  expect(controlsInScope(catalogue, { frameworks: ['statement', 'gdpr'] })).toEqual({ controls: ['A', 'B'], noFactSource: ['X'], problems: [] });
});

test('controls are added and taken away', () => {
  const exclude = [{ control: 'B', reason: 'r' }, { control: 'X', reason: 'r' }];
  expect(controlsInScope(catalogue, { frameworks: ['gdpr'], include: ['C'], exclude })).toEqual({ controls: ['A', 'C'], noFactSource: [], problems: [] });
});

test('an exclusion wins over an inclusion', () => {
  expect(controlsInScope(catalogue, { frameworks: [], include: ['C'], exclude: [{ control: 'C', reason: 'r' }] }).controls).toEqual([]);
});

test('what the catalogue does not have is named', () => {
  const { problems } = controlsInScope(catalogue, { frameworks: ['gpdr'], include: ['D'], exclude: [{ control: 'E', reason: 'r' }] });
  expect(problems).toEqual([
    'controls.exclude: E is not in the catalogue; there are A, B, C',
    'controls.include: D is not in the catalogue; there are A, B, C',
    'frameworks: gpdr is not in the catalogue; there are gdpr, statement',
  ]);
});
