import { describe, expect, test } from '@jest/globals';
import type { LegalHold } from '../../../src/api/generated/legalHold.ts';
import type { StoreFacts } from '../../../src/connect/facts.ts';
import type { StoreConnections } from '../../../src/connect/stores.ts';
import { enforce, handOver, release, type HoldContext, type StoreOutcome } from '../../../src/holds/apply.ts';
import type { HoldSubjects } from '../../../src/holds/observe.ts';
import { mapsDigest } from '../../../src/rules/attach.ts';
import type { Declarations } from '../../../src/rules/store-rules.ts';
import { StoreError } from '../../../src/stores/errors.ts';
import { aHold, aMap, anInventory, aStore, aTable } from '../../support/declared.ts';
import { scriptedStore, type ScriptedStore, type StoreScript } from '../../support/scripted-store.ts';

const nobody: HoldSubjects = { bySecret: new Map(), pins: [], unreadable: [] };
const declared: Declarations = { maps: [aMap([{}])], policies: [], holds: [], namespaces: new Map([['platform-db', {}]]), rootNamespace: 'dataward-system' };
const inventory = anInventory([aTable('views', ['id', 'client'])], { otherDeleters: ['pg_cron job 1'] });
const NOW = Date.parse('2026-03-01T02:00:00Z');

async function enforced(hold: LegalHold, changes: { script?: Partial<StoreScript>; store?: ReturnType<typeof aStore>; connections?: Partial<StoreConnections>; subjects?: HoldSubjects; declarations?: Declarations } = {}): Promise<{ outcome: StoreOutcome; store: ScriptedStore; remembered: number }> {
  const store = scriptedStore({ inventory, ...changes.script });
  let remembered = 0;
  const facts = { remember: () => void (remembered += 1) } as unknown as StoreFacts;
  const context: HoldContext = { connections: { ...store.connections, ...changes.connections }, facts, owner: 'us', now: () => NOW, signal: new AbortController().signal };
  const outcome = await enforce(hold, changes.store ?? aStore(), changes.declarations ?? declared, changes.subjects ?? nobody, context);
  expect(store.open()).toBe(0);
  return { outcome, store, remembered };
}

const before = (enforcedSince?: string): LegalHold => aHold([{}], {}, {}, { stores: [{ namespace: 'platform-db', name: 'analytics', ...(enforcedSince ? { enforcedSince } : {}) }] });
const unreachable = { writer: () => Promise.reject(new StoreError('Unreachable', 'db.example:5432 does not answer')) };

