import { describe, expect, test } from '@jest/globals';
import type { HoldBlock } from '../../../src/api/generated/legalHold.ts';
import type { MappedCollection } from '../../../src/rules/collections.ts';
import { leftStanding, resolveHold, type ResolvedHold, type SubjectIdentifiers } from '../../../src/rules/holds.ts';
import type { Predicate } from '../../../src/stores/predicate.ts';
import { aBlock, aCollection, aTime } from '../../support/declared.ts';
import { row } from './generated.ts';
import { truth, type Row } from './truth.ts';
import { fc } from '../../support/properties.ts';

interface Given {
  block: Partial<HoldBlock>;
  subjects?: SubjectIdentifiers;
}

const resolve = (given: Given[], ...collections: MappedCollection[]): ResolvedHold => resolveHold(given.map(({ block, subjects }) => ({ block: aBlock(block), ...(subjects === undefined ? {} : { subjects }) })), collections.length > 0 ? collections : [aCollection()]);

/** A guard keeps a row unless its predicate is provably false. */
const holds = (hold: ResolvedHold, item: Row): boolean => hold.items.some((entry) => truth(entry.predicate, item) !== false);

const base: Row = { created_at: '2025-03-01T00:00:00Z', client: 'a', visitor: 'v1', status: null, closed_at: null };
const spring = { event: 'Created', from: '2025-01-01', to: '2025-07-01' };
const { client: _client, ...withoutClient } = aCollection();

