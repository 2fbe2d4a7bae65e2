import { describe, expect, test } from '@jest/globals';
import { getCondition } from '../../../src/api/conditions.ts';
import type { LegalHold, LegalHoldStatus } from '../../../src/api/generated/legalHold.ts';
import type { StoreOutcome } from '../../../src/holds/apply.ts';
import { newCopy } from '../../../src/holds/copies.ts';
import { blocksFor, readSubjects, type HoldSubjects } from '../../../src/holds/observe.ts';
import { holdStatus, releasedStatus, withCount } from '../../../src/holds/status.ts';
import type { Client } from '../../../src/runtime/client.ts';
import { aHold, aStore } from '../../support/declared.ts';

const NOW = Date.parse('2026-03-02T12:00:00Z');
const hold = aHold([{}], {}, { generation: 4 });
const nobody: HoldSubjects = { bySecret: new Map(), pins: [], unreadable: [] };
const outcome = (name: string, changes: Partial<StoreOutcome> = {}): StoreOutcome => ({ store: { namespace: 'platform-db', name, enforcedSince: '2026-03-01T00:00:00Z' }, items: [], widened: [], blocks: [{ index: 0, keeps: true }], failed: false, ...changes });
const failed = outcome('b', { store: { namespace: 'platform-db', name: 'b', message: 'no answer' }, failed: true });
const of = (status: LegalHoldStatus, type: string): string => `${getCondition(status.conditions, type)?.status} ${getCondition(status.conditions, type)?.reason}`;

