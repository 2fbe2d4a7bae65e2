import { describe, expect, test } from '@jest/globals';
import type { DataMap } from '../../../src/api/generated/dataMap.ts';
import type { DataStore } from '../../../src/api/generated/dataStore.ts';
import { acceptedMaps, attachments, pointsAt } from '../../../src/rules/attach.ts';
import { aMap, aStore } from '../../support/declared.ts';

const namespaces = new Map([['shop', { team: 'web' }], ['platform-db', {}]]);
const near = aMap([{}]);
const far = aMap([{}], { storeRef: { namespace: 'platform-db', name: 'analytics' } }, { namespace: 'shop' });
const open = aStore({ allowedMaps: { namespaces: { matchLabels: { team: 'web' } } } });
const schemas = (...allowed: string[]): DataStore => aStore({ allowedMaps: { namespaces: { same: {} }, schemas: allowed } });

describe('a map', () => {
  test('points at a store of its own namespace unless it names another', () => {
    expect([pointsAt(near, aStore()), pointsAt(far, aStore()), pointsAt(aMap([{}], {}, { namespace: 'shop' }), aStore()), pointsAt(aMap([{}], { storeRef: { name: 'other' } }), aStore())]).toEqual([true, true, false, false]);
  });

  const table: [string, DataStore, DataMap, boolean][] = [
    ['of the same namespace is taken', aStore(), near, true],
    ['of another namespace is not taken by default', aStore(), far, false],
    ['of a namespace with the wanted labels is taken', open, far, true],
    ['of a namespace with other labels is not', open, near, false],
    ['of a namespace nobody could read is not', aStore({ allowedMaps: { namespaces: { matchLabels: {} } } }), aMap([{}], { storeRef: { namespace: 'platform-db', name: 'analytics' } }, { namespace: 'gone' }), false],
    ['within the allowed schemas is taken', schemas('shop_*', 'public'), near, true],
    ['outside them is not', schemas('shop_*'), near, false],
    ['whose pattern reaches beyond them is not', schemas('shop_*'), aMap([{ table: { schema: '*', name: 'views' } }]), false],
    ['whose pattern stays within them is taken', schemas('shop_*'), aMap([{ table: { schema: 'shop_a*', name: 'views' } }]), true],
    ['with a foreign table called non-personal is not', schemas('public'), aMap([{}], { nonPersonal: [{ table: { schema: 'hr', name: 'staff' }, reason: 'x', by: 'y', reviewAt: '2027-01-01' }] }), false],
  ];
  test.each(table)('%s', (_, store, map, taken) => {
    expect(acceptedMaps(store, [map], namespaces)).toEqual(taken ? [map] : []);
    const [attachment] = attachments(store, [map], namespaces);
    expect(attachment?.accepted).toBe(taken);
    if (!taken) expect(attachment?.because).toMatch(/DataStore platform-db\/analytics.*spec\.allowedMaps|spec\.allowedMaps\.schemas of DataStore platform-db\/analytics/);
  });

  test('that points elsewhere is no business of the store', () => {
    expect(attachments(aStore(), [aMap([{}], { storeRef: { name: 'other' } })], namespaces)).toEqual([]);
  });
});
