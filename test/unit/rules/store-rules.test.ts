import { describe, expect, test } from '@jest/globals';
import type { LegalHold } from '../../../src/api/generated/legalHold.ts';
import { mapsDigest } from '../../../src/rules/attach.ts';
import { covers, holdsReaching, pendingHolds, storeRules, type Declarations } from '../../../src/rules/store-rules.ts';
import { aHold, aMap, aMaximum, anInventory, aPolicy, aStore, aTable } from '../../support/declared.ts';
import { NOW } from './generated.ts';

const declared = (changes: Partial<Declarations> = {}): Declarations => ({ maps: [], policies: [], holds: [], namespaces: new Map([['platform-db', { env: 'prod' }]]), rootNamespace: 'dataward-system', ...changes });
const store = aStore();
const standing = { namespace: 'platform-db', name: 'analytics', enforcedSince: '2026-01-01T00:00:00Z' };

describe('what is declared for a store', () => {
  test('is the maps it takes, resolved, and the policies that reach it, combined', () => {
    const map = aMap([{ times: [{ event: 'Created', field: 'viewed_at' }] }]);
    const policies = [aPolicy('general', { maximum: aMaximum('P1Y') }), aPolicy('elsewhere', { maximum: aMaximum('P1M') }, { namespace: 'shop' }), aPolicy('other-store', { maximum: aMaximum('P1M'), stores: { names: ['x'] } })];
    const rules = storeRules(store, declared({ maps: [map, aMap([{}], { storeRef: { namespace: 'platform-db', name: 'analytics' } }, { name: 'foreign', namespace: 'shop' })], policies }), anInventory([aTable('views', ['id', 'viewed_at'])]), NOW);
    expect(rules.maps).toEqual([map]);
    expect(rules.policies.map((policy) => policy.metadata.name)).toEqual(['general']);
    expect(rules.effective.map((each) => [each.collection.id, each.maxima.map((rule) => rule.period)])).toEqual([['platform-db/web/views', ['P1Y']]]);
  });

  test('from the root namespace reaches namespaces by their labels', () => {
    const rooted = (matchLabels: Record<string, string>): boolean => covers({ metadata: { namespace: 'dataward-system' }, spec: { namespaceSelector: { matchLabels } } }, { all: {} }, store, declared());
    expect([rooted({ env: 'prod' }), rooted({ env: 'test' })]).toEqual([true, false]);
  });
});

describe('a hold', () => {
  const reaching: [string, LegalHold, boolean][] = [
    ['of the namespace stands on the store', aHold([{}]), true],
    ['of which one block reaches the store stands on it', aHold([{ stores: { names: ['x'] } }, {}]), true],
    ['for another store does not', aHold([{ stores: { names: ['x'] } }]), false],
    ['of another namespace does not', aHold([{}], {}, { namespace: 'shop' }), false],
    ['that two people released does not', aHold([{}], { release: { request: { by: 'a', reason: 'x' }, approval: { by: 'b' } } }), false],
  ];
  test.each(reaching)('%s', (_, hold, expected) => {
    expect(holdsReaching(store, declared({ holds: [hold] }))).toEqual(expected ? [hold] : []);
  });

  const pending: [string, LegalHold['status'], boolean][] = [
    ['nobody has looked at yet', undefined, true],
    ['committed in the store at its newest generation', { observedGeneration: 1, stores: [standing] }, false],
    ['committed in an older generation', { observedGeneration: 0, stores: [standing] }, true],
    ['not committed in this store', { observedGeneration: 1, stores: [{ ...standing, name: 'x' }] }, true],
    ['in force in more stores than its status lists', { observedGeneration: 1, state: 'Active', stores: [{ ...standing, name: 'x' }], truncated: 3 }, false],
    ['not yet in force in more stores than its status lists', { observedGeneration: 1, state: 'Pending', stores: [{ ...standing, name: 'x' }], truncated: 3 }, true],
    ['tried in this store without success', { observedGeneration: 1, stores: [{ namespace: 'platform-db', name: 'analytics', message: 'unreachable' }] }, true],
  ];
  const map = aMap([{}]);
  const byMaps = { observedGeneration: 1, stores: [{ ...standing, maps: mapsDigest([map]) }] };
  test.each<[string, Declarations['maps'], boolean]>([
    ['read by the maps the store has now', [map], false],
    ['read before a map was changed', [{ ...map, metadata: { ...map.metadata, generation: 2 } }], true],
    ['read before a map was made anew under its name', [{ ...map, metadata: { ...map.metadata, uid: 'another' } }], true],
    ['read before another map came', [map, aMap([{}], {}, { name: 'more' })], true],
    ['read before its map went', [], true],
    ['read by the maps the store has now, beside one it does not take', [map, aMap([{}], { storeRef: { namespace: 'platform-db', name: 'analytics' } }, { namespace: 'shop' })], false],
  ])('%s', (_, maps, isPending) => {
    const hold = aHold([{}], {}, {}, byMaps);
    expect(pendingHolds(store, declared({ maps, holds: [hold] }))).toEqual(isPending ? [hold] : []);
  });

  test.each(pending)('%s', (_, status, isPending) => {
    const hold = aHold([{}], {}, {}, status);
    expect(pendingHolds(store, declared({ holds: [hold] }))).toEqual(isPending ? [hold] : []);
  });
});
