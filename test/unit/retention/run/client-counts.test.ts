import { describe, expect, test } from '@jest/globals';
import { countedByClient, countedTogether, notByClient, perClient } from '../../../../src/retention/run/client-counts.ts';
import { fc, runs } from '../../../support/properties.ts';

const one = (name: string, deleted = 1): { name: string; deleted: number } => ({ name, deleted });

describe('counts per client', () => {
  test('name each client as evidence may, and none of whom nothing went', () => {
    expect(perClient(new Map([['a', 2], ['b', 0]]), (key) => `client ${key}`, 1_000)).toEqual({ named: [{ client: 'client a', deleted: 2 }] });
  });

  test('name those with most rows where there is no room for all, and count the others together', () => {
    const counts = perClient(new Map([['a', 1], ['b', 7], ['c', 3], ['d', 3]]), (key) => key, 100);
    expect(counts).toEqual({ named: [{ client: 'b', deleted: 7 }, { client: 'c', deleted: 3 }], others: { clients: 2, deleted: 4 } });
    expect(countedTogether(counts)).toEqual([expect.stringContaining('2 more clients, with 4 deleted rows in all')]);
    expect(countedTogether(perClient(new Map([['a', 1]]), (key) => key, 100))).toEqual([]);
  });

  test('never take more room than they may, whatever the clients are called, and lose no row', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat({ max: 1_000_000_000 })), { selector: ([key]) => key, maxLength: 60 }), fc.nat({ max: 3_000 }), (clients, bytes) => {
        const { named, others } = perClient(clients, (key) => key, bytes);
        expect(Buffer.byteLength(named.map((entry) => JSON.stringify(entry)).join(','))).toBeLessThanOrEqual(bytes);
        expect(named.reduce((sum, { deleted }) => sum + deleted, others?.deleted ?? 0)).toBe(clients.reduce((sum, [, deleted]) => sum + deleted, 0));
      }),
      { numRuns: runs(200) },
    );
  });

  test('are said to lack the rows of a collection without a client key of its own, where some went', () => {
    const rules = [{ collection: 'own', client: { field: 'client' } }, { collection: 'same', client: { value: 'a' } }, { collection: 'via' }, { collection: 'still' }];
    expect(notByClient([one('own'), one('same'), one('via'), one('still', 0), one('undeclared')], rules)).toEqual([
      'clients: the rows of undeclared are in no count per client; it has no client key of its own',
      'clients: the rows of via are in no count per client; it has no client key of its own',
    ]);
  });

  test.each<[string, ReadonlyMap<string, number>, object[], number]>([
    ['read from the rows may miss a client that was renamed while a batch waited', new Map([['a', 1]]), [{ client: { field: 'client' } }], 1],
    ['of a collection that is one client cannot', new Map([['a', 1]]), [{ client: { value: 'a' } }], 0],
    ['that are none cannot', new Map(), [{ client: { field: 'client' } }], 0],
  ])('%s', (_, clients, rules, sentences) => {
    expect(countedByClient(clients, rules)).toHaveLength(sentences);
  });

  test('of many such collections name fifty and count the rest, each within what a certificate takes', () => {
    const many = Array.from({ length: 60 }, (_, index) => one(`${'x'.repeat(400)}${10 + index}`));
    const told = notByClient(many, []);
    expect(told).toHaveLength(51);
    expect(told.every((text) => text.length <= 300)).toBe(true);
    expect(told.at(-1)).toBe('clients: the rows of 10 more collections are in no count per client');
  });
});