describe('a hold in a store', () => {
  test('is committed as tables and predicates, and the reading it rests on is kept', async () => {
    const { outcome, store, remembered } = await enforced(aHold([{}]));
    const items = [{ table: { schema: 'public', name: 'views' }, predicate: { op: 'true' } }];
    expect(outcome).toEqual({ store: { namespace: 'platform-db', name: 'analytics', enforcedSince: '2026-03-01T00:00:00Z', maps: mapsDigest(declared.maps), otherDeleters: ['pg_cron job 1'] }, items, widened: [], blocks: [{ index: 0, keeps: true, items }], failed: false });
    expect(store.calls).toEqual(['enforce:putHold uid-matter-1 views true']);
    expect(remembered).toBe(1);
  });

  test('keeps the day it first stood', async () => {
    expect((await enforced(before('2026-01-05T00:00:00Z'))).outcome.store.enforcedSince).toBe('2026-01-05T00:00:00Z');
    const beside = [{ namespace: 'shop', name: 'analytics', enforcedSince: '2025-01-01T00:00:00Z' }, { namespace: 'platform-db', name: 'orders', enforcedSince: '2025-02-01T00:00:00Z' }];
    expect((await enforced(aHold([{}], {}, {}, { stores: beside }))).outcome.store.enforcedSince).toBe('2026-03-01T00:00:00Z');
  });

  test('does not wait for the first look at a new store: it brings the schema along, readable by the other identities', async () => {
    const { store } = await enforced(aHold([{}]), { script: { fence: undefined } });
    expect(store.calls.slice(0, 2)).toEqual(['enforce:install for reader,checker', 'enforce:putHold uid-matter-1 views true']);
  });

  test('stands there only from now on where its schema was dropped', async () => {
    expect((await enforced(before('2026-01-05T00:00:00Z'), { script: { fence: undefined } })).outcome.store.enforcedSince).toBe('2026-03-01T00:00:00Z');
  });

  test('brings no schema into another store that answers under the name: a person confirms it first', async () => {
    const known = { ...aStore(), status: { identity: { fingerprint: 'sha256:of before', server: 'PostgreSQL 15', timeline: 1 } } };
    const { outcome, store } = await enforced(before('2026-01-05T00:00:00Z'), { script: { fence: undefined }, store: known });
    expect(outcome).toMatchObject({ failed: true, store: { message: expect.stringContaining('another store answers under this name') } });
    expect(store.calls).toEqual([]);
  });

  test('protects in another store that answers under the name too, whose tables nobody takes for those of this one', async () => {
    const known = { ...aStore(), status: { identity: { fingerprint: 'sha256:of before', server: 'PostgreSQL 15', timeline: 1 } } };
    const { outcome, remembered } = await enforced(aHold([{}]), { store: known });
    expect([outcome.failed, outcome.items.length, remembered]).toEqual([false, 1, 0]);
  });

  test('is written into a store that another installation owns: it only protects', async () => {
    const { outcome, store } = await enforced(aHold([{}]), { script: { fence: { owner: 'them', marker: 'm', holdsRevision: 1, holds: [] } } });
    expect([outcome.failed, store.calls[0]]).toEqual([false, 'enforce:putHold uid-matter-1 views true']);
  });

  test('covers the whole block when its Secret cannot be read, and says so', async () => {
    const { outcome, store } = await enforced(aHold([{ subjects: { secretName: 'people' } }]), { subjects: { ...nobody, bySecret: new Map([['people', 'Unreadable']]) } });
    expect(store.calls[0]).toBe('enforce:putHold uid-matter-1 views true');
    expect(outcome.widened).toHaveLength(1);
  });

  test('has nothing to stop where no identity may delete', async () => {
    const { outcome, store } = await enforced(aHold([{}]), { store: aStore({ credentials: { observe: { secretName: 'o' } } }) });
    expect(outcome).toMatchObject({ failed: false, store: { namespace: 'platform-db', name: 'analytics', message: expect.stringContaining('deletes nothing here') } });
    expect(store.calls).toEqual([]);
  });

  test.each([[undefined], ['2026-01-05T00:00:00Z']])('that stood since %s says so and why it failed when the store cannot be reached', async (since) => {
    const { outcome } = await enforced(before(since), { connections: unreachable });
    expect(outcome).toEqual({ store: { namespace: 'platform-db', name: 'analytics', ...(since ? { enforcedSince: since } : {}), message: 'db.example:5432 does not answer' }, items: [], widened: [], blocks: [{ index: 0, keeps: true }], failed: true });
  });

  test('fails in words that carry no data when something unforeseen happens', async () => {
    const { outcome } = await enforced(aHold([{}]), { connections: { writer: () => Promise.reject(new TypeError('reader7@mail.example')) } });
    expect([outcome.failed, outcome.store.message]).toEqual([true, "unexpected TypeError; the operator's log has the details"]);
  });

  test('keeps all of a table where the store cannot understand it, and says of which collection, why and what to do', async () => {
    const misread = [{ table: { schema: 'public', name: 'views' }, because: "2 of its values cannot be read in the column's type" }];
    const { outcome } = await enforced(aHold([{}]), { script: { misread } });
    expect(outcome).toMatchObject({ failed: false, widened: ["platform-db/web/views: 2 of its values cannot be read in the column's type, so all of its rows are held; correct the data map or the table, or put a hold in its place (spec.supersedes)"] });
  });

  test('keeps what it meant at another time, which nothing but its end takes out, and says so of tables that are there', async () => {
    const client = { op: 'oneOf' as const, field: { via: [], field: 'client' }, values: ['a'] };
    const standing = ['views', 'renamed_since', 'unmapped'].map((name) => ({ table: { schema: 'public', name }, predicate: { op: 'true' as const } }));
    const { outcome } = await enforced(aHold([{ clients: { keys: ['a'] } }]), { script: { standing, inventory: anInventory([aTable('views', ['id', 'client']), aTable('unmapped', ['id'])]) }, declarations: { ...declared, maps: [aMap([{ client: { field: 'client' } }])] } });
    expect(outcome.items.map((item) => [item.table.name, item.predicate])).toEqual([['views', { op: 'true' }], ['unmapped', { op: 'true' }], ['views', client]]);
    const because = 'what it meant there at another time stands too, until it is released or another hold takes its place (spec.supersedes)';
    expect(outcome.widened).toEqual([`platform-db/web/views: ${because}`, `public.unmapped: ${because}`]);
  });

  const figures = { items: 12, countExact: true, countedAt: '2026-02-28T01:30:00.000Z' };
  const all = { table: { schema: 'public', name: 'views' }, predicate: { op: 'true' as const } };
  const stood = { owner: 'us', marker: 'm', holdsRevision: 1, holds: [{ uid: 'uid-matter-1', name: 'platform-db/matter-1', revision: 4, items: [all] }] };
  const notes = aMap([{ name: 'notes', table: { schema: 'public', name: 'notes' } }], {}, { name: 'notes' });
  test.each<[string, number, Parameters<typeof enforced>[1], object]>([
    ['keeps the figures of what stood there before', 4, {}, figures],
    ['has none while those are of earlier words', 3, {}, {}],
    ['has none where another map came: what it keeps by that was never counted', 4, { declarations: { ...declared, maps: [...declared.maps, notes] } }, {}],
    ['has none where a new table came under an old map', 4, { script: { standing: [{ ...all, table: { schema: 'public', name: 'views_2' } }] } }, {}],
    ['has none where it was gone from the store and is there again', 4, { script: { fence: { ...stood, holds: [] } } }, {}],
    ['keeps them, with their time, while the store does not answer', 4, { connections: unreachable }, figures],
  ])('%s', async (_, revision, changes, kept) => {
    const hold = aHold([{}], {}, { generation: 4 }, { revision, stores: [{ namespace: 'platform-db', name: 'analytics', maps: mapsDigest(declared.maps), ...figures }] });
    const { items, countExact, countedAt } = (await enforced(hold, { ...changes, script: { fence: stood, ...changes?.script } })).outcome.store;
    expect({ items, countExact, countedAt }).toEqual({ items: undefined, countExact: undefined, countedAt: undefined, ...kept });
  });
});