describe('the status of a hold', () => {
  test('is Active only once it stands in every store', () => {
    const status = holdStatus(hold, [outcome('a'), outcome('b')], nobody, NOW);
    expect(status).toMatchObject({ state: 'Active', observedGeneration: 4, revision: 4, storesTotal: 2, storesEnforced: 2, truncated: 0 });
    expect([of(status, 'Ready'), of(status, 'AsWritten')]).toEqual(['True HoldActive', 'True Resolved']);
  });

  test('stays Pending where one store failed, names it first, and does not claim the new generation', () => {
    const before = { ...hold, status: { observedGeneration: 3 } };
    const status = holdStatus(before, [outcome('a'), failed], nobody, NOW);
    expect(status).toMatchObject({ state: 'Pending', observedGeneration: 3, storesTotal: 2, storesEnforced: 1 });
    expect(status.stores?.map((store) => store.name)).toEqual(['b', 'a']);
    expect(getCondition(status.conditions, 'Ready')).toMatchObject({ status: 'False', reason: 'HoldPending', message: 'platform-db/b: no answer' });
  });

  test('says where it covers more than it says, a Secret that cannot be read before all else', () => {
    const wide = holdStatus(hold, [outcome('a', { widened: ['views: it declares no client key'] })], nobody, NOW);
    expect(of(wide, 'AsWritten')).toBe('False HoldWidened');
    const wider = holdStatus(hold, [outcome('a', { widened: ['1', '2', '3'] }), outcome('b', { widened: ['4', '5'] })], nobody, NOW);
    expect(getCondition(wider.conditions, 'AsWritten')?.message).toBe('The hold covers more than it says: 1; 2; 3; and 2 more');
    const blind = holdStatus(hold, [outcome('a', { widened: ['views: x'] })], { ...nobody, unreadable: ['people'] }, NOW);
    expect(of(blind, 'AsWritten')).toBe('False SubjectsUnreadable');
    expect(getCondition(blind.conditions, 'AsWritten')?.message).toMatch(/Secret [^ ]+\/people \(spec.scope\[\].subjects\) is missing, names nobody or was changed, .*put it there as it was/);
  });

  const idle = (index: number) => ({ index, keeps: false });
  const [keeping] = outcome('a').blocks;
  const none = aHold([{}, {}], {}, { generation: 4 });
  test.each<[string, StoreOutcome[], string, RegExp]>([
    ['whose blocks match no collection keeps no row', [outcome('a', { blocks: [idle(0), idle(1)] }), outcome('b', { blocks: [idle(1)] })], 'False NothingHeld', /^The hold keeps no row: spec\.scope\[0\] matches no collection of DataStore platform-db\/a; spec\.scope\[1\] matches no collection of DataStore platform-db\/a, platform-db\/b\. .*add a block with the right names and keys$/],
    ['that reaches no store keeps no row', [], 'False NothingHeld', /spec\.scope\[0\] reaches no DataStore; spec\.scope\[1\] reaches no DataStore\./],
    ['of which one block matches nothing keeps less than it says', [outcome('a', { blocks: [keeping!, idle(1)] })], 'False BlockHoldsNothing', /covers less than it says: spec\.scope\[1\] matches no collection of DataStore platform-db\/a\./],
    ['of which each block matches somewhere is as written', [outcome('a', { blocks: [keeping!, idle(1)] }), outcome('b', { blocks: [idle(0), { index: 1, keeps: true }] })], 'True Resolved', /./],
    ['that is wider in one block and idle in another says both', [outcome('a', { blocks: [keeping!, idle(1)], widened: ['views: x'] })], 'False HoldWidened', /more than it says: views: x\. Besides, spec\.scope\[1\] matches no collection/],
    ['that does not stand in each store is not known to be as written', [outcome('a', { blocks: [keeping!, keeping!] }), { ...failed, blocks: [{ index: 1, keeps: true }] }], 'Unknown HoldPending', /Ready says/],
    ['whose other store was not asked is not said to keep nothing', [outcome('a', { blocks: [keeping!, idle(1)] }), { ...failed, blocks: [{ index: 1, keeps: true }] }], 'Unknown HoldPending', /./],
  ])('%s', (_, outcomes, expected, message) => {
    const status = holdStatus(none, outcomes, nobody, NOW);
    expect(of(status, 'AsWritten')).toBe(expected);
    expect(getCondition(status.conditions, 'AsWritten')?.message).toMatch(message);
  });

  const keyed = aHold([{ clients: { keys: ['acmee'] } }, { between: { event: 'Created', from: '2020-01-01', to: '2021-01-01' } }], {}, { generation: 4 });
  const counted = (name: string, emptyBlocks?: number[], changes: Partial<StoreOutcome> = {}): StoreOutcome => outcome(name, { store: { ...outcome(name).store, items: 0, countExact: true, ...(emptyBlocks ? { emptyBlocks } : {}) }, blocks: [0, 1].map((index) => ({ index, keeps: true })), ...changes });
  test.each<[string, StoreOutcome[], string, RegExp]>([
    ['matches no row by any block', [counted('a', [0, 1])], 'False NothingHeld', /^The hold keeps no row: spec\.scope\[0\] \(clients\.keys\) matched no row of DataStore platform-db\/a when they were counted; rows that come are kept; spec\.scope\[1\] \(between\) matched no row/],
    ['matches no row by one block', [counted('a', [0])], 'False BlockHoldsNothing', /covers less than it says: spec\.scope\[0\] \(clients\.keys\) matched no row/],
    ['matches rows of another store', [counted('a', [0]), counted('b', [1])], 'True Resolved', /./],
    ['was not counted in another store', [counted('a', [0, 1]), counted('b')], 'True Resolved', /./],
    ['matches no row of a store, and no collection of another', [counted('a', [0, 1]), counted('b', undefined, { blocks: [idle(0), idle(1)] })], 'False NothingHeld', /matched no row of DataStore platform-db\/a when/],
    ['was counted in a store that cannot be read now', [counted('a', [0, 1], { failed: true })], 'Unknown HoldPending', /./],
  ])('of which it was counted that it %s', (_, outcomes, expected, message) => {
    const status = holdStatus(keyed, outcomes, nobody, NOW);
    expect(of(status, 'AsWritten')).toBe(expected);
    expect(getCondition(status.conditions, 'AsWritten')?.message).toMatch(message);
  });

  test('forgets that a block was empty with the next count', () => {
    const standing = { ...hold, status: holdStatus(hold, [counted('a', [0])], nobody, NOW) };
    expect(withCount(standing, { namespace: 'platform-db', name: 'a' }, { items: 1, countExact: true }, NOW).stores?.[0]).not.toHaveProperty('emptyBlocks');
    expect(withCount(standing, { namespace: 'platform-db', name: 'a' }, { countExact: false }, NOW).stores?.[0]).toMatchObject({ items: 0, emptyBlocks: [0] });
  });

  test('names three idle blocks, and three stores of each, and counts the rest', () => {
    const many = aHold(Array.from({ length: 5 }, () => ({})), {}, { generation: 4 });
    const everywhere = ['a', 'b', 'c', 'd'].map((name) => outcome(name, { blocks: many.spec.scope.map((_, index) => idle(index)) }));
    const message = (outcomes: StoreOutcome[]): string | undefined => getCondition(holdStatus(many, outcomes, nobody, NOW).conditions, 'AsWritten')?.message;
    expect(message(everywhere)).toMatch(/^The hold keeps no row: spec\.scope\[0\] matches no collection of DataStore platform-db\/a, platform-db\/b, platform-db\/c and 1 more; .*; spec\.scope\[2\] [^;]*; and 2 more\. A block/);
    expect(message(everywhere.slice(0, 3))).not.toMatch(/platform-db\/c and/);
    const three = aHold([{}, {}, {}], {}, { generation: 4 });
    expect(getCondition(holdStatus(three, [], nobody, NOW).conditions, 'AsWritten')?.message).not.toContain('more');
  });

  test('keeps a count apart for a store of the same name elsewhere', () => {
    const twins = [outcome('b'), { ...outcome('b'), store: { ...outcome('b').store, namespace: 'shop' } }];
    const standing = { ...hold, status: holdStatus(hold, twins, nobody, NOW) };
    expect(withCount(standing, { namespace: 'shop', name: 'b' }, { items: 7, countExact: true }, NOW).stores?.map(({ namespace, items }) => [namespace, items])).toEqual([['platform-db', undefined], ['shop', 7]]);
  });

  test('takes up what was counted in one store, and where none could be had the old one stays, of its time and as a lower bound', () => {
    const standing = { ...hold, status: holdStatus(hold, [outcome('a'), outcome('b')], nobody, NOW) };
    const counted = withCount(standing, { namespace: 'platform-db', name: 'b' }, { items: 7, countExact: true }, NOW);
    expect(counted.stores?.map(({ name, items, countExact, countedAt }) => [name, items, countExact, countedAt])).toEqual([['a', undefined, undefined, undefined], ['b', 7, true, '2026-03-02T12:00:00.000Z']]);
    expect(counted.conditions).toEqual(standing.status.conditions);
    expect(withCount({ ...hold, status: counted }, { namespace: 'platform-db', name: 'b' }, { countExact: false }, NOW + 86_400_000).stores).toEqual([outcome('a').store, { ...outcome('b').store, items: 7, countExact: false, countedAt: '2026-03-02T12:00:00.000Z' }]);
    expect(withCount(standing, { namespace: 'platform-db', name: 'b' }, { countExact: false }, NOW).stores?.[1]).toEqual({ ...outcome('b').store, countExact: false });
  });

  test('shows fifty stores, those it does not stand in first, and counts the rest', () => {
    const status = holdStatus(hold, [...Array.from({ length: 59 }, (_, index) => outcome(`s${index}`)), failed], nobody, NOW);
    expect([status.stores?.length, status.truncated, status.stores?.[0]?.name]).toEqual([50, 10, 'b']);
  });

  test('after its release is Released and says that two people did it', () => {
    expect(of(releasedStatus(hold, NOW, { ends: true, successors: [] }), 'Ready')).toBe('True HoldReleased');
    expect(releasedStatus(hold, NOW, { ends: true, successors: [] }).state).toBe('Released');
    const message = (successors: string[]): string | undefined => getCondition(releasedStatus(hold, NOW, { ends: true, successors }).conditions, 'Ready')?.message;
    expect([message([]), message(['platform-db/a', 'platform-db/b'])]).toEqual([expect.not.stringContaining('stands in its place'), expect.stringContaining('LegalHold platform-db/a, platform-db/b stands in its place.')]);
  });
});