describe('a hold', () => {
  const table: [string, Given[], MappedCollection, Row, boolean, string[]][] = [
    ['on everything holds every row', [{ block: {} }], aCollection(), base, true, []],
    ['on another collection holds nothing', [{ block: { collections: { names: ['orders'] } } }], aCollection(), base, false, []],
    ['by the category of a single field holds its whole table', [{ block: { collections: { categories: ['user.contact'] } } }], aCollection({ fieldCategories: ['user.contact.email'] }), base, true, []],
    ['on a client holds its rows', [{ block: { clients: { keys: ['a'] } } }], aCollection(), base, true, []],
    ['on a client frees rows of others', [{ block: { clients: { keys: ['a'] } } }], aCollection(), { ...base, client: 'b' }, false, []],
    ['on a client holds rows of nobody knows whom', [{ block: { clients: { keys: ['a'] } } }], aCollection(), { ...base, client: null }, true, []],
    ['on a client holds a table without client key whole', [{ block: { clients: { keys: ['a'] } } }], withoutClient, { ...base, client: 'b' }, true, ['it declares no client key']],
    ['on a client holds a table of that client', [{ block: { clients: { keys: ['a'] } } }], aCollection({ client: { value: 'a' } }), base, true, []],
    ['on a client frees a table of another', [{ block: { clients: { keys: ['a'] } } }], aCollection({ client: { value: 'b' } }), base, false, []],
    ['on persons holds their rows', [{ block: {}, subjects: { visitor: ['v1', 'v2'] } }], aCollection(), base, true, []],
    ['on persons frees rows of others', [{ block: {}, subjects: { visitor: ['v2'] } }], aCollection(), base, false, []],
    ['on persons holds rows without a person', [{ block: {}, subjects: { visitor: ['v2'] } }], aCollection(), { ...base, visitor: null }, true, []],
    ['on persons whose Secret cannot be read holds the whole block', [{ block: {}, subjects: 'Unreadable' }], aCollection(), base, true, ['the Secret with its subjects is missing or was changed']],
    ['on persons holds a table without a key for them whole', [{ block: {}, subjects: { customer: ['c1'] } }], aCollection(), base, true, ['it has no subject key for identity customer']],
    ['on persons of whom one is known by another identity holds the table whole', [{ block: {}, subjects: { visitor: ['v2'], customer: ['c1'] } }], aCollection(), base, true, ['it has no subject key for identity customer']],
    ['on persons holds a table whole whose key for them cannot be compared', [{ block: {}, subjects: { visitor: ['v2'] } }], aCollection({ subjectKeys: [{ identity: 'visitor', because: 'its key is text' }] }), base, true, ['its key is text']],
    ['on persons holds a table whole of whose two keys for them one cannot be compared', [{ block: {}, subjects: { visitor: ['v2'] } }], aCollection({ subjectKeys: [...aCollection().subjectKeys, { identity: 'visitor', because: 'its key is text' }] }), base, true, ['its key is text']],
    ['on persons does not mind a key of others that cannot be compared', [{ block: {}, subjects: { visitor: ['v2'] } }], aCollection({ subjectKeys: [...aCollection().subjectKeys, { identity: 'customer', because: 'its key is text' }] }), base, false, []],
    ['between two days holds the first', [{ block: { between: spring } }], aCollection(), { ...base, created_at: '2025-01-01T00:00:00Z' }, true, []],
    ['between two days frees the moment before', [{ block: { between: spring } }], aCollection(), { ...base, created_at: '2024-12-31T23:59:59.999Z' }, false, []],
    ['between two days holds the last moment', [{ block: { between: spring } }], aCollection(), { ...base, created_at: '2025-06-30T23:59:59.999Z' }, true, []],
    ['between two days frees the end', [{ block: { between: spring } }], aCollection(), { ...base, created_at: '2025-07-01T00:00:00Z' }, false, []],
    ['between two days holds a row without a time', [{ block: { between: spring } }], aCollection(), { ...base, created_at: null }, true, []],
    ['between two days holds a row with an infinite time', [{ block: { between: spring } }], aCollection(), { ...base, created_at: 'infinity' }, true, []],
    ['between two days holds a row with an implausible time', [{ block: { between: spring } }], aCollection({ times: { Created: aTime('created_at', { plausibleFrom: '2005-01-01' }) } }), { ...base, created_at: '1970-01-01T00:00:00Z' }, true, []],
    ['between two days of an event the table lacks holds it whole', [{ block: { between: { ...spring, event: 'Paid' } } }], aCollection(), { ...base, created_at: '2020-01-01T00:00:00Z' }, true, ['it declares no event Paid']],
    ['frees only what every part of a block frees: the client matches, the time does not', [{ block: { clients: { keys: ['a'] }, between: spring } }], aCollection(), { ...base, created_at: '2020-01-01T00:00:00Z' }, false, []],
    ['that loses one part keeps the others: no client key, but another time', [{ block: { clients: { keys: ['a'] }, between: spring } }], withoutClient, { ...base, created_at: '2020-01-01T00:00:00Z' }, false, ['it declares no client key']],
    ['of two blocks holds what one of them holds', [{ block: { clients: { keys: ['b'] } } }, { block: { between: spring } }], aCollection(), base, true, []],
    ['of two blocks frees what both free', [{ block: { clients: { keys: ['b'] } } }, { block: { between: { ...spring, from: '2026-01-01', to: '2026-02-01' } } }], aCollection(), base, false, []],
  ];
  test.each(table)('%s', (_, given, of, item, held, widened) => {
    const hold = resolve(given, of);
    expect(holds(hold, item)).toBe(held);
    expect(hold.widened.map((each) => each.because)).toEqual(widened);
  });

  test('tells which of its blocks keep something: not one that names another collection, nor one of other clients than the whole table is of', () => {
    const { matched } = resolve([{ block: { collections: { names: ['orders'] } } }, { block: { clients: { keys: ['a'] } } }, { block: { clients: { keys: ['b'] } } }, { block: { between: spring } }], aCollection({ client: { value: 'b' } }));
    expect(matched).toEqual([2, 3]);
  });

  test('on persons within JSON compares at the path, never the whole column', () => {
    const payload = { via: [], field: 'payload' };
    const { items, widened } = resolve([{ block: {}, subjects: { visitor: ['v1'] } }], aCollection({ subjectKeys: [{ identity: 'visitor', path: payload, keys: ['user', 'id'] }] }));
    expect(items.map((item) => item.predicate)).toEqual([{ op: 'jsonOneOf', field: payload, keys: ['user', 'id'], values: ['v1'] }]);
    expect(widened).toEqual([]);
  });

  describe('that stands in a store', () => {
    const views = { schema: 'public', name: 'views' };
    const of = (...predicates: Predicate[]): ResolvedHold['items'] => predicates.map((predicate) => ({ table: views, predicate }));
    const [a, b]: Predicate[] = ['a', 'b'].map((value) => ({ op: 'oneOf', field: { via: [], field: 'client' }, values: [value] }));
    const either: Predicate = { op: 'or', of: [a!, b!] };
    test.each<[string, ResolvedHold['items'], ResolvedHold['items'], number]>([
      ['as it means now is no more than that', of(a!), of(a!), 0],
      ['from before a block was added is no more', of(a!, either), of(either), 0],
      ['is no more than all', of(a!, { op: 'true' }), of({ op: 'true' }), 0],
      ['with all of a table, of which it means a part now, is more', of({ op: 'true' }, a!), of(a!), 1],
      ['by another key is more', of(b!, a!), of(a!), 1],
      ['by two others is more in one table', of(b!, { op: 'true' }), of(a!), 1],
      ['in a table it no longer means is more', of(a!), [], 1],
      ['in parts the other way round is no more', of({ op: 'or', of: [b!, a!] }), of(either), 0],
    ])('%s', (_, standing, now, tables) => {
      expect(leftStanding(standing, now)).toEqual(Array.from({ length: tables }, () => views));
    });
  });

  test('says once per table what it holds there, in order, whichever blocks and maps claim it', () => {
    const other = aCollection({ id: 'x', name: 'orders', table: { schema: 'public', name: 'orders' } });
    const { items } = resolve([{ block: { clients: { keys: ['a'] } } }, { block: { collections: { names: ['views'] } } }], aCollection(), other);
    expect(items.map((item) => [item.table.name, item.predicate.op])).toEqual([['orders', 'oneOf'], ['views', 'or']]);
  });

  test('keeps tables apart whose names with their schemas read the same', () => {
    const [one, other] = [{ schema: 'a.b', name: 'c' }, { schema: 'a', name: 'b.c' }];
    const { items } = resolve([{ block: {} }], aCollection({ id: 'x', table: one }), aCollection({ id: 'y', table: other }));
    expect(items.map(({ table: { schema, name } }) => ({ schema, name }))).toEqual([one, other]);
    const [first, second] = items.map(({ table }) => ({ table, predicate: { op: 'true' } as const }));
    expect(leftStanding([first!, second!], [first!])).toEqual([other]);
  });

  test('never holds less for another block, nor for words a table cannot express', () => {
    const block = fc.constantFrom<Given>({ block: {} }, { block: { clients: { keys: ['a'] } } }, { block: { between: spring } }, { block: {}, subjects: { visitor: ['v1'] } }, { block: { clients: { keys: ['b'] }, between: { ...spring, event: 'Closed' } } });
    fc.assert(
      fc.property(fc.array(block, { maxLength: 3 }), block, row, fc.constantFrom('v1', 'v2', null), (given, more, item, visitor) => {
        const some = { ...item, visitor };
        if (holds(resolve(given), some)) {
          expect(holds(resolve([...given, more]), some)).toBe(true);
          const bare = { ...withoutClient, times: {}, subjectKeys: [] };
          expect(holds(resolve(given, bare), some)).toBe(true);
        }
      }),
    );
  });
});