describe('the end of a hold in a store', () => {
  const context = (store: ScriptedStore): HoldContext => ({ connections: store.connections, facts: {} as StoreFacts, owner: 'us', now: () => NOW, signal: new AbortController().signal });

  test('takes its entry out', async () => {
    const store = scriptedStore();
    await release(aHold([{}]), aStore(), declared, context(store));
    expect([store.calls, store.open()]).toEqual([['enforce:releaseHold uid-matter-1'], 0]);
  });

  test('takes out what stands under the uids it had, where there is no object left that could', async () => {
    const store = scriptedStore();
    const copy = aHold([{}], {}, { namespace: 'dataward-system', annotations: { 'dataward.io/moved-uids': 'gone leaving' } });
    await release(copy, aStore(), { ...declared, holds: [copy, aHold([{}], {}, { uid: 'leaving' })] }, context(store));
    expect(store.calls).toEqual(['enforce:releaseHold uid-matter-1', 'enforce:releaseHold gone']);
  });

  const item = (name: string) => ({ table: { schema: 'public', name }, predicate: { op: 'true' as const } });
  test.each<[string, string[], string[] | undefined, boolean]>([
    ['in whatever order, and more besides', ['views', 'orders'], ['clicks', 'orders', 'views'], true],
    ['all but one item', ['views', 'orders'], ['views', 'clicks'], false],
    ['nothing', ['views'], undefined, false],
  ])('is handed over to a copy of which there stands of the same %s', async (_, old, carried, over) => {
    const stands = (uid: string, names: string[]) => ({ uid, name: `platform-db/${uid}`, revision: 1, items: names.map(item) });
    const store = scriptedStore({ fence: { owner: 'us', marker: 'm', holdsRevision: 1, holds: [stands('uid-matter-1', old), ...(carried ? [stands('uid-copy', carried)] : [])] } });
    expect(await handOver(aHold([{}]), aHold([{}], {}, { uid: 'uid-copy' }), aStore(), context(store))).toBe(over);
    expect([store.script.fence?.holds.some(({ uid }) => uid === 'uid-matter-1'), store.open()]).toEqual([!over, 0]);
  });

  test.each<[string, string | undefined, string | undefined, boolean]>([
    ['keeps all of the table too, whatever is said of why', 'a is another column', 'a is another column, called b since', true],
    ['keeps all of the table, since the column it means is another one', undefined, 'a is another column', true],
    ['means another column, and keeps less', 'a is another column', undefined, false],
  ])('is handed over to a copy as its words: one that %s', async (_, old, carried, over) => {
    const stands = (uid: string, widened: string | undefined) => ({ uid, name: `platform-db/${uid}`, revision: 1, items: [{ ...item('views'), ...(widened === undefined ? {} : { widened }) }] });
    const store = scriptedStore({ fence: { owner: 'us', marker: 'm', holdsRevision: 1, holds: [stands('uid-matter-1', old), stands('uid-copy', carried)] } });
    expect(await handOver(aHold([{}]), aHold([{}], {}, { uid: 'uid-copy' }), aStore(), context(store))).toBe(over);
  });

  test('is handed over where nothing of it stands, and where no identity may delete', async () => {
    const store = scriptedStore();
    expect(await handOver(aHold([{}]), aHold([{}], {}, { uid: 'uid-copy' }), aStore(), context(store))).toBe(true);
    expect(await handOver(aHold([{}]), aHold([{}], {}, { uid: 'uid-copy' }), aStore({ credentials: { observe: { secretName: 'o' } } }), context(store))).toBe(true);
    expect([store.calls, store.open()]).toEqual([[], 0]);
  });

  test('asks nothing of a store where no identity may delete', async () => {
    const store = scriptedStore();
    await release(aHold([{}]), aStore({ credentials: { observe: { secretName: 'o' } } }), declared, context(store));
    expect(store.calls).toEqual([]);
  });
});
