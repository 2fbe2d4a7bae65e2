import { describe, expect, test } from '@jest/globals';
import { coversCollection, coversStore, isCategoryWithin, labelsMatch, matchesPattern, type CollectionSelector, type SelectionScope, type StoreSelector } from '../../../src/rules/select.ts';
import { fc, runs } from '../../support/properties.ts';

const store = { name: 'analytics', namespace: 'platform-db', labels: { tier: 'gold', region: 'eu' } };
const own: SelectionScope = { namespace: 'platform-db', rootNamespace: 'dataward-system' };
const root: SelectionScope = { namespace: 'dataward-system', rootNamespace: 'dataward-system' };

describe('a store is covered', () => {
  const table: [string, StoreSelector, SelectionScope, boolean][] = [
    ['by all of its own namespace', { all: {} }, own, true],
    ['not by all of another namespace', { all: {} }, { ...own, namespace: 'shop' }, false],
    ['by its name', { names: ['other', 'analytics'] }, own, true],
    ['not by another name', { names: ['other'] }, own, false],
    ['by labels it has', { matchLabels: { tier: 'gold' } }, own, true],
    ['not when one label differs', { matchLabels: { tier: 'gold', region: 'us' } }, own, false],
    ['not by a selector that says nothing', {}, own, false],
    ['from the root namespace with a selector for all namespaces', { all: {} }, { ...root, namespaceSelector: { all: {} } }, true],
    ['from the root namespace by the labels of its namespace', { all: {} }, { ...root, namespaceSelector: { matchLabels: { env: 'prod' } }, namespaceLabels: { env: 'prod' } }, true],
    ['not by other labels of its namespace', { all: {} }, { ...root, namespaceSelector: { matchLabels: { env: 'prod' } }, namespaceLabels: { env: 'test' } }, false],
    ['not when the labels of its namespace are unknown', { all: {} }, { ...root, namespaceSelector: { matchLabels: {} } }, false],
    ['not from the root namespace without a namespace selector', { all: {} }, root, false],
    ['not by a namespace selector written elsewhere', { all: {} }, { ...own, namespace: 'shop', namespaceSelector: { all: {} } }, false],
  ];
  test.each(table)('%s', (_, selector, scope, covered) => {
    expect(coversStore(selector, scope, store)).toBe(covered);
  });

  test('labels that are wanted must all be there; none wanted always match', () => {
    expect([labelsMatch({}, undefined), labelsMatch({ a: '1' }, undefined), labelsMatch({ a: '1' }, { a: '1', b: '2' }), labelsMatch({ a: '' }, {})]).toEqual([true, false, true, false]);
  });
});

describe('a collection is covered', () => {
  const views = { name: 'views', categories: ['user.behavior.browsing_history'], fieldCategories: ['user.contact.email'], subjects: ['visitor'] };
  const table: [string, CollectionSelector, boolean, boolean][] = [
    ['by its category', { categories: ['user.behavior.browsing_history'] }, true, true],
    ['by an ancestor of its category', { categories: ['user.behavior'] }, true, true],
    ['not by a descendant of its category', { categories: ['user.behavior.browsing_history.pages'] }, false, false],
    ['not by a category that only begins alike', { categories: ['user.beh'] }, false, false],
    ['by the category of a field only where it protects', { categories: ['user.contact'] }, false, true],
    ['by its name', { names: ['views'] }, true, true],
    ['by its subjects', { subjects: ['customer', 'visitor'] }, true, true],
    ['not by other subjects', { subjects: ['employee'] }, false, false],
    ['by all only where it protects', { all: {} }, false, true],
    ['not by a selector that says nothing', {}, false, false],
  ];
  test.each(table)('%s', (_, selector, destroying, protecting) => {
    expect([coversCollection(selector, views, 'Destroying'), coversCollection(selector, views, 'Protecting')]).toEqual([destroying, protecting]);
  });

  test('for destruction only if also for protection', () => {
    const category = fc.constantFrom('user', 'user.behavior', 'user.contact.email', 'system');
    const selector = fc.oneof<fc.Arbitrary<CollectionSelector>[]>(fc.record({ categories: fc.array(category) }), fc.record({ names: fc.array(fc.constantFrom('views', 'x')) }), fc.record({ subjects: fc.array(fc.constantFrom('visitor', 'x')) }), fc.constant({ all: {} }));
    fc.assert(
      fc.property(selector, fc.array(category), fc.array(category), (words, categories, fieldCategories) => {
        const some = { ...views, categories, fieldCategories };
        if (coversCollection(words, some, 'Destroying')) expect(coversCollection(words, some, 'Protecting')).toBe(true);
      }),
    );
  });
});

test('a category lies within itself and its ancestors', () => {
  expect([isCategoryWithin('user.contact', 'user.contact'), isCategoryWithin('user.contact', 'user'), isCategoryWithin('user', 'user.contact'), isCategoryWithin('users', 'user')]).toEqual([true, true, false, false]);
});

describe('a pattern', () => {
  test('means what the same regular expression means, whatever stands around the stars', () => {
    const text = (max: number): fc.Arbitrary<string> => fc.string({ unit: fc.constantFrom('a', 'b', '.', '_', '*'), maxLength: max });
    fc.assert(
      fc.property(text(6), text(8), (pattern, name) => {
        const expected = new RegExp(`^${pattern.split('*').map((part) => part.replaceAll('.', '\\.')).join('.*')}$`).test(name);
        expect(matchesPattern(pattern, name)).toBe(expected);
      }),
      { numRuns: runs(2_000) },
    );
  });

  test.each([['tenant_*', 'tenant_', true], ['*', '', true], ['a*a', 'a', false], ['events_*_old', 'events_old', false], ['Events', 'events', false]])('%s on %j: %s', (pattern, name, expected) => {
    expect(matchesPattern(pattern, name)).toBe(expected);
  });
});