describe('the persons of a hold', () => {
  const secret = (data: Record<string, string> | undefined): Pick<Client, 'get'> => ({ get: () => Promise.resolve(data && { data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])) }) }) as unknown as Pick<Client, 'get'>;
  const on = aHold([{ subjects: { secretName: 'people' } }]);
  const read = (data: Record<string, string> | undefined, pin?: string): Promise<HoldSubjects> => readSubjects(secret(data) as Client, { ...on, ...(pin ? { status: { secrets: [{ name: 'people', digest: pin }] } } : {}) }, { holds: [], rootNamespace: 'dataward-system' });

  test('are read by identity, one a line, and pinned', async () => {
    const subjects = await read({ visitor: 'v1\n v2 \n\n', customer: 'c1' });
    expect(subjects.bySecret.get('people')).toEqual({ visitor: ['v1', 'v2'], customer: ['c1'] });
    expect(subjects.pins).toEqual([{ name: 'people', digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) }]);
    expect((await read({ visitor: 'v1\n v2 \n\n', customer: 'c1' }, subjects.pins[0]?.digest)).unreadable).toEqual([]);
  });

  test('are the same whatever the order in which the Secret has them, and those that one identity names', async () => {
    const { pins } = await read({ visitor: 'v1', customer: 'c1' });
    expect((await read({ customer: 'c1', visitor: 'v1' }, pins[0]?.digest)).unreadable).toEqual([]);
    expect((await read({ customer: 'c1', visitor: 'v2' }, pins[0]?.digest)).unreadable).toEqual(['people']);
    expect((await read({ visitor: '\n', customer: 'c1' })).bySecret.get('people')).toEqual({ customer: ['c1'] });
  });

  test('of one Secret that cannot be read do not stand in the way of those of another', async () => {
    const client = { get: async (_kind: unknown, { name }: { name: string }) => (name === 'there' ? { data: { visitor: Buffer.from('v1').toString('base64') } } : undefined) } as unknown as Client;
    const two = aHold([{ subjects: { secretName: 'gone' } }, {}, { subjects: { secretName: 'there' } }, { subjects: { secretName: 'there' } }]);
    const subjects = await readSubjects(client, two, { holds: [], rootNamespace: 'dataward-system' });
    expect([[...subjects.bySecret], subjects.unreadable, subjects.pins.map(({ name }) => name)]).toEqual([[['gone', 'Unreadable'], ['there', { visitor: ['v1'] }]], ['gone'], ['there']]);
  });

  test.each<[string, Record<string, string> | undefined, string | undefined]>([
    ['missing', undefined, undefined],
    ['empty', {}, undefined],
    ['without a name', { visitor: ' \n' }, undefined],
    ['changed since it was pinned', { visitor: 'v1' }, 'sha256:other'],
  ])('are unreadable in a Secret that is %s, and the pin stays', async (_, data, pin) => {
    const subjects = await read(data, pin);
    expect(subjects.bySecret.get('people')).toBe('Unreadable');
    expect(subjects.unreadable).toEqual(['people']);
    expect(subjects.pins).toEqual(pin ? [{ name: 'people', digest: pin }] : []);
  });

  test('of a hold that was created again are those of the hold it was: a Secret of the same name beside it may be about others', async () => {
    const before: LegalHold = { ...on, status: { secrets: [{ name: 'people', digest: 'sha256:of-before' }] } };
    const copy = newCopy(before, { holds: [before], rootNamespace: 'dataward-system' });
    const subjects = await readSubjects(secret({ visitor: 'v9' }) as Client, copy, { holds: [before, copy], rootNamespace: 'dataward-system' });
    expect([subjects.unreadable, subjects.pins]).toEqual([['people'], before.status?.secrets]);
    const later = await readSubjects(secret({ visitor: 'v9' }) as Client, { ...copy, status: { secrets: subjects.pins } }, { holds: [copy], rootNamespace: 'dataward-system' });
    expect(later.unreadable).toEqual(['people']);
  });

  test('go with the blocks that reach a store; a Secret nobody read is unreadable', () => {
    const declared = { maps: [], policies: [], holds: [], namespaces: new Map(), rootNamespace: 'x' };
    const two = aHold([{ stores: { names: ['other'] } }, { subjects: { secretName: 'people' } }, {}]);
    expect(blocksFor(two, aStore(), declared, nobody)).toEqual([{ index: 1, block: two.spec.scope[1], subjects: 'Unreadable' }, { index: 2, block: two.spec.scope[2] }]);
  });
});
