import { describe, expect, test } from '@jest/globals';
import { compareHeld, fingerprintHeld, fingerprintSame, type HeldFingerprint } from '../../../../src/retention/run/held.ts';
import type { CollectionRule } from '../../../../src/stores/counting.ts';
import { StoreError } from '../../../../src/stores/errors.ts';
import type { FenceState, StoreHold } from '../../../../src/stores/fence.ts';
import type { PurgeRequest } from '../../../../src/stores/purging.ts';
import { aStore } from '../../../support/declared.ts';
import { scriptedStore, VIEWS, type StoreScript } from '../../../support/scripted-store.ts';
import { aRun } from './declared-run.ts';

const CLICKS = 'platform-db/web/clicks';
const views = { schema: 'public', name: 'views' };
const clicks = { schema: 'public', name: 'clicks' };
const rule = (collection: string, table: typeof views): CollectionRule => ({ collection, table, guards: [], times: [], acknowledged: [] });
const request: PurgeRequest = { rules: [rule(VIEWS, views), rule(CLICKS, clicks)], targets: [VIEWS], nonPersonal: [], now: '2026-03-01T02:00:00Z', budgetMs: 0 };
const hold = (uid: string, table = views): StoreHold => ({ uid, name: `platform-db/${uid}`, revision: 1, items: [{ table, predicate: { op: 'true' } }] });
const fence = (...holds: StoreHold[]): { fence: FenceState } => ({ fence: { owner: 'us', marker: 'm', holdsRevision: 1, holds } });
const { signal } = new AbortController();

async function before(script: Partial<StoreScript>, store = aStore()): Promise<{ held: HeldFingerprint[]; calls: readonly string[] }> {
  const scripted = scriptedStore(script);
  const held = await fingerprintHeld(aRun(), store, request, scripted.connections, signal);
  expect(scripted.open()).toBe(0);
  return { held, calls: scripted.calls };
}

async function again(script: Partial<StoreScript>, earlier: readonly HeldFingerprint[]): Promise<HeldFingerprint[]> {
  const reader = await scriptedStore(script).connections.reader(aStore(), 'verify', signal);
  return fingerprintSame(earlier, request, reader);
}

describe('held rows before the first deletion', () => {
  const seen = { fingerprint: { rows: 2, sum: '77' } };

  test('are looked at with the holds that hold them, where something is held and planned', async () => {
    const { held, calls } = await before({ ...seen, ...fence(hold('a'), hold('b'), hold('c', clicks)) });
    expect(held).toEqual([{ collection: VIEWS, rows: 2, sum: '77', holds: ['a', 'b'] }]);
    expect(calls).toEqual(['verify:fingerprint']);
    expect((await before({ ...seen, ...fence(hold('c', clicks)) })).held).toEqual([]);
  });

  test('are looked at by the observing identity where there is no second one', async () => {
    const store = aStore({ credentials: { observe: { secretName: 'o' }, enforce: { secretName: 'e' } } });
    expect((await before({ ...seen, ...fence(hold('a')) }, store)).calls).toEqual(['observe:fingerprint']);
  });

  test.each<[string, Partial<StoreScript>, object]>([
    ['too many rows to look at', { fingerprint: new StoreError('LimitReached', 'too many'), ...fence(hold('a')) }, { rows: 0, sum: 'unknown' }],
    ['more holds than the status has room for', { ...seen, ...fence(...Array.from({ length: 101 }, (_, index) => hold(`h${index}`))) }, seen.fingerprint],
  ])('leave nothing to compare with where there are %s', async (_, script, figures) => {
    const { held } = await before(script);
    expect(held).toEqual([{ collection: VIEWS, ...figures }]);
    expect(await again(script, held)).toEqual([]);
  });

  test('are compared for as many holds as the status has room for', async () => {
    expect((await before({ ...seen, ...fence(...Array.from({ length: 100 }, (_, index) => hold(`h${index}`))) })).held[0]?.holds).toHaveLength(100);
  });

  test('are no reason to begin without them where the store fails', async () => {
    await expect(before({ fingerprint: new StoreError('Unreachable', 'gone'), ...fence(hold('a')) })).rejects.toMatchObject({ reason: 'Unreachable' });
    await expect(before({ fingerprint: new TypeError('a fault'), ...fence(hold('a')) })).rejects.toThrow(TypeError);
  });
});

describe('held rows afterwards', () => {
  const earlier: HeldFingerprint[] = [{ collection: VIEWS, rows: 2, sum: '77', holds: ['a', 'b'] }];
  const now = { fingerprint: { rows: 1, sum: '7' } };

  test.each<[string, Partial<StoreScript>, HeldFingerprint[]]>([
    ['are looked at again while all their holds stand', { ...now, ...fence(hold('a'), hold('b'), hold('later')) }, [{ ...earlier[0]!, rows: 1, sum: '7' }]],
    ['are left out when one of their holds was released: what only that held may have gone', { ...now, ...fence(hold('a')) }, []],
    ['are left out when all of their holds were', { ...now, ...fence() }, []],
    ['are left out when they became too many to look at', { fingerprint: new StoreError('LimitReached', 'too many'), ...fence(hold('a'), hold('b')) }, []],
  ])('%s', async (_, script, seen) => {
    expect(await again(script, earlier)).toEqual(seen);
  });

  test('of a collection that is not declared any more are left out, those of others are not', async () => {
    const gone = { collection: 'platform-db/web/gone', rows: 1, sum: '1', holds: ['a'] };
    expect(await again({ ...now, ...fence(hold('a'), hold('b')) }, [gone, ...earlier])).toEqual([{ ...earlier[0]!, rows: 1, sum: '7' }]);
  });

  const of = (collection: string, rows: number, sum: string): HeldFingerprint => ({ collection, rows, sum });
  test.each<[string, HeldFingerprint[], HeldFingerprint[], object]>([
    ['as they were', [of('a', 2, 'x'), of('b', 1, 'y')], [of('b', 1, 'y'), of('a', 2, 'x')], { unchanged: true }],
    ['edited in one collection', [of('a', 2, 'x'), of('b', 1, 'y')], [of('a', 2, 'x'), of('b', 1, 'z')], { unchanged: false }],
    ['edited in one and unknown in another', [of('a', 2, 'x'), of('b', 1, 'y')], [of('a', 2, 'z')], { unchanged: false }],
    ['unknown in one and as they were in another', [of('a', 2, 'x'), of('b', 1, 'y')], [of('b', 1, 'y')], {}],
    ['more', [of('a', 2, 'x')], [of('a', 3, 'x')], {}],
    ['fewer', [of('a', 5, 'x'), of('b', 2, 'y')], [of('a', 5, 'x'), of('b', 1, 'y')], { unchanged: false, missing: 'b: 1 of 2 held rows are gone' }],
  ])('are found %s', (_, first, second, found) => {
    expect(compareHeld(first, second)).toEqual(found);
  });
});
